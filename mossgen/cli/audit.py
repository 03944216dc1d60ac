"""`mossgen audit`: a set's test items in somebody's training data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers, one_line

SHOWN = 20  # hits named in the text; --json has all


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--against", required=True, metavar="SET|NAME", type=click.Path(path_type=Path),
              help="A set with sides, a run, or an imported set.")  # fmt: skip
@click.option("--side", "sides", multiple=True, default=("test", "dev"), show_default=True,
              help="Sides that should not be found; repeatable.")  # fmt: skip
@click.option("--images", multiple=True, type=click.Path(path_type=Path),
              help="A folder that the pictures lie in, if not beside the file; repeatable.")  # fmt: skip
@click.option("--exact", is_flag=True, help="Look for the same only, not for near-copies: no model is loaded.")
@answers
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
    from mossgen.models import weights
    from mossgen.plugins.spec import embedded_models
    from mossgen.runs.config import PRESETS

    embedder = None if exact else PRESETS["embedded"].embedder
    with Console(quiet) as console:
        for name in embedded_models([embedder]) if embedder else ():
            weights.path(name, console.download)
        found = look(file, against, embedder, sides, images, lambda done, of: console.say(f"rows looked at: {done}"))
    result = {
        "file": str(file),
        "rows": found.rows,
        "pictures": found.pictures,
        "hits": [hit.to_dict() for hit in found.hits],
        "canary": bool(found.canaries),
        "canaries": found.canaries,
        "unreadable": found.unreadable,
    }
    return result, _text(result), 1 if found.hits or found.canaries else 0


def _text(result: dict[str, Any]) -> str:
    hits = result["hits"]
    lines = [f"{result['rows']} rows and {result['pictures']} pictures looked at: {len(hits)} hits."]
    for hit in hits[:SHOWN]:
        score = "" if hit["score"] is None else f" ({hit['score']})"
        lines.append(
            f"  row {hit['row']}: {one_line(hit['item'])} by its {hit['how']}{score}".replace("its near", "being near")
        )
    if len(hits) > SHOWN:
        lines.append(f"  and {len(hits) - SHOWN} more; --json names all.")
    lines += [f"The canary of the side {side} is in row {row}." for side, row in result["canaries"].items()]
    lines += [one_line(why) for why in result["unreadable"][:SHOWN]]
    if len(result["unreadable"]) > SHOWN:
        lines.append(f"and {len(result['unreadable']) - SHOWN} more that could not be read.")
    return "\n".join(lines)
