"""Mutators: one function each, from an item (and a second one) to a change of it.

A change stays inside the type: slots take values of the template that go together, and questions come from the type's
grammar or from the run's writer. The stages decide on the child as on any candidate.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mossgen.core.items import Item
from mossgen.stimulus.rules import mentions
from mossgen.stimulus.types import SCENES, StimulusType

MAX_OFFERED = 16  # questions of the grammar offered for one item


@dataclass(frozen=True)
class Change:
    """The slots of a child and its possible questions, best first; None: use its grammar's questions.

    `written`: the run's language model writes the question.
    """

    slots: Mapping[str, str]
    questions: tuple[str, ...] | None = None
    written: bool = False


Mutator = Callable[[StimulusType, Item, Item, random.Random], Change | None]  # None: cannot be applied to these items


def rewrite(kind: StimulusType, item: Item, other: Item, draw: random.Random) -> Change | None:
    """Another question about the same picture: other fillings of the slots that only the question depends on."""
    return Change(kind.vary(item.slots, _of_the_question(kind, item, draw), draw) or item.slots)


def write(kind: StimulusType, item: Item, other: Item, draw: random.Random) -> Change | None:
    """Another question about the same picture, written by the run's language model."""
    return Change(item.slots, written=True)


def wording(kind: StimulusType, item: Item, other: Item, draw: random.Random) -> Change | None:
    """The same question, one step milder or stronger by the template's ranked words, otherwise changed little."""
    tiers = kind.template.strength
    now = strength(item.question or "", tiers)
    if now is None:
        return None
    ranked = [(question, strength(question, tiers)) for question in kind.grammar(item)]
    steps = sorted({rank for _, rank in ranked if rank is not None and rank != now})
    if not steps:
        return None
    wanted = draw.choice(steps)
    alike = difflib.SequenceMatcher(b=(item.question or "").split(), autojunk=False)

    def likeness(question: str) -> float:
        alike.set_seq1(question.split())
        return alike.ratio()

    found = sorted((q for q, rank in ranked if rank == wanted), key=likeness, reverse=True)
    return Change(item.slots, tuple(found[:MAX_OFFERED]))


def scene(kind: StimulusType, item: Item, other: Item, draw: random.Random) -> Change | None:
    """The same item in another place."""
    return _swapped(kind, item, {name for name in SCENES if name in item.slots}, draw)


def element(kind: StimulusType, item: Item, other: Item, draw: random.Random) -> Change | None:
    """Another main subject: another value of the type's primary slot."""
    return _swapped(kind, item, {kind.template.primary}, draw)


def negation(kind: StimulusType, item: Item, other: Item, draw: random.Random) -> Change | None:
    """The same picture negated in another form."""
    return _swapped(kind, item, kind.overlay_slots, draw)


def recombine(kind: StimulusType, item: Item, other: Item, draw: random.Random) -> Change | None:
    """Each slot from one of two items (uniform crossover; Syswerda, 1989), repaired if values do not go together."""
    mixed = {name: draw.choice((item.slots[name], other.slots[name])) for name in item.slots}
    slots = kind.vary(mixed, set(), draw)
    return None if slots is None or slots in (dict(item.slots), dict(other.slots)) else Change(slots)


WRITTEN = "write"  # the mutator whose questions the run's language model writes
MUTATORS: Mapping[str, Mutator] = {
    "rewrite": rewrite, WRITTEN: write, "wording": wording, "scene": scene, "element": element, "negation": negation,
    "recombine": recombine,
}  # fmt: skip


def applicable(kind: StimulusType) -> list[str]:
    """The mutators that this type can express."""
    missing = set()
    if not kind.template.strength:
        missing.add("wording")
    if not kind.overlay_slots:
        missing.add("negation")
    if not set(SCENES) & set(kind.template.slots):
        missing.add("scene")
    return [name for name in MUTATORS if name not in missing]


def strength(question: str, tiers: Sequence[Sequence[str]]) -> int | None:
    """The strongest tier with words in this question; None if it has none."""
    return max((rank for rank, words in enumerate(tiers) if any(mentions(question, w) for w in words)), default=None)


def _of_the_question(kind: StimulusType, item: Item, draw: random.Random) -> set[str]:
    """About half of the slots that only the question depends on."""
    free = sorted(set(item.slots) - kind.drawn_slots - kind.overlay_slots)
    return {name for name in free if draw.random() < 0.5}


def _swapped(kind: StimulusType, item: Item, fresh: frozenset[str] | set[str], draw: random.Random) -> Change | None:
    """Other values in these slots, and another question, since the same one would be too near to its parent's."""
    if not fresh:
        return None
    slots = kind.vary(item.slots, fresh | _of_the_question(kind, item, draw), draw)
    return None if slots is None else Change(slots)
