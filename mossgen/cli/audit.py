"""`mossgen audit`: a set's test items in somebody's training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import one_line, prints_result

if TYPE_CHECKING:
    from mossgen.duplicates.audit import AuditReport

SHOWN = 20  # hits named in the text; --json has all


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--against", required=True, metavar="SET|NAME", type=click.Path(path_type=Path),
              help="A set with sides, a run, or an imported set.")  # fmt: skip
@click.option("--side", "sides", multiple=True, default=("test", "dev"), show_default=True,
              help="Sides that should not be found; repeatable.")  # fmt: skip
@click.option("--images", multiple=True, type=click.Path(path_type=Path),
              help="A folder that the pictures lie in, if not beside the file; repeatable.")  # fmt: skip
@click.option("--exact", is_flag=True, help="Find exact copies only; no model is loaded.")
@prints_result
def audit(
    file: Path, against: Path, sides: tuple[str, ...], images: tuple[Path, ...], exact: bool, quiet: bool
) -> tuple[Any, str, int]:
    """Find test items, near-copies of them, and canaries in training data (JSONL, JSON, CSV, Parquet).

    \b
    mossgen audit train.jsonl --against my-set
    mossgen audit data.parquet --against mossbench --json
    mossgen audit train.json --against my-set --images /data/pictures --exact
    """
    from mossgen.cli.console import Console
    from mossgen.duplicates.audit import audit as look

    with Console(quiet) as console:
        found = look(file, against, sides=sides, images=images, exact=exact, progress=console)
    return found.to_dict(), _text(found), 0 if found.clean else 1


def _text(found: AuditReport) -> str:
    lines = [f"{found.rows} rows and {found.pictures} pictures looked at: {len(found.hits)} hits."]
    for hit in found.hits[:SHOWN]:
        score = "" if hit.score is None else f" ({round(hit.score, 4)})"
        how = f"being {hit.how}" if hit.how.startswith("near") else f"its {hit.how}"
        lines.append(f"  row {hit.row}: {one_line(hit.item)} by {how}{score}")
    if len(found.hits) > SHOWN:
        lines.append(f"  and {len(found.hits) - SHOWN} more; --json names all.")
    lines += [f"The canary of the side {side} is in row {row}." for side, row in found.canaries.items()]
    lines += [one_line(why) for why in found.unreadable[:SHOWN]]
    if len(found.unreadable) > SHOWN:
        lines.append(f"and {len(found.unreadable) - SHOWN} more that could not be read.")
    return "\n".join(lines)
