"""Reads training data of any structure, row by row: every text in a row, at any depth, and every picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.files.pictures import MAX_PICTURE_BYTES, data_url
from mossgen.files.tables import read_rows

MAX_DEPTH = 20  # of nesting in a row
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
LONG_NAME = 1000  # characters: a longer string is a text, even if it ends like the name of a picture


@dataclass(frozen=True)
class TrainingRow:
    """One row, counted from 1: its texts, and the bytes of its pictures."""

    number: int
    texts: Sequence[str]
    pictures: Sequence[bytes]


def training_rows(file: Path, images: Sequence[Path], unreadable: list[str]) -> Iterator[TrainingRow]:
    """Yields the rows of a JSONL, JSON, CSV or Parquet file.

    A picture may be given as bytes, as a data URL, or as a file below the training file's folder or one of `images`.
    Lines and pictures that cannot be read are skipped and added to `unreadable`. Raises ConfigError if the file cannot
    be read at all.
    """
    roots = [root.resolve() for root in (file.parent, *images)]
    for number, value in enumerate(read_rows(file, unreadable), 1):
        yield _row(number, value, roots, unreadable)


def _row(number: int, value: Any, roots: Sequence[Path], unreadable: list[str]) -> TrainingRow:
    texts: list[str] = []
    pictures: list[bytes] = []
    for leaf in _leaves(value, 0):
        if isinstance(leaf, bytes):
            pictures.append(leaf)
        elif leaf.startswith("data:image/"):
            data, problem = data_url(leaf)
            pictures += [data] if isinstance(data, bytes) else []
            unreadable += [f"row {number}: {problem}"] if problem else []
        else:
            texts.append(leaf)  # names of pictures too: they may contain an id
            if leaf.lower().endswith(PICTURES) and len(leaf) < LONG_NAME:
                data = _file(leaf, roots)
                pictures += [data] if data is not None else []
                unreadable += [] if data is not None else [f"row {number}: the picture {leaf!r} is not there."]
    return TrainingRow(number, texts, pictures)


def _leaves(value: Any, depth: int) -> Iterator[str | bytes]:
    """Every text and bytes object in a value, at any depth, including keys."""
    if isinstance(value, str) and depth < MAX_DEPTH and value[:1] in ("{", "["):  # a CSV cell may hold JSON
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            yield value
            return
    if isinstance(value, str | bytes):
        yield value
    elif depth < MAX_DEPTH and isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _leaves(inner, depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, depth + 1)


def _file(name: str, roots: Sequence[Path]) -> bytes | None:
    """The picture's bytes, if it lies below one of the roots: a table must not be able to open other files."""
    for root in roots:
        try:
            path = (root / name.removeprefix("file://")).resolve()
            if path.is_relative_to(root) and path.is_file() and path.stat().st_size <= MAX_PICTURE_BYTES:
                return path.read_bytes()
        except (OSError, ValueError):  # a name too long, or with a null byte in it
            continue
    return None
