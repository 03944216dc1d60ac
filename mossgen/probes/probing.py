"""`mossgen probe`: asks target models about the items of a set, and keeps each response as it arrives.

    PROBE/
      probe.json         which set, the system prompt, and how each target was asked
      responses.jsonl    one responses.Row a line

The key of a response is a hash of everything it depends on (target, its settings, system prompt, question, picture,
sample). So the same command continues a stopped probe, and asks only about the new items of a set that grew.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from mossgen.core.budget import OUT_OF, UNLIMITED, Limits
from mossgen.core.items import canonical, canonical_sha256, derived_seed
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import BackendError, ConfigError, StoreError
from mossgen.files.disk import LOCK, locked, read_text, write_whole
from mossgen.files.ledger import Kind, Ledger
from mossgen.files.responses import RESPONSES, ResponseRow, line, natural, parse
from mossgen.plugins.protocols import Failure, Query, Response, Target
from mossgen.sets.dataset import Record

HEAD = "probe.json"
MAX_BYTES = 1_000_000  # of a head
FORMAT = 1  # of a head
CUT_OFF = "length"  # the end reason of a response cut off by the token limit
KIND = Kind(
    maker="mossgen probe",
    rows="responses",
    encode=line,
    decode=parse,
    place=lambda row: (row.id, row.key),
    key=lambda row: row.key,
    order=lambda rows: sorted(rows, key=lambda row: (row.target, natural(row.id), row.sample)),
)


@dataclass(frozen=True)
class Sampling:
    """How many responses to request for each item, the number of the first, and the system prompt."""

    samples: int = 1
    system: str = ""
    first: int = 0


@dataclass
class TargetTally:
    """The counts for one target: the responses wanted, including old ones, and why others are missing."""

    wanted: int
    rows: list[ResponseRow] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    cost: float = 0.0
    asked: int = 0

    @property
    def missing(self) -> int:
        """How many responses are still missing."""
        return self.wanted - len(self.rows)

    def to_dict(self) -> dict[str, Any]:
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
    """One query with the key of its response."""

    key: str
    query: Query
    record: Record
    image: str


class Probe:
    """The folder of a probe: the responses to one set, under one system prompt.

    Use with `with`: each response is written to disk at once, and all are in order at the end. `name` is the set's
    name. Raises ConfigError for a folder of another set, system prompt or version of the format, or one that another
    mossgen process is writing; StoreError from the disk.
    """

    def __init__(self, folder: Path, name: str, sampling: Sampling) -> None:
        self.folder = folder
        self.sampling = sampling
        self._wanted = {"format": FORMAT, "set": name, "system": sampling.system}
        self._ledger = Ledger(folder / RESPONSES, KIND)
        _head(folder, self._wanted)  # a folder of another kind stays unchanged: no lock file in it

    @property
    def rows(self) -> list[ResponseRow]:
        """Every response in the folder."""
        return list(self._ledger.rows.values())

    def __enter__(self) -> Self:
        with ExitStack() as held:
            held.enter_context(locked(self.folder, elsewhere=KIND.elsewhere))
            self._head = _head(self.folder, self._wanted)  # read again under the lock
            self._write_head()  # first: this file marks the folder as a probe
            held.enter_context(self._ledger)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def ask(
        self,
        records: Sequence[Record],
        target: Target,
        limits: Limits = UNLIMITED,
        progress: Progress = SILENT,
        called: str = "",
    ) -> TargetTally:
        """Asks the target about every record, and keeps each response; responses already kept are not requested again.

        `stopped` says if the target failed or a limit was reached. `called` is the name of the job in the progress
        display, by default the target's name. Raises ConfigError if the target was asked with other settings here, and
        StoreError.
        """
        self._note(target)
        asked = list(_asked(records, target, self.sampling))
        tally, todo = TargetTally(len(asked)), []
        for one in asked:
            row = self._ledger.find(one.key)
            if row is None:
                todo.append(one)
            else:
                self._keep(_row(one, target, _response(row), row.at), tally)
        started, before = time.monotonic(), target.cost

        def allowed() -> Iterator[Query]:
            for one in todo:
                if reason := limits.used_up(time.monotonic() - started, target.cost - before):
                    tally.stopped = OUT_OF[reason]
                    return
                yield one.query

        progress.count(called or target.name, len(tally.rows), tally.wanted)
        by_name = {(one.query.item, one.key): one for one in todo}
        try:
            for query, came in target.respond(allowed()):
                tally.asked += 1
                if isinstance(came, Failure):
                    tally.failures[came.reason] += 1
                else:
                    now = datetime.now(UTC).isoformat(timespec="seconds")
                    self._keep(_row(_found(query, by_name, target), target, came, now), tally)
                progress.count(called or target.name, len(tally.rows), tally.wanted)
        except BackendError as error:
            tally.stopped = str(error)
        finally:
            tally.cost = target.cost - before
        return tally

    def _keep(self, row: ResponseRow, tally: TargetTally) -> None:
        if KIND.place(row) not in self._ledger.rows:
            self._ledger.add(row)
        tally.rows.append(row)

    def _note(self, target: Target) -> None:
        """Records the target's settings; raises ConfigError if it was asked with other settings here."""
        before = self._head["targets"].setdefault(target.name, dict(target.settings))
        now = json.loads(canonical(dict(target.settings)))
        changed = next((k for k in sorted({*before, *now}) if before.get(k) != now.get(k)), None)
        if changed:
            raise ConfigError(
                f"{self.folder}: {target.name} was asked with {changed} = {before.get(changed)!r} here, and now it is "
                f"{now.get(changed)!r}: give the same options, or another `out`."
            )
        self._write_head()

    def _write_head(self) -> None:
        path = self.folder / HEAD
        try:
            write_whole(path, json.dumps(self._head, indent=1) + "\n")
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be written ({error.strerror}); responses so far are kept: free space or mend the "
                "permissions, then run the same command again."
            ) from error


