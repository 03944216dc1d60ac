"""The search: rounds of children through the gate and before the targets, until enough are kept.

A round has ROUND children. Each has a mutator, chosen by the bandit, and parents, drawn among the run's items and the
children kept so far with a chance that grows with how often they are refused and how far they are from the others
(fitness-proportionate selection). A child is kept if it passes the whole gate and the targets refuse it more often than
its parent, or always as they do its parent, and if its picture has room: at most `per_cluster` children share one.

A round depends on what is stored alone, so that a killed search goes on where it stopped; `-n` and `--rounds` only
decide where it ends.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mossgen.config import Evolution
from mossgen.evolution.bandit import Bandit
from mossgen.evolution.family import EVOLVED, KEPT, Family, evolved
from mossgen.evolution.mutators import MAX_OFFERED, MUTATORS, Change
from mossgen.evolution.panel import Panel, Share
from mossgen.gate import Gate, Inherited
from mossgen.items import Item, State, item_id, rng
from mossgen.nearness import Vectors
from mossgen.pipeline import Budget, accept_spares, chunks, drawable
from mossgen.ports import Target
from mossgen.stimulus import StimulusType

ROUND = 16  # children a round
TRIES = 25  # proposals for each of them, before a round is content with fewer
DIVERSITY = 0.25  # of a parent's weight: its novelty, beside its refusal rate
FLOOR = 0.02  # of a parent's weight: everybody has a chance
MAX_VARIANTS = 1_000  # of one item's slots


@dataclass(frozen=True)
class Limits:
    """Where a search ends: children kept, rounds, and the seconds and US dollars of this invocation."""

    kept: int
    rounds: int
    budget: Budget


class Search:
    """One invocation: what is stored, the gate, the targets; `go` drives them."""

    def __init__(
        self, family: Family, gate: Gate, panel: Panel, targets: Sequence[Target], how: Evolution, seed: int,
        limits: Limits,
    ) -> None:  # fmt: skip
        self.family = family
        self.gate = gate
        self.store = gate.store
        self.panel = panel
        self.targets = targets
        self.how = how
        self.seed = seed
        self.limits = limits
        self.usd = 0.0  # of targets and judge
        self.before: dict[str, Share] = {}  # of the parents' run, by the search's samples
        self._started = time.monotonic()

    def go(self) -> str:
        """Drives rounds until something stops it, and returns what: "quota", "rounds", "time", "cost", "exhausted"
        (no other child can be made), or the sentence of a target or judge that cannot be asked.
        """
        self.before, stopped = self._asked(self.family.parents.items)
        if stopped:
            return stopped
        for number in itertools.count(1):
            if reason := self._stop():
                return reason
            children = self._round(number)
            if not children and number > self.limits.rounds:
                return "rounds"
            children = children or self._write(number)
            if not children:
                return "exhausted"
            if reason := self._finish(children):
                return reason
        raise AssertionError("unreachable")

    def left(self) -> Budget:
        """What this invocation may still use."""
        budget = self.limits.budget
        seconds = None if budget.seconds is None else budget.seconds - (time.monotonic() - self._started)
        usd = None if budget.usd is None else budget.usd - self.usd - self.gate.usd()
        return Budget(0, seconds=seconds, usd=usd)

    def bandit(self) -> Bandit:
        """The posteriors by all children that were decided."""
        decided = (State.REJECTED, *KEPT)
        children = [item for item in self.store.items(*decided)]
        return Bandit(self.how.mutators, [(evolved(c)["mutator"], c.state in KEPT) for c in children])

    def _stop(self) -> str | None:
        if not accept_spares(self.store, self.limits.kept):
            return "quota"
        return self.limits.budget.used_up(time.monotonic() - self._started, self.usd + self.gate.usd())

    def _round(self, number: int) -> list[Item]:
        return [item for item in self.store.items() if evolved(item)["round"] == number]

    # -- proposing -----------------------------------------------------------------------------------

    def _write(self, number: int) -> list[Item]:
        """A new round's children, through the written half of the gate; none where nothing new can be proposed."""
        proposed = self._propose(number)
        children = [child for child, _ in proposed]
        self.family.add(children)
        offered = {child.id: questions for child, questions in proposed if questions}
        return self.gate.write(children, offered) if children else []

    def _propose(self, number: int) -> list[tuple[Item, Sequence[str]]]:
        """Children with the questions they may have (none: the language model writes them)."""
        draw = random.Random(f"evolve/{self.seed}/{number}")
        bandit, weights = self.bandit(), self._weights()
        full = self._full()
        first = len(self.store.items())
        proposed: dict[str, tuple[Item, Sequence[str]]] = {}
        for _ in range(ROUND * TRIES):
            if len(proposed) == ROUND or not weights:
                break
            name = draw.choice(bandit.arms) if self.how.search == "random" else bandit.choose(draw)
            one, other = draw.choices(list(weights.values()), k=2) if False else self._pair(weights, draw)
            change = MUTATORS[name](self.family.kind, one, other, draw)
            if change is None:
                continue
            child = self._child(one, other, name, change, number, first + len(proposed), set(proposed))
            if child is not None and evolved(child)["cluster"] not in full:
                proposed[child.id] = child, self._questions(child, one, change)
        return list(proposed.values())
