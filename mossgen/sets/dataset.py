"""Record and Dataset: one type for an item of any set, and one for the set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from mossgen.core.items import ID_TAG, Item, State, Verdict, canonical
from mossgen.errors import ConfigError
from mossgen.files.pictures import is_file, read_bytes, read_picture
from mossgen.sets import frames

if TYPE_CHECKING:
    from PIL.Image import Image

Kind = Literal["run", "split", "reference", "mossbench", "export", "imagefolder", "table"]
Expected = Literal["comply", "refuse"]
Picture = Path | bytes | None  # path or content; None if there is none
SHOWN = 10  # records in a notebook's table
_COLUMNS = ("id", "type", "question", "expected", "side", "problem")  # of that table
_NESTED = ("slots", "overlay", "facts", "lineage", "verdicts", "provenance")  # in Record.to_dict


@dataclass(frozen=True)
class Record:
    """One item of a set: a picture, a question about it, and what the set states of it.

    `picture` is what a person sees. `bare` is the picture without its overlay; it equals `picture` if there is no
    overlay or no bare picture. `type` is a name, never a path; None if unknown. `facts` are the responses.FACTS that
    the set states. `row` is the original row, `file` and `key` its location. `problem` says why the record cannot be
    used; None if it can.
    """

    id: str
    number: int = 0  # its position in the set
    question: str = ""
    type: str | None = None
    picture: Picture = field(default=None, repr=False)
    bare: Picture = field(default=None, repr=False)
    expected: Expected = "comply"
    category: str = ""
    description: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    overlay: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    row: Any = field(default=None, repr=False)
    file: Path | None = None
    key: str = ""
    side: str = ""  # for a set with sides
    contrast_of: str = ""  # for a harmful partner: the id of its item
    lineage: Sequence[Mapping[str, Any]] = field(default=(), repr=False)  # lineage.Source as plain values
    partners: Sequence[Record] = field(default=(), repr=False)  # its harmful partners
    verdicts: Sequence[Verdict] = field(default=(), repr=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problem: str | None = None

    @property
    def image(self) -> Image:
        """The picture in RGB. Raises ConfigError if it cannot be read or is larger than pictures.MAX_PIXELS."""
        return self.open()

    def open(self) -> Image:
        """The same as `image`, as a method that can be passed on."""
        return _opened(self.picture)

    def open_bare(self) -> Image:
        """The picture without its overlay, in RGB. Raises ConfigError like `image`."""
        return _opened(self.picture if self.bare is None else self.bare)

    def picture_bytes(self) -> bytes:
        """The bytes of the picture file. Raises ConfigError if it is missing or too large."""
        return picture_bytes(self.picture)

    @property
    def pictured(self) -> bool:
        """Whether it has a picture and no problem."""
        return self.picture is not None and self.problem is None

    @property
    def mossbench(self) -> bool:
        """Whether it is one of MOSSBench's own items."""
        row = self.row if isinstance(self.row, dict) else {}
        metadata = row.get("metadata")
        if self.id.startswith(ID_TAG):  # ours, in MOSSBench's format
            return False
        return "metadata_over" in row or (isinstance(metadata, dict) and "over" in metadata)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values; the picture by its file name, if it has one."""
        return {
            "id": self.id,
            "type": self.type,
            "question": self.question,
            "picture": self.picture.name if isinstance(self.picture, Path) else None,
            "expected": self.expected,
            "category": self.category,
            "description": self.description,
            "side": self.side,
            "contrast_of": self.contrast_of,
            "slots": dict(self.slots),
            "overlay": self.overlay,
            "facts": dict(self.facts),
            "lineage": [dict(source) for source in self.lineage],
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "provenance": dict(self.provenance),
            "problem": self.problem,
        }

    def item(self) -> Item:
        """The record as an item without any evidence, so that it is checked anew."""
        return Item(
            id=self.id, number=self.number, type=self.type or "", seed_id="", slots=self.slots, variant=0,
            state=State.RENDERED, question=self.question, overlay=self.overlay,
        )  # fmt: skip


def picture_bytes(picture: Picture) -> bytes:
    """The bytes of a picture or its file. Raises ConfigError if there is none, or it is too large."""
    if picture is None:
        raise ConfigError("it names no picture.")
    return read_bytes(picture) if isinstance(picture, Path) else picture


def unaltered(record: Record, row: Mapping[str, Any]) -> bytes:
    """The picture file, checked against the hash in `row`. Raises ConfigError if it is missing or was changed."""
    if record.picture is None or not (isinstance(record.picture, bytes) or is_file(record.picture)):
        raise ConfigError(f"{record.file}: the picture of item {record.id} is missing: run `mossgen verify` there.")
    data = record.picture_bytes()
    if hashlib.sha256(data).hexdigest() != row.get("image_sha256"):
        where = record.picture if isinstance(record.picture, Path) else record.file
        raise ConfigError(f"{where}: the picture of item {record.id} was changed (its hash differs).")
    return data


def _opened(picture: Picture) -> Image:
    if picture is None:
        raise ConfigError("it names no picture.")
    return read_picture(picture)


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Record]):
    """A set: a Sequence of records, in the order of its file.

    `licence` and `test_only` are stated by an imported set. `sides` are all sides of a set with sides, also those that
    were not opened. `unfinished` says why a run's records are not final; None if they are.
    """

    path: Path
    name: str
    kind: Kind
    records: Sequence[Record] = field(repr=False)
    licence: str = ""
    test_only: bool = False
    sides: Sequence[str] = ()
    side: str | None = None  # the requested side
    unfinished: str | None = None

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Record]: ...
    def __getitem__(self, at: int | slice) -> Record | Sequence[Record]:
        """The record at an index, or the records of a slice."""
        return self.records[at]

    @cached_property
    def by_id(self) -> Mapping[str, Record]:
        """The records by their unique ids."""
        return {record.id: record for record in self.records}

    @property
    def problems(self) -> Mapping[str, str]:
        """Why records cannot be used, by id."""
        return {record.id: record.problem for record in self.records if record.problem}

    @property
    def usable(self) -> list[Record]:
        """The records without a problem."""
        return [record for record in self.records if record.problem is None]

    @property
    def asking(self) -> list[Record]:
        """The records with a question, with or without a picture: they can be compared by their text."""
        return [record for record in self.records if record.question.strip()]

    @property
    def partners(self) -> list[Record]:
        """The harmful partners of the records, in the order of their files."""
        found = [partner for record in self.records for partner in record.partners]
        return sorted(found, key=lambda p: (self.sides.index(p.side) if p.side in self.sides else -1, p.number))

    def odd(self) -> str | None:
        """A sentence with the number of records with a problem and the first problem; None if there is none."""
        if not self.problems:
            return None
        key, why = next(iter(self.problems.items()))
        return f"{self.path}: {len(self.problems)} of {len(self)} records have a problem; the first, {key}: {why}"

    def finished(self) -> Dataset:
        """The set itself. Raises ConfigError if it is an unfinished run."""
        if self.unfinished:
            raise ConfigError(self.unfinished)
        return self

    def sha256(self) -> str:
        """A hash of all ids, questions and bytes of the bare pictures. Raises ConfigError."""
        digest = hashlib.sha256()
        for record in self.asking:
            bare = record.picture if record.bare is None else record.bare
            image = hashlib.sha256(picture_bytes(bare)).hexdigest() if record.pictured else None
            digest.update(canonical([record.id, record.question, image]).encode() + b"\n")
        return digest.hexdigest()

    def to_pandas(self) -> Any:
        """A pandas DataFrame, one row per record. Raises ConfigError if pandas is not installed."""
        return frames.to_pandas([record.to_dict() for record in self.records])

    def to_datasets(self) -> Any:
        """A `datasets.Dataset` of the usable records, with an `image` column; nested values are JSON texts.

        Raises ConfigError if datasets is not installed, or a picture cannot be read.
        """
        usable = self.usable
        rows = [{k: canonical(v) if k in _NESTED else v for k, v in r.to_dict().items()} for r in usable]
        return frames.to_datasets(rows, [record.picture_bytes() for record in usable])

    def _repr_html_(self) -> str:
        """The HTML that a notebook shows: the first records with their pictures."""
        shown = self.records[:SHOWN]
        rows = [{name: getattr(record, name) for name in _COLUMNS} for record in shown]
        title = f"{self.name}: {len(self)} records of {self.path} ({self.kind})"
        return frames.html_table(title, rows, [_thumbnail(record) for record in shown], len(self) - len(shown))


def _thumbnail(record: Record) -> Image | None:
    try:
        return record.image
    except ConfigError:
        return None


def join(records: Sequence[Record], partners: Iterable[Record]) -> list[Record]:
    """The records, each with its harmful partners."""
    by_item: dict[str, list[Record]] = {}
    for partner in partners:
        by_item.setdefault(partner.contrast_of, []).append(partner)
    return [replace(record, partners=by_item.get(record.id, ())) for record in records]


def unique(records: Sequence[Record]) -> list[Record]:
    """The records with unique ids: a repeated id gets the next free number, as in `7#2`.

    A new id never equals an id that another record states.
    """
    stated, used, found = {record.id for record in records}, set[str](), []
    numbers: Counter[str] = Counter()
    for record in records:
        name = record.id
        while name in used or (name != record.id and name in stated):
            numbers[record.id] += 1
            name = f"{record.id}#{numbers[record.id] + 1}"
        used.add(name)
        found.append(record if name == record.id else replace(record, id=name))
    return found
