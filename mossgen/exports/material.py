"""The input of an export: the items of a run or a side, their harmful partners, and their evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mossgen.errors import ConfigError
from mossgen.plugins.protocols import Example
from mossgen.plugins.spec import Part
from mossgen.reviews.apply import settled_benign
from mossgen.reviews.votes import REVIEWERS
from mossgen.runs.config import read_config
from mossgen.runs.store import CONFIG, DATABASE, RunStore
from mossgen.sets import lineage
from mossgen.sets.dataset import Dataset, Record, unaltered
from mossgen.sets.open import NO_SIDES, open_set
from mossgen.sets.run import Run
from mossgen.splits.members import Batch, foreign_row, read_batch
from mossgen.stimulus.types import load_type, type_names

Placed = tuple[lineage.Row, Path | bytes]  # a row, and its picture as a path or bytes


@dataclass(frozen=True)
class Choice:
    """Which items of a source are exported; see `export`."""

    side: str | None = None
    reviewed: bool = False
    hard: bool = False
    votes: int = REVIEWERS
    type: str | None = None


@dataclass(frozen=True)
class Material:
    """The contents of a run or a side: its items and their harmful partners, and the folder for answers.

    `left_out` says by id why other records are not used.
    """

    name: str
    folder: Path
    items: Sequence[Example]
    partners: Sequence[Example]
    evidence: Mapping[str, Any]
    writer: Part | None
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Found:
    """The rows of a run or a side with their pictures, before they become examples."""

    name: str
    folder: Path
    items: Sequence[Placed]
    partners: Sequence[Placed]
    evidence: Mapping[str, Any]
    left_out: Mapping[str, str] = field(default_factory=dict)


def read_material(source: Path | Dataset, split: str, choice: Choice) -> Material:
    """The contents of `source`; raises ConfigError: no set, no such side, a picture that is missing or changed."""
    folder, opened = (source.path, source.side) if isinstance(source, Dataset) else (source, None)
    sided = lineage.is_sided(folder)
    if choice.side not in (None, opened) and not sided:
        raise ConfigError(NO_SIDES.format(path=folder, side=choice.side))
    found = _side(source, split) if sided else _whole(source)
    if choice.reviewed:
        found = _reviewed(found, choice.votes)
    if choice.hard:
        found = _hard(found)
    codes = _codes(found, choice.type)

    def examples(part: Sequence[Placed], expected: Literal["comply", "refuse"]) -> list[Example]:
        return [Example(row, picture, expected, codes.get(str(row.get("type")))) for row, picture in part]

    config = read_config(folder / CONFIG) if (folder / CONFIG).is_file() else None
    items, partners = examples(found.items, "comply"), examples(found.partners, "refuse")
    writer = config.llm if config else None
    return Material(found.name, found.folder, items, partners, found.evidence, writer, found.left_out)


def _side(source: Path | Dataset, side: str) -> _Found:
    """One side of a set that `mossgen split` made."""
    found = open_set(source, side=side)
    items = _placed((r, r.row) for r in found if r.expected == "comply")
    partners = _placed((p, p.row) for p in found.partners)
    return _Found(found.name, found.path, items, partners, lineage.evidence(found.path))


def _whole(source: Path | Dataset) -> _Found:
    """The accepted items of a run, or all of another set; records that should be refused are the partners."""
    batch = read_batch(source)
    found = batch.source
    items = _placed((member.record, member.row) for member in batch.members)
    if isinstance(found, Run):
        partners = _placed((p.record, p.row) for member in batch.members for p in member.partners)
        name = f"{found.config.type}_{found.config.seed}"
        return _Found(name, found.path, items, partners, {"runs": [batch.evidence]}, _besides(batch, found.partners))
    harmful = [record for record in found.usable if record.expected == "refuse"]
    partners = _placed((r, foreign_row(found, r)) for r in harmful)
    return _Found(found.name, found.path, items, partners, {}, _besides(batch, harmful))


def _besides(batch: Batch, partners: Sequence[Record]) -> dict[str, str]:
    """The records that the batch leaves out and that are not partners, with the reason."""
    taken = {partner.id for partner in partners}
    return {key: why for key, why in batch.left_out.items() if key not in taken}


def _placed(records: Iterable[tuple[Record, lineage.Row]]) -> list[Placed]:
    """Rows with their pictures; raises ConfigError if a picture has changed."""
    found: list[Placed] = []
    for record, row in records:
        unaltered(record, row)
        found.append((row, record.picture or b""))
    return found


def _hard(found: _Found) -> _Found:
    """The items that `mossgen evolve` found enough targets refuse, and their partners; raises ConfigError."""
    hard = {row["id"] for row, _ in found.items if json.loads(row["provenance"]).get("evolved", {}).get("hard")}
    if not hard:
        raise ConfigError(f"{found.folder} has no hard item: `mossgen evolve` makes runs that have.")
    items = [(row, path) for row, path in found.items if row["id"] in hard]
    partners = [(row, path) for row, path in found.partners if row.get("contrast_of") in hard]
    return replace(found, name=f"{found.name}_hard", items=items, partners=partners)


def _reviewed(found: _Found, votes: int) -> _Found:
    """The items of a run that people decided are benign, and their partners; raises ConfigError."""
    if not (found.folder / DATABASE).is_file():
        raise ConfigError(
            f"`reviewed` goes with a run, and {found.folder} is a set: run `mossgen review RUN --apply --reviewed` "
            "and split anew."
        )
    with RunStore.read(found.folder) as store:
        benign = settled_benign(store, votes)
    items = [(row, path) for row, path in found.items if row["id"] in benign]
    if not items:
        raise ConfigError(
            f"People settled no item of {found.folder} as benign: run `mossgen review {found.folder}` first."
        )
    partners = [(row, path) for row, path in found.partners if row.get("contrast_of") in benign]
    return replace(found, items=items, partners=partners)


def _codes(found: _Found, type_name: str | None) -> dict[str, str | None]:
    """MOSSBench's code for each type that is present and came with mossgen, or is given."""
    there = {str(row.get("type")) for row, _ in found.items}
    names = [*(name for name in type_names() if name in there), *([type_name] if type_name else [])]
    return {kind.name: kind.template.mossbench for kind in map(load_type, names)}


def hard_rule(material: Material) -> str:
    """The rule by which the hard items were chosen, as in the run's figures."""
    file = material.folder / "evolve.json"
    figures = lineage.read_json(file) if file.is_file() else {}
    rule = figures.get("rule", "refused by enough of the targets of `mossgen evolve`")
    return (
        f"These are the hard items of an adversarial search: {rule}. A model's rates on them say nothing of the model "
        "in general."
    )
