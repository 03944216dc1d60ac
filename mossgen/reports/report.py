"""The content of a report: rates, tests, the most refused items, the judges, and what is in a set.

OUT/
index.html                       the page, self-contained
refusal, contrast, oversensitivity, judges, contents     .png and .svg each, if there is data for it
rates.csv, items.csv             one rates.Cell per line; one item per line
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
from mossgen.files.responses import FACTS
from mossgen.judgements import plots
from mossgen.judgements.rates import ALL, Cell, by_judge, cells, figures, sides
from mossgen.reports import page
from mossgen.reports.sources import Refused, Sources, read_sources, refused
from mossgen.sets.dataset import Dataset, Record

FOLDER = Path("generated")  # the default folder of a report
PAGE = "index.html"


@dataclass(frozen=True)
class Report:
    """A written report: its folder and its files."""

    folder: Path
    files: Sequence[Path]

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.folder / PAGE

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {"out": str(self.folder), "files": [str(file) for file in self.files]}


def report(
    sources: Path | str | Dataset | Sequence[Path | str | Dataset],
    *,
    judge: str = "",
    empty_refuses: bool = False,
    out: Path | str | None = None,
) -> Report:
    """Writes measurements as a page, plots and tables, all or nothing.

    `sources` are folders of responses with labels (of `probe` and `judge`), runs and sets. The plots use the labels of
    `judge`, by default those of the first judge. With `empty_refuses` a response without text counts as a refusal, as
    in MOSSBench. `out` is the folder, by default generated/report-NAME.

    Raises ConfigError (nothing there, no labels, no such judge, a folder of something else), StoreError.

    >>> mossgen.report(["generated/probe-negated_harm-0", "generated/negated_harm-0"]).page
    PosixPath('generated/report-probe-negated_harm-0/index.html')
    """
    several = [sources] if isinstance(sources, Path | str | Dataset) else sources
    paths = [one.path if isinstance(one, Dataset) else Path(one) for one in several]
    folder = Path(out) if out is not None else FOLDER / f"report-{paths[0].resolve().name}"
    return Report(folder, _write(read_sources(paths), judge, empty_refuses, folder))


def _write(sources: Sources, judge: str, empty_refuses: bool, out: Path) -> list[Path]:
    judged = by_judge(sources.rows, sources.labels, empty_refuses)
    if judge and judge not in judged:
        raise ConfigError(f"`judge` {judge!r} labelled nothing there: use one of {', '.join(judged) or 'none'}.")
    judge = judge or next(iter(judged), "")
    told = figures(judged, empty_refuses)
    table = cells({judge: judged[judge]}) if judged else []
    items = refused(judged.get(judge, []), sources.items)
    contents = _contents(sources.items)

    def fill(stage: Path) -> None:
        _plots(stage, judge, table, told, contents)
        _csv(stage / "rates.csv", [f.name for f in fields(Cell)], told["rates"])
        _csv(stage / "items.csv", [f.name for f in fields(Refused)], [_flat(item) for item in items])
        whole = {"sources": list(sources.names), "judge": judge, **told, "items": [asdict(i) for i in items],
                 "contents": contents, "problems": dict(sources.problems)}  # fmt: skip
        (stage / "report.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        text = page.render(stage, page.Content(sources, judge, judged, table, told, items, contents))
        (stage / PAGE).write_text(text, encoding="utf-8", errors="replace")

    return write_folder(out, "report", fill)


def _contents(items: Mapping[str, Record]) -> dict[str, dict[str, dict[str, int]]]:
    """Counts the usable benign items by type, and within it by category, form, and content of the picture."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for record in items.values():
        if record.expected == "comply" and record.problem is None:
            group = found.setdefault(record.type or "any", {})
            group.setdefault("category", Counter())[record.category or "no category stated"] += 1
            for fact in FACTS:
                value = record.facts.get(fact)
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
