"""The store: what is committed stays, what is altered is found."""

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mossgen.errors import ConfigError, StoreError
from mossgen.items import Decision, Item, State, Verdict, item_id
from mossgen.store import DATABASE, RunStore


def item(number: int, state: State = State.PLANNED) -> Item:
    slots = {"thing": f"thing {number}"}
    return Item(item_id("tiny", "ty-1", slots, 0), number, "tiny", "ty-1", slots, 0, state)


def test_items_come_back_as_they_were_and_in_order(tmp_path: Path) -> None:
    full = replace(item(1), verdicts=(Verdict("rules", Decision.UNSURE, "no", 0.25),), overlay={"box": [1, 2, 3, 4]})
    with RunStore.create(tmp_path) as store:
        store.put([item(2), full, item(0)])
        assert store.items() == [item(0), full, item(2)]
        assert store.items(after=0, below=2) == [full]


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        with contextlib.suppress(RuntimeError), store.transaction():
            store.put([item(0)])
            raise RuntimeError("power cut")
        assert store.items() == []
        with store.transaction():
            store.put([item(0)])
    with RunStore.open(tmp_path) as store:
        assert store.items() == [item(0)]


def test_vectors_come_back_in_plan_order(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store.put([item(1), item(0)])
        vectors = {item(n).id: np.full(4, n, dtype=np.float32) for n in (1, 0)}
        store.put_vectors("text", vectors)
        back = store.vectors("text")
        assert list(back) == [item(0).id, item(1).id]
        assert all((back[key] == vectors[key]).all() for key in back)


def altered(store: RunStore, sql: str) -> list[str]:
    with sqlite3.connect(store.folder / DATABASE) as db:
        db.execute(sql)
    return store.problems()


def test_verify_finds_what_was_altered(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        digest = store.put_blob(b"not really a picture")
        store.put([replace(item(0), image=digest), item(1)])
        assert store.problems() == []
        store.blob(digest).write_bytes(b"another picture")
        assert "was altered" in store.problems()[0]
        store.blob(digest).unlink()
        assert "is missing" in store.problems()[0]
        store.put_blob(b"not really a picture")
        assert store.problems() == []
        assert "row was altered" in altered(store, "UPDATE items SET data = replace(data, 'thing 1', 'thing 2')")[0]


def test_verify_recomputes_ids(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store.put([replace(item(0), slots={"thing": "something else"})])
        assert "not the hash" in store.problems()[0]


def test_errors_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run folder"):
        RunStore.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be made"):
        RunStore.create(tmp_path / "file" / "run")
    with RunStore.create(tmp_path / "run") as store:
        store.transaction().__enter__()
        store._db.execute("DROP TABLE items")
        with pytest.raises(StoreError, match="what was committed before is kept"):
            store.put([item(0)])


def test_a_full_disk_is_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store.put([item(0)])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite meets its limit as it meets a full disk
        with pytest.raises(StoreError, match=r"full.*what was committed before is kept"), store.transaction():
            store.put([item(number) for number in range(1, 500)])
        assert store.items() == [item(0)]
        store._db.execute("PRAGMA max_page_count = 100000")
        with store.transaction():
            store.put([item(1)])
        assert len(store.items()) == 2


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store._db.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="newer mossgen"):
        RunStore.open(tmp_path)
