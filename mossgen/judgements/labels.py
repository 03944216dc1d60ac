"""`mossgen judge`: what each response is, by one judge after another, and every label kept as it comes.

    FOLDER/                  a probe's, or one made for responses of others
      responses.jsonl        one responses.Row a line
      labels.jsonl           one Label a line

A label is kept under the hash of everything it depends on (judge, its settings, question, response, and the picture if
the judge sees it), so that the same command goes on where it stopped and nothing is paid for twice. A response that was
withheld (Row.kind "filtered") is a refusal by whichever judge, since there is nothing to judge.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mossgen.core.budget import OUT_OF, Budget
from mossgen.core.items import canonical, derived_seed
from mossgen.errors import BackendError, ConfigError, StoreError
from mossgen.files.disk import locked, read_text, write_whole
from mossgen.files.responses import Place, Row, natural, place
from mossgen.plugins.protocols import Exchange, Labelled, RefusalJudge
from mossgen.sets.dataset import Record

LABELS = "labels.jsonl"
KINDS = ("compliance", "partial", "refusal", "unscored")
FILTERED = "filtered"
WITHHELD = "withheld: by the endpoint's content filter, or in the model's own refusal field"
BATCH = 16  # responses judged, and kept, at a time
MAX_BYTES = 1_000_000_000
Report = Callable[[str, int, int], None]  # judge, responses done, responses in all


@dataclass(frozen=True)
class Label:
    """What one judge says of one response. `how` is a hash of the judge's settings, `key` of all it depends on."""

    id: str
    target: str
    sample: int
    judge: str
    label: str
    score: float | None = None
    reason: str = ""
    how: str = ""
    key: str = ""

    @property
    def place(self) -> Place:
        """Which response it is of."""
        return self.target, self.id, self.sample


@dataclass
class Tally:
    """What became of one judge: labels by kind, old ones too, how many were asked for now, and why it stopped."""

    wanted: int
    kinds: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    cost: float = 0.0

    @property
    def missing(self) -> int:
        """How many labels are wanted still."""
        return self.wanted - sum(self.kinds.values())


# -- judging -------------------------------------------------------------------------------------------


def judge_rows(
    rows: Sequence[Row],
    judge: RefusalJudge,
    book: Book,
    items: Mapping[str, Record],
    max_cost: float | None = None,
    report: Report = lambda judge, done, of: None,
) -> Tally:
    """Labels every response and keeps what comes; what is kept already is not judged again.

    A judge that cannot be asked any more, or a budget that is used up, is said in `stopped`. Raises ConfigError,
    StoreError.
    """
    how = _hash(dict(judge.settings))[:16]
    book.settled(judge.name, how)
    tally = Tally(len(rows))
    todo: dict[str, list[Row]] = {}  # equal responses to equal questions are judged once
    for row in rows:
        shown = row.image if judge.sees and row.id in items else ""
        key = _hash([judge.name, how, row.kind == FILTERED, row.question, row.response, shown])[:32]
        kept = book.kept(key)
        if kept is not None:
            _add(book, tally, replace(kept, id=row.id, target=row.target, sample=row.sample))
        elif row.kind == FILTERED:  # a fact, and nothing to judge
            _add(book, tally, _label(row, judge.name, Labelled("refusal", reason=WITHHELD), how, key))
        else:
            todo.setdefault(key, []).append(row)
    before = judge.cost
    try:
        _ask(todo, judge, book, items, tally, how, Budget(0, usd=max_cost), report)
    except BackendError as error:
        tally.stopped = str(error)
    finally:
        tally.cost = judge.cost - before
    return tally


def _ask(
    todo: Mapping[str, Sequence[Row]], judge: RefusalJudge, book: Book, items: Mapping[str, Record], tally: Tally,
    how: str, budget: Budget, report: Report,
) -> None:  # fmt: skip
    """Puts the responses to the judge, batch by batch. Raises BackendError, once what was answered is kept."""
    keys, before = list(todo), judge.cost
    for start in range(0, len(keys), BATCH):
        report(judge.name, tally.wanted - tally.missing, tally.wanted)
        if reason := budget.used_up(0, judge.cost - before):
            tally.stopped = OUT_OF[reason]
            return
        batch = keys[start : start + BATCH]
        for key, said in zip(batch, judge.label([_exchange(todo[key][0], key, items) for key in batch]), strict=True):
            tally.asked += 1
            if said.failed:
                tally.failures[said.reason] += 1
                continue
            for row in todo[key]:
                _add(book, tally, _label(row, judge.name, said, how, key))
    report(judge.name, tally.wanted - tally.missing, tally.wanted)


