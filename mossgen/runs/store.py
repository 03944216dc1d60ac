"""RunStore: one SQLite file (WAL) and blobs/<sha256>.png in a run folder; the only writer of both.

The database has one row per candidate, keyed by its content id. A batch of changes is one transaction. Pictures are
synced to the disk before their rows are committed, so a crash leaves at most a picture without a row.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from mossgen.core.items import Item, Rating, State, Vote, canonical, item_id
from mossgen.errors import ConfigError, StoreError
from mossgen.files import disk
from mossgen.runs.schema import FORMAT, NEW, TABLES, refuse_other_format

if TYPE_CHECKING:
    import numpy as np

DATABASE = "run.db"
CONFIG = "run.json"

P = ParamSpec("P")
T = TypeVar("T")


class Outputs(StrEnum):
    """Whether the files made from the items (dataset, page, manifest) are up to date."""

    OLD = "old"  # items have changed since, or nothing has been written yet
    WRITING = "writing"  # not finished: some files may be old, some new
    CURRENT = "current"


def _stored(method: Callable[P, T]) -> Callable[P, T]:
    """Maps errors of SQLite and the disk to StoreError."""

    @wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        """Calls the method. Raises StoreError."""
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
    """The record of one run. Open with `RunStore.create`, `open` or `read`; close it, or use `with`."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.blobs = folder / "blobs"
        self._db = connection
        self._unsynced: set[Path] = set()  # pictures of the open transaction, not yet synced

    @staticmethod
    def create(folder: Path) -> RunStore:
        """Opens the store of a run folder, or makes it. Raises StoreError."""
        try:
            (folder / "blobs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror}): choose another `run` folder.") from error
        return RunStore._connect(folder)

    @staticmethod
    def open(folder: Path) -> RunStore:
        """Opens the store of an existing run. Raises ConfigError if there is no run."""
        _refuse_no_run(folder)
        return RunStore._connect(folder)

    @staticmethod
    @contextmanager
    def change(folder: Path) -> Iterator[RunStore]:
        """Opens an existing run and locks it against other mossgen processes. Raises ConfigError, StoreError."""
        _refuse_no_run(folder)
        with disk.locked(folder), RunStore._connect(folder) as store:
            yield store

    @staticmethod
    def read(folder: Path) -> RunStore:
        """Opens an existing run read-only; its folder or medium may be read-only too.

        Raises ConfigError if there is no run, StoreError if it cannot be read.
        """
        _refuse_no_run(folder)
        if os.access(folder, os.W_OK) and os.access(folder / DATABASE, os.W_OK):
            store = RunStore._connect(folder)
            store._execute("PRAGMA query_only = ON")
            return store
        return RunStore._connect_read_only(folder)

    @staticmethod
    def _connect_read_only(folder: Path) -> RunStore:
        """A connection that writes nothing, not even SQLite's WAL files.

        If there is a log beside the database (another user is writing, or a writer was killed), SQLite reads it too.
        If there is none, nobody is writing: only then is the database opened as immutable.
        """
        path, log = folder / DATABASE, folder / f"{DATABASE}-wal"
        logged = log.is_file() and log.stat().st_size > 0
        uri = f"{path.absolute().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"
        try:
            db = sqlite3.connect(uri, uri=True, isolation_level=None)
            done = db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise StoreError(
                f"{path}: cannot be read where nothing may be written ({error}): copy the folder to where you may."
            ) from error
        refuse_other_format(done, folder)
        return RunStore(folder, db)

    @staticmethod
    def _connect(folder: Path) -> RunStore:
        """A connection that can write; makes the tables of a new database."""
        try:
            db = sqlite3.connect(folder / DATABASE, timeout=30, isolation_level=None)  # a batch may hold it
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            done = db.execute("PRAGMA user_version").fetchone()[0]
            if done == NEW:
                db.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;")
        except sqlite3.Error as error:
            raise StoreError(f"{folder / DATABASE}: cannot be opened ({error}).") from error
        if done != NEW:
            refuse_other_format(done, folder)
        return RunStore(folder, db)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database; committed changes stay."""
        self._db.close()

    # -- writing -------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits all changes inside together, or none of them."""
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sync_blobs()  # before their rows are committed
        except BaseException:
            self._unsynced.clear()
            if self._db.in_transaction:  # SQLite rolls back by itself if the disk is full
                self._execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    @_stored
    def _execute(self, sql: str) -> None:
        self._db.execute(sql)

    @_stored
    def put(self, items: Sequence[Item]) -> None:
        """Writes new or changed items, and marks the outputs as old."""
        self._db.execute("UPDATE outputs SET state = ? WHERE state = ?", (Outputs.OLD.value, Outputs.CURRENT.value))
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
        """Stores one unit vector (float32, [dim]) per item for a channel."""
        self._db.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
            [(item, channel, vector.astype("<f4").tobytes()) for item, vector in vectors.items()],
        )

    @_stored
    def drop_vectors(self, items: Sequence[str]) -> None:
        """Deletes the vectors of these items."""
        self._db.executemany("DELETE FROM vectors WHERE id = ?", [(item,) for item in items])

    @_stored
    def put_blob(self, png: bytes) -> str:
        """Stores a picture under its sha256 and returns that hash; it is synced when the transaction ends.

        The picture is written to another name and renamed, so that a kill leaves no partial file. A power failure may
        leave the name without the content, so an existing file is compared, not trusted.
        """
        digest = _sha256(png)
        path = self.blob(digest)
        if not path.is_file() or path.read_bytes() != png:
            aside = path.with_suffix(".tmp")
            aside.write_bytes(png)
            os.replace(aside, path)
        self._unsynced.add(path)
        if not self._db.in_transaction:
            self._sync_blobs()
        return digest

    @_stored
    def _sync_blobs(self) -> None:
        """Syncs the pictures stored since the last call, together: one sync often covers all."""
        for path in sorted(self._unsynced):
            disk.sync_file(path)
        if self._unsynced:
            disk.sync_folder(self.blobs)
        self._unsynced.clear()

    @_stored
    def mark_outputs(self, state: Outputs, manifest: str = "") -> None:
        """Records the state of the outputs, with the sha256 of the manifest if they are current."""
        self._db.execute("UPDATE outputs SET state = ?, manifest = ?", (state.value, manifest))

    @_stored
    def spend(self, stage: str, seconds: float, usd: float = 0.0) -> None:
        """Adds to the time and cost of a stage."""
        self._db.execute(
            "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (stage) DO UPDATE SET "
            "seconds = seconds + excluded.seconds, usd = usd + excluded.usd",
            (stage, seconds, usd),
        )

    @_stored
    def add_votes(self, votes: Sequence[Vote]) -> None:
        """Adds votes of people; never changes earlier ones."""
        rows = [(v.item, v.reviewer, v.label, canonical(v.flags), v.note, v.at) for v in votes]
        sql = "INSERT INTO votes (item, reviewer, label, flags, note, at) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.executemany(sql, rows)

    # -- reading -------------------------------------------------------------------------------------

    @_stored
    def items(self, *states: State, after: int = -1, below: int | None = None) -> list[Item]:
        """Items in these states (default: all) with `after` < number < `below`, in plan order."""
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
        """The item with this id, if it exists."""
        row = self._db.execute("SELECT data FROM items WHERE id = ?", (key,)).fetchone()
        return Item.from_dict(json.loads(row[0])) if row else None

    @_stored
    def counts(self) -> dict[str, int]:
        """The number of items in each state."""
        return dict(self._db.execute("SELECT state, count(*) FROM items GROUP BY state ORDER BY state"))

    @_stored
    def rejections(self) -> dict[str, int]:
        """The number of items that each stage or checker rejected."""
        sql = (
            "SELECT json_extract(data, '$.rejected_by') AS stage, count(*) FROM items "
            "WHERE state = 'rejected' GROUP BY stage ORDER BY count(*) DESC, stage"
        )
        return dict(self._db.execute(sql))

    @_stored
    def vectors(self, channel: str) -> dict[str, np.ndarray]:
        """The stored vectors of a channel, by item id, in plan order."""
        import numpy as np

        sql = "SELECT v.id, v.vector FROM vectors v JOIN items i USING (id) WHERE channel = ? ORDER BY i.number"
        return {item: np.frombuffer(blob, dtype="<f4") for item, blob in self._db.execute(sql, (channel,))}

    @_stored
    def spent(self) -> dict[str, tuple[float, float]]:
        """Seconds and US dollars by stage."""
        return {s: (seconds, usd) for s, seconds, usd in self._db.execute("SELECT * FROM spent ORDER BY stage")}

    @_stored
    def votes(self) -> list[Vote]:
        """All votes, ordered by time, then by arrival."""
        rows = self._db.execute("SELECT item, reviewer, label, flags, note, at FROM votes ORDER BY at, number")
        return [
            Vote(item, reviewer, Rating(label) if label else None, tuple(json.loads(flags)), note, at)
            for item, reviewer, label, flags, note, at in rows
        ]

    @_stored
    def outputs(self) -> tuple[Outputs, str]:
        """The state of the outputs, and the sha256 of the last manifest (empty if unknown)."""
        state, manifest = self._db.execute("SELECT state, manifest FROM outputs").fetchone()
        return Outputs(state), manifest

    def blob(self, digest: str) -> Path:
        """The path of a picture."""
        return self.blobs / f"{digest}.png"

    # -- verifying -----------------------------------------------------------------------------------

    @_stored
    def problems(self) -> list[str]:
        """Recomputes every id, row hash and picture hash, and returns what was altered or lost."""
        found: list[str] = []
        expected = 0  # candidates are numbered without gaps
        for key, number, state, data, digest in self._db.execute("SELECT * FROM items ORDER BY number"):
            if number != expected:
                found.append(f"Item {key}: the row before it in the plan was deleted or its number was altered.")
            expected = number + 1
            if _sha256(data.encode()) != digest:
                found.append(f"Item {key}: its row was altered (its hash differs).")
                continue
            item = Item.from_dict(json.loads(data))
            if item_id(item.type, item.seed_id, item.slots, item.variant) != key or item.id != key:
                found.append(f"Item {key}: its id is not the hash of what defines it.")
            if (item.number, item.state.value) != (number, state):
                found.append(f"Item {key}: its row's number or state was altered.")
            found += self._blob_problems(item)
        return found

    def _blob_problems(self, item: Item) -> Iterator[str]:
        """Problems of its picture, and of the bare picture if that was stored too."""
        kept = {"picture": item.image, "picture without its overlay": item.provenance.get("bare_image")}
        for what, digest in kept.items():
            if digest is None:
                continue
            path = self.blob(str(digest))
            if not path.is_file():
                yield f"Item {item.id}: its {what} {path.name} is missing."
            elif _sha256(path.read_bytes()) != digest:
                yield f"Item {item.id}: its {what} {path.name} was altered."


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refuse_no_run(folder: Path) -> None:
    if not (folder / DATABASE).is_file():
        raise ConfigError(f"{folder} is no run folder (it has no {DATABASE}): give one that `mossgen expand` made.")
