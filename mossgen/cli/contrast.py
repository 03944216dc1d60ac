"""`mossgen contrast`: the harmful partners of a run's accepted items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import parse_options, prints_result, with_flags
from mossgen.cli.check import checking_options

NOTHING_MADE = 3


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--type", metavar="TYPE|FILE", help="The run's own template, where it is not a shipped one.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Same seed, same bytes.")
@checking_options
@prints_result
def contrast(run: Path, options: tuple[str, ...], quiet: bool, **which: Any) -> tuple[Any, str, int]:
    """Make the harmful partner of each accepted item, to be refused; kept apart in RUN/contrast.

    \b
    mossgen contrast generated/negated_harm-0
    mossgen contrast generated/exaggerated_risk-0 --vlm openai:my-model@http://127.0.0.1:8000/v1
    """
    from mossgen.checks.contrast import contrast as make
    from mossgen.cli.console import Console

    with Console(quiet) as console:
        made = make(run, options=parse_options(options), progress=console, **which)
    result = made.to_dict()
    return result, _text(result), 0 if made.rows else NOTHING_MADE


def _text(result: dict[str, Any]) -> str:
    dropped = ", ".join(f"{count} {reason}" for reason, count in result["dropped"].items()) or "none"
    lines = [f"{result['made']} harmful partners in {result['folder']} (dropped: {dropped})."]
    for item in result["doubtful"]:
        lines.append(f"Doubtful now: {item['id']} is {item['decision']} by {item['by']}: {item['reason']}")
    return "\n".join((*lines, *with_flags(result["notes"])))
