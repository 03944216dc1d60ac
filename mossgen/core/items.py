"""Item, Verdict, State and content ids: the main data type, passed between all stages. Read this first."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

ID_TAG = "mg1-"  # names the hash recipe below; a new recipe gets a new tag


class State(StrEnum):
    """The state of a candidate. It only moves down this list; the last two states are final.

    `SPARE` passed everything after enough were accepted: it is accepted first when more are needed.
    """

    PLANNED = "planned"
    DRAFTED = "drafted"
    RENDERED = "rendered"
    SPARE = "spare"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Rating(StrEnum):
    """The rating of an item, given by a person or by the policy from its verdicts."""

    BENIGN = "benign"
    BORDERLINE = "borderline"
    HARMFUL = "harmful"


class Decision(StrEnum):
    """The decision of a checker. An item that is `UNSURE` at a gate is never accepted."""

    PASS = "pass"
    FAIL = "fail"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Verdict:
    """One checker's decision on one item, with the reason and the raw score, if any."""

    checker: str
    decision: Decision
    reason: str
    score: float | None = None


@dataclass(frozen=True)
class Vote:
    """One reviewer's vote on one item: a label, ticks of the checklist, a note; `at` is UTC, ISO 8601.

    A vote without a label withdraws the reviewer's earlier vote on that item. Votes are only added, never changed:
    the latest vote of a reviewer on an item counts.
    """

    item: str
    reviewer: str
    label: Rating | None
    flags: tuple[str, ...]
    note: str
    at: str


@dataclass(frozen=True)
class Item:
    """One candidate: what defines it, what was made of it, and the evidence.

    `id` is a hash of what defines it (type, seed, slots, variant). `number` is its position in the run's plan;
    decisions between items follow this order. `image` is the sha256 of its PNG. `rejected_by` is the stage that
    rejected it, `reason` says why.
    """

    id: str
    number: int
    type: str
    seed_id: str
    slots: Mapping[str, str]
    variant: int
    state: State = State.PLANNED
    question: str | None = None
    image_prompt: str | None = None
    description: str | None = None
    overlay: Mapping[str, Any] | None = None
    image: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    rejected_by: str | None = None
    reason: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def reject(self, stage: str, reason: str) -> Item:
        """The same item, rejected by `stage` for `reason`."""
        return replace(self, state=State.REJECTED, rejected_by=stage, reason=reason)

    def with_verdicts(self, verdicts: tuple[Verdict, ...]) -> Item:
        """The same item with another verdict."""
        return replace(self, verdicts=self.verdicts + verdicts)

    def with_provenance(self, **facts: Any) -> Item:
        """The same item with more provenance."""
        return replace(self, provenance={**self.provenance, **facts})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values; `from_dict` reads them back."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Item:
        """The item that `to_dict` wrote."""
        verdicts = tuple(Verdict(**{**v, "decision": Decision(v["decision"])}) for v in data["verdicts"])
        return Item(**{**data, "state": State(data["state"]), "verdicts": verdicts})


def canonical(value: Any) -> str:
    """The canonical JSON text of a value: sorted keys, no spaces, UTF-8."""
    return encodable(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def canonical_sha256(value: Any) -> str:
    """The sha256 of a value's canonical text, in hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def encodable(text: str) -> str:
    """The text made valid UTF-8: a lone surrogate, which JSON allows, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def item_id(type: str, seed_id: str, slots: Mapping[str, str], variant: int) -> str:
    """The content id of a candidate: a tag and 16 hex digits (64 bits) of sha256."""
    return ID_TAG + canonical_sha256({"type": type, "seed_id": seed_id, "slots": dict(slots), "variant": variant})[:16]


def derived_seed(item: str, purpose: str) -> int:
    """A 63-bit seed for one purpose of one item, independent of all other items."""
    digest = hashlib.sha256(f"{item}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def rng(item: str, purpose: str) -> random.Random:
    """A random generator for one purpose of one item."""
    return random.Random(derived_seed(item, purpose))
