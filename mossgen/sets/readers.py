"""Sets that exist already, as items to check: a run, MOSSBench's folder, an ImageFolder, a JSONL with images.

What is wrong with one entry (a broken line, no question, a picture outside the set) becomes that entry's
`problem`, so that nothing is lost; what is wrong with the whole file is a ConfigError.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.core.items import Item, State, encodable
from mossgen.errors import ConfigError
from mossgen.files.pictures import (
    MAX_PICTURE_BYTES,
    data_url,
    inline_picture,
    is_file,
    read_image,
    shortened,
)
from mossgen.runs.store import CONFIG, DATABASE, RunStore
from mossgen.sets.references import MAX_BYTES
from mossgen.stimulus.types import type_names

if TYPE_CHECKING:
    from PIL.Image import Image


MAX_QUESTION = 4_000  # characters: a longer text is no question about a picture
MOSSBENCH_TYPES = {"type 1": "exaggerated_risk", "type 2": "negated_harm", "type 3": "counterintuitive"}
MOSSBENCH_COLUMNS = ("metadata_over", "over")  # where the Hub's copy and our exports keep the code
MOSSBENCH_CODES = tuple(MOSSBENCH_TYPES)  # compared by equality: a cell may hold anything
QUESTIONS = ("question", "query", "prompt", "text")  # the columns a question may stand in, first found counts
_INFORMATION = Path("images_information") / "information.json"


@dataclass(frozen=True)
class Entry:
    """One item of a set: its place there, what is asked, and where its picture is (a path, or the bytes).

    `type` is None where the set does not say. `slots` and `overlay` are there where mossgen made the item.
    `record` and `file` are there for items of other makers, None for items of a run.
    """

    number: int
    id: str
    type: str | None
    question: str
    image: Path | bytes | None
    slots: Mapping[str, str]
    overlay: Mapping[str, Any] | None
    problem: str | None = None
    record: Any = None  # the row as the set has it
    file: Path | None = None  # the metadata file that it stands in
    key: str = ""  # under which it stands there, where that is one object keyed by pid

    def item(self) -> Item:
        """The entry as an item without any evidence: whatever was said of it before, it is judged anew."""
        return Item(
            self.id, self.number, self.type or "", "", self.slots, 0, State.RENDERED,
            question=self.question, overlay=self.overlay,
        )  # fmt: skip

    def bytes(self) -> bytes:
        """The picture's file. Raises ConfigError where there is none, or it is too large."""
        if self.image is None:
            raise ConfigError("it names no picture.")
        if isinstance(self.image, bytes):
            return self.image
        if not is_file(self.image):
            raise ConfigError(f"{shortened(str(self.image))}: there is no such picture.")
        try:
            if self.image.stat().st_size > MAX_PICTURE_BYTES:
                raise ConfigError(f"{self.image}: larger than {MAX_PICTURE_BYTES:,} bytes.")
            return self.image.read_bytes()
        except OSError as error:
            raise ConfigError(f"{self.image}: cannot be read ({error.strerror}).") from None

    def picture(self) -> Image:
        """The picture in RGB. Raises ConfigError where it cannot be read or is larger than MAX_PIXELS."""
        if isinstance(self.image, Path):
            self.bytes()
            return read_image(self.image)
        return inline_picture(self.bytes())


def read_set(path: Path, type_name: str | None = None) -> list[Entry]:
    """The items of the set at `path`; `type_name` is the type of those that do not say theirs.

    Raises ConfigError where no set is there, or its file cannot be read.
    """
    for reader in (_run, _mossbench, _tables):
        entries = reader(path, type_name)
        if entries is not None:
            if not entries:
                raise ConfigError(f"{path}: the set is empty.")
            return entries
    raise ConfigError(
        f"{path}: no set is there: give a run folder, MOSSBench's folder (with {_INFORMATION}), "
        "a folder with a metadata.jsonl or metadata.csv (ImageFolder), or a .jsonl or .csv file."
    )


def read_table(path: Path) -> list[Entry]:
    """The items of an ImageFolder, a JSONL or a CSV, and of nothing else. Raises ConfigError."""
    entries = _tables(path, None)
    if not entries:
        raise ConfigError(f"{path}: give a folder with a metadata.jsonl or metadata.csv, or a .jsonl or .csv file.")
    return entries


def read_mossbench(path: Path) -> list[Entry]:
    """The items of MOSSBench's `data`, `data_contrast`, or the folder that holds them. Raises ConfigError."""
    entries = _mossbench(path, None)
    if not entries:
        raise ConfigError(f"{path}: no MOSSBench folder: there is no {_INFORMATION} in it, its data or data_contrast.")
    return entries


def _run(path: Path, type_name: str | None) -> list[Entry] | None:
    if not (path / DATABASE).is_file():
        return None
    from mossgen.runs.config import read_config

    kind = type_name or read_config(path / CONFIG).type
    with RunStore.read(path) as store:
        items = store.items(State.ACCEPTED)
        return [
            Entry(n, i.id, kind, i.question or "", store.blob(i.image or ""), i.slots, i.overlay)
            for n, i in enumerate(items)
        ]


