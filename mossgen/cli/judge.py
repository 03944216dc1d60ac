"""`mossgen judge`: which responses are refusals, and the rates of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import option_group, parse_options, prints_result, with_flags
from mossgen.core.defaults import JUDGE

FELL_SHORT = 1
MEASURED = {"comply": "benign items", "refuse": "harmful partners (to be refused)"}

# what judge and report share
rate_options = option_group(
    click.option("--empty-refuses", is_flag=True, help="Count responses without a text as refusals, like MOSSBench."),
)  # fmt: skip


@click.command()
@click.argument("responses", nargs=-1, required=True, metavar="RESPONSES...", type=click.Path(path_type=Path))
@click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="NAME",
    help="embedded, keywords (rough), mossbench or strict; repeatable.  [default: embedded]",
)
@click.option("--model", metavar="openai:MODEL[@URL]", help="The model that the judges mossbench and strict ask.")
@click.option("--set", "options", multiple=True, metavar="JUDGE.OPTION=VALUE", help="An option; repeatable.")
@click.option(
    "--items",
    metavar="SET",
    type=click.Path(path_type=Path),
    help="The set that was asked about: its types, categories, facts, questions and pictures, by id.",
)
@click.option("--side", metavar="NAME", help="The side of that set, if it was split.  [default: test]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where labels and rates are kept.  [default: the probe's folder, or generated/judge-NAME]",
)
@click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Stop when a judge has spent this much.")
@rate_options
@prints_result
def judge(
    responses: tuple[Path, ...], judges: tuple[str, ...], model: str | None, options: tuple[str, ...],
    items: Path | None, side: str | None, out: Path | None, max_cost: float | None, empty_refuses: bool, quiet: bool,
) -> tuple[Any, str, int]:  # fmt: skip
    """Label responses as compliance, partial or full refusal, and give the rates. Run again to go on.

    RESPONSES are folders of `mossgen probe`, or files: JSONL, CSV or JSON with an id and a response, MOSSBench's
    results.json, or a mapping of pid to response. Labels that such a file has become a judge of their own.

    \b
    mossgen judge generated/probe-negated_harm-0
    mossgen judge generated/probe-data --judge strict --model openai:my-model@http://127.0.0.1:8000/v1
    mossgen judge GPT-4o.json Claude.json --items MOSSBench/data --judge embedded --judge keywords
    """
    from mossgen.cli.console import Console
    from mossgen.judgements.judge import judge as label

    with Console(quiet) as console:
        made = label(
            responses, judges or JUDGE, model=model, options=parse_options(options), items=items, side=side,
            out=out, max_cost=max_cost, empty_refuses=empty_refuses, progress=console,
        )  # fmt: skip
    result = made.to_dict()
    return result, _text(result), FELL_SHORT if made.missing else 0


def _text(result: dict[str, Any]) -> str:
    lines = []
    for (judge, expected), cells in _tables(result["table"]).items():
        lines += ["", f"{judge}, {MEASURED[expected]}: refusals in % with 95 % intervals", _row(_HEADING)]
        lines += [_row(_cells(cell)) for cell in cells]
    lines += _compared(result)
    for name, tally in result["labelled"].items():
        lines += ["", f"{name}: {sum(tally['labels'].values())} of {tally['wanted']} labelled ({tally['asked']} asked "
                  f"now); ${tally['cost']:.4f}."]  # fmt: skip
        failures = sorted(tally["failures"].items(), key=lambda pair: -pair[1])[:3]
        lines += [f"  {count} failed: {reason}" for reason, count in failures]
        lines += [f"  Stopped: {tally['stopped'].rstrip('.')}."] if tally["stopped"] else []
        lines += [f"  {tally['missing']} are missing: run the same command again."] if tally["missing"] else []
    lines += ["", *with_flags(result["notes"]), f"{result['out']}: next, mossgen report {result['out']}"]
    return "\n".join(lines).lstrip("\n")


_HEADING = ("target", "items", "refusal", "of which full", "n", "unscored")
_WIDTHS = (24, 24, 20, 14, 6, 9)


def _row(cells: tuple[str, ...]) -> str:
    return " ".join(
        cell.ljust(width) if number < 2 else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    ).rstrip()


def _tables(cells: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The cells of `all` and of types, by judge and side."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for cell in cells:
        if cell["by"] in ("all", "type"):
            found.setdefault((cell["judge"], cell["expected"]), []).append(cell)
    return found


def _cells(cell: dict[str, Any]) -> tuple[str, ...]:
    refusal, full = "none scored", ""
    if cell["n"]:
        refusal = f"{cell['refusal']:.0%} ({cell['low']:.0%} to {cell['high']:.0%})".replace("%", "")
        full = f"{100 * cell['full']:.0f}"
    return cell["target"][:24], cell["value"][:24], refusal, full, str(cell["n"]), str(cell["unscored"])


def _compared(result: dict[str, Any]) -> list[str]:
    """Tests between targets over all types, correlations, and judges beside each other."""
    lines = []
    tests = [test for test in result["comparisons"] if test["type"] == "all"]
    lines += ["", "Exact McNemar tests on benign items that both answered (p by Holm):"] if tests else []
    lines += [
        f"  {t['judge']}: {t['a']} alone refused {t['only_a']}, {t['b']} alone {t['only_b']}, of {t['items']}: "
        f"p = {t['p_holm']:.2g}"
        for t in tests
    ]
    for found in result["correlations"]:
        if found["type"] == "all" and found["rho"] is not None:
            lines.append(
                f"  {found['judge']}: Spearman's rho of refusing harmful and refusing benign items, over "
                f"{found['targets']} targets: {found['rho']:.2f}"
            )
    lines += ["", "Judges:"] if result["judges"] else []
    for pair in result["judges"]:
        said = f"agree on {pair['agreement']:.1%}" if pair["n"] else "share no scored response"
        alpha = f", alpha {pair['alpha']:.2f}" if pair["alpha"] is not None else ""
        if pair.get("macro_f1") is not None:
            said = f"accuracy {pair['accuracy']:.1%} ({pair['accuracy_binary']:.1%} with full and partial as one), "
            said += f"macro-F1 {pair['macro_f1']:.2f}"
        lines.append(f"  {pair['a']} and {pair['b']}: {said}{alpha}, on {pair['n']} that both scored")
    return lines
