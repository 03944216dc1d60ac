"""Reads sets that `mossgen import` wrote (see importing.py): reference.json, items.jsonl and pictures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError
from mossgen.files.disk import read_text
from mossgen.files.pictures import is_file, read_bytes
from mossgen.sets.dataset import Dataset, Record, unique
from mossgen.sets.lineage import MAX_BYTES, Source
from mossgen.sets.rows import PICTURES, read_row

REFERENCE = "reference.json"  # the head of an imported set
ITEMS = "items.jsonl"
FOLDER = Path("generated") / "references"  # the folder of imported sets, by name
_FIELDS = {"id", "question", "type", "image", "path", "file", "key", "record"}  # fields of a row of an imported set
_PICTURE = re.compile(r"images/[0-9a-f]{64}\.[a-z0-9]{1,8}")  # the path of an imported picture, by its sha256


def locate(name: str | Path) -> Path:
    """The path of a set: `name` itself if it exists, else the imported set of that name."""
    named = FOLDER / name
    return named if not Path(name).exists() and (named / REFERENCE).is_file() else Path(name)


def open_reference(path: Path, type_name: str | None = None) -> Dataset:
    """Opens an imported set. An item without its picture still has its question. Raises ConfigError."""
    head, rows = read_imported(path)
    test_only = head["test_only"] is not False
    lineage = [Source(head["name"], "item", head["licence"], test_only).to_dict()]
    records = [replace(_record(path, n, row, type_name), lineage=lineage) for n, row in enumerate(rows)]
    return Dataset(path, head["name"], "reference", unique(records), head["licence"], test_only)


def _record(path: Path, number: int, row: Mapping[str, Any], type_name: str | None) -> Record:
    told = {key: value for key, value in row["record"].items() if key not in PICTURES}
    question = str(row["question"])
    record = read_row(told, number, str(row["id"]), path, row["type"] or type_name)
    picture = path / row["image"] if row["image"] else None
    wanted = {"question": question.strip(), "picture": picture}
    lacking = next((f"it has no {name}." for name, there in wanted.items() if not there), None)
    return replace(
        record, id=str(row["id"]), question=question, picture=picture, row=row["record"], file=Path(str(row["file"])),
        key=str(row["key"]), problem=str(row["problem"]) if row.get("problem") else lacking,
    )  # fmt: skip


def read_imported(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The head and the rows of an imported set. Raises ConfigError if they are not as `mossgen import` writes them."""
    try:
        head: dict[str, Any] = json.loads(read_text(path / REFERENCE, MAX_BYTES, ConfigError))
        text = read_text(path / ITEMS, MAX_BYTES, ConfigError)
        if hashlib.sha256(text.encode()).hexdigest() != head["items_sha256"]:
            raise ValueError(f"{ITEMS} was altered")
        rows: list[dict[str, Any]] = [json.loads(row) for row in text.split("\n") if row]
        for row in rows:
            # the set may be untrusted: no name in it may lead to another file on this disk
            if row["image"] is not None and not _PICTURE.fullmatch(row["image"]):
                raise ValueError(f"{row['image']!r} is no picture of it")
            if not set(row) >= _FIELDS or not isinstance(row["record"], dict):
                raise ValueError(f"{row} lacks one of {', '.join(sorted(_FIELDS))}")
        return {**head, "name": str(head["name"]), "licence": str(head["licence"])}, rows
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not what `mossgen import` writes ({error}): import it again.") from None


def imported_picture(path: Path, row: Mapping[str, Any]) -> bytes:
    """An unaltered picture of an imported set. Raises ConfigError."""
    file = path / str(row["image"])
    data = read_bytes(file) if is_file(file) else None
    if data is None or hashlib.sha256(data).hexdigest() != file.stem:
        raise ConfigError(f"{file}: the picture of item {row['id']} is missing or was changed: import the set again.")
    return data
