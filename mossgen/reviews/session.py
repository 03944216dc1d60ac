"""The requests of the review page: a reviewer's items and votes, voting, undoing. Independent of HTTP.

This module keeps reviews blind: a reviewer learns what machines and other people said of an item only after voting
on it. Every call opens the store anew, so threads share nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.core.items import Item, Vote
from mossgen.errors import ConfigError, StoreError
from mossgen.reviews.pool import PEOPLE, known_name, pool, shuffled
from mossgen.reviews.votes import REVIEWERS, Status, make_vote, reviewer_name, rule, standing
from mossgen.runs.store import RunStore


@dataclass(frozen=True)
class Session:
    """The review of one run: each item needs `reviewers` votes; `rejected` machine-rejected items are shown."""

    folder: Path
    reviewers: int = REVIEWERS
    rejected: int = 0

    def state(self, reviewer: object) -> dict[str, Any]:
        """The reviewer's items, in their own order, and their standing votes, in the order given.

        Leaves out items that others have settled. Raises ConfigError, StoreError.
        """
        with RunStore.open(self.folder) as store:
            history = store.votes()
            items = pool(store, self.rejected)
        name = known_name(reviewer_name(reviewer), [vote.reviewer for vote in history])
        there = standing(history)
        mine = [by[name] for by in there.values() if name in by]
        voted = {vote.item for vote in mine}

        def wanted(item: Item) -> bool:
            votes = tuple(there.get(item.id, {}).values())
            return item.id in voted or rule(votes, self.reviewers).status is not Status.SETTLED

        return {
            "reviewer": name,
            "items": [{"id": i.id, "question": i.question} for i in shuffled(filter(wanted, items), name)],
            "votes": [_vote_facts(vote) for vote in sorted(mine, key=lambda vote: vote.at)],
        }

    def vote(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stores a vote at once; returns what others said of the item. Raises ConfigError, StoreError."""
        made = make_vote(
            data.get("item"), data.get("reviewer"), data.get("label"), data.get("flags", ()), data.get("note", "")
        )
        if made.label is None:
            raise ConfigError("a vote needs a label: benign, borderline or harmful")
        with RunStore.open(self.folder) as store:
            item = _item(store, made.item)
            with store.transaction():
                store.add_votes([made])
            others = standing(store.votes()).get(item.id, {})
        return _reveal(item, [vote for vote in others.values() if vote.reviewer != made.reviewer])

    def undo(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Takes the reviewer's vote on an item back; the history keeps both. Returns the vote that was in force."""
        taken = make_vote(data.get("item"), data.get("reviewer"), None)
        with RunStore.open(self.folder) as store:
            _item(store, taken.item)
            before = standing(store.votes()).get(taken.item, {}).get(taken.reviewer)
            if before is None:
                raise ConfigError(f"{taken.reviewer} has no vote on item {taken.item} to take back")
            with store.transaction():
                store.add_votes([taken])
        return _vote_facts(before)

    def picture(self, item: str) -> bytes:
        """The PNG of an item. Raises ConfigError for an unknown one, StoreError if the file is missing."""
        with RunStore.open(self.folder) as store:
            path = store.blob(_item(store, item).image or "")
        try:
            return path.read_bytes()
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror}): run `mossgen verify`") from None


def _item(store: RunStore, key: str) -> Item:
    found = store.item(key)
    if found is None or found.image is None:
        raise ConfigError(f"item {key!r:.80} is not in this run")
    return found


def _vote_facts(vote: Vote) -> dict[str, Any]:
    return {"item": vote.item, "label": vote.label, "flags": list(vote.flags), "note": vote.note}


def _reveal(item: Item, others: list[Vote]) -> dict[str, Any]:
    verdicts = [
        {"checker": v.checker, "decision": v.decision, "reason": v.reason} for v in item.verdicts if v.checker != PEOPLE
    ]
    return {
        "state": item.state,
        "reason": item.reason,
        "verdicts": verdicts,
        "others": [{"reviewer": vote.reviewer, **_vote_facts(vote)} for vote in others],
    }
