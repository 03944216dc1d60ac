"""`mossgen probe`: the items of a set put to target models, and every response kept as it comes.

    PROBE/
      probe.json         which set, the system prompt, and how each target was asked
      responses.jsonl    one responses.Row a line

A response is kept under the hash of everything it depends on (target, its settings, system prompt, question, picture,
sample), so that the same command goes on where it stopped, and a grown set asks for its new items only.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mossgen.core.budget import OUT_OF, Budget
from mossgen.core.items import canonical, derived_seed
from mossgen.errors import BackendError, ConfigError, StoreError
from mossgen.files.disk import LOCK, locked, read_text, write_whole
from mossgen.files.responses import RESPONSES, Row, lines, natural, read_responses
from mossgen.plugins.protocols import Failure, Query, Response, Target
from mossgen.sets.dataset import Record

HEAD = "probe.json"
MAX_BYTES = 1_000_000  # of a head
CUT_OFF = "length"  # the reason of an end that the token limit made
Report = Callable[[str, int, int], None]  # target, responses so far, wanted


@dataclass(frozen=True)
class Wish:
    """How items are asked about: samples of each, numbered from `first`, and the system prompt."""

    samples: int = 1
    system: str = ""
    first: int = 0


@dataclass
class Tally:
    """What became of one target: the responses wanted, old ones too, and why others are missing."""

    wanted: int
    rows: list[Row] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    cost: float = 0.0
    asked: int = 0

    @property
    def missing(self) -> int:
        """How many responses are wanted still."""
        return self.wanted - len(self.rows)

    def told(self) -> dict[str, Any]:
        """The counts in plain values."""
        kinds = Counter(row.kind for row in self.rows)
        return {
            "wanted": self.wanted,
            "responses": len(self.rows),
            "asked": self.asked,
            "empty": kinds["empty"],
            "filtered": kinds["filtered"],
            "cut_off": sum(row.finish == CUT_OFF for row in self.rows),
            "missing": self.missing,
            "failures": dict(self.failures),
            "stopped": self.stopped,
            "cost": round(self.cost, 6),
        }


@dataclass(frozen=True)
class _Asked:
    """One query with what its response is kept under."""

    key: str
    query: Query
    record: Record
    image: str


class Ledger:
    """The responses of one folder. Use with `with`: each row is on the disk at once, and all are in order at the end.

    Raises ConfigError for a folder of another set or system prompt, or that another mossgen writes, StoreError from
    the disk.
    """

    def __init__(self, folder: Path, head: dict[str, Any]) -> None:
        self.folder = folder
        self._wanted = head
        _head(folder, head)  # so that a folder of something else is left as it is, without a lock in it

    def __enter__(self) -> Ledger:
        with ExitStack() as held:
            held.enter_context(locked(self.folder, option="--out"))
            self._open()
            self._held = held.pop_all()
        return self

    def _open(self) -> None:
        """Reads what is kept, which nobody else writes now."""
        self._head = _head(self.folder, self._wanted)
        self.rows = _rows(self.folder / RESPONSES)
        self._by_key = {row.key: row for row in self.rows}
        self._own = {(row.id, row.key) for row in self.rows}
        try:
            write_whole(self.folder / HEAD, (json.dumps(self._head, indent=1) + "\n").encode())
            self._write(self.rows)  # without a line that was cut off
            self._stream = (self.folder / RESPONSES).open("a", encoding="utf-8")
        except OSError as error:
            raise self._trouble(error) from error

    def __exit__(self, *_: object) -> None:
        with self._held:
            self._stream.close()
            self._write(sorted(self.rows, key=lambda row: (row.target, natural(row.id), row.sample)))

    def kept(self, key: str) -> Row | None:
        """The response to the same question about the same picture, of whichever item."""
        return self._by_key.get(key)

    def add(self, row: Row) -> None:
        """Keeps a row, once."""
        if (row.id, row.key) in self._own:
            return
        try:
            self._stream.write(lines([row]))
            self._stream.flush()
        except OSError as error:
            raise self._trouble(error) from error
        self.rows.append(row)
        self._own.add((row.id, row.key))
        self._by_key[row.key] = row

    def settled(self, target: Target) -> None:
        """Notes how a target is asked. Raises ConfigError where it was asked otherwise here."""
        before = self._head["targets"].setdefault(target.name, dict(target.settings))
        now = json.loads(canonical(dict(target.settings)))
        changed = next((k for k in sorted({*before, *now}) if before.get(k) != now.get(k)), None)
        if changed:
            raise ConfigError(
                f"{self.folder}: {target.name} was asked with {changed} = {before.get(changed)!r} here, and now it is "
                f"{now.get(changed)!r}: give the same options, or another --out."
            )
        write_whole(self.folder / HEAD, (json.dumps(self._head, indent=1) + "\n").encode())

    def _write(self, rows: Sequence[Row]) -> None:
        try:
            write_whole(self.folder / RESPONSES, lines(rows).encode())
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self.folder}: cannot be written ({error.strerror}); responses so far are kept: free space or mend the "
            "permissions, then run the same command again."
        )


def probe(
    records: Sequence[Record],
    target: Target,
    ledger: Ledger,
    wish: Wish,
    budget: Budget,
    report: Report = lambda target, done, of: None,
) -> Tally:
    """Asks the target about every record and keeps what comes; what is kept already is not asked again.

    A target that cannot be asked any more, or a budget that is used up, is said in `stopped`. Raises ConfigError,
    StoreError.
    """
    ledger.settled(target)
    asked = list(_asked(records, target, wish))
    tally, todo = Tally(len(asked)), []
    for one in asked:
        row = ledger.kept(one.key)
        if row is None:
            todo.append(one)
        else:
            mine = _row(one, target, _response(row), row.at)
            ledger.add(mine)
            tally.rows.append(mine)
    _ask(todo, target, ledger, tally, budget, report)
    return tally


def _ask(todo: Sequence[_Asked], target: Target, ledger: Ledger, tally: Tally, budget: Budget, report: Report) -> None:
    """Puts the queries to the target until they are done, the budget is used up, or it can no longer be asked."""
    started, before = time.monotonic(), target.cost
    by_query = {id(one.query): one for one in todo}

    def allowed() -> Iterator[Query]:
        for one in todo:
            if reason := budget.used_up(time.monotonic() - started, target.cost - before):
                tally.stopped = OUT_OF[reason]
                return
            yield one.query

    report(target.name, len(tally.rows), tally.wanted)
    try:
        for query, came in target.respond(allowed()):
            tally.asked += 1
            if isinstance(came, Failure):
                tally.failures[came.reason] += 1
            else:
                row = _row(by_query[id(query)], target, came, datetime.now(UTC).isoformat(timespec="seconds"))
                ledger.add(row)
                tally.rows.append(row)
            report(target.name, len(tally.rows), tally.wanted)
    except BackendError as error:
        tally.stopped = str(error)
    finally:
        tally.cost = target.cost - before


def _asked(records: Sequence[Record], target: Target, wish: Wish) -> Iterator[_Asked]:
    """Every query, sample by sample, with its key."""
    images = [hashlib.sha256(record.picture_bytes()).hexdigest() for record in records]
    for sample in range(wish.first, wish.first + wish.samples):
        for record, image in zip(records, images, strict=True):
            shown = image if target.sees else record.description
            what = [target.name, dict(target.settings), wish.system, record.question, shown, sample]
            key = hashlib.sha256(canonical(what).encode()).hexdigest()[:32]
            query = Query(
                record.id, record.question, record.open, record.description, wish.system, sample,
                derived_seed(key, "target"),
            )  # fmt: skip
            yield _Asked(key, query, record, image)


def _row(one: _Asked, target: Target, response: Response, at: str) -> Row:
    record = one.record
    return Row(
        record.id, response.text, target.name, one.query.sample, response.kind, record.question, record.type,
        record.category, record.expected, record.facts, response.finish, response.model, response.tokens_in,
        response.tokens_out, response.seconds, at, one.image, one.key,
    )  # fmt: skip


def _response(row: Row) -> Response:
    kind: Any = row.kind
    return Response(row.response, kind, row.finish, row.model, row.tokens_in, row.tokens_out, row.seconds or 0.0)


def _head(folder: Path, head: dict[str, Any]) -> dict[str, Any]:
    """The head of the folder, or of a new one. Raises ConfigError where it is of something else."""
    path = folder / HEAD
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
            raise ConfigError(f"{folder} is there already and no probe: give another --out.")
        return {**head, "targets": {}}
    try:
        before = json.loads(read_text(path, MAX_BYTES, ConfigError))
        targets = before["targets"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigError(f"{path} is not what `mossgen probe` writes: give another --out.") from None
    for name, value in head.items():
        if before.get(name) != value:
            raise ConfigError(
                f"{folder}: `{name}` is {before.get(name)!r} there and {value!r} now: give another --out."
            )
    return {**head, "targets": targets}


def _rows(path: Path) -> list[Row]:
    """The rows kept so far; a last line that a crash cut off is left out. Raises ConfigError."""
    if not path.is_file() or not path.stat().st_size:
        return []
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        write_whole(path, data[: data.rfind(b"\n") + 1])
    return read_responses(path) if path.stat().st_size else []
