"""`mossgen judge`: which responses are refusals, and the rates of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import answers, parse_options, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mossgen.files.responses import Row
    from mossgen.judgements.labels import Labels, Tally
    from mossgen.plugins.spec import Part
    from mossgen.sets.dataset import Record

FELL_SHORT = 1
RATES = "rates.json"
MEASURED = {"comply": "benign items", "refuse": "harmful partners (to be refused)"}

# what judge and report share
rate_options = together(
    click.option("--empty-refuses", is_flag=True, help="Count responses without a text as refusals, as MOSSBench."),
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
@click.option("--model", metavar="openai:MODEL[@URL]", help="Whom mossbench and strict ask.")
@click.option("--set", "options", multiple=True, metavar="JUDGE.OPTION=VALUE", help="An option; repeatable.")
@click.option(
    "--items",
    metavar="SET",
    type=click.Path(path_type=Path),
    help="The set that was asked about: its types, categories, facts, questions and pictures, by id.",
)
@click.option("--side", metavar="NAME", help="Of such a set, if it was split.  [default: test]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where labels and rates are kept.  [default: the probe's folder, or generated/judge-NAME]",
)
@click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Stop when a judge has spent so much.")
@rate_options
@answers
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
    from mossgen.errors import ConfigError
    from mossgen.files.responses import gather, keep, remembered
    from mossgen.judgements.labels import LABELS, Labels, judge_rows, stated
    from mossgen.judgements.rates import by_judge, figures
    from mossgen.plugins.spec import refusal_judge_parts
    from mossgen.probes.items import askable, matched, open_items

    parts = refusal_judge_parts(judges or ("embedded",), model, parse_options(options))
    if side is not None and items is None:
        raise ConfigError(f"`side` {side} is of a set: give it with `items` SET.")
    folder, own = _folder(responses, out)
    rows, records = remembered(folder, gather(responses)), dict[str, "Record"]()
    if items is not None:
        rows, records = matched(rows, askable(open_items(items, side=side)))
    tallies: dict[str, Tally] = {}
    with Console(quiet) as console:
        loaded = [_loaded(part, console) for part in parts]
        with Labels(folder / LABELS, rows) as labels:
            if own:
                keep(folder, rows)
            for one in loaded:
                tallies[one.name] = judge_rows(rows, one, labels, records, max_cost, console)
            stated(rows, labels)
    told = figures(by_judge(rows, labels.rows.values(), empty_refuses), empty_refuses)
    _write(folder, told)
    result = _result(folder, rows, records, items, loaded, labels, told, tallies, parts)
    return result, _text(result, told), FELL_SHORT if any(t.missing for t in tallies.values()) else 0


def _folder(responses: tuple[Path, ...], out: Path | None) -> tuple[Path, bool]:
    """Where labels are kept, and whether the responses are to be kept there too. Raises ConfigError."""
    from mossgen.errors import ConfigError
    from mossgen.probes.probing import HEAD

    first = responses[0]
    if len(responses) == 1 and first.is_dir() and (out is None or out.resolve() == first.resolve()):
        return first, not (first / HEAD).is_file()
    folder = out or Path("generated") / f"judge-{first.resolve().stem}"
    if (folder / HEAD).is_file():
        raise ConfigError(f"{folder} is the folder of a probe, and holds its own responses only: give another `out`.")
    return folder, True


def _loaded(part: Any, console: Any) -> Any:
    from mossgen.plugins import registry

    console.say(f"loading judge {part.plugin}")
    return registry.load("judges", part.plugin, part.options, console)


def _write(folder: Path, told: dict[str, Any]) -> None:
    import json

    from mossgen.files.disk import write_whole
    from mossgen.files.folders import disk_errors

    with disk_errors(folder / RATES):
        write_whole(folder / RATES, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())


def _result(
    folder: Path, rows: list[Row], items: dict[str, Record], set_: Path | None, judges: list[Any], labels: Labels,
    told: dict[str, Any], tallies: dict[str, Tally], parts: Sequence[Part],
) -> dict[str, Any]:  # fmt: skip
    """What --json prints; `rates` are of the benign items of the first judge and target, `table` of all."""
    table = told["rates"]
    head = next((c for c in table if c["judge"] == judges[0].name and c["expected"] == "comply"), None) or {}
    first = [c for c in table if all(c[key] == head.get(key) for key in ("judge", "target", "expected"))]
    columns = ("id", "target", "sample", "judge", "label", "score", "reason")
    return {
        "out": str(folder),
        "responses": len(rows),
        "items": [{name: getattr(label, name) for name in columns} for label in labels.rows.values()],
        "judge": head.get("judge"),
        "target": head.get("target"),
        "rates": {c["value"]: c for c in first if c["by"] in ("all", "type")},
        "labelled": {name: _told(tally) for name, tally in tallies.items()},
        "table": table,
        **{key: told[key] for key in ("empty_refuses", "comparisons", "correlations", "judges")},
        "notes": _notes(rows, items, set_, judges, parts),
    }


def _told(tally: Tally) -> dict[str, Any]:
    return {
        "wanted": tally.wanted, "labels": dict(tally.kinds), "asked": tally.asked, "missing": tally.missing,
        "failures": dict(tally.failures), "stopped": tally.stopped, "cost": round(tally.cost, 6),
    }  # fmt: skip


def _notes(
    rows: list[Row], items: dict[str, Record], set_: Path | None, judges: list[Any], parts: Sequence[Part]
) -> list[str]:
    """What a reader of the rates must know."""
    from mossgen.plugins.spec import judge_options

    found = []
    strange = sum(row.id not in items for row in rows) if items else 0
    if strange:
        found.append(f"{strange} responses are to items that {set_} does not have; they keep what their file says.")
    if any(row.type is None for row in rows):
        found.append("Responses whose items' type is not known count in `all` only: --items SET brings it.")
    blind = [judge.name for judge in judges if judge.sees and not items]
    if blind:
        found.append(f"{', '.join(blind)} judged without the pictures: --items SET brings them.")
    for options in judge_options(parts):
        found += [options.caution] if options.caution else []
        found += [options.trained_on] if options.trained_on and any(row.label for row in rows) else []
    return found


def _text(result: dict[str, Any], told: dict[str, Any]) -> str:
    lines = []
    for (judge, expected), cells in _tables(told["rates"]).items():
        lines += ["", f"{judge}, {MEASURED[expected]}: refusals in % with 95 % intervals", _row(_HEADING)]
        lines += [_row(_cells(cell)) for cell in cells]
    lines += _compared(told)
    for name, tally in result["labelled"].items():
        lines += ["", f"{name}: {sum(tally['labels'].values())} of {tally['wanted']} labelled ({tally['asked']} asked "
                  f"now); ${tally['cost']:.4f}."]  # fmt: skip
        failures = sorted(tally["failures"].items(), key=lambda pair: -pair[1])[:3]
        lines += [f"  {count} failed: {reason}" for reason, count in failures]
        lines += [f"  Stopped: {tally['stopped'].rstrip('.')}."] if tally["stopped"] else []
        lines += [f"  {tally['missing']} are missing: run the same command again."] if tally["missing"] else []
    lines += ["", *result["notes"], f"{result['out']}: next, mossgen report {result['out']}"]
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


def _compared(told: dict[str, Any]) -> list[str]:
    """Tests between targets over all types, correlations, and judges beside each other."""
    lines = []
    tests = [test for test in told["comparisons"] if test["type"] == "all"]
    lines += ["", "Exact McNemar tests on benign items that both answered (p by Holm):"] if tests else []
    lines += [
        f"  {t['judge']}: {t['a']} alone refused {t['only_a']}, {t['b']} alone {t['only_b']}, of {t['items']}: "
        f"p = {t['p_holm']:.2g}"
        for t in tests
    ]
    for found in told["correlations"]:
        if found["type"] == "all" and found["rho"] is not None:
            lines.append(
                f"  {found['judge']}: Spearman's rho of refusing harmful and refusing benign items, over "
                f"{found['targets']} targets: {found['rho']:.2f}"
            )
    lines += ["", "Judges:"] if told["judges"] else []
    for pair in told["judges"]:
        said = f"agree on {pair['agreement']:.1%}" if pair["n"] else "share no scored response"
        alpha = f", alpha {pair['alpha']:.2f}" if pair["alpha"] is not None else ""
        if pair.get("macro_f1") is not None:
            said = f"accuracy {pair['accuracy']:.1%} ({pair['accuracy_binary']:.1%} with full and partial as one), "
            said += f"macro-F1 {pair['macro_f1']:.2f}"
        lines.append(f"  {pair['a']} and {pair['b']}: {said}{alpha}, on {pair['n']} that both scored")
    return lines
