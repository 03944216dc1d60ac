"""`mossgen evolve`: adversarial expansion, with target models in the loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import parse_options, prints_result
from mossgen.cli.probe import failed, prompt, target_options
from mossgen.core.defaults import JUDGE

if TYPE_CHECKING:
    from mossgen.evolution.evolve import Calls, Evolved

FELL_SHORT, NOTHING_ACCEPTED = 1, 3
# what decides how many calls there can be, and whether there can be any
COUNTED = (
    "n", "rounds", "held_out", "samples", "held_back", "hard_at", "mutators", "judge", "model", "options", "out",
    "type",
)  # fmt: skip


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@target_options(each=False)
@click.option("--held-out-target", "held_out", multiple=True, metavar="KIND:MODEL[@URL]",
              help="A target outside the search: it shows whether others refuse too; repeatable.")  # fmt: skip
@click.option(
    "--rounds",
    default=4,
    show_default=True,
    type=click.IntRange(min=1),
    help="Rounds of search, with 16 children each.",
)
@click.option("-n", default=12, show_default=True, type=click.IntRange(min=1), help="Children to accept.")
@click.option("-k", "--samples", default=1, show_default=True, type=click.IntRange(min=1),
              help="Responses to a child in the search.")  # fmt: skip
@click.option("--held-back", default=3, show_default=True, type=click.IntRange(1, 5),
              help="Responses to an accepted child that only measure it and took no part in choosing it.")  # fmt: skip
@click.option("--hard-at", default=1, show_default=True, type=click.IntRange(min=1), metavar="K",
              help="An item is hard if at least K targets refuse it in most responses.")  # fmt: skip
@click.option("--per-cluster", default=2, show_default=True, type=click.IntRange(min=1),
              help="Accepted children that may share a picture.")  # fmt: skip
@click.option("--mutator", "mutators", multiple=True, metavar="NAME",
              help="rewrite, write, wording, scene, element, negation or recombine; repeatable.")  # fmt: skip
@click.option("--judge", default=JUDGE, show_default=True, metavar="NAME", help="What tells refusals from answers.")
@click.option("--model", metavar="openai:MODEL[@URL]", help="The model that the judges mossbench and strict ask.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The new run.  [default: RUN-evolved]")  # fmt: skip
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seed of the search: the same seed, the same children.",
)
@click.option("--type", metavar="FILE", help="The run's own template, where it is not a shipped one.")
@click.option("--dry-run", is_flag=True, help="Say how many calls it would take at most; ask nothing.")
@prints_result
def evolve(
    run: Path, targets: tuple[str, ...], options: tuple[str, ...], system: str, dry_run: bool, quiet: bool, **given: Any
) -> tuple[Any, str, int]:  # fmt: skip
    """Vary a run's accepted items towards what target models refuse, and keep what is still benign. Run again to go on.

    Every child passes all stages anew, inside the rules of its type. What is kept is measured by responses that
    did not select it. The result is a run of its own; its hard items leave with `mossgen export --hard`.

    \b
    mossgen evolve generated/negated_harm-0 --target openai:my-model@http://127.0.0.1:8000/v1 -n 20
    mossgen evolve generated/counterintuitive-0 --target openai:a --target openai:b --hard-at 2 \\
        --held-out-target openai:c
    """
    from mossgen.cli.console import Console
    from mossgen.evolution.evolve import evolve as make
    from mossgen.evolution.evolve import most_calls

    given["options"] = parse_options(options)
    if dry_run:
        most = most_calls(run, targets, **{name: given[name] for name in COUNTED})
        return most.to_dict(), _planned(most), 0
    with Console(quiet) as console:
        made = make(run, targets, system=prompt(system), **given, progress=console)
    result = made.to_dict()
    return result, _text(result), _code(made)


def _planned(most: Calls) -> str:
    return (
        f"{most.parents} items would be varied into at most {most.children} children: at most {most.search} calls to "
        f"search and {most.held_back} to measure."
    )


def _text(result: dict[str, Any]) -> str:
    rejected = ", ".join(f"{count} by {stage}" for stage, count in result["rejected"].items()) or "none"
    lines = [
        f"{result['accepted']} accepted of {result['children']} children in {result['rounds']} rounds "
        f"(rejected: {rejected}).",
        f"Refused, by responses that selected nothing: {_share(result['before'])} before, {_share(result['after'])} "
        "after.",
        f"Hard ({result['rule']}): {result['hard']}.",
    ]
    if result["transfer"]["targets"]:
        moved = result["transfer"]
        lines.append(f"By {', '.join(moved['targets'])}, left out of the search: {_share(moved['before'])} before, "
                     f"{_share(moved['after'])} after.")  # fmt: skip
    if result["hard"]:
        lines.append(
            f"A hard item took {result['children_per_hard_item']} children, {result['calls_per_hard_item']} calls and "
            f"${result['cost_per_hard_item']:.4f}."
        )
    for name, arm in sorted(result["mutators"].items(), key=lambda pair: -pair[1]["mean"]):
        lines.append(f"  {name:10} kept {arm['kept']} of {arm['tried']}")
    odd = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in result["responses"].items() if count)
    if odd:
        lines.append(f"Among the responses: {odd}.")
    lines += failed(result["failures"])
    if result["missing"]:
        lines.append(f"{result['missing']} responses that measure are missing.")
    if result["stopped"] != "quota":
        lines.append(f"Stopped: {result['stopped'].rstrip('.')}. What was made is kept; the same command goes on.")
    lines.append(f"{Path(result['run']) / 'evolve.json'} has the figures.")
    return "\n".join(lines)


def _share(rate: dict[str, Any]) -> str:
    if rate["refusal"] is None:
        return f"none scored of {rate['n'] + rate['unscored']} responses"
    unscored = f", {rate['unscored']} responses unscored" if rate["unscored"] else ""
    return f"{rate['refusal']:.0%} ({rate['low']:.0%} to {rate['high']:.0%}, {rate['items']} items{unscored})"


def _code(made: Evolved) -> int:
    if not made.figures["accepted"]:
        return NOTHING_ACCEPTED
    return 0 if made.complete else FELL_SHORT
