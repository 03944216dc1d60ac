"""Reads a target model's own refusals, to train away from, from judged responses of a probe or another harness.

They are rows of JSONL, CSV or Parquet with `id`, `response` and `label`. Responses and labels may be in two files; rows
are then matched by `id`, `target` and `sample` (the last two if present).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.core.refusal import RefusalClass
from mossgen.errors import ConfigError
from mossgen.files.tables import read_rows

MAX_RESPONSE = 20_000  # characters: a longer response is not used
_KEY = {"id": "", "target": "", "sample": 0}  # the key of a response, with default values


@dataclass(frozen=True)
class Refusal:
    """What a target answered to an item that it refused; `target` is empty if the file does not name it."""

    text: str
    target: str


def read_refusals(files: Sequence[Path]) -> dict[str, Refusal]:
    """The first response to each item that is labelled a refusal, by the item's id.

    Raises ConfigError: a file or row that cannot be read, an unknown label, nothing labelled, no refusal.
    """
    known: dict[tuple[str, ...], dict[str, Any]] = {}
    for file in files:
        for number, row in _rows(file):
            if row.get("label") not in (None, "", *RefusalClass):
                raise ConfigError(
                    f"{file}, row {number}: the label {row['label']!r} is none of {', '.join(RefusalClass)}."
                )
            key = tuple(str(row.get(part, usual)) for part, usual in _KEY.items())
            known.setdefault(key, {}).update({k: v for k, v in row.items() if k in ("response", "label") and v})
    named = " and ".join(map(str, files))
    for field, mend in (("label", "label them with `mossgen judge`"), ("response", "give the responses' file too")):
        if not any(field in row for row in known.values()):
            raise ConfigError(f"{named}: no row has a {field}: {mend}.")
    found: dict[str, Refusal] = {}
    for (item, target, _), row in known.items():
        text = str(row.get("response", "")).strip()
        if row.get("label") == RefusalClass.REFUSAL and 0 < len(text) <= MAX_RESPONSE:
            found.setdefault(item, Refusal(text, target))
    if not found:
        raise ConfigError(f"{named}: no response is labelled a refusal, so there is none to train away from.")
    return found


def _rows(file: Path) -> list[tuple[int, Mapping[str, Any]]]:
    unreadable: list[str] = []
    rows = list(enumerate(read_rows(file, unreadable), 1))
    if unreadable:
        raise ConfigError(f"{file}, {unreadable[0].partition(', so looked')[0]}.")
    bad = next((number for number, row in rows if not isinstance(row, Mapping) or row.get("id") in (None, "")), None)
    if bad is not None:
        raise ConfigError(f"{file}, row {bad}: a row needs an `id`, a `response` and a `label`.")
    return rows
