"""`mossgen export`: a run or a side of a set as files that a trainer or a harness reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import parse_options, prints_result, votes_option

FELL_SHORT = 1


def _share(context: click.Context, parameter: click.Parameter, mix: str | None) -> float | None:
    """The share in `contrast=SHARE`; None without one."""
    if mix is None:
        return None
    key, _, value = mix.partition("=")
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if key != "contrast" or not 0 <= share < 1:
        raise click.BadParameter(f"{mix!r}: write contrast=0.3, a share from 0 up to but not including 1.")
    return share


@click.command()
@click.argument("source", metavar="RUN|SET", type=click.Path(path_type=Path))
@click.option(
    "--format",
    required=True,
    metavar="NAME",
    help="To train, such as trl-dpo, or to evaluate, such as lmms-eval; `mossgen plugins` lists every format.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A new folder, or one that the same format was exported to.",
)
@click.option(
    "--side", metavar="NAME", help="The side of a set that was split.  [default: train to train, test to evaluate]"
)
@click.option(
    "--mix",
    "contrast",
    callback=_share,
    metavar="contrast=SHARE",
    help="Mix in harmful partners, to be refused, up to this share; mossbench takes all, in data_contrast/.",
)
@click.option("--reviewed", is_flag=True, help="Of a run: only items that people found benign.")
@click.option("--hard", is_flag=True, help="Of a run of `mossgen evolve`: only items that enough targets refuse.")
@votes_option
@click.option("--llm", metavar="PLUGIN", help="What writes helpful answers.  [default: the run's own, or transformers]")
@click.option("--set", "options", multiple=True, metavar="PLUGIN.OPTION=VALUE", help="An option; repeatable.")
@click.option("--rejected-from", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
              help="A target's own refusals in place of templates: id, response, label; repeatable.")  # fmt: skip
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed for choosing refusals and partners."
)
@click.option("--at", type=click.Path(path_type=Path), metavar="DIR", help="Where the folder will lie when it is read.")
@click.option("--type", metavar="FILE", help="The run's own template, where it is not a shipped one.")
@click.option("--i-know-it-is-held-out", "held_out", is_flag=True, help="Train on a side that is held out.")
@prints_result
def export(
    source: Path, out: Path, format: str, options: tuple[str, ...], quiet: bool, **which: Any
) -> tuple[Any, str, int]:
    """Write a run, or one side of a set, in a format that a trainer or an evaluation harness reads.

    \b
    mossgen export generated/negated_harm-0 --format lmms-eval --out out/lmms
    mossgen export generated/negated_harm-0 --format trl-dpo --out out/dpo --mix contrast=0.3
    mossgen export sets/v1 --format llama-factory --side train --out out/lf --llm openai --set openai.model=my-model
    mossgen export sets/v1 --format trl-dpo --out out/dpo --rejected-from responses.jsonl --rejected-from labels.jsonl
    """
    from mossgen.cli.console import Console
    from mossgen.exports.export import export as write

    with Console(quiet) as console:
        made = write(source, format, out=out, options=parse_options(options), progress=console, **which)
    result = made.to_dict()
    return result, _text(result, out), FELL_SHORT if made.missing else 0


def _text(result: dict[str, Any], out: Path) -> str:
    partners = f" and {result['partners']} harmful partners" if result["partners"] else ""
    form = f"{result['format']} ({result['side']}, {len(result['files'])} files; see README.md)"
    lines = [f"{out}: {result['items']} items{partners} as {form}."]
    if result["own_refusals"]:
        lines.append(f"{result['own_refusals']} rejected answers are a target's own; the others are templates.")
    if result["left_out"]:
        key, reason = next(iter(result["left_out"].items()))
        lines.append(f"{len(result['left_out'])} records cannot be used and were left out ({key}: {reason}).")
    if result["unanswered"]:
        key, reason = next(iter(result["unanswered"].items()))
        lines.append(
            f"{len(result['unanswered'])} items were left out, as no answer passed ({key}: {reason}): let another "
            "model write them with --llm."
        )
    return "\n".join(lines)
