"""The rows of anybody's JSONL, JSON, CSV or Parquet, one after another, in bounded memory where the format allows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError
from mossgen.files.disk import read_text

MAX_LINE = 128_000_000  # bytes of one line of a JSONL: pictures may be in it
MAX_BYTES = 1_000_000_000  # of a JSON file, which is read as one
ROWS = 64  # of a Parquet file in memory at a time


def read_rows(file: Path, unreadable: list[str]) -> Iterator[Any]:
    """The rows, one value each; a line that is no JSON comes as a text, and is told in `unreadable`.

    Raises ConfigError: no such file, not a format that is read, or broken as a whole.
    """
    readers = {".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
    if file.suffix not in readers or not file.is_file():
        why = "there is no such file" if not file.is_file() else f"{file.suffix or 'no suffix'} is not read"
        raise ConfigError(f"{file}: {why}: give a file in one of {', '.join(readers)}.")
    try:
        yield from readers[file.suffix](file, unreadable)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror or error}).") from None


def _jsonl(file: Path, unreadable: list[str]) -> Iterator[Any]:
    with file.open("rb") as stream:
        for number in range(1, 1 << 62):
            line = stream.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE:
                raise ConfigError(f"{file}, line {number}: longer than {MAX_LINE:,} bytes: split it.")
            text = line.decode("utf-8", "replace").strip()
            if text:
                try:
                    yield json.loads(text)
                except (ValueError, RecursionError) as error:
                    unreadable.append(f"line {number}: not valid JSON ({error}), so looked at as plain text.")
                    yield text


def _json(file: Path, unreadable: list[str]) -> Iterator[Any]:
    """A list of rows, an object of them by key, or an object with one list of rows in it."""
    try:
        value = json.loads(read_text(file, MAX_BYTES, ConfigError))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not valid JSON: {error}.") from None
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if len(value) == 1 and lists else [{"key": key, "row": row} for key, row in value.items()]
    yield from value if isinstance(value, list) else [value]


def _csv(file: Path, unreadable: list[str]) -> Iterator[Any]:
    before = csv.field_size_limit(MAX_LINE)  # a cell may hold a picture
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            yield from csv.DictReader(stream, delimiter="\t" if file.suffix == ".tsv" else ",")
    except csv.Error as error:
        raise ConfigError(f"{file}: not a CSV that can be read: {error}.") from None
    finally:
        csv.field_size_limit(before)


def _parquet(file: Path, unreadable: list[str]) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(f"{file}: reading Parquet needs pyarrow: pip install pyarrow.") from None
    try:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=ROWS):
            yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise ConfigError(f"{file}: not a Parquet file that can be read: {error}.") from None
