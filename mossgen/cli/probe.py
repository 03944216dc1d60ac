"""`mossgen probe`: what target models respond to the items of a set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import option_group, parse_options, prints_result, problem_lines

FELL_SHORT = 1
SHOWN = 3  # sorts of failure told in words


def target_options(each: bool = True) -> Callable[..., Any]:
    """What probe, diagnose and evolve share: who is asked, and for how much, of `each` target or in all."""
    return option_group(
        click.option("--target", "targets", multiple=True, required=True, metavar="KIND:MODEL[@URL]",
                     help="openai:MODEL[@URL], transformers:PATH, file:RESPONSES, or another of `mossgen plugins`; "
                          "repeatable."),
        click.option("--system", default="", metavar="TEXT|@FILE", help="A system prompt."),
        click.option("--set", "options", multiple=True, metavar="target.OPTION=VALUE",
                     help="An option of all targets, with target2.OPTION of the second; repeatable."),
        click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD",
                     help=f"Stop when this command has spent this much{' on a target' if each else ''}."),
        click.option("--max-time", type=click.FloatRange(min=0), metavar="SECONDS",
                     help=f"Stop when {'a target' if each else 'this command'} has taken this long."),
    )  # fmt: skip


# what probe and diagnose share: what is asked about
item_options = option_group(
    click.argument("set_", metavar="SET", type=click.Path(path_type=Path)),
    click.option("--type", metavar="TYPE|FILE", help="The items' type, where the set does not say."),
    click.option("--side", metavar="NAME", help="The side of a set that was split.  [default: test]"),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The first N items only."),
)  # fmt: skip


@click.command()
@item_options
@target_options()
@click.option("--contrast", is_flag=True, help="Ask about the harmful partners too: those should be refused.")
@click.option("-k", "--samples", default=1, show_default=True, type=click.IntRange(min=1), help="Responses an item.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where responses are kept.  [default: generated/probe-NAME]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be asked, and at what price; ask nothing.")
@prints_result
def probe(
    set_: Path, targets: tuple[str, ...], options: tuple[str, ...], system: str, samples: int, out: Path | None,
    dry_run: bool, max_cost: float | None, max_time: float | None, quiet: bool, **which: Any,
) -> tuple[Any, str, int]:  # fmt: skip
    """Ask target models what the items of a set ask, and keep every response. Run again to go on.

    SET is a run, a set that was split, MOSSBench's folder, an ImageFolder, or a JSONL or CSV with images.

    \b
    mossgen probe generated/negated_harm-0 --target transformers:smollm2
    mossgen probe MOSSBench/data --target openai:gpt-4o --set target.price_in=2.5 --set target.price_out=10
    mossgen probe sets/v1 --side test --contrast --target openai:qwen@http://127.0.0.1:8000/v1 -k 5 \\
        --set target.temperature=0.7
    """
    from mossgen.cli.console import Console
    from mossgen.probes.probe import forecast
    from mossgen.probes.probe import probe as ask

    given = parse_options(options)
    if dry_run:
        told = forecast(set_, targets, samples=samples, options=given, out=out, **which)
        return told, _priced(told), 0
    with Console(quiet) as console:
        made = ask(
            set_, targets, samples=samples, system=prompt(system), options=given, out=out, max_cost=max_cost,
            max_time=max_time, progress=console, **which,
        )  # fmt: skip
    result = made.to_dict()
    return result, _text(result), FELL_SHORT if made.missing else 0


def prompt(given: str) -> str:
    """The text, or with @ before it what the file of that name holds. Raises ConfigError."""
    from mossgen.errors import ConfigError
    from mossgen.files.disk import read_text

    return read_text(Path(given[1:]), 100_000, ConfigError) if given.startswith("@") else given


def _text(result: dict[str, Any]) -> str:
    lines = []
    for name, told in result["targets"].items():
        lines.append(
            f"{name}: {told['responses']} of {told['wanted']} responses ({told['asked']} asked now), {told['empty']} "
            f"empty, {told['filtered']} filtered, {told['cut_off']} cut off by the token limit; ${told['cost']:.4f}."
        )
        lines += failed(told["failures"])
        if told["stopped"]:
            lines.append(f"  Stopped: {told['stopped'].rstrip('.')}.")
        if told["missing"]:
            lines.append(f"  {told['missing']} are missing: run the same command again to go on.")
    lines += problem_lines(result["problems"])
    lines.append(f"{result['out']}: next, mossgen judge {result['out']}")
    return "\n".join(lines)


def failed(failures: Mapping[str, int]) -> list[str]:
    """Lines on requests that were not taken: the commonest reasons, and how many there were for others."""
    common = sorted(failures.items(), key=lambda pair: -pair[1])
    lines = [f"  {count} failed: {reason}" for reason, count in common[:SHOWN]]
    if len(common) > SHOWN:
        lines.append(f"  {sum(count for _, count in common[SHOWN:])} failed for other reasons (--json has them).")
    return lines


def _priced(result: dict[str, Any]) -> str:
    lines = []
    for spec, told in result["targets"].items():
        cost = "price not known: give target.price_in and target.price_out, in dollars per million tokens"
        if told["cost"] is not None:
            cost = f"about ${told['cost']:.2f}"
        lines.append(f"{spec}: {told['queries']} queries ({told['kept']} kept already), {cost}.")
    return "\n".join(lines)
