"""`mossgen probe`: what target models respond to the items of a set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import answers, odd, parse_options, together

if TYPE_CHECKING:
    from mossgen.plugins.spec import Part
    from mossgen.sets.dataset import Record

FELL_SHORT = 1
READ, PICTURE, WRITTEN = 40, 800, 200  # tokens of a question, a picture, a response: for an estimate only
SHOWN = 3  # sorts of failure told in words


def target_options(each: bool = True) -> Callable[..., Any]:
    """What probe, diagnose and evolve share: who is asked, and for how much, of `each` target or in all."""
    return together(
        click.option("--target", "targets", multiple=True, required=True, metavar="KIND:MODEL[@URL]",
                     help="openai:MODEL[@URL], transformers:PATH, file:RESPONSES, or another of `mossgen plugins`; "
                          "repeatable."),
        click.option("--system", default="", metavar="TEXT|@FILE", help="A system prompt."),
        click.option("--set", "options", multiple=True, metavar="target.OPTION=VALUE",
                     help="An option of all targets; of the second with target2.OPTION; repeatable."),
        click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD",
                     help=f"Stop when this invocation has spent so much{' on a target' if each else ''}."),
        click.option("--max-time", type=click.FloatRange(min=0), metavar="SECONDS",
                     help=f"Stop when {'a target' if each else 'this invocation'} has taken so long."),
    )  # fmt: skip


# what probe and diagnose share: what is asked about
item_options = together(
    click.argument("set_", metavar="SET", type=click.Path(path_type=Path)),
    click.option("--type", metavar="TYPE|FILE", help="The items' type, where the set does not say."),
    click.option("--side", metavar="NAME", help="Of a set that was split.  [default: test]"),
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
@answers
def probe(
    set_: Path, targets: tuple[str, ...], options: tuple[str, ...], system: str, samples: int, out: Path | None,
    dry_run: bool, max_cost: float | None, max_time: float | None, quiet: bool, type: str | None,
    side: str | None, limit: int | None, contrast: bool,
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
    from mossgen.core.budget import Limits
    from mossgen.plugins.spec import target_parts
    from mossgen.probes.items import askable, open_items
    from mossgen.probes.probing import Probe, Wish

    parts = target_parts(targets, parse_options(options))
    found = open_items(set_, type=type, side=side, contrast=contrast)
    records = askable(found, limit)
    folder = out or Path("generated") / f"probe-{set_.resolve().name}"
    if dry_run:
        result = _estimate(parts, targets, records, samples, folder)
        return result, _priced(result), 0
    wish = Wish(samples, prompt(system))
    _refuse_equal_samples(parts, samples)
    tallies = {}
    limits = Limits(max_time, max_cost)
    with Console(quiet) as console, Probe(folder, set_.resolve().name, wish) as asking:
        for part in parts:
            target = loaded(part, console)
            tallies[target.name] = asking.ask(records, target, limits, console)
    result = {
        "out": str(folder),
        "items": len(records),
        "problems": dict(found.problems),
        "targets": {name: tally.told() for name, tally in tallies.items()},
    }
    return result, _text(result), FELL_SHORT if any(t.missing for t in tallies.values()) else 0


def prompt(given: str) -> str:
    """The text, or with @ before it what the file of that name holds. Raises ConfigError."""
    from mossgen.errors import ConfigError
    from mossgen.files.disk import read_text

    return read_text(Path(given[1:]), 100_000, ConfigError) if given.startswith("@") else given


def loaded(part: Part, console: Any) -> Any:
    """The target, with its weights fetched if they are embedded ones. Raises MossgenError."""
    from mossgen.plugins import registry

    console.say(f"loading {part.plugin}:{part.options['model']}")
    return registry.load("targets", part.plugin, part.options, console)


def _refuse_equal_samples(parts: tuple[Part, ...], samples: int) -> None:
    """Raises ConfigError where several samples are wanted of a target that always says the same."""
    from mossgen.errors import ConfigError

    fixed = next((part for part in parts if part.options.get("temperature") == 0), None)
    if samples > 1 and fixed:
        raise ConfigError(
            f"-k {samples} asks {fixed.plugin}:{fixed.options['model']} for several responses an item, but its "
            "temperature is 0, so that they would be the same: add --set target.temperature=0.7, or leave out -k."
        )


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
    lines += odd(result["problems"])
    lines.append(f"{result['out']}: next, mossgen judge {result['out']}")
    return "\n".join(lines)


def failed(failures: Mapping[str, int]) -> list[str]:
    """Lines on requests that were not taken: the commonest reasons, and how many there were for others."""
    common = sorted(failures.items(), key=lambda pair: -pair[1])
    lines = [f"  {count} failed: {reason}" for reason, count in common[:SHOWN]]
    if len(common) > SHOWN:
        lines.append(f"  {sum(count for _, count in common[SHOWN:])} failed for other reasons (--json has them).")
    return lines


def _estimate(
    parts: tuple[Part, ...], specs: tuple[str, ...], records: list[Record], samples: int, folder: Path
) -> dict[str, Any]:
    """What would be asked of each target, in rough tokens and dollars; what is kept of this set is left out."""
    from mossgen.files.responses import RESPONSES, read_responses

    kept = read_responses(folder / RESPONSES) if (folder / RESPONSES).is_file() else []
    ids = {record.id for record in records}
    found = {}
    for part, spec in zip(parts, specs, strict=True):
        name = f"{part.plugin}:{part.options['model']}"
        done = sum(row.target == name and row.id in ids and row.sample < samples for row in kept)
        queries = len(records) * samples - done
        read, written = queries * (READ + PICTURE), queries * WRITTEN
        usd = part.parsed("targets").estimate(read, written)
        usd = None if usd is None else round(usd, 4)
        found[spec] = {"queries": queries, "kept": done, "tokens_in": read, "tokens_out": written, "cost": usd}
    return {"out": str(folder), "items": len(records), "targets": found}


def _priced(result: dict[str, Any]) -> str:
    lines = []
    for spec, told in result["targets"].items():
        cost = "price not known: give target.price_in and target.price_out, in dollars per million tokens"
        if told["cost"] is not None:
            cost = f"about ${told['cost']:.2f}"
        lines.append(f"{spec}: {told['queries']} queries ({told['kept']} kept already), {cost}.")
    return "\n".join(lines)
