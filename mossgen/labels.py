"""`mossgen judge`: what each response is, by one judge after another, and every label kept as it comes.

    FOLDER/                  a probe's, or one made for responses of others
      responses.jsonl        one responses.Row a line
      labels.jsonl           one Label a line

A label is kept under the hash of everything it depends on (judge, its settings, question, response, and the picture if
the judge sees it), so that the same command goes on where it stopped and nothing is paid for twice.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mossgen.errors import BackendError, ConfigError, StoreError
from mossgen.files import read_text, write_whole
from mossgen.items import canonical, derived_seed
from mossgen.ports import Exchange, Labelled, RefusalJudge
from mossgen.responses import Row, lines, natural, read_responses
from mossgen.subjects import Subject

RESPONSES, LABELS = "responses.jsonl", "labels.jsonl"
KINDS = ("compliance", "partial", "refusal", "unscored")
BATCH = 16  # responses judged, and kept, at a time
MAX_BYTES = 1_000_000_000
Report = Callable[[str, int, int], None]  # judge, responses done, responses in all
Place = tuple[str, str, int]  # target, id, sample


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


# -- responses -----------------------------------------------------------------------------------------


def gather(paths: Sequence[Path]) -> list[Row]:
    """The responses of these folders and files; a file that names no target is one target's, by its own name.

    Raises ConfigError where one cannot be read, or a target's response to an item is there twice.
    """
    rows = [row for path in paths for row in _numbered(_read(path))]
    places = Counter(place(row) for row in rows)
    doubled = next((where for where, count in places.items() if count > 1), None)
    if doubled:
        raise ConfigError(
            f"{doubled[0]} has two responses to item {doubled[1]} (sample {doubled[2]}): leave one file out, or rename "
            "it if it is of another target."
        )
    return rows


def place(row: Row) -> Place:
    """Which response a row is."""
    return row.target, row.id, row.sample


def _read(path: Path) -> list[Row]:
    file = path / RESPONSES if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        raise ConfigError(f"{path} has no {RESPONSES}: give the folder of a probe, or a file of responses.")
    return [row if row.target else replace(row, target=file.stem) for row in read_responses(file)]


def _numbered(rows: Sequence[Row]) -> Iterator[Row]:
    """Responses to one item as its samples, in a file that does not number them."""
    seen: Counter[Place] = Counter()
    numbered = any(row.sample for row in rows)
    for row in rows:
        yield row if numbered else replace(row, sample=seen[place(row)])
        seen[place(row)] += 1


def matched(rows: Sequence[Row], subjects: Sequence[Subject]) -> tuple[list[Row], dict[str, Subject]]:
    """The rows with what the set says of their items, and those items by id.

    Raises ConfigError where the set has none of them, or had another picture when the responses were made.
    """
    items = {subject.entry.id: subject for subject in subjects}
    if not any(row.id in items for row in rows):
        raise ConfigError(
            f"The set of --items has no item {rows[0].id!r}, nor any other that was responded to: give the set that "
            "was asked about."
        )
    return [_with(row, items[row.id]) if row.id in items else row for row in rows], items


def _with(row: Row, subject: Subject) -> Row:
    image = image_hash(subject)
    if row.image and image and row.image != image:
        raise ConfigError(
            f"Item {row.id} had another picture when {row.target} responded than it has in --items: give that set."
        )
    return replace(
        row, question=row.question or subject.entry.question, type=subject.entry.type or row.type,
        category=subject.category or row.category, expected=subject.expected, facts={**row.facts, **subject.facts},
        image=image or row.image,
    )  # fmt: skip


def image_hash(subject: Subject) -> str:
    """The sha256 of the picture; empty where there is none."""
    return hashlib.sha256(subject.entry.bytes()).hexdigest() if subject.entry.image is not None else ""


def keep(folder: Path, rows: Sequence[Row]) -> None:
    """Keeps responses of others in the folder of their labels. Raises ConfigError where it holds others, StoreError."""
    file = folder / RESPONSES
    here = {place(row) for row in rows}
    other = next((row for row in read_responses(file) if place(row) not in here), None) if file.is_file() else None
    if other:
        raise ConfigError(
            f"{folder} holds a response of {other.target} to item {other.id}, which is none of these: give another "
            "--out."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, lines(rows).encode("utf-8", "replace"))
    except OSError as error:
        raise StoreError(f"{file}: cannot be written ({error.strerror}): free space or give another --out.") from error


# -- judging -------------------------------------------------------------------------------------------


def judge_rows(
    rows: Sequence[Row],
    judge: RefusalJudge,
    book: Book,
    items: Mapping[str, Subject],
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
        key = _hash([judge.name, how, row.question, row.response, shown])[:32]
        kept = book.kept(key)
        if kept is None:
            todo.setdefault(key, []).append(row)
        else:
            _add(book, tally, replace(kept, id=row.id, target=row.target, sample=row.sample))
    before = judge.cost
    try:
        _ask(todo, judge, book, items, tally, how, None if max_cost is None else before + max_cost, report)
    except BackendError as error:
        tally.stopped = str(error)
    finally:
        tally.cost = judge.cost - before
    return tally


def _ask(
    todo: Mapping[str, Sequence[Row]], judge: RefusalJudge, book: Book, items: Mapping[str, Subject], tally: Tally,
    how: str, most: float | None, report: Report,
) -> None:  # fmt: skip
    """Puts the responses to the judge, batch by batch. Raises BackendError, once what was answered is kept."""
    keys = list(todo)
    for start in range(0, len(keys), BATCH):
        report(judge.name, tally.wanted - tally.missing, tally.wanted)
        if most is not None and judge.cost >= most > 0:
            tally.stopped = "the cost budget is used up"
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


def _exchange(row: Row, key: str, items: Mapping[str, Subject]) -> Exchange:
    subject = items.get(row.id)
    picture = subject.entry.picture if subject is not None and subject.entry.image is not None else None
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
    reason = f"the response is {row.kind}" if row.kind in ("empty", "filtered") and not said.reason else said.reason
    return Label(row.id, row.target, row.sample, judge, said.label, said.score, reason, how, key)


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode("utf-8", "replace")).hexdigest()


# -- the file ------------------------------------------------------------------------------------------


class Book:
    """The labels of one folder's responses. Use with `with`: each is on the disk at once, all are in order at the end.

    Raises ConfigError for a file that is not ours or labels other responses, StoreError from the disk.
    """

    def __init__(self, file: Path, rows: Sequence[Row]) -> None:
        self.file = file
        self.labels = {(label.judge, *label.place): label for label in read_labels(file)} if file.is_file() else {}
        known = {place(row) for row in rows}
        other = next((label for label in self.labels.values() if label.place not in known), None)
        if other:
            raise ConfigError(
                f"{file} labels a response of {other.target} to item {other.id}, which is none of these: give another "
                "--out."
            )
        self._by_key = {label.key: label for label in self.labels.values()}

    def __enter__(self) -> Book:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._write()  # without a line that was cut off
            self._stream = self.file.open("a", encoding="utf-8")
        except OSError as error:
            raise self._trouble(error) from error
        return self

    def __exit__(self, *_: object) -> None:
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
        judges = list(dict.fromkeys(label.judge for label in self.labels.values()))
        rank = {judge: number for number, judge in enumerate(judges)}
        ordered = sorted(self.labels.values(), key=lambda x: (rank[x.judge], x.target, natural(x.id), x.sample))
        try:
            write_whole(self.file, "".join(_line(label) for label in ordered).encode())
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
