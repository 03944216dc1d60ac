"""Measures the time and the memory that one invocation takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Profile:
    """Seconds since `started`: by stage, by model loaded, and by stage until the first picture was drawn.

    The first model that needs torch includes the time of importing it.
    """

    started: float = field(default_factory=time.monotonic)
    stages: dict[str, float] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    first_picture: float | None = None
    until_first: dict[str, float] = field(default_factory=dict)
    _stage: str = "start"  # reading the template, the configuration and the references

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.started

    @contextmanager
    def loading(self, model: str) -> Iterator[None]:
        """Times the loading of a model."""
        before = self.seconds
        yield
        self.load[model] = self.load.get(model, 0.0) + self.seconds - before

    def entered(self, stage: str, drawn: bool = False) -> None:
        """Records that a stage begins, and whether a picture exists by now; only the first time counts."""
        if self.first_picture is not None:
            return
        now = self.seconds
        spent = now - sum(self.until_first.values())
        self.until_first[self._stage] = self.until_first.get(self._stage, 0.0) + spent
        self._stage = stage
        if drawn:
            self.first_picture = now

    def report(self, items: int) -> dict[str, Any]:
        """Plain values, for an invocation that accepted `items` items; memory in MB, None if it is not known."""
        seconds, peak = self.seconds, peak_memory()
        return {
            "seconds": round(seconds, 2),
            "first_picture": None if self.first_picture is None else round(self.first_picture, 2),
            "until_first_picture": {stage: round(spent, 2) for stage, spent in self.until_first.items()},
            "items_per_second": round(items / seconds, 3),
            "stages": {stage: round(spent, 2) for stage, spent in self.stages.items()},
            "load": {model: round(spent, 2) for model, spent in self.load.items()},
            "peak_memory_mb": None if peak is None else round(peak / 1e6),
        }


def peak_memory() -> int | None:
    """The most bytes of memory that this process has used; None on systems that do not report it."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
