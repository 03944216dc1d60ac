"""What a report says: rates, tests, the items most refused, the judges, and what is in a set.

OUT/
index.html                       the page, self-contained
refusal, contrast, oversensitivity, judges, contents     .png and .svg each, those that there is something for
rates.csv, items.csv             one rates.Cell a line; one item a line
report.json                      all of it
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError
from mossgen.files.folders import write_folder
from mossgen.files.responses import FACTS, RESPONSES, Row, gather, natural
from mossgen.judgements import plots
from mossgen.judgements.labels import LABELS, Book, Label
from mossgen.judgements.rates import ALL, MEASURES, SCORED, Cell, Judged, by_judge, cells, figures, sides
from mossgen.probes.subjects import Subject, has_partners, read_subjects
from mossgen.reports import page


@dataclass(frozen=True)
class Wish:
    """How a report is made: which judge it goes by (empty: the first), and whether empty responses refuse."""

    judge: str = ""
    empty_refuses: bool = False


@dataclass(frozen=True)
class Refused:
    """One benign item: how many of its scored responses refuse, and what was said of each target's."""

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
    """What a report is of: responses with labels, and the items of sets by id."""

    names: Sequence[str]
    rows: Sequence[Row]
    labels: Sequence[Label]
    items: Mapping[str, Subject]


def write_report(paths: Sequence[Path], out: Path, wish: Wish) -> list[Path]:
    """Writes the report of these probes, runs and sets into `out`, whole or not at all; returns its files.

    Raises ConfigError (nothing there, no labels, no such judge, somebody else's folder), StoreError.
    """
    sources = read_sources(paths)
    judged = by_judge(sources.rows, sources.labels, wish.empty_refuses)
    judge = wish.judge or next(iter(judged), "")
    if judged and judge not in judged:
        raise ConfigError(f"--judge {judge!r} labelled nothing there: use one of {', '.join(judged)}.")
    told = figures(judged, wish.empty_refuses)
    table = cells({judge: judged[judge]}) if judged else []
    items = refused(judged.get(judge, []), sources.items)
    contents = _contents(sources.items)

    def fill(stage: Path) -> None:
        _plots(stage, judge, table, told, contents)
        _csv(stage / "rates.csv", [f.name for f in fields(Cell)], told["rates"])
        _csv(stage / "items.csv", [f.name for f in fields(Refused)], [_flat(item) for item in items])
        whole = {"sources": list(sources.names), "judge": judge, **told, "items": [asdict(i) for i in items],
                 "contents": contents}  # fmt: skip
        (stage / "report.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        text = page.render(stage, page.Content(sources, judge, judged, table, told, items, contents))
        (stage / "index.html").write_text(text, encoding="utf-8", errors="replace")

    return write_folder(out, "report", fill)


def read_sources(paths: Sequence[Path]) -> Sources:
    """The responses and labels of folders that have them; everything else is a set. Raises ConfigError."""
    folders = [path for path in paths if (path / RESPONSES).is_file()]
    bare = next((folder for folder in folders if not (folder / LABELS).is_file()), None)
    if bare:
        raise ConfigError(f"{bare} has responses and no labels: run `mossgen judge {bare}` first.")
    for path in paths:
        if path.is_dir() and path not in folders and (path / LABELS).is_file():
            raise ConfigError(f"{path} has labels and no {RESPONSES}: run `mossgen judge` again.")
    labels = [label for path in folders for label in Book(path / LABELS, gather([path])).labels.values()]
    sets = [read_subjects(path, contrast=has_partners(path)) for path in paths if path not in folders]
    items = {subject.entry.id: subject for subjects in sets for subject in subjects}
    names = [path.resolve().name for path in paths]
    return Sources(names, gather(folders) if folders else [], labels, items)


def refused(judged: Sequence[Judged], items: Mapping[str, Subject]) -> list[Refused]:
    """The benign items that were responded to, those first that most responses refuse."""
    by_item: dict[str, list[Judged]] = {}
    for row, label in judged:
        if row.expected == "comply":
            by_item.setdefault(row.id, []).append((row, label))
    found = [_refused(pairs, items.get(item)) for item, pairs in by_item.items()]
    return sorted(found, key=lambda i: (-i.refusals / max(1, i.responses), -i.refusals, natural(i.id)))


def _refused(pairs: Sequence[Judged], subject: Subject | None) -> Refused:
    row = pairs[0][0]
    image = subject.entry.image if subject else None
    counts: dict[str, Counter[str]] = {}
    for one, label in pairs:
        counts.setdefault(one.target, Counter())[label] += 1
    said = {target: _counted(labels) for target, labels in sorted(counts.items())}
    return Refused(
        row.id, row.type or "", row.category, row.question, image.name if isinstance(image, Path) else row.image,
        sum(label in MEASURES["refusal"] for _, label in pairs), sum(label in SCORED for _, label in pairs), said,
    )  # fmt: skip


def _counted(labels: Counter[str]) -> str:
    """`refusal`; of several samples `3 refusal, 2 compliance`."""
    if labels.total() == 1:
        return next(iter(labels))
    return ", ".join(f"{count} {label}" for label, count in labels.most_common())


def _contents(items: Mapping[str, Subject]) -> dict[str, dict[str, dict[str, int]]]:
    """How many benign items there are, by type, and in it by category, form, and what is in the picture."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for subject in items.values():
        if subject.expected == "comply":
            group = found.setdefault(subject.type or "any", {})
            group.setdefault("category", Counter())[subject.category or "no category stated"] += 1
            for fact in FACTS:
                value = subject.facts.get(fact)
                if value not in (None, "", False):
                    group.setdefault(fact, Counter())["yes" if value is True else str(value)] += 1
    return {kind: {by: dict(c.most_common()) for by, c in groups.items()} for kind, groups in sorted(found.items())}


def _plots(
    stage: Path, judge: str, table: Sequence[Cell], told: Mapping[str, Any], contents: Mapping[str, Mapping[str, Any]]
) -> None:
    shown = [cell for cell in table if cell.by in (ALL, "type")]
    for name, expected in (("refusal", "comply"), ("contrast", "refuse")):
        mine = [cell for cell in shown if cell.expected == expected]
        if any(cell.n for cell in mine):
            plots.save(stage, name, lambda figure, mine=mine: plots.refusal(figure, mine))  # type: ignore[misc]
    rho = {c["type"]: c["rho"] for c in told["correlations"] if c["judge"] == judge}
    panels = [(kind, points, rho.get(kind)) for _, kind, points in sides(table)]
    if panels:
        plots.save(stage, "oversensitivity", lambda figure: plots.oversensitivity(figure, panels))
    pairs = [pair for pair in told["judges"] if judge in (pair["a"], pair["b"])][:4]
    if pairs:
        plots.save(stage, "judges", lambda figure: plots.confusion(figure, pairs))
    if contents:
        by_category = {kind: groups["category"] for kind, groups in contents.items()}
        plots.save(stage, "contents", lambda figure: plots.contents(figure, by_category))


def _flat(item: Refused) -> dict[str, Any]:
    return {**asdict(item), "labels": "; ".join(f"{target}: {label}" for target, label in item.labels.items())}


def _csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
