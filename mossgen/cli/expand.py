"""`mossgen expand` and `mossgen preview`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import option_group, parse_options, prints_result, with_flags
from mossgen.errors import ConfigError

if TYPE_CHECKING:
    from mossgen.expansion.estimate import Forecast
    from mossgen.expansion.expand import Outcome

FELL_SHORT, NOTHING_ACCEPTED = 1, 3
PLUGIN_OPTIONS = "MOSSGEN_SET"  # the variable for --set, which flags add to
PRECEDENCE = (
    "A flag overrides its MOSSGEN_… variable, which overrides --config FILE, which overrides the default. "
    "Spaces separate the values in the variable of a repeatable flag "
    f"({PLUGIN_OPTIONS} may quote them, as in a shell); in MOSSGEN_AGAINST it is {os.pathsep!r}."
)
WHY_SHORT = {
    "candidates": "the candidates allowed were tried: raise --max-candidates, or look at what rejects them",
    "time": "the time was up: run the same command again to go on",
    "cost": "the money was spent: raise --max-cost to go on",
    "exhausted": "the template has no combination left: add values to its slots, or take another --seed",
}
WHY_PREVIEW_SHORT = {  # nothing is kept, so that nothing goes on
    **WHY_SHORT,
    "time": "the time was up: raise --max-time",
    "cost": "the money was spent: raise --max-cost",
}


class _Reference(click.ParamType[str]):
    """The name or path of a set; several in a variable stand as in PATH."""

    name = "REF"
    envvar_list_splitter = os.pathsep

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)


def setting(*flags: str, environment: bool = True, **how: Any) -> Callable[..., Any]:
    """An option for a setting of a run, which the variable MOSSGEN_FLAG sets too. Not given, it is None."""
    name = max(flags, key=lambda flag: flag.startswith("-") and len(flag)).split("/")[0].lstrip("-")
    variable = f"MOSSGEN_{name.upper().replace('-', '_')}" if environment else None
    return click.option(*flags, envvar=variable, show_envvar=environment, **{"default": None, **how})


# what expand and preview share: what is made, and with what
run_options = option_group(
    setting("--type", metavar="TYPE|FILE",
            help="exaggerated_risk, negated_harm, counterintuitive, or your own template's YAML."),
    click.option("--config", envvar="MOSSGEN_CONFIG", show_envvar=True, metavar="FILE", type=click.Path(path_type=Path),
                 help="A run file that holds any of these settings."),
    setting("--seed", type=click.IntRange(min=0), help="Same seed, same bytes.  [default: 0]"),
    setting("--preset", metavar="NAME", help="See `mossgen plugins`.  [default: embedded]"),
    setting("--llm", metavar="PLUGIN", help="The writer, in place of the preset's."),
    setting("--imager", metavar="PLUGIN", help="What draws."),
    setting("--embedder", metavar="PLUGIN", help="What embeds pictures and texts."),
    setting("--checker", "checkers", multiple=True, metavar="PLUGIN",
            help="Use this checker in place of the preset's; repeatable."),
    setting("--vlm", metavar="KIND:MODEL[@URL]",
            help="A model that sees picture and question together: openai:MODEL@URL, or transformers:PATH."),
    setting("--gate", "gates", multiple=True, metavar="CHECKER",
            help="Let this checker decide, though it is normally only recorded; repeatable."),
    setting("--signal", "signals", multiple=True, metavar="CHECKER",
            help="Only record what this checker says; repeatable."),
    click.option("--set", "options", multiple=True, metavar="PLUGIN.OPTION=VALUE",
                 help=f"An option; repeatable.  [env var: {PLUGIN_OPTIONS}]"),
    setting("--against", multiple=True, type=_Reference(), metavar="REF",
            help="Nothing near this set is accepted: an imported set's name, a run, a folder; repeatable."),
    setting("--max-cost", type=click.FloatRange(min=0), metavar="USD",
            help="Stop when this command has spent this much; free work continues."),
    setting("--max-time", type=click.FloatRange(min=0), metavar="SECONDS",
            help="Stop when this command has taken this long."),
    setting("--max-candidates", type=click.IntRange(min=1), metavar="N",
            help="Stop when the run has tried so many in all."),
)  # fmt: skip


@click.command(epilog=PRECEDENCE)
@run_options
@setting("-n", type=click.IntRange(min=1), help="Items to ACCEPT.  [default: 12]")
@setting("--run", metavar="DIR", help="The run's folder.  [default: generated/TYPE-SEED]")
@click.option("--save-config", type=click.Path(path_type=Path), metavar="FILE",
              help="Write these settings to a new run file, for --config.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be made, and what it would cost; make nothing.")
@setting("--reviewed/--not-reviewed", help="Count and write only items that people have confirmed as benign.")
@setting("-k", "--votes", type=click.IntRange(min=1),
         help="Votes of people wanted for an item; more than half of them decide.  [default: 3]")  # fmt: skip
@prints_result
def expand(dry_run: bool, quiet: bool, **given: Any) -> tuple[Any, str, int]:
    """Make N accepted items of one type. The same command again resumes; a larger -n adds to the run.

    \b
    mossgen expand --type negated_harm
    mossgen expand --type exaggerated_risk -n 200 --seed 7 --against generated/exaggerated_risk-0
    mossgen expand --type counterintuitive --preset gpu --set diffusers.model=sdxl
    mossgen expand --type negated_harm --reviewed
    mossgen expand --type negated_harm --max-cost 5 --preset openai --save-config run.yaml --dry-run
    mossgen expand --config run.yaml -n 24
    """
    from mossgen.cli.console import Console
    from mossgen.expansion.estimate import forecast
    from mossgen.expansion.expand import expand as make

    if dry_run:
        found = forecast(**_given(given))
        return found.to_dict(), _forecast_text(found), 0
    with Console(quiet) as console:
        outcome = make(**_given(given), progress=console).outcome
    return outcome.to_dict(), "\n".join((_run_text(outcome), *with_flags(outcome.notes))), _run_code(outcome)


@click.command(epilog=PRECEDENCE)
@run_options
@setting("-n", environment=False, type=click.IntRange(min=1), help="Items to accept.  [default: 4]")
@prints_result
def preview(quiet: bool, **given: Any) -> tuple[Any, str, int]:
    """Like expand, but nothing is kept: shows what the items would be.

    \b
    mossgen preview --type counterintuitive
    mossgen preview --config run.yaml
    """
    from mossgen.cli.console import Console
    from mossgen.expansion.preview import preview as make

    with Console(quiet) as console:
        made = make(**_given(given), progress=console)
    lines = [f"{item.question}\n    {item.picture}" for item in made.items]
    if not made.outcome.complete:
        told = made.outcome
        lines.append(f"Only {told.accepted} of {told.wanted} were found: {WHY_PREVIEW_SHORT[told.stopped]}.")
    return made.to_dict(), "\n".join(lines), _run_code(made.outcome)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What flags and the environment give, as the package takes it; what neither gives is left out."""
    try:
        from_environment = shlex.split(os.environ.get(PLUGIN_OPTIONS, ""))
    except ValueError:
        raise ConfigError(f"{PLUGIN_OPTIONS}: a quote is not closed.") from None
    given = {**options, "options": parse_options([*from_environment, *options["options"]])}
    return {name: value for name, value in given.items() if value not in (None, (), {})}


