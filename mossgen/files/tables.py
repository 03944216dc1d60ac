"""Reads JSONL, JSON, CSV, TSV or Parquet files row by row, in bounded memory if the format allows.

A row that cannot be read becomes a Line with the reason; a file that cannot be read raises ConfigError.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mossgen.errors import ConfigError
from mossgen.files.disk import read_text

MAX_LINE = 128_000_000  # bytes of one line of a JSONL: pictures may be in it
MAX_BYTES = 1_000_000_000  # of a JSON file, which is read at once
ROWS = 64  # of a CSV or a Parquet file in memory at a time
# columns of an id and of a question in any table; the first found counts
IDS = ("id", "pid", "index", "question_id")
QUESTIONS = ("question", "query", "prompt", "text")
DELIMITERS = ",;\t"
Encoding = Literal["strict", "replace"]  # for invalid UTF-8: an error, or question marks


@dataclass(frozen=True)
class Line:
    """One row of a file. `number` is its line in a text file, counted from 1, or else its position among the rows.

    `key` is its key if the file is an object of rows, else None. If a line is no JSON, `value` is its text and
    `problem` says why.
    """

    number: int
    value: Any
    key: str | None = None
    problem: str = ""


def read_lines(file: Path, encoding: Encoding = "replace") -> Iterator[Line]:
    """The rows of a file. Raises ConfigError if the file is missing, broken or in an unknown format."""
    if file.suffix not in _READERS or not file.is_file():
        why = "there is no such file" if not file.is_file() else f"{file.suffix or 'no suffix'} is not read"
        raise ConfigError(f"{file}: {why}: give a file in one of {', '.join(_READERS)}.")
    try:
        yield from _READERS[file.suffix](file, encoding)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror or error}).") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from None


def read_rows(file: Path, unreadable: list[str]) -> Iterator[Any]:
    """The value of each row. A line that is no JSON is returned as text and added to `unreadable`.

    Raises ConfigError like `read_lines`.
    """
    for line in read_lines(file):
        if line.problem:
            unreadable.append(f"line {line.number}: {line.problem}, so looked at as plain text.")
        yield {"key": line.key, "row": line.value} if line.key is not None else line.value


def _jsonl(file: Path, encoding: Encoding) -> Iterator[Line]:
    with file.open("rb") as stream:
        for number in itertools.count(1):
            line = stream.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE:
                raise ConfigError(f"{file}, line {number}: longer than {MAX_LINE:,} bytes: split it.")
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", encoding).strip()
            if text:
                try:
                    yield Line(number, json.loads(text))
                except (ValueError, RecursionError) as error:
                    yield Line(number, text, problem=f"not valid JSON ({error})")


def _json(file: Path, encoding: Encoding) -> Iterator[Line]:
    """A list of rows, an object of them by key, or an object with one list of rows in it."""
    try:
        value = json.loads(read_text(file, MAX_BYTES, ConfigError).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not valid JSON: {error}.") from None
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        if not (len(value) == 1 and lists):
            yield from (Line(number, row, key) for number, (key, row) in enumerate(value.items(), 1))
            return
        value = lists[0]
    yield from (Line(n, row) for n, row in enumerate(value if isinstance(value, list) else [value], 1))


@contextmanager
def _long_cells() -> Iterator[None]:
    """Allows cells of a CSV to be as long as a line, as they may hold pictures.

    The limit applies to the whole process. So nothing is yielded inside: an unfinished reader would keep the limit.
    """
    before = csv.field_size_limit(MAX_LINE)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def delimiter(file: Path) -> str:
    """The separator of a CSV or TSV: a comma, or another one that gives more columns in the header."""
    if file.suffix == ".tsv":
        return "\t"
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        head = stream.readline(MAX_LINE)
    with _long_cells():
        return max(DELIMITERS, key=lambda mark: len(next(csv.reader([head], delimiter=mark), [])))


def _csv(file: Path, encoding: Encoding) -> Iterator[Line]:
    try:
        mark = delimiter(file)
        with file.open(encoding="utf-8-sig", errors=encoding, newline="") as stream:
            reader = csv.DictReader(stream, delimiter=mark)
            while True:
                with _long_cells():
                    batch = [(reader.line_num, row) for row in itertools.islice(reader, ROWS)]
                yield from (Line(number, row) for number, row in batch)
                if len(batch) < ROWS:
                    return
    except csv.Error as error:
        raise ConfigError(f"{file}: not a CSV that can be read: {error}.") from None


def _parquet(file: Path, encoding: Encoding) -> Iterator[Line]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(f"{file}: reading Parquet needs pyarrow: pip install pyarrow.") from None
    number = itertools.count(1)
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=ROWS):
                yield from (Line(next(number), row) for row in batch.to_pylist())
    except pyarrow.ArrowException as error:
        raise ConfigError(f"{file}: not a Parquet file that can be read: {error}.") from None


_READERS = {".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
SUFFIXES = tuple(_READERS)
