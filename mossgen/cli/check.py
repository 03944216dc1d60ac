"""`mossgen check`: the benignness policy over any set."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers, one_line, parse_options, together
from mossgen.errors import RunError

SHORT = 72  # characters of a question or reason in the table


# what check and contrast share: by what is judged, and who decides
checking_options = together(
    click.option("--checker", "checkers", multiple=True, metavar="PLUGIN",
                 help="For the usual ones (rules, safety, sanity, legible); repeatable."),
    click.option("--vlm", metavar="KIND:MODEL[@URL]",
                 help="A vision-language model that sees the pair: openai:MODEL@URL, or transformers:PATH."),
    click.option("--gate", "gates", multiple=True, metavar="CHECKER", help="Let this checker decide; repeatable."),
    click.option("--signal", "signals", multiple=True, metavar="CHECKER",
                 help="Only record what it says; repeatable."),
    click.option("--set", "options", multiple=True, metavar="PLUGIN.OPTION=VALUE", help="An option; repeatable."),
    click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD",
                 help="Stop when this invocation has spent so much; what is free goes on."),
)  # fmt: skip


@click.command()
@click.argument("set_", metavar="SET", type=click.Path(path_type=Path))
@click.option("--type", "type_name", metavar="TYPE|FILE", help="The type of items that do not say theirs.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.jsonl",
              help="Keep every item here as it is decided; the same command again goes on.")  # fmt: skip
@checking_options
@answers
def check(set_: Path, out: Path | None, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    """Say of every item of a set whether it is benign: a run, MOSSBench, an ImageFolder, a JSONL with images.

    \b
    mossgen check generated/negated_harm-0
    mossgen check MOSSBench/data --out checked.jsonl
    mossgen check my-images/ --type exaggerated_risk --vlm openai:my-model@http://127.0.0.1:8000/v1 --json
    """
    from mossgen.checks.checking import check_set
    from mossgen.checks.verdicts import spent
    from mossgen.cli.console import Console
    from mossgen.sets.open import open_set

    records = open_set(set_, type=options["type_name"])
    with Console(quiet) as console:
        checking = prepared(set_, console, **options)
        checked = check_set(records, checking, out, console)
    rows = checked.rows
    stopped = checked.stopped and f"{checked.stopped} {_left(len(rows), len(records), out)}"
    if stopped and not rows:
        raise RunError(stopped)
    missing = [r for r in rows if r["by"] == "set"]
    result = {
        "set": str(set_),
        "policy": checking.head["policy"],
        "notes": list(checking.head["notes"]),
        "counts": dict(Counter(r["decision"] for r in rows)),
        "accepted": sum(r["accepted"] for r in rows),
        "unreadable": len(missing),
        "cost": round(spent(checking.checkers), 4),
        "stopped": stopped,
        "items": rows,
    }
    return result, _text(result), 1 if missing or stopped else 0


def _left(done: int, of: int, out: Path | None) -> str:
    """What became of a check that stopped, and how to go on."""
    kept = f"they are in {out}: the same command goes on" if out else "with --out they are kept, and the check goes on"
    return f"{done} of {of} items were checked; {kept}."


def prepared(
    set_: Path, console: Any, type_name: str | None, checkers: tuple[str, ...], vlm: str | None,
    gates: tuple[str, ...], signals: tuple[str, ...], options: tuple[str, ...], max_cost: float | None,
) -> Any:  # fmt: skip
    """The checkers, loaded, with what the output file says of them. Raises MossgenError.

    The policy is that of the run, or of the template given, where no flag says otherwise.
    """
    from mossgen.checks.checking import Checking
    from mossgen.checks.policy import resolve, stated, unseen
    from mossgen.core.budget import Limits
    from mossgen.plugins import registry
    from mossgen.runs.config import checking_parts, parse_roles, read_config, refuse_own_writer, settled_roles
    from mossgen.runs.store import CONFIG
    from mossgen.stimulus.schema import Roles
    from mossgen.stimulus.types import load_type

    parts = checking_parts(checkers, parse_options(options), vlm)
    given = load_type(type_name) if type_name else None
    policies = given.template.policy if given else Roles()
    if (set_ / CONFIG).is_file():
        run = read_config(set_ / CONFIG)
        refuse_own_writer(run.llm, parts)
        policies = run.policy
    roles = settled_roles(parse_roles(gates, signals), policies, [part.plugin for part in parts])
    console.say("loading checkers")
    loaded = [registry.load("checkers", part.plugin, part.options, console) for part in parts]
    policy = resolve(loaded, roles)
    head = {
        "checkers": [part.model_dump(mode="json") for part in parts],
        "type": type_name,
        "policy": stated(loaded, policy),
        "notes": unseen([checker.options for checker in loaded]),
    }
    types = {given.name: given} if given else {}
    return Checking(loaded, policy, json.loads(json.dumps(head)), types, Limits(usd=max_cost))


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
    lines += result["notes"]
    if result["stopped"]:
        lines.append(result["stopped"])
    if result["unreadable"]:
        lines.append(f"{result['unreadable']} could not be read: they are named above and count as unsure.")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= SHORT else line[: SHORT - 1] + "…"
