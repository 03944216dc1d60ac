"""Selects the items of a set that targets are asked about, and matches responses with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mossgen.errors import ConfigError
from mossgen.files.responses import ResponseRow
from mossgen.sets import lineage
from mossgen.sets.dataset import Dataset, Record
from mossgen.sets.open import open_set
from mossgen.sets.references import locate

MEASURED = "test"  # the default side of a set with sides


def open_items(
    path: Path | str | Dataset, *, type: str | None = None, side: str | None = None, contrast: bool | None = None
) -> Dataset:
    """Opens the set at `path` for a probe; of a set with sides, the test side unless `side` names another.

    `contrast` True requires harmful partners too; None takes them if there are any. Raises ConfigError: no set, an
    unfinished run, no such side, no partners.
    """
    if side is None and _all_sides(path):
        side = MEASURED
    found = open_set(path, side=side, partners=contrast is not False, type=type).finished()
    if contrast and not found.partners:
        raise ConfigError(
            f"{found.path} has no harmful partners beside its items, so `contrast` means nothing: `mossgen contrast` "
            "makes those of a run."
        )
    return found


def _all_sides(path: Path | str | Dataset) -> bool:
    """Whether it is a set with sides and no side was chosen."""
    if isinstance(path, Dataset):
        return path.kind == "split" and path.side is None
    return lineage.is_sided(locate(path))


def askable(found: Dataset, limit: int | None = None) -> list[Record]:
    """The records that can be asked about, in order, at most `limit`; raises ConfigError if there are none."""
    records = found.usable
    if not records:
        raise ConfigError(f"{found.path}: no item can be asked about; the first: {found[0].problem}")
    return records[:limit]


def match_items(rows: Sequence[ResponseRow], records: Sequence[Record]) -> tuple[list[ResponseRow], dict[str, Record]]:
    """The rows with what the set says of their items, and those items by id.

    Raises ConfigError if the set has none of the items, or if a picture has changed since the responses were made.
    """
    items = {record.id: record for record in records}
    if not any(row.id in items for row in rows):
        raise ConfigError(
            f"The set of `items` has no item {rows[0].id!r}, nor any other that was responded to: give the set that "
            "was asked about."
        )
    return [_with(row, items[row.id]) if row.id in items else row for row in rows], items


def _with(row: ResponseRow, record: Record) -> ResponseRow:
    image = image_hash(record) if record.pictured else ""
    if row.image and image and row.image != image:
        raise ConfigError(
            f"Item {row.id} had another picture when {row.target} responded than it has in `items`: give that set."
        )
    return replace(
        row, question=row.question or record.question, type=record.type or row.type,
        category=record.category or row.category, expected=record.expected, facts={**row.facts, **record.facts},
        image=image or row.image,
    )  # fmt: skip


def image_hash(record: Record) -> str:
    """The sha256 of the picture; empty if there is none."""
    return hashlib.sha256(record.picture_bytes()).hexdigest() if record.picture is not None else ""
