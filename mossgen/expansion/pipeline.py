"""Drives the candidates of a plan through the stages until enough are accepted.

Each item is decided on independently. Decisions that compare items are taken one after the other, in plan order.
There is one writer.

Candidates go in waves. The first has FIRST candidates, so that the first picture comes soon; each next one has twice
as many, up to WAVE. A wave is written as one batch. Its remaining items are then drawn in chunks (see stages.py);
those of the first wave one by one. Batches depend on the plan alone, so a killed run makes the same calls when it is
resumed and gives the same bytes. `-n` only decides where a run stops.
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
PATIENCE = 25  # candidates tried for each requested item before a run gives up


def drive(stages: Stages, seed: int, budget: Budget) -> str:
    """Makes candidates until `budget.accepted` are accepted; the same call again resumes.

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
    """One invocation: drives the plan's waves through the stages."""

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
        """Accepts spare items that the quota still needs; returns why to stop, or None."""
        if not accept_spares(self.store, self.budget.accepted):
            return "quota"
        counts = self.store.counts()
        tried = sum(counts.values()) - counts.get(State.PLANNED, 0) - counts.get(State.DRAFTED, 0)
        if tried >= (self.budget.candidates or PATIENCE * max(self.budget.accepted, 4)):
            return "candidates"
        return self.budget.limits.used_up(time.monotonic() - self.stages.started, self.stages.usd())

    def _written(self, wave: Sequence[Item]) -> list[Item]:
        """Writes the wave if needed; returns its items that passed every decision made without a picture."""
        stored = self.store.items(after=wave[0].number - 1, below=wave[-1].number + 1)
        if len(stored) < len(wave):  # some are stored only if the run began when waves were larger
            stored += self.stages.write(wave[len(stored) :])
        return drawable(stored)


def _waves(plan: Iterator[Item]) -> Iterator[list[Item]]:
    """Splits the plan into waves; the last one may be shorter."""
    size = FIRST
    while wave := list(itertools.islice(plan, size)):
        yield wave
        size = min(2 * size, WAVE)


def drawable(wave: Sequence[Item]) -> list[Item]:
    """The items of a written wave that are or were to be drawn; with both, the chunks are the same on every resume."""
    return [item for item in wave if item.state is not State.REJECTED or "imager" in item.provenance]


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """The items in groups of `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
