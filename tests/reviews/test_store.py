"""Votes in the store: added, never changed; in the order of time."""

from pathlib import Path

from mossgen.core.items import Item, Rating, Vote, item_id
from mossgen.runs.store import RunStore

SLOTS = {"thing": "kite"}
KITE = Item(item_id("tiny", "ty-1", SLOTS, 0), 0, "tiny", "ty-1", SLOTS, 0)


def vote(label: Rating | None, at: str) -> Vote:
    return Vote(KITE.id, "Ada", label, ("mismatch",), 'a "note", with\nlines', at)


def test_votes_come_back_in_the_order_of_time(tmp_path: Path) -> None:
    late, early = (
        vote(Rating.BENIGN, "2026-01-02T00:00:00.000Z"),
        vote(Rating.HARMFUL, "2026-01-01T00:00:00.000Z"),
    )
    taken_back = vote(None, late.at)
    with RunStore.create(tmp_path) as store:
        store.put([KITE])
        store.add_votes([late, early])
        store.add_votes([taken_back])
    with RunStore.open(tmp_path) as store:
        assert store.votes() == [early, late, taken_back]
