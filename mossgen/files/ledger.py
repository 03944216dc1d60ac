"""A ledger: a JSONL file that a job appends to, so that a stopped or killed job can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from mossgen.core.items import canonical
from mossgen.errors import ConfigError, StoreError
from mossgen.files.disk import locked, write_whole
from mossgen.files.tables import MAX_LINE

Row = TypeVar("Row")


@dataclass(frozen=True)
class Kind(Generic[Row]):
    """The kind of rows in a ledger. `maker` is the command that writes them, `rows` their name in messages.

    A row replaces an earlier row with the same `place`. `key` finds a row without its place. `decode` raises
    ValueError, TypeError or KeyError for a value that is no such row. `order` gives the final order of the rows.
    `elsewhere` tells the user what to do if another file is needed.
    """

    maker: str
    rows: str
    encode: Callable[[Row], str]
    decode: Callable[[Any], Row]
    place: Callable[[Row], Hashable]
    key: Callable[[Row], Hashable]
    order: Callable[[Sequence[Row]], Iterable[Row]] = list
    elsewhere: str = "give another `out`"


class Ledger(Generic[Row]):
    """The rows of one file, by place.

    Use it with `with`: each added row is written at once, and all rows are sorted at the end. No other mossgen process
    can write to the file meanwhile. With a `head`, the first line of the file says what the rows depend on, and must be
    unchanged. An incomplete last line after a crash is ignored. Raises ConfigError if the file is not ours, cannot be
    read after an edit, has another head, or is being written; StoreError if the disk fails.
    """

    def __init__(self, file: Path, kind: Kind[Row], head: Mapping[str, Any] | None = None) -> None:
        self.file = file
        self.rows: dict[Hashable, Row] = {}
        self._by_key: dict[Hashable, Row] = {}
        self._kind = kind
        self._head = None if head is None else canonical(head)

    def read(self) -> Self:
        """Reads the file if it exists. Outside `with`, other processes may be writing to it."""
        self.rows, self._by_key = {}, {}
        try:
            if self.file.exists():
                self._read()
        except OSError as error:
            raise ConfigError(f"{self.file} cannot be read ({error.strerror or error}).") from error
        return self

    def __enter__(self) -> Self:
        with ExitStack() as held:
            held.enter_context(locked(self.file.parent, self.file.name, self._kind.elsewhere))
            self.read()
            self._write(self.rows.values())  # without an incomplete last line
            with self._disk_errors():
                self._stream = self.file.open("a", encoding="utf-8", newline="\n")
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._held:
            with suppress(OSError):  # what could not be written is written below, or reported
                self._stream.close()
            ordered = list(self._kind.order(list(self.rows.values())))
            self.rows = {self._kind.place(row): row for row in ordered}
            self._write(ordered)

    def add(self, *rows: Row) -> None:
        """Adds rows and writes them to the file before it returns. Raises StoreError."""
        with self._disk_errors():
            self._stream.writelines(f"{self._kind.encode(row)}\n" for row in rows)
            self._stream.flush()
        for row in rows:
            self._keep(row)

    def find(self, key: Hashable) -> Row | None:
        """The row with this key, whatever its place."""
        return self._by_key.get(key)

    def _keep(self, row: Row) -> None:
        self.rows[self._kind.place(row)] = row
        self._by_key[self._kind.key(row)] = row

    def _read(self) -> None:
        headless = self._head is not None
        for number, line in self._lines():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n") and line.startswith((b"{", b"\0")):
                    break  # a crash left the line incomplete, or a power failure left zeros
                raise self._foreign(number, error) from None
            try:
                if headless:
                    self._refuse_other_head(value)
                else:
                    self._keep(self._kind.decode(value))
            except (ValueError, TypeError, KeyError) as error:
                raise self._foreign(number, error) from None
            headless = False
        if headless:
            raise self._foreign(1, "it is empty")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """The file's non-empty lines with their numbers."""
        with self.file.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE + 1), b""), 1):
                if len(line) > MAX_LINE:
                    raise self._foreign(number, f"it is longer than {MAX_LINE:,} bytes")
                if line.strip():
                    yield number, line

    def _refuse_other_head(self, value: Any) -> None:
        """Raises ConfigError for another head, ValueError for a value that is no head."""
        wanted: dict[str, Any] = json.loads(self._head or "{}")
        if not isinstance(value, dict) or value.keys() != wanted.keys():
            raise ValueError("it does not begin with what the rows depend on")
        name = next((name for name in wanted if value[name] != wanted[name]), None)
        if name:
            raise ConfigError(
                f"{self.file} was written by `{self._kind.maker}` with {_difference(value[name], wanted[name])}: give "
                f"the same, or {self._kind.elsewhere}."
            )

    def _write(self, rows: Iterable[Row]) -> None:
        head = () if self._head is None else (self._head,)
        with self._disk_errors():
            write_whole(self.file, (f"{line}\n" for line in (*head, *map(self._kind.encode, rows))))

    def _foreign(self, number: int, why: object) -> ConfigError:
        kind = self._kind
        return ConfigError(
            f"{self.file}, line {number}: not written by `{kind.maker}` ({why}): move the file away, or "
            f"{kind.elsewhere}."
        )

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self.file}: cannot be written ({error.strerror or error}); {self._kind.rows} so far are kept: free "
                f"space or mend the permissions, then run the same command again, or {self._kind.elsewhere}."
            ) from error


def _difference(before: Any, now: Any) -> str:
    """The entry in which two mappings differ."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"{before!r}, not {now!r}"
    name = next(name for name in sorted({*before, *now}) if before.get(name) != now.get(name))
    return f"another {name}"