def _found(query: Query, by_name: dict[tuple[str, str], _Asked], target: Target) -> _Asked:
    """The query that a response belongs to; raises BackendError if there was no such query."""
    found = by_name.get((query.item, query.key))
    if found is None:
        raise BackendError(f"{target.name} gave a response to {query.item}, which it was not asked about.")
    return found


def _asked(records: Sequence[Record], target: Target, sampling: Sampling) -> Iterator[_Asked]:
    """Every query, sample by sample, with its key."""
    images = [hashlib.sha256(record.picture_bytes()).hexdigest() for record in records]
    for sample in range(sampling.first, sampling.first + sampling.samples):
        for record, image in zip(records, images, strict=True):
            shown = image if target.sees else record.description
            what = [target.name, dict(target.settings), sampling.system, record.question, shown, sample]
            key = canonical_sha256(what)[:32]
            query = Query(
                item=record.id,
                question=record.question,
                picture=record.open,
                description=record.description,
                system=sampling.system,
                sample=sample,
                seed=derived_seed(key, "target"),
                key=key,
            )
            yield _Asked(key, query, record, image)


def _row(one: _Asked, target: Target, response: Response, at: str) -> ResponseRow:
    record = one.record
    return ResponseRow(
        id=record.id,
        response=response.text,
        target=target.name,
        sample=one.query.sample,
        kind=response.kind,
        question=record.question,
        type=record.type,
        category=record.category,
        expected=record.expected,
        facts=record.facts,
        finish=response.finish,
        model=response.model,
        tokens_in=response.tokens_in,
        tokens_out=response.tokens_out,
        seconds=response.seconds,
        at=at,
        image=one.image,
        key=one.key,
    )


def _response(row: ResponseRow) -> Response:
    kind: Any = row.kind
    return Response(
        text=row.response,
        kind=kind,
        finish=row.finish,
        model=row.model,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        seconds=row.seconds or 0.0,
    )


def _head(folder: Path, head: dict[str, Any]) -> dict[str, Any]:
    """The head of the folder, or a new one; raises ConfigError if it differs from `head`."""
    path = folder / HEAD
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
            raise ConfigError(f"{folder} already exists and is not the folder of a probe: give another `out`.")
        return {**head, "targets": {}}
    try:
        before = json.loads(read_text(path, MAX_BYTES, ConfigError))
        targets = before["targets"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigError(f"{path} is not what `mossgen probe` writes: give another `out`.") from None
    for name, value in head.items():
        if before.get(name) != value:
            raise ConfigError(
                f"{folder}: `{name}` is {before.get(name)!r} there and {value!r} now: give another `out`."
            )
    return {**head, "targets": targets}
