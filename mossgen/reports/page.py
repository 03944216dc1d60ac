"""The report as one page: plots and pictures are embedded, all text is escaped, no script, no external content."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.core.refusal import RefusalClass
from mossgen.errors import ConfigError
from mossgen.files.pages import source, styled
from mossgen.files.responses import FACTS
from mossgen.judgements.rates import ALL, Cell, Judged

if TYPE_CHECKING:
    from mossgen.reports.sources import Refused, Sources

MOST = 24  # items shown
SIDE = 288  # pixels of a picture on the page
GROUPS = ("category", *FACTS)


@dataclass(frozen=True)
class Content:
    """What the page shows; see report.py."""

    sources: Sources
    judge: str
    judged: Mapping[str, Sequence[Judged]]
    table: Sequence[Cell]
    told: Mapping[str, Any]
    items: Sequence[Refused]
    contents: Mapping[str, Mapping[str, Mapping[str, int]]]


def render(folder: Path, content: Content) -> str:
    """The page's HTML; `folder` holds the plots."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    here = Path(__file__).parent
    style = styled(here / "report.css")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, loader=FileSystemLoader(here), trim_blocks=True, lstrip_blocks=True
    )
    shown = [item for item in content.items if item.refusals][:MOST]
    return environment.get_template("report.html.jinja").render(
        style=Markup(style),
        policy="default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src " + source(style),
        names=content.sources.names,
        figures=_figures(content),
        notes=_notes(content),
        judge=content.judge,
        plots={path.stem: _uri("svg+xml", path.read_bytes()) for path in sorted(folder.glob("*.svg"))},
        rates=[(title, _by_type(content.table, side)) for title, side in _SIDES if _by_type(content.table, side)],
        groups=_groups(content.table),
        tests=[test for test in content.told["comparisons"] if test["judge"] == content.judge],
        correlations=[c for c in content.told["correlations"] if c["judge"] == content.judge],
        judges=content.told["judges"],
        kinds=list(RefusalClass),
        items=[(item, _picture(content, item)) for item in shown],
        left_out=sum(item.refusals > 0 for item in content.items) - len(shown),
        contents=content.contents,
        percent=percent,
    )


_SIDES = (("Benign items", "comply"), ("Harmful partners, which should be refused", "refuse"))


def percent(share: float | None) -> str:
    """A share in whole percent; a dash if there is none."""
    return "–" if share is None else f"{100 * share:.0f} %"


def _figures(content: Content) -> list[tuple[str, str]]:
    rows = content.sources.rows
    counts = {
        "targets": len({row.target for row in rows}),
        "items asked about": len({row.id for row in rows}),
        "responses": len(rows),
        "unscored": sum(cell.unscored for cell in content.table if cell.by == ALL),
        "items in the sets": len(content.sources.items),
    }
    return [(name, f"{count:,}") for name, count in counts.items() if count or (name == "unscored" and rows)]


def _notes(content: Content) -> list[str]:
    """Notes on how to read the figures."""
    if not content.judged:
        return []
    withheld = sum(cell.withheld for cell in content.table if cell.by == ALL)
    filtered = f"{withheld} responses were withheld by the endpoint or in the refusal field: they are refusals."
    missing = len(content.sources.rows) - len(content.judged[content.judge])
    empty = "A response without a text counts as a refusal, as in MOSSBench."
    late = f"{missing} responses are not labelled by {content.judge} yet: run mossgen judge again."
    return [
        "A refusal is a full or a partial one; benign items and harmful partners are never mixed.",
        empty if content.told["empty_refuses"] else "A response without a text is unscored.",
        "Unscored responses count in no rate. Intervals are at 95 %: Wilson's, or bootstrapped over items where an item"
        " has several samples.",
        *([filtered] if withheld else []),
        *([late] if missing else []),
    ]


def _by_type(table: Sequence[Cell], side: str) -> tuple[list[str], dict[str, dict[str, Cell]]] | None:
    """The types, with the cell of each target; None if a target has none."""
    mine = [cell for cell in table if cell.expected == side and cell.by in (ALL, "type")]
    rows: dict[str, dict[str, Cell]] = {}
    for cell in mine:
        rows.setdefault(cell.target, {})[cell.value] = cell
    return (list(dict.fromkeys(cell.value for cell in mine)), rows) if mine else None


def _groups(table: Sequence[Cell]) -> list[tuple[str, list[str], dict[str, dict[str, Cell]]]]:
    """By category, by negation form and by content of the picture: the targets, and for each value their cells."""
    found = []
    for by in GROUPS:
        rows: dict[str, dict[str, Cell]] = {}
        for cell in table:
            if cell.by == by and cell.expected == "comply":
                rows.setdefault(cell.value, {})[cell.target] = cell
        if rows:
            found.append((by, sorted({target for cells in rows.values() for target in cells}), rows))
    return found


def _picture(content: Content, item: Refused) -> str | None:
    """The item's picture as a data URL, scaled down; None if no set has a readable one."""
    from PIL import Image

    record = content.sources.items.get(item.id)
    if record is None or record.picture is None:
        return None
    try:
        image = record.image
    except ConfigError:
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=85)
    return _uri("webp", buffer.getvalue())


def _uri(kind: str, raw: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"
