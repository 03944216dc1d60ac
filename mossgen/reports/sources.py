"""Reads what a report needs: responses, labels, and the items they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mossgen.core.refusal import REFUSED, SCORED
from mossgen.errors import ConfigError
from mossgen.files.responses import RESPONSES, ResponseRow, gather, natural
from mossgen.judgements.labels import LABELS, Label, Labels
from mossgen.judgements.rates import Judged
from mossgen.probes.items import open_items
from mossgen.sets.dataset import Dataset, Record


@dataclass(frozen=True)
class Refused:
    """One benign item: how many of its scored responses refuse, and the labels of each target's responses."""

    id: str
    type: str
    category: str
    question: str
    picture: str  # the file's name in its set, or the sha256
    refusals: int
    responses: int
    labels: Mapping[str, str]  # by target


@dataclass(frozen=True)
class Sources:
    """The sources of a report: responses with labels, and the items of sets by id."""

    names: Sequence[str]
    rows: Sequence[ResponseRow]
    labels: Sequence[Label]
    items: Mapping[str, Record]
    problems: Mapping[str, str]  # of records that cannot be used, by SET/ID


def read_sources(paths: Sequence[Path]) -> Sources:
    """Reads responses and labels from folders that have them; reads all others as sets. Raises ConfigError."""
    folders = [path for path in paths if (path / RESPONSES).is_file()]
    bare = next((folder for folder in folders if not (folder / LABELS).is_file()), None)
    if bare:
        raise ConfigError(f"{bare} has responses and no labels: run `mossgen judge {bare}` first.")
    for path in paths:
        if path.is_dir() and path not in folders and (path / LABELS).is_file():
            raise ConfigError(f"{path} has labels and no {RESPONSES}: run `mossgen judge` again.")
    labels = [label for path in folders for label in Labels(path / LABELS, gather([path])).read().rows.values()]
    sets = [open_items(path) for path in paths if path not in folders]
    items = _items(sets)
    problems = {f"{one.name}/{key}": why for one in sets for key, why in one.problems.items()}
    names = [path.resolve().name for path in paths]
    return Sources(names, gather(folders) if folders else [], labels, items, problems)


def _items(sets: Sequence[Dataset]) -> dict[str, Record]:
    """The items of all sets by id. Raises ConfigError if two sets have the same id."""
    owner: dict[str, Dataset] = {}
    for one in sets:
        for record in one:
            other = owner.setdefault(record.id, one)
            if other is not one:
                raise ConfigError(f"{other.path} and {one.path} both have an item {record.id}: give one of them alone.")
    return {record.id: record for one in sets for record in one}


def refused(judged: Sequence[Judged], items: Mapping[str, Record]) -> list[Refused]:
    """The benign items with responses, most refused first."""
    by_item: dict[str, list[Judged]] = {}
    for row, label in judged:
        if row.expected == "comply":
            by_item.setdefault(row.id, []).append((row, label))
    found = [_refused(pairs, items.get(item)) for item, pairs in by_item.items()]
    return sorted(found, key=lambda i: (-i.refusals / max(1, i.responses), -i.refusals, natural(i.id)))


def _refused(pairs: Sequence[Judged], record: Record | None) -> Refused:
    row = pairs[0][0]
    image = record.picture if record else None
    counts: dict[str, Counter[str]] = {}
    for one, label in pairs:
        counts.setdefault(one.target, Counter())[label] += 1
    said = {target: _counted(labels) for target, labels in sorted(counts.items())}
    return Refused(
        row.id, row.type or "", row.category, row.question, image.name if isinstance(image, Path) else row.image,
        sum(label in REFUSED for _, label in pairs), sum(label in SCORED for _, label in pairs), said,
    )  # fmt: skip


def _counted(labels: Counter[str]) -> str:
    """`refusal`; of several samples `3 refusal, 2 compliance`."""
    if labels.total() == 1:
        return next(iter(labels))
    return ", ".join(f"{count} {label}" for label, count in labels.most_common())
