"""Loading many libraries and models at once, at less cost than one by one."""

from __future__ import annotations

import functools
import gc
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fast_imports() -> Iterator[None]:
    """Without what makes torch, transformers and diffusers slow to import.

    The garbage collector would look again and again at a million new objects, all of which stay. And transformers and
    diffusers each ask which distribution every package belongs to, which looks at every installed file.
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
            gc.unfreeze()  # so what was loaded counts as old, without having been looked at even once
            gc.enable()
