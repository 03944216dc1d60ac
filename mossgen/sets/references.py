"""Reference sets that nothing new may be near to: imported ones by name or path, other runs, MOSSBench folders,
ImageFolders and JSONL files.

An imported set (see importing.py) lies in a folder of its own: reference.json, items.jsonl and its pictures.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.core.items import State, canonical, encodable
from mossgen.errors import ConfigError
from mossgen.files.disk import read_text
from mossgen.files.pictures import picture_sha256
from mossgen.runs.store import DATABASE, RunStore

MAX_BYTES = 200_000_000  # of one metadata file
REFERENCE = "reference.json"  # the head of an imported set
ITEMS = "items.jsonl"
FOLDER = Path("generated") / "references"  # where imported sets lie under their names
_FIELDS = {"id", "question", "type", "image", "path", "file", "key", "record"}  # of a row of an imported set
_PICTURE = re.compile(r"images/[0-9a-f]{64}\.[a-z0-9]{1,8}")  # where an imported picture lies, by its sha256


@dataclass(frozen=True)
class Pair:
    """One reference item: its id there, its question and where its picture lies (None: it is known to be missing)."""

    id: str
    question: str
    image: Path | None


@dataclass(frozen=True)
class Reference:
    """A named set of pairs, with the licence it was imported under."""

    name: str
    pairs: Sequence[Pair]
    licence: str = ""
    test_only: bool = False

    def sha256(self) -> str:
        """A hash of all that the set says: ids, questions and the bytes of the pictures. Raises ConfigError."""
        digest = hashlib.sha256()
        for pair in self.pairs:
            image = picture_sha256(pair.image) if pair.image is not None else None
            digest.update(canonical([pair.id, pair.question, image]).encode() + b"\n")
        return digest.hexdigest()


def read_reference(path: Path) -> Reference:
    """The set at `path`: an imported set, a run folder, a MOSSBench folder, an ImageFolder, or a metadata JSONL.

    Raises ConfigError naming the file, line and field of the first thing that is wrong.
    """
    if (path / REFERENCE).is_file():
        return _imported(path)
    for reader in (_run, _mossbench, _imagefolder):
        pairs = reader(path)
        if pairs is not None:
            if not pairs:
                raise ConfigError(f"--against {path}: the set is empty.")
            return Reference(path.name, pairs)
    raise ConfigError(
        f"--against {path}: no set is there: give the name of an imported set, a run folder, a folder with "
        "images_information/information.json (MOSSBench), or one with a metadata.jsonl (ImageFolder)."
    )


def locate(name: str | Path) -> Path:
    """The path that a REF stands for: itself, or else the imported set of that name."""
    named = FOLDER / name
    return named if not Path(name).exists() and (named / REFERENCE).is_file() else Path(name)


def read_imported(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The head and the rows of an imported set, as they were written. Raises ConfigError where they are not."""
    try:
        head: dict[str, Any] = json.loads(read_text(path / REFERENCE, MAX_BYTES, ConfigError))
        text = read_text(path / ITEMS, MAX_BYTES, ConfigError)
        if hashlib.sha256(text.encode()).hexdigest() != head["items_sha256"]:
            raise ValueError(f"{ITEMS} was altered")
        rows: list[dict[str, Any]] = [json.loads(row) for row in text.split("\n") if row]
        for row in rows:
            # the set may come from somebody else: no name in it may lead to another file of this disk
            if row["image"] is not None and not _PICTURE.fullmatch(row["image"]):
                raise ValueError(f"{row['image']!r} is no picture of it")
            if not set(row) >= _FIELDS:
                raise ValueError(f"{row} lacks one of {', '.join(sorted(_FIELDS))}")
        return {**head, "name": str(head["name"]), "licence": str(head["licence"])}, rows
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not what `mossgen import` writes ({error}): import it again.") from None


def imported_picture(path: Path, row: Mapping[str, Any]) -> bytes:
    """A picture of an imported set, unaltered. Raises ConfigError."""
    file = path / str(row["image"])
    if not file.is_file() or picture_sha256(file) != file.stem:
        raise ConfigError(f"{file}: the picture of item {row['id']} is missing or was changed: import the set again.")
    return file.read_bytes()


def _imported(path: Path) -> Reference:
    """An imported set. An entry without a question says nothing that could be repeated, and is left out."""
    head, rows = read_imported(path)
    pairs = [
        Pair(str(row["id"]), str(row["question"]), path / row["image"] if row["image"] else None)
        for row in rows
        if str(row["question"]).strip()
    ]
    return Reference(head["name"], pairs, head["licence"], head["test_only"] is not False)


def _run(path: Path) -> list[Pair] | None:
    if not (path / DATABASE).is_file():
        return None
    with RunStore.read(path) as store:
        items = store.items(State.ACCEPTED)
        # as the run's own dedup saw them: the picture as drawn, without its overlay
        bare = [i.provenance.get("bare_image", i.image) for i in items]
        return [Pair(i.id, i.question or "", store.blob(b or "")) for i, b in zip(items, bare, strict=True)]


def _mossbench(path: Path) -> list[Pair] | None:
    """The pairs of a MOSSBench folder, or of the folder above its data; None if it is none."""
    file = next((f for f in (path, path / "data") if (f / "images_information" / "information.json").is_file()), None)
    if file is None:
        return None
    source = file / "images_information" / "information.json"
    try:
        data = json.loads(read_text(source, MAX_BYTES, ConfigError))
        entries = [(encodable(pid), encodable(str(e["question"])), file / str(e["image"])) for pid, e in data.items()]
    except ValueError as error:
        raise ConfigError(f"{source}: not valid JSON: {error}.") from None
    except (RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{source}: not MOSSBench's shape: {error} is missing or of another kind.") from None
    bases = (file, source.parent)  # the paths are relative to the data folder; some copies nest them
    return [Pair(pid, question, _found(image, bases)) for pid, question, image in entries]


def _found(image: Path, bases: Sequence[Path]) -> Path:
    return next((p for p in (image, *(b / image.name for b in bases)) if p.is_file()), image)


def _imagefolder(path: Path) -> list[Pair] | None:
    files = [path] if path.suffix == ".jsonl" and path.is_file() else sorted(path.rglob("metadata.jsonl"))
    if not files:
        return None
    return [pair for file in files for pair in _jsonl(file)]


def _jsonl(file: Path) -> Iterator[Pair]:
    """The pairs of a metadata file, one a line, pictures beside it. Raises ConfigError with the line."""
    for number, line in enumerate(read_text(file, MAX_BYTES, ConfigError).removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row: Mapping[str, Any] = json.loads(line)
            if row["question"] is None:
                raise KeyError("question")
            image = row.get("file_name") or row["image"]
            yield Pair(encodable(str(row.get("id", number))), encodable(str(row["question"])), file.parent / str(image))
        except ValueError as error:
            raise ConfigError(f"{file}, line {number}: not valid JSON: {error}.") from None
        except (RecursionError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{file}, line {number}: needs `question` and `file_name` (or `image`): {error}."
            ) from None