# -- MOSSBench -----------------------------------------------------------------------------------------


def _mossbench(path: Path, type_name: str | None) -> list[Entry] | None:
    """MOSSBench's `data` or `data_contrast`, or the folder that holds them: then both, contrast ids marked."""
    if (path / _INFORMATION).is_file():
        return list(_information(path, type_name, "", 0))
    entries: list[Entry] = []
    for folder, mark in ((path / "data", ""), (path / "data_contrast", "contrast-")):
        if (folder / _INFORMATION).is_file():
            entries += _information(folder, type_name, mark, len(entries))
    return entries or None


def _information(folder: Path, type_name: str | None, mark: str, first: int) -> Iterator[Entry]:
    source = folder / _INFORMATION
    try:
        data = json.loads(_read(source))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not valid JSON: {error}.") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: not MOSSBench's shape: it should be an object keyed by pid.")
    for number, (pid, row) in enumerate(data.items(), first):
        kind = row.get("metadata") if isinstance(row, dict) else None
        over = str(kind.get("over")) if isinstance(kind, dict) else ""
        entry = _entry(number, mark + pid, row, folder, MOSSBENCH_TYPES.get(over, type_name), (folder, source.parent))
        yield replace(entry, record=row, file=source, key=pid)


# -- ImageFolder, JSONL, CSV ---------------------------------------------------------------------------


def _tables(path: Path, type_name: str | None) -> list[Entry] | None:
    if path.is_file() and path.suffix in (".jsonl", ".csv"):
        files = [path]
    elif path.is_dir():
        files = sorted(f for f in path.rglob("metadata.*") if f.suffix in (".jsonl", ".csv") and f.is_file())
    else:
        files = []
    entries: list[Entry] = []
    for file in files:
        for name, row in _rows(file):
            entry = _entry(len(entries), name, row, file.parent, type_name, (file.parent,))
            entries.append(replace(entry, record=row, file=file))
    return entries if files else None


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a table with a name for each (its line); a line that is no JSON comes as a text."""
    text = _read(file)
    if file.suffix == ".csv":
        with _csv_limit():
            try:
                for row in (reader := csv.DictReader(io.StringIO(text, newline=""))):
                    yield f"line {reader.line_num}", row
            except csv.Error as error:
                raise ConfigError(f"{file}: not a CSV that can be read: {error}.") from None
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                yield f"line {number}", f"not valid JSON: {error}"


class _csv_limit:
    """Lets a cell be as long as a file may be, and puts the library's own limit back."""

    def __enter__(self) -> None:
        self._before = csv.field_size_limit(MAX_BYTES)

    def __exit__(self, *_: object) -> None:
        csv.field_size_limit(self._before)


def _entry(number: int, name: str, row: Any, folder: Path, kind: str | None, bases: tuple[Path, ...]) -> Entry:
    """One row as an entry. Whatever is wrong with it is its `problem`."""
    if not isinstance(row, dict):
        why = row if isinstance(row, str) else "not an object"
        return Entry(number, name, kind, "", None, {}, None, f"{why}.")
    question = next((encodable(str(row[key])) for key in QUESTIONS if row.get(key) not in (None, "")), "")
    image, problem = _image(row, folder, bases)
    if not question.strip():
        problem = f"it has no question (wanted one of {', '.join(QUESTIONS)})."
    elif len(question) > MAX_QUESTION:
        problem = f"its question has {len(question):,} characters, more than {MAX_QUESTION:,}."
    if not name.startswith("contrast-"):
        name = next((encodable(str(row[key])) for key in ("id", "pid") if row.get(key) not in (None, "")), name)
    kind = next((MOSSBENCH_TYPES[row[k]] for k in MOSSBENCH_COLUMNS if row.get(k) in MOSSBENCH_CODES), kind)
    stated = row.get("type") if row.get("type") in type_names() else kind  # never a path: only types that we ship
    slots, overlay = _embedded(row.get("slots")), _embedded(row.get("overlay"))
    whole = all(isinstance(v, str) for v in slots.values())
    return Entry(
        number, name, stated, question[:MAX_QUESTION], image,
        slots if whole else {}, overlay or None, problem,
    )  # fmt: skip


def _embedded(value: Any) -> dict[str, Any]:
    """A mapping that stands in a column, as such or as JSON text; empty where there is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _image(row: Mapping[str, Any], folder: Path, bases: tuple[Path, ...]) -> tuple[Path | bytes | None, str | None]:
    given = row.get("file_name") or row.get("image") or row.get("image_path")
    if not isinstance(given, str):
        return None, "it names no picture (wanted file_name or image)."
    if given.startswith("data:"):
        return data_url(given)
    path = folder / given
    found = next((p for p in (path, *(b / path.name for b in bases)) if is_file(p)), path)
    # a foreign table must not pick files off this disk; links are followed, as hub caches are made of them
    if not Path(os.path.normpath(found)).is_relative_to(os.path.normpath(folder)):
        return None, f"its picture {shortened(given)!r} lies outside the set's folder."
    return found, None


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{file} is larger than {MAX_BYTES:,} bytes: split it.")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from None
