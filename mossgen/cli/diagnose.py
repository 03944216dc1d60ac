"""`mossgen diagnose`: why targets refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import parse_options, prints_result, problem_lines
from mossgen.cli.probe import FELL_SHORT, failed, item_options, prompt, target_options
from mossgen.core.defaults import JUDGE

STAGES = ("perception", "intent", "judgement")
SHARES = ("still_refused_with_description", "still_refused_with_intent")


@click.command()
@item_options
@target_options()
@click.option("--judge", default=JUDGE, show_default=True, metavar="NAME", help="What tells refusals from answers.")
@click.option("--model", metavar="openai:MODEL[@URL]", help="The model that the judges mossbench and strict ask.")
@click.option("--captions", default="rough", show_default=True, metavar="rough|openai:MODEL[@URL]",
              help="What compares captions with the record: words alone, or a model.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="A probe's folder, whose responses are used.  [default: generated/probe-NAME]")  # fmt: skip
@prints_result
def diagnose(
    set_: Path, targets: tuple[str, ...], options: tuple[str, ...], system: str, judge: str, model: str | None,
    captions: str, out: Path | None, max_cost: float | None, max_time: float | None, quiet: bool, **which: Any,
) -> tuple[Any, str, int]:  # fmt: skip
    """Find at which stage a target refuses benign items: perception, intent or judgement. Run again to go on.

    Every refused item is asked about three more times: for a caption of its picture, with the picture described in
    words, and with what the user means told as well.

    \b
    mossgen diagnose generated/negated_harm-0 --target openai:gpt-4o
    mossgen diagnose MOSSBench/data --target openai:qwen@http://127.0.0.1:8000/v1 --captions openai:gpt-4o --limit 50
    """
    from mossgen.cli.console import Console
    from mossgen.diagnosis.diagnose import diagnose as find

    with Console(quiet) as console:
        made = find(
            set_, targets, judge=judge, model=model, captions=captions, system=prompt(system), out=out,
            options=parse_options(options), max_cost=max_cost, max_time=max_time, progress=console, **which,
        )  # fmt: skip
    result = made.to_dict()
    return result, _text(result), 0 if made.complete else FELL_SHORT


def _text(result: dict[str, Any]) -> str:
    """A table for each target, and the paper's figures where they are comparable."""
    lines = []
    for target, table in result["targets"].items():
        lines.append(f"{target}: {table['all']['refused']} of {table['all']['answered']} refused.")
        for kind, row in table.items():
            if row["refused"]:
                stages = ", ".join(f"{row[key]} {key}" for key in (*STAGES, "unexplained"))
                lines.append(f"  {kind:17} {row['refused']:4} refused: {stages}")
                lines.append(f"  {'':17}      still refused with the description {_percent(row[SHARES[0]])}, with the "
                             f"intent too {_percent(row[SHARES[1]])}")  # fmt: skip
        lines += _trouble(result["probes"][target])
    for model, types in result["published"].items():
        lines.append(f"The paper's {model}, still refused with the description and with the intent too (30 items):")
        lines += [f"  {kind:17} {first} %, {second} %" for kind, (first, second) in types.items()]
    lines += problem_lines(result["problems"])
    lines.append(f"{result['out']}: every answer and label is in diagnose/ there.")
    return "\n".join(lines)


def _trouble(probes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is missing in each way of asking, and why, each reason once."""
    lines = [f"  {way}: {told['missing']} missing." for way, told in probes.items() if told["missing"]]
    failures: Counter[str] = Counter()
    for told in probes.values():
        failures.update(told["failures"])
    stopped = dict.fromkeys(told["stopped"] for told in probes.values() if told["stopped"])
    return [*lines, *failed(failures), *(f"  Stopped: {reason.rstrip('.')}." for reason in stopped)]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0f} %"
