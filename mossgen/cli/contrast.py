"""`mossgen contrast`: the harmful partners of a run's accepted items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers
from mossgen.cli.check import checking_options, prepared

NOTHING_MADE = 3


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--type", "type_name", metavar="TYPE|FILE", help="The run's own template, where it is not a shipped one.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Same seed, same bytes.")
@checking_options
@answers
def contrast(run: Path, seed: int, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    """Make the harmful partner of each accepted item, to be refused; kept apart in RUN/contrast.

    \b
    mossgen contrast generated/negated_harm-0
    mossgen contrast generated/exaggerated_risk-0 --vlm openai:my-model@http://127.0.0.1:8000/v1
    """
    from dataclasses import replace

    from mossgen.checks.contrast import make_contrasts
    from mossgen.checks.verdicts import spent
    from mossgen.cli.console import Console
    from mossgen.runs.config import read_config
    from mossgen.runs.store import CONFIG
    from mossgen.stimulus.types import load_type

    stimulus = load_type(options["type_name"] or read_config(run / CONFIG).type)
    with Console(quiet) as console:
        checking = prepared(run, console, **options)
        checking = replace(checking, head={**checking.head, "seed": seed})
        made = make_contrasts(run, stimulus, checking, seed, console)
    result = {
        "run": str(run),
        "made": len(made.rows),
        "dropped": made.dropped,
        "doubtful": list(made.doubtful),
        "folder": str(made.folder),
        "cost": round(spent(checking.checkers), 4),
        "notes": checking.head["notes"],
    }
    return result, _text(result), 0 if made.rows else NOTHING_MADE


def _text(result: dict[str, Any]) -> str:
    dropped = ", ".join(f"{count} {reason}" for reason, count in result["dropped"].items()) or "none"
    lines = [f"{result['made']} harmful partners in {result['folder']} (dropped: {dropped})."]
    for item in result["doubtful"]:
        lines.append(f"Doubtful now: {item['id']} is {item['decision']} by {item['by']}: {item['reason']}")
    return "\n".join((*lines, *result["notes"]))
