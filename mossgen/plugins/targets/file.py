"""Responses recorded elsewhere: a JSONL or CSV with ids and responses, or MOSSBench's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from mossgen.errors import ConfigError
from mossgen.files.disk import sha256
from mossgen.files.responses import ResponseRow, read_responses
from mossgen.plugins.protocols import Failure, Query, Response, TargetOptions


class Options(TargetOptions):
    """Which file, and which model's responses in it."""

    recorded: ClassVar[bool] = True
    forms: ClassVar[tuple[str, ...]] = ("RESPONSES.jsonl",)

    model: str = Field(min_length=1, description="the path of the file")
    of: str = Field("", description="the target whose responses are read, where the file holds several")


def build(options: Options) -> Recorded:
    """Reads the file. Raises ConfigError."""
    file = Path(options.model)
    rows = [row for row in read_responses(file) if options.of in ("", row.target)]
    targets = sorted({row.target for row in rows})
    if len(targets) != 1:
        which = f"none of {options.of!r}" if not targets else f"those of {', '.join(targets)}"
        raise ConfigError(f"{file} holds {which}: name one with the option target.of.")
    return Recorded(f"file:{options.of or file.stem}", {"sha256": sha256(file)}, rows)


class Recorded:
    """See protocols.Target."""

    cost = 0.0
    sees = True

    def __init__(self, name: str, settings: Mapping[str, Any], rows: Iterable[ResponseRow]) -> None:
        self.name = name
        self.settings = settings
        self._rows = {(row.id, row.sample): row for row in rows}

    def respond(self, queries: Iterable[Query]) -> Iterator[tuple[Query, Response | Failure]]:
        """See protocols.Target."""
        for query in queries:
            row = self._rows.get((query.item, query.sample))
            if row is None:
                yield query, Failure("The file has no response to it.")
            else:
                kind: Any = row.kind if row.kind in ("answered", "empty", "filtered") else "answered"
                yield (
                    query,
                    Response(
                        row.response, kind, row.finish, row.model, row.tokens_in, row.tokens_out, row.seconds or 0.0
                    ),
                )