def _run_text(outcome: Outcome) -> str:
    rejected = ", ".join(f"{count} by {stage}" for stage, count in outcome.rejected.items()) or "none"
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in outcome.stages.items())
    lines = [
        f"{outcome.accepted} accepted of {outcome.candidates} candidates (rejected: {rejected}).",
        f"Cost: {outcome.seconds:.0f} s ({stages}), ${outcome.usd:.2f}.",
        _profile_text(outcome.profile),
        f"Look at {outcome.run / 'index.html'}"
        + (f"; load {outcome.run / 'imagefolder'} with `datasets`." if outcome.accepted else "."),
    ]
    if not outcome.complete:
        lines.append(_short_text(outcome) + " What was made is kept.")
    return "\n".join(lines)


def _profile_text(profile: Mapping[str, Any]) -> str:
    """Where the time of this invocation went."""
    parts = [f"This time: {profile['seconds']:.1f} s"]
    if profile["first_picture"] is not None:
        parts += [
            f"first picture after {profile['first_picture']:.1f} s ({_seconds(profile['until_first_picture'])})",
            f"models loaded in seconds: {_seconds(profile['load'])}",
        ]
    parts.append(f"{profile['items_per_second']:.2f} items/s")
    if profile["peak_memory_mb"]:
        parts.append(f"at most {profile['peak_memory_mb']:,} MB of memory")
    return "; ".join(parts) + "."


def _seconds(spent: Mapping[str, float]) -> str:
    """Seconds by what they went into; what took next to none is left out."""
    return ", ".join(f"{what} {seconds:.1f}" for what, seconds in spent.items() if seconds >= 0.05)


def _short_text(outcome: Outcome) -> str:
    wanted = outcome.wanted
    if outcome.waiting and outcome.accepted + outcome.waiting >= wanted:
        return (
            f"Fell short of {wanted}: {outcome.waiting} items wait for people's votes; `mossgen review {outcome.run}` "
            "takes them, then the same command goes on."
        )
    return f"Fell short of {wanted}: {WHY_SHORT[outcome.stopped]}."


def _run_code(outcome: Outcome) -> int:
    if outcome.accepted == 0 and not outcome.waiting:
        return NOTHING_ACCEPTED
    return 0 if outcome.complete else FELL_SHORT


def _forecast_text(found: Forecast) -> str:
    size = sum(found.downloads.values()) / 1e6
    duration = f"about {found.seconds:.0f} s" if found.seconds else "time not known before a first run"
    prices = f" (set {', '.join(found.unpriced)})" if found.unpriced else ""
    cost = f"not known{prices}" if found.usd is None else f"${found.usd:.2f}"
    lines = [
        f"Would try about {found.candidates} candidates and draw at most {found.pictures} pictures "
        f"for {found.wanted} accepted items ({found.accepted} are there) in {found.run}.",
        f"Cost: {cost}, {duration}; downloads: {f'{size:.0f} MB' if size else 'none'}.",
        "The plan begins:",
        *(f"  {text}" for text in found.plan),
    ]
    return "\n".join(lines)
