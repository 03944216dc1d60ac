"""RunStore: one SQLite file (WAL) and blobs/<sha256>.png in a run folder; the only writer of both.

One row a candidate, keyed by its content id. A batch of changes is one transaction; pictures are written
before the row that names them is committed, so a crash leaves at most a picture that nothing names.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from mossgen.errors import ConfigError, StoreError
from mossgen.items import Item, Label, State, Vote, canonical, item_id

if TYPE_CHECKING:
    import numpy as np

DATABASE = "run.db"
CONFIG = "run.json"

# Applied in order; PRAGMA user_version counts those done. Never edit one that was released: add the next.
MIGRATIONS = (
    """
    CREATE TABLE items (
        id TEXT PRIMARY KEY,
        number INTEGER NOT NULL UNIQUE,
        state TEXT NOT NULL,
        data TEXT NOT NULL,      -- canonical JSON of the item
        digest TEXT NOT NULL     -- sha256 of data: `verify` recomputes it
    );
    CREATE INDEX items_state ON items (state);
    CREATE TABLE vectors (
        id TEXT NOT NULL REFERENCES items (id),
        channel TEXT NOT NULL,   -- text or image
        vector BLOB NOT NULL,    -- float32, unit length
        PRIMARY KEY (id, channel)
    );
    CREATE TABLE spent (
        stage TEXT PRIMARY KEY,
        seconds REAL NOT NULL,
        usd REAL NOT NULL
    );
    """,
    """
    CREATE TABLE votes (         -- of people; only ever added to
        number INTEGER PRIMARY KEY,
        item TEXT NOT NULL REFERENCES items (id),
        reviewer TEXT NOT NULL,
        label TEXT,              -- NULL takes the earlier vote back
        flags TEXT NOT NULL,     -- JSON list
        note TEXT NOT NULL,
        at TEXT NOT NULL         -- UTC, ISO 8601
    );
    """,
)

P = ParamSpec("P")
T = TypeVar("T")


def _stored(method: Callable[P, T]) -> Callable[P, T]:
    """Maps what SQLite and the disk raise to StoreError: the one boundary of this backend."""

    @wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except (sqlite3.Error, OSError) as error:
            store = args[0]
            folder = getattr(store, "folder", "the run folder")
            raise StoreError(
                f"{folder}: cannot be written or read ({error}); what was committed before is kept: "
                "free space or mend the permissions, then run the same command again."
            ) from error

    return wrapped


class RunStore:
    """The record of one run. Open with `RunStore.create` or `RunStore.open`; close it, or use `with`."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.blobs = folder / "blobs"
        self._db = connection

    @staticmethod
    def create(folder: Path) -> RunStore:
        """The store of a run folder, made if need be. Raises StoreError."""
        try:
            (folder / "blobs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror}): choose another --run folder.") from error
        return RunStore._connect(folder)

    @staticmethod
    def open(folder: Path) -> RunStore:
        """The store of a run that is there. Raises ConfigError if it is none."""
        if not (folder / DATABASE).is_file():
            raise ConfigError(f"{folder} is no run folder (it has no {DATABASE}): give one that `mossgen expand` made.")
        return RunStore._connect(folder)

    @staticmethod
    def _connect(folder: Path) -> RunStore:
        try:
            db = sqlite3.connect(folder / DATABASE, timeout=30, isolation_level=None)  # a batch may hold it
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            done = db.execute("PRAGMA user_version").fetchone()[0]
            for number, script in enumerate(MIGRATIONS[done:], done + 1):
                db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
        except sqlite3.Error as error:
            raise StoreError(f"{folder / DATABASE}: cannot be opened ({error}).") from error
        if done > len(MIGRATIONS):
            raise ConfigError(f"{folder} was made by a newer mossgen (schema {done}): install that version.")
        return RunStore(folder, db)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    # -- writing -------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are committed together, or none of them."""
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled back by itself where the disk is full
                self._execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    @_stored
    def _execute(self, sql: str) -> None:
        self._db.execute(sql)

    @_stored
    def put(self, items: Sequence[Item]) -> None:
        """Writes items, new or changed."""
        rows = []
        for item in items:
            data = canonical(item.to_dict())
            rows.append((item.id, item.number, item.state.value, data, _sha256(data.encode())))
        self._db.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "state = excluded.state, data = excluded.data, digest = excluded.digest",
            rows,
        )

    @_stored
    def put_vectors(self, channel: str, vectors: Mapping[str, np.ndarray]) -> None:
        """Keeps one unit vector (float32, [dim]) an item for a channel."""
        self._db.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
            [(item, channel, vector.astype("<f4").tobytes()) for item, vector in vectors.items()],
        )

    @_stored
    def put_blob(self, png: bytes) -> str:
        """Keeps a picture under its sha256, which it returns. Written aside and renamed: never half there."""
        digest = _sha256(png)
        path = self.blobs / f"{digest}.png"
        if not path.exists():
            aside = path.with_suffix(".tmp")
            aside.write_bytes(png)
            os.replace(aside, path)
        return digest

    @_stored
    def spend(self, stage: str, seconds: float, usd: float = 0.0) -> None:
        """Adds to what a stage has cost."""
        self._db.execute(
            "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (stage) DO UPDATE SET "
            "seconds = seconds + excluded.seconds, usd = usd + excluded.usd",
            (stage, seconds, usd),
        )

    @_stored
    def add_votes(self, votes: Sequence[Vote]) -> None:
        """Adds votes of people; earlier ones are never changed."""
        rows = [(v.item, v.reviewer, v.label, canonical(v.flags), v.note, v.at) for v in votes]
        sql = "INSERT INTO votes (item, reviewer, label, flags, note, at) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.executemany(sql, rows)

    # -- reading -------------------------------------------------------------------------------------

    @_stored
    def items(self, *states: State, after: int = -1, below: int | None = None) -> list[Item]:
        """Items in plan order: of these states (default all), with `after` < number < `below`."""
        import json

        sql = "SELECT data FROM items WHERE number > ?"
        values: list[object] = [after]
        if below is not None:
            sql += " AND number < ?"
            values.append(below)
        if states:
            sql += f" AND state IN ({','.join('?' * len(states))})"
            values += [s.value for s in states]
        rows = self._db.execute(sql + " ORDER BY number", values)
        return [Item.from_dict(json.loads(data)) for (data,) in rows]

    @_stored
    def item(self, key: str) -> Item | None:
        """One item by its id, if it is there."""
        import json

        row = self._db.execute("SELECT data FROM items WHERE id = ?", (key,)).fetchone()
        return Item.from_dict(json.loads(row[0])) if row else None

    @_stored
    def counts(self) -> dict[str, int]:
        """How many items stand in each state."""
        return dict(self._db.execute("SELECT state, count(*) FROM items GROUP BY state ORDER BY state"))

    @_stored
    def rejections(self) -> dict[str, int]:
        """How many items each stage or checker rejected."""
        sql = (
            "SELECT json_extract(data, '$.rejected_by') AS stage, count(*) FROM items "
            "WHERE state = 'rejected' GROUP BY stage ORDER BY count(*) DESC, stage"
        )
        return dict(self._db.execute(sql))

    @_stored
    def vectors(self, channel: str) -> dict[str, np.ndarray]:
        """The kept vectors of a channel, by item id, in plan order."""
        import numpy as np

        sql = "SELECT v.id, v.vector FROM vectors v JOIN items i USING (id) WHERE channel = ? ORDER BY i.number"
        return {item: np.frombuffer(blob, dtype="<f4") for item, blob in self._db.execute(sql, (channel,))}

    @_stored
    def spent(self) -> dict[str, tuple[float, float]]:
        """Seconds and US dollars by stage."""
        return {s: (seconds, usd) for s, seconds, usd in self._db.execute("SELECT * FROM spent ORDER BY stage")}

    @_stored
    def votes(self) -> list[Vote]:
        """Every vote ever given, in the order of time; votes of the same instant in the order of their arrival."""
        import json

        rows = self._db.execute("SELECT item, reviewer, label, flags, note, at FROM votes ORDER BY at, number")
        return [
            Vote(item, reviewer, Label(label) if label else None, tuple(json.loads(flags)), note, at)
            for item, reviewer, label, flags, note, at in rows
        ]

    def blob(self, digest: str) -> Path:
        """Where a picture lies."""
        return self.blobs / f"{digest}.png"

    # -- verifying -----------------------------------------------------------------------------------

    @_stored
    def problems(self) -> list[str]:
        """What was altered or lost: every id, row hash and picture hash is recomputed."""
        import json

        found: list[str] = []
        for key, number, state, data, digest in self._db.execute("SELECT * FROM items ORDER BY number"):
            if _sha256(data.encode()) != digest:
                found.append(f"Item {key}: its row was altered (its hash differs).")
                continue
            item = Item.from_dict(json.loads(data))
            if item_id(item.type, item.seed_id, item.slots, item.variant) != key or item.id != key:
                found.append(f"Item {key}: its id is not the hash of what defines it.")
            if (item.number, item.state.value) != (number, state):
                found.append(f"Item {key}: its row's number or state was altered.")
            if item.image is not None:
                found += self._blob_problems(item)
        return found

    def _blob_problems(self, item: Item) -> list[str]:
        path = self.blob(item.image or "")
        if not path.is_file():
            return [f"Item {item.id}: its picture {path.name} is missing."]
        if _sha256(path.read_bytes()) != item.image:
            return [f"Item {item.id}: its picture {path.name} was altered."]
        return []


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
