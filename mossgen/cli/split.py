"""`mossgen split`: held-out sides that do not leak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import prints_result
from mossgen.splits.clusters import RELATIONS


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--test", default=0.2, show_default=True, type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="The test side's share of the items.")  # fmt: skip
@click.option(
    "--dev",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="The dev side's share of the items.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The set's folder; if the set is there already, it grows.",
)
@click.option("--bind", multiple=True, type=click.Choice([*RELATIONS, "none"]),
              help="What sides must not share; repeatable.  [default: all that leave room]")  # fmt: skip
@prints_result
def split(
    runs: tuple[Path, ...], test: float, dev: float, out: Path, bind: tuple[str, ...], quiet: bool
) -> tuple[Any, str, int]:
    """Split runs into train, dev and test, without near-duplicates or shared scenes across sides, and report any leak.

    \b
    mossgen split generated/negated_harm-0 generated/exaggerated_risk-0 --test 0.2 --dev 0.1 --out my-set
    mossgen split generated/negated_harm-0 --out my-set --bind question --bind scene
    """
    from mossgen.cli.console import Console
    from mossgen.splits.split import split as divide

    wanted = tuple(relation for relation in bind if relation != "none") if bind else None
    with Console(quiet) as console:
        made = divide(runs, out=out, test=test, dev=dev, bind=wanted, progress=console)
    result = made.to_dict()
    return result, _text(result), 0 if not result["leaks"] else 1


def _text(result: dict[str, Any]) -> str:
    lines = [f"{result['out']}: {result['clusters']} clusters, the largest of {result['largest_cluster']} items."]
    for side, count in result["sides"].items():
        partners = f", {result['contrast'][side]} harmful partners" if result["contrast"][side] else ""
        lines.append(f"  {side:5} {count:5} items (wanted {result['targets'][side]}){partners}")
    lines.append("Kept on one side: " + ", ".join(("near-duplicates", *result["bound"])) + ".")
    lines += [f"Not kept on one side: {name}, for {why}." for name, why in result["unbound"].items()]
    lines += [f"Left out: {key}, for {why}." for key, why in result["left_out"].items()]
    for pair, channels in result["nearest"].items():
        for channel, near in channels.items():
            lines.append(
                f"  {pair:10} {channel:5} nearest {near['score']} (threshold {near['threshold']}), {near['over']} over"
            )
        shared = ", ".join(f"{count} {relation}s" for relation, count in result["shared"][pair].items())
        lines.append(f"  {pair:10} shared: {shared}")
    lines.append(f"{result['leaks']} leaks.")
    return "\n".join(lines)
