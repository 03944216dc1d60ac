"""The search: drives rounds of children through the stages, then asks the targets, until enough are kept.

A round has ROUND children. The bandit chooses each child's mutator. Its parents are drawn among the run's items and the
children kept so far; the chance of each grows with how often it is refused and how far it is from the others
(fitness-proportionate selection). A child is kept if it passes all stages, if the targets refuse it more often than its
parent (or always, like its parent), and if at most `per_cluster` kept children then share its picture.

A round depends only on what is stored, so a killed search resumes where it stopped. `-n`, `--rounds` and budgets only
decide where it ends. A new round begins only if the budget seems to suffice for it and for measuring what is kept.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mossgen.core.budget import OUT_OF, Limits
from mossgen.core.items import Item, State, item_id, rng
from mossgen.evolution.bandit import Bandit
from mossgen.evolution.family import EVOLVED, KEPT, Family, evolved
from mossgen.evolution.mutators import MAX_OFFERED, MUTATORS, Change
from mossgen.evolution.panel import Panel, PanelResult, Purpose, Share
from mossgen.expansion.pipeline import accept_spares, chunks, drawable
from mossgen.expansion.stages import Stages
from mossgen.plugins.protocols import Target
from mossgen.runs.config import Evolution

ROUND = 16  # children a round
TRIES = 25  # proposals for each of them, before a smaller round is accepted
DIVERSITY = 0.25  # weight of a parent's novelty, added to its refusal rate
FLOOR = 0.02  # added to a parent's weight: every item has a chance
MAX_VARIANTS = 1_000  # of one item's slots
PASSED = State.RENDERED  # the state of a child after the stages, until targets have decided on it
ENDS = ("quota", "rounds", "exhausted", *OUT_OF.values())  # ends of a search that no target or judge stopped


@dataclass(frozen=True)
class Quota:
    """Where a search ends: children kept, rounds, and the limits of this invocation."""

    kept: int
    rounds: int
    limits: Limits


class Search:
    """One invocation of the search: the stored items, the stages and the targets; start it with `drive`.

    The stages are built when the first child must pass them; no model is loaded before.
    """

    def __init__(
        self, family: Family, stages: Callable[[], Stages], panel: Panel, targets: Sequence[Target],
        evolution: Evolution, seed: int, quota: Quota,
    ) -> None:  # fmt: skip
        self.family = family
        self.store = family.store
        self._build = stages
        self.panel = panel
        self.targets = targets
        self.evolution = evolution
        self.seed = seed
        self.quota = quota
        self.before: dict[str, Share] = {}  # of the parents' run, by the search's samples
        self.failures: Counter[str] = Counter()  # requests that failed at targets or the judge
        self._calls, self._seconds, self._usd = 0, 0.0, 0.0  # of targets and judge
        self._down = False  # one of them cannot be asked any more
        self._started = time.monotonic()

    @cached_property
    def stages(self) -> Stages:
        """The stages that every child passes."""
        return self._build()

    def drive(self) -> str:
        """Drives rounds until something stops it; returns the reason.

        The reason is one of ENDS ("exhausted": no other child can be proposed), or a sentence about a target or judge
        that cannot be asked.
        """
        parents = self.family.parents.items
        asked = self.ask(parents, self.targets, "search")
        self.before = {**{item.id: Share() for item in parents}, **asked.shares()}
        if asked.stopped:
            return asked.stopped
        for number in itertools.count(1):
            if reason := self._stop():
                return reason
            children = self._round(number)
            if not children and number > self.quota.rounds:
                return "rounds"
            children = children or self._write(number)
            if not children:
                return "exhausted"
            if reason := self._finish(children):
                return reason
        raise AssertionError("unreachable")

    def ask(self, items: Sequence[Item], targets: Sequence[Target], purpose: Purpose) -> PanelResult:
        """Asks targets within the budgets; once one cannot be asked any more, only reads stored responses."""
        records = [self.family.record(item) for item in items]
        limits = Limits(seconds=0) if self._down else self.quota.limits.left(*self._used())
        started = time.monotonic()
        asked = self.panel.ask(records, targets, purpose, limits)
        seconds = time.monotonic() - started
        self.store.spend("targets", seconds, asked.usd)
        self.failures += asked.failures
        self._calls += asked.calls
        self._seconds += seconds
        self._usd += asked.usd
        self._down |= bool(asked.stopped) and asked.stopped not in ENDS
        return asked

    def _used(self, ahead: int = 0) -> tuple[float, float]:
        """Seconds and US dollars of this invocation, plus those of the calls ahead at the average so far."""
        each = ahead / max(self._calls, 1)
        seconds, usd = time.monotonic() - self._started, self._usd
        if "stages" in self.__dict__:
            usd += self.stages.usd()
        return seconds + each * self._seconds, usd + each * self._usd

    def _ahead(self) -> int:
        """The most calls for another round and for measuring what is kept by now."""
        kept = min(len(self.family.kept()), self.quota.kept)
        measuring = 2 * kept * self.evolution.held_back * (len(self.evolution.targets) + len(self.evolution.held_out))
        return ROUND * len(self.evolution.targets) * self.evolution.samples + measuring

    def bandit(self) -> Bandit:
        """The posteriors from all decided children."""
        decided = (State.REJECTED, *KEPT)
        children = [item for item in self.store.items(*decided)]
        return Bandit(self.evolution.mutators, [(evolved(c)["mutator"], c.state in KEPT) for c in children])

    def _stop(self) -> str | None:
        if not accept_spares(self.store, self.quota.kept):
            return "quota"
        return self._used_up(self._ahead())

    def _used_up(self, ahead: int = 0) -> str | None:
        reason = self.quota.limits.used_up(*self._used(ahead))
        return OUT_OF[reason] if reason else None

    def _round(self, number: int) -> list[Item]:
        return [item for item in self.store.items() if evolved(item)["round"] == number]

    # -- proposing -----------------------------------------------------------------------------------

    def _write(self, number: int) -> list[Item]:
        """Writes a new round's children in the written half of the stages; none if nothing new can be proposed."""
        proposed = self._propose(number)
        children = [child for child, _ in proposed]
        self.family.add(children)
        offered = {child.id: questions for child, questions in proposed if questions}
        return self.stages.write(children, offered) if children else []

    def _propose(self, number: int) -> list[tuple[Item, Sequence[str]]]:
        """Proposes children with their possible questions (none: the language model writes them)."""
        draw = random.Random(f"evolve/{self.seed}/{number}")
        bandit, full, breeders = self.bandit(), self._full(), self._breeders()
        weights = self.weights(breeders)
        first = len(self.store.items())
        proposed: dict[str, tuple[Item, Sequence[str]]] = {}
        for _ in range(ROUND * TRIES):
            if len(proposed) == ROUND:
                break
            name = bandit.choose(draw)
            one, other = draw.choices(breeders, weights, k=2)
            change = MUTATORS[name](self.family.kind, one, other, draw)
            if change is None:
                continue
            child = self._child((one, other), name, change, (number, first + len(proposed)), set(proposed))
            if child is not None and evolved(child)["cluster"] not in full:
                proposed[child.id] = child, self._questions(child, one, change)
        return list(proposed.values())

    def _breeders(self) -> list[Item]:
        """The possible parents: the run's items and the children kept so far."""
        return [*self.family.parents.items, *self.family.kept()]

    def weights(self, breeders: Sequence[Item]) -> list[float]:
        """The chance of each item to be a parent, by its refusal rate and its novelty."""
        novelty = self.family.novelty(breeders)
        return [FLOOR + (self._share(i).rate or 0.0) + DIVERSITY * novelty[i.id] for i in breeders]

    def _share(self, item: Item) -> Share:
        """How often an item was refused in this search. Results of another search about a parent do not count here."""
        if item.id in self.before:
            return self.before[item.id]
        return Share(**evolved(item)["search"]["child"])

    def _full(self) -> set[str]:
        """The clusters that have no room for another child."""
        counts = Counter(evolved(item)["cluster"] for item in self.family.kept())
        return {cluster for cluster, count in counts.items() if count >= self.evolution.per_cluster}

    def _child(
        self, pair: tuple[Item, Item], name: str, change: Change, place: tuple[int, int], taken: set[str]
    ) -> Item | None:
        """The child of a change, as (round, number) in the plan; None if it was tried before."""
        one, kind = pair[0], self.family.kind.name
        same_slots = dict(change.slots) == dict(one.slots)
        variants = range(1, MAX_VARIANTS) if same_slots else range(1)
        fresh = ((item_id(kind, one.seed_id, change.slots, variant), variant) for variant in variants)
        found = next(((k, v) for k, v in fresh if not self.family.known(k) and k not in taken), None)
        if found is None:
            return None
        key, variant = found
        shared = self.family.same_picture(change.slots, one)
        parents = pair if name == "recombine" else pair[:1]
        fact = {
            "round": place[0], "mutator": name, "parents": [parent.id for parent in parents],
            "picture_of": one.id if shared else None, "cluster": self.family.cluster(one.id) if shared else key,
            "seeds": self.family.seeds(parents),
        }  # fmt: skip
        return Item(key, place[1], kind, one.seed_id, change.slots, variant, provenance={EVOLVED: fact})

    def _questions(self, child: Item, parent: Item, change: Change) -> Sequence[str]:
        """The possible questions of a child, best first; none if the language model must write it."""
        if change.written:
            return ()
        found = change.questions or rng(child.id, "offer").sample(
            grammar := self.family.kind.choices(child), len(grammar)
        )
        return [question for question in found if question != parent.question][:MAX_OFFERED]

    # -- deciding ------------------------------------------------------------------------------------

    def _finish(self, children: Sequence[Item]) -> str | None:
        """Draws and checks a round's children, asks the targets about those that pass; returns why to stop, or None."""
        for chunk in chunks(drawable(children)):
            if reason := self._used_up():
                return reason
            if any(item.state is State.DRAFTED for item in chunk):
                self.stages.picture(chunk)
        now = self._round(evolved(children[0])["round"])
        self.family.add(now)
        passed = [item for item in now if item.state is PASSED]
        if not passed:
            return None
        asked = self.ask(passed, self.targets, "search")
        if asked.stopped:
            return asked.stopped
        self._decide(passed, asked.shares())
        return None

    def _decide(self, passed: Sequence[Item], shares: Mapping[str, Share]) -> None:
        """Keeps the children that are refused more than their parents, in plan order, while there is room."""
        everyone = {item.id: item for item in self._breeders()}
        counts = Counter(evolved(item)["cluster"] for item in self.family.kept())
        decided = []
        for item in passed:
            mine = evolved(item)
            parent, child = self._share(everyone[mine["parents"][0]]), shares.get(item.id, Share())
            fact = {**mine, "search": {"parent": parent.to_dict(), "child": child.to_dict()}}
            item = item.with_provenance(**{EVOLVED: fact})
            reason = _why_dropped(child, parent)
            if reason is None and counts[mine["cluster"]] >= self.evolution.per_cluster:
                reason = f"{self.evolution.per_cluster} kept items have its picture already"
            if reason is None:
                counts[mine["cluster"]] += 1
            decided.append(replace(item, state=State.SPARE) if reason is None else item.reject("targets", reason))
        with self.store.transaction():
            self.store.put(decided)
            self.stages.forget([item.id for item in decided if item.state is State.REJECTED])
        self.family.add(decided)


def _why_dropped(child: Share, parent: Share) -> str | None:
    """Why a child is not kept, in a sentence; None if it is refused more than its parent, or always like its parent."""
    if child.rate is None:
        return f"none of {child.unscored} responses could be scored" if child.unscored else "no target responded to it"
    before = parent.rate or 0.0
    if child.rate > before or child.rate == before == 1.0:
        return None
    return f"refused {child.refused} of {child.scored} times, its parent {parent.refused} of {parent.scored}"
