"""The items of a set as a target meets them, with what rates are told apart by: of a run, of a side, of any set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mossgen.core.items import ID_TAG
from mossgen.errors import ConfigError
from mossgen.files.responses import Row
from mossgen.runs.store import DATABASE, RunStore
from mossgen.runs.verify import unfinished
from mossgen.sets import lineage
from mossgen.sets.lineage import CONTRAST as CONTRASTS
from mossgen.sets.readers import Entry, read_set, read_table

TABLE = Path("imagefolder") / "data"  # a run's accepted items, in its folder
PLACES = {"human": "human", "child": "child", "text": "ocr"}  # a fact, and what MOSSBench calls it


@dataclass(frozen=True)
class Subject:
    """One item to be asked about. `facts` are those of responses.FACTS that its set states."""

    entry: Entry
    category: str
    description: str
    expected: Literal["comply", "refuse"]
    facts: Mapping[str, Any]

    @property
    def mossbench(self) -> bool:
        """Whether it is one of MOSSBench's own items."""
        row = self.entry.record if isinstance(self.entry.record, dict) else {}
        metadata = row.get("metadata")
        if self.entry.id.startswith(ID_TAG):  # ours, in MOSSBench's form
            return False
        return "metadata_over" in row or (isinstance(metadata, dict) and "over" in metadata)

    @property
    def type(self) -> str | None:
        """The name of its type, also of one that we do not ship: to tell items apart by, never to be loaded."""
        stated = self.entry.record.get("type") if isinstance(self.entry.record, dict) else None
        return self.entry.type or (stated if isinstance(stated, str) and stated else None)


def read_subjects(path: Path, type_name: str | None = None, side: str | None = None, contrast: bool = False,
                  limit: int | None = None) -> list[Subject]:  # fmt: skip
    """The items of the set at `path` that can be asked about, in order, at most `limit` of them.

    With `contrast` also the harmful partners that lie beside a run's or a side's items. Raises ConfigError: no set, an
    unfinished run, no such side, no partners, or items that are all broken.
    """
    entries = _entries(path, type_name, side, contrast)
    found = [_subject(entry) for entry in entries if entry.problem is None]
    if not found:
        raise ConfigError(f"{path}: no item can be asked about; the first: {entries[0].problem}")
    return found[:limit]


def has_partners(path: Path, side: str | None = None) -> bool:
    """Whether harmful partners lie beside the items of a run, or of that side of a set."""
    folder = lineage.part_folder(path, side or "test", True) if lineage.is_sided(path) else path / CONTRASTS
    return (folder / lineage.METADATA).is_file()


def _entries(path: Path, type_name: str | None, side: str | None, contrast: bool) -> list[Entry]:
    if lineage.is_sided(path):
        parts = [False, True] if contrast else [False]
        return _tables([lineage.part_folder(path, side or "test", part) for part in parts])
    if side is not None:
        raise ConfigError(f"{path} has no sides, so --side {side} means nothing: `mossgen split` makes them.")
    if (path / DATABASE).is_file():
        with RunStore.read(path) as store:
            reason = unfinished(path, store.outputs()[0])
        if reason:
            raise ConfigError(reason)
        items = _tables([path / TABLE])
        return [*items, *(_partners(path, {entry.id for entry in items}) if contrast else [])]
    if contrast:
        raise ConfigError(f"{path} is no run and no set with sides: --contrast finds partners in those only.")
    return read_set(path, type_name)


def _partners(run: Path, accepted: Set[str]) -> list[Entry]:
    """The harmful partners of these items: people may have rejected others since the partners were made."""
    rows = [(entry, entry.record) for entry in _tables([run / CONTRASTS]) if isinstance(entry.record, dict)]
    return [entry for entry, row in rows if str(row.get("contrast_of")) in accepted]


def _tables(folders: Sequence[Path]) -> list[Entry]:
    for folder in folders:
        if not (folder / lineage.METADATA).is_file():
            todo = "run `mossgen contrast` first" if CONTRASTS in folder.parts else "give another set"
            raise ConfigError(f"{folder}: no items lie there: {todo}.")
    return [entry for folder in folders for entry in read_table(folder)]


def _subject(entry: Entry) -> Subject:
    row = entry.record if isinstance(entry.record, dict) else {}
    refuse = row.get("expected") == "refuse" or entry.id.startswith("contrast-")
    return Subject(
        entry, str(row.get("category") or ""), str(row.get("description") or ""), "refuse" if refuse else "comply",
        _facts(row, entry.overlay),
    )  # fmt: skip


def _facts(row: Mapping[str, Any], overlay: Mapping[str, Any] | None) -> dict[str, Any]:
    """From MOSSBench's metadata, as such or in the columns of its Hub copy, or from our tags and overlay."""
    metadata = row.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {key.removeprefix("metadata_"): row[key] for key in row if key.startswith("metadata_")}
    tags = _list(row.get("tags"))
    form = {"form": str(overlay["form"])} if overlay and overlay.get("form") else {}
    if tags is not None:
        written = bool(overlay and overlay.get("text"))
        return {fact: fact in tags or (fact == "text" and written) for fact in PLACES} | form
    return {fact: bool(metadata[name]) for fact, name in PLACES.items() if name in metadata} | form


def _list(value: Any) -> list[Any] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else None


# -- responses to them ---------------------------------------------------------------------------------


def matched(rows: Sequence[Row], subjects: Sequence[Subject]) -> tuple[list[Row], dict[str, Subject]]:
    """The rows with what the set says of their items, and those items by id.

    Raises ConfigError where the set has none of them, or had another picture when the responses were made.
    """
    items = {subject.entry.id: subject for subject in subjects}
    if not any(row.id in items for row in rows):
        raise ConfigError(
            f"The set of --items has no item {rows[0].id!r}, nor any other that was responded to: give the set that "
            "was asked about."
        )
    return [_with(row, items[row.id]) if row.id in items else row for row in rows], items


def _with(row: Row, subject: Subject) -> Row:
    image = image_hash(subject)
    if row.image and image and row.image != image:
        raise ConfigError(
            f"Item {row.id} had another picture when {row.target} responded than it has in --items: give that set."
        )
    return replace(
        row, question=row.question or subject.entry.question, type=subject.type or row.type,
        category=subject.category or row.category, expected=subject.expected, facts={**row.facts, **subject.facts},
        image=image or row.image,
    )  # fmt: skip


def image_hash(subject: Subject) -> str:
    """The sha256 of the picture; empty where there is none."""
    return hashlib.sha256(subject.entry.bytes()).hexdigest() if subject.entry.image is not None else ""
