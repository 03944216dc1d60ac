"""Makes importing heavy libraries faster."""

from __future__ import annotations

import functools
import gc
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fast_imports() -> Iterator[None]:
    """Turns off what makes torch, transformers and diffusers slow to import.

    The garbage collector would scan a million new objects again and again, though all of them stay. And transformers
    and diffusers each map every package to its distribution, which reads every installed file.
    """
    collecting, packages = gc.isenabled(), importlib.metadata.packages_distributions
    gc.disable()
    importlib.metadata.packages_distributions = functools.cache(packages)
    try:
        yield
    finally:
        importlib.metadata.packages_distributions = packages
        if collecting:
            gc.freeze()
            gc.unfreeze()  # the loaded objects now count as old, though never scanned
            gc.enable()