def _exchange(row: Row, key: str, items: Mapping[str, Record]) -> Exchange:
    record = items.get(row.id)
    picture = record.open if record is not None and record.picture is not None else None
    return Exchange(row.response, row.question, picture, derived_seed(key, "judge"))


def stated(rows: Sequence[Row], book: Book) -> list[str]:
    """Keeps the labels that the responses' own files have, as judges of their own; returns the judges' names."""
    for row in rows:
        if row.label is not None:
            known = row.label in KINDS
            reason = "" if known else f"the file's own label {row.label[:40]!r} is none of {', '.join(KINDS)}"
            said = Labelled(row.label if known else "unscored", reason=reason)  # type: ignore[arg-type]
            book.add(_label(row, row.labelled_by, said, "", _hash([row.labelled_by, row.label, row.response])[:32]))
    return list(dict.fromkeys(row.labelled_by for row in rows if row.label is not None))


def _add(book: Book, tally: Tally, label: Label) -> None:
    book.add(label)
    tally.kinds[label.label] += 1


def _label(row: Row, judge: str, said: Labelled, how: str, key: str) -> Label:
    return Label(row.id, row.target, row.sample, judge, said.label, said.score, said.reason, how, key)


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode("utf-8", "replace")).hexdigest()


# -- the file ------------------------------------------------------------------------------------------


class Book:
    """The labels of one folder's responses. Use with `with`: each is on the disk at once, all are in order at the end.

    Raises ConfigError for a file that is not ours, labels other responses or is being written, StoreError from the
    disk.
    """

    def __init__(self, file: Path, rows: Sequence[Row]) -> None:
        self.file = file
        self._known = {place(row) for row in rows}
        self._read()

    def _read(self) -> None:
        file = self.file
        self.labels = {(label.judge, *label.place): label for label in read_labels(file)} if file.is_file() else {}
        other = next((label for label in self.labels.values() if label.place not in self._known), None)
        if other:
            raise ConfigError(
                f"{file} labels a response of {other.target} to item {other.id}, which is none of these: give another "
                "--out."
            )
        self._by_key = {label.key: label for label in self.labels.values()}

    def __enter__(self) -> Book:
        with ExitStack() as held:
            held.enter_context(locked(self.file.parent, self.file.name, "--out"))
            self._read()  # what nobody else writes now
            self._write()  # without a line that was cut off
            try:
                self._stream = self.file.open("a", encoding="utf-8")
            except OSError as error:
                raise self._trouble(error) from error
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._held:
            self._stream.close()
            self._write()

    def settled(self, judge: str, how: str) -> None:
        """Raises ConfigError where this judge labelled here with other settings."""
        if any(label.judge == judge and label.how != how for label in self.labels.values()):
            raise ConfigError(
                f"{self.file}: {judge} labelled here with other options, or in another version of mossgen: give the "
                "same options, or another --out."
            )

    def kept(self, key: str) -> Label | None:
        """The label of the same response to the same question, of whichever item."""
        return self._by_key.get(key)

    def add(self, label: Label) -> None:
        """Keeps a label, once; another one of the same response takes its place."""
        where = (label.judge, *label.place)
        if self.labels.get(where) == label:
            return
        try:
            self._stream.write(_line(label))
            self._stream.flush()
        except OSError as error:
            raise self._trouble(error) from error
        self.labels[where] = self._by_key[label.key] = label

    def _write(self) -> None:
        """Puts the labels in order and on the disk: judge by judge as they came, then by target, item and sample."""
        rank = {judge: number for number, judge in enumerate(dict.fromkeys(judge for judge, *_ in self.labels))}
        ordered = sorted(self.labels.values(), key=lambda x: (rank[x.judge], x.target, natural(x.id), x.sample))
        self.labels = {(label.judge, *label.place): label for label in ordered}
        try:
            write_whole(self.file, "".join(_line(label) for label in self.labels.values()).encode())
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self.file}: cannot be written ({error.strerror}); labels so far are kept: free space or mend the "
            "permissions, then run the same command again."
        )


def read_labels(file: Path) -> list[Label]:
    """The labels of a file; a last line that a crash cut off is left out. Raises ConfigError where it is not ours."""
    found = []
    for number, line in enumerate(read_text(file, MAX_BYTES, ConfigError).split("\n")[:-1], 1):
        try:
            label = Label(**json.loads(line))
            if label.label not in KINDS:
                raise ValueError(f"{label.label!r} is no label")
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigError(
                f"{file}, line {number}: no label of `mossgen judge` ({error}): move the file away, or give another "
                "--out."
            ) from None
        found.append(label)
    return found


def _line(label: Label) -> str:
    return json.dumps(asdict(label)) + "\n"  # ASCII: half a surrogate pair survives, and so does a crash
