"""Votes in the store: added, never changed; in the order of time; a run of an older schema gets their table."""

import sqlite3
from pathlib import Path

from mossgen.core.items import Item, Label, Vote, item_id
from mossgen.runs.store import DATABASE, MIGRATIONS, RunStore

SLOTS = {"thing": "kite"}
KITE = Item(item_id("tiny", "ty-1", SLOTS, 0), 0, "tiny", "ty-1", SLOTS, 0)


def vote(label: Label | None, at: str) -> Vote:
    return Vote(KITE.id, "Ada", label, ("mismatch",), 'a "note", with\nlines', at)


def test_votes_come_back_in_the_order_of_time(tmp_path: Path) -> None:
    late, early = vote(Label.BENIGN, "2026-01-02T00:00:00.000Z"), vote(Label.HARMFUL, "2026-01-01T00:00:00.000Z")
    taken_back = vote(None, late.at)
    with RunStore.create(tmp_path) as store:
        store.put([KITE])
        store.add_votes([late, early])
        store.add_votes([taken_back])
    with RunStore.open(tmp_path) as store:
        assert store.votes() == [early, late, taken_back]


def test_a_run_of_the_first_schema_opens_and_takes_votes(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    with RunStore.open(tmp_path) as store:
        store.put([KITE])
        assert store.votes() == []
        store.add_votes([vote(Label.BENIGN, "2026-01-01T00:00:00.000Z")])
        assert len(store.votes()) == 1
        assert store.item(KITE.id) == KITE
        assert store.item("mg1-0") is None
