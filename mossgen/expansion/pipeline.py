"""Candidates of a plan, driven through the stages until enough are accepted.

Decisions about one item depend on nothing else; decisions between items are taken one after the other, in plan order.
There is one writer.

Candidates go in waves: the first of FIRST, so that a picture is there soon, then twice as many up to WAVE. A wave is
written as one batch, then its survivors are drawn in chunks (see stages.py), those of the first wave one by one. What
is in a batch depends on the plan alone: so a killed run, resumed, makes the same calls with the same batches and
gives the same bytes, and `-n` only decides where a run stops.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mossgen.core.budget import Budget
from mossgen.core.items import Item, State
from mossgen.expansion.stages import CHUNK, Stages
from mossgen.runs.store import RunStore

FIRST, WAVE = 2, 16  # candidates written as one batch: at first, and at most
PATIENCE = 25  # candidates tried for each item asked for, before a run gives up


def drive(stages: Stages, seed: int, budget: Budget) -> str:
    """Makes candidates until `budget.accepted` are accepted; the same call again goes on where it stopped.

    Returns why it stopped: "quota", "candidates", "time", "cost", or "exhausted" (no combination is left).
    Raises RunError from a backend or the store; what was committed before stays.
    """
    return _Run(stages, seed, budget).drive()


def accept_spares(store: RunStore, wanted: int) -> int:
    """Accepts spare items, in plan order, up to `wanted` accepted ones; returns how many are still missing."""
    missing = max(wanted - store.counts().get(State.ACCEPTED, 0), 0)
    spare = store.items(State.SPARE)[:missing]
    if spare:
        with store.transaction():
            store.put([replace(item, state=State.ACCEPTED) for item in spare])
    return missing - len(spare)


class _Run:
    """One invocation: the plan's waves through the stages."""

    def __init__(self, stages: Stages, seed: int, budget: Budget) -> None:
        self.stages = stages
        self.store = stages.store
        self.seed = seed
        self.budget = budget

    def drive(self) -> str:
        """See the function `drive`."""
        for wave in _waves(self.stages.stimulus.plan(self.seed)):
            if reason := self._stop():
                return reason
            for chunk in chunks(self._written(wave), CHUNK if wave[0].number else 1):
                if reason := self._stop():
                    return reason
                if any(item.state is State.DRAFTED for item in chunk):
                    self.stages.picture(chunk)
        return self._stop() or "exhausted"

    def _stop(self) -> str | None:
        """Accepts what the quota still wants of the spare items, and says why to stop, if so."""
        if not accept_spares(self.store, self.budget.accepted):
            return "quota"
        counts = self.store.counts()
        tried = sum(counts.values()) - counts.get(State.PLANNED, 0) - counts.get(State.DRAFTED, 0)
        if tried >= (self.budget.candidates or PATIENCE * max(self.budget.accepted, 4)):
            return "candidates"
        return self.budget.limits.used_up(time.monotonic() - self.stages.started, self.stages.usd())

    def _written(self, wave: Sequence[Item]) -> list[Item]:
        """The wave's items that passed everything that is decided without a picture."""
        stored = self.store.items(after=wave[0].number - 1, below=wave[-1].number + 1)
        if len(stored) < len(wave):  # none is, unless the run began when waves were larger
            stored += self.stages.write(wave[len(stored) :])
        return drawable(stored)


def _waves(plan: Iterator[Item]) -> Iterator[list[Item]]:
    """The plan in its waves, the last one maybe shorter."""
    size = FIRST
    while wave := list(itertools.islice(plan, size)):
        yield wave
        size = min(2 * size, WAVE)


def drawable(wave: Sequence[Item]) -> list[Item]:
    """The items of a written wave that are drawn, or were: so the chunks are the same on every resume."""
    return [item for item in wave if item.state is not State.REJECTED or "imager" in item.provenance]


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """The items in groups of `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
