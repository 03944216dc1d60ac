"""`mossgen check`: the benignness policy over any set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import one_line, option_group, parse_options, prints_result, with_flags

SHORT = 72  # characters of a question or reason in the table


# what check and contrast share: by what is judged, and who decides
checking_options = option_group(
    click.option("--checker", "checkers", multiple=True, metavar="PLUGIN",
                 help="Use this checker in place of rules, safety, sanity and legible; repeatable."),
    click.option("--vlm", metavar="KIND:MODEL[@URL]",
                 help="A model that sees picture and question: openai:MODEL@URL, or transformers:PATH."),
    click.option("--gate", "gates", multiple=True, metavar="CHECKER", help="Let this checker decide; repeatable."),
    click.option("--signal", "signals", multiple=True, metavar="CHECKER",
                 help="Only record what it says; repeatable."),
    click.option("--set", "options", multiple=True, metavar="PLUGIN.OPTION=VALUE", help="An option; repeatable."),
    click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD",
                 help="Stop when this command has spent this much; free work continues."),
)  # fmt: skip


@click.command()
@click.argument("set_", metavar="SET", type=click.Path(path_type=Path))
@click.option("--type", metavar="TYPE|FILE", help="The type of items that do not say theirs.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.jsonl",
              help="Keep every decision here at once; the same command again goes on from there.")  # fmt: skip
@checking_options
@prints_result
def check(set_: Path, out: Path | None, options: tuple[str, ...], quiet: bool, **which: Any) -> tuple[Any, str, int]:
    """Say of every item of a set whether it is benign: a run, MOSSBench, an ImageFolder, a JSONL with images.

    \b
    mossgen check generated/negated_harm-0
    mossgen check MOSSBench/data --out checked.jsonl
    mossgen check my-images/ --type exaggerated_risk --vlm openai:my-model@http://127.0.0.1:8000/v1 --json
    """
    from mossgen.checks.check import check as decide
    from mossgen.cli.console import Console

    with Console(quiet) as console:
        made = decide(set_, out=out, options=parse_options(options), progress=console, **which)
    result = made.to_dict()
    return result, _text(result), 1 if made.unreadable or made.stopped else 0


def _text(result: dict[str, Any]) -> str:
    """A table of the items, then what it comes to."""
    width = max(len(str(r["id"])) for r in result["items"])
    lines = []
    for record in result["items"]:
        lines.append(f"{record['decision']:10} {_short(record['id']):{min(width, 24)}}  {_short(record['question'])}")
        if record["decision"] != "benign":
            why = one_line(record["reason"]) if record["by"] == "set" else _short(record["reason"])
            lines.append(f"{'':10} {'':{min(width, 24)}}  {record['by'] or 'policy'}: {why}")
    counts = ", ".join(f"{count} {name}" for name, count in result["counts"].items())
    lines.append(f"{result['accepted']} of {len(result['items'])} accepted ({counts}).")
    lines.append("Gates: " + ", ".join(result["policy"]["gates"]) + ".")
    if result["policy"]["signals"]:
        lines.append("Signals: " + ", ".join(result["policy"]["signals"]) + ".")
    lines += with_flags(result["notes"])
    if result["stopped"]:
        lines += with_flags([result["stopped"]])
    if result["unreadable"]:
        lines.append(f"{result['unreadable']} could not be read: they are named above and count as unsure.")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= SHORT else line[: SHORT - 1] + "…"
