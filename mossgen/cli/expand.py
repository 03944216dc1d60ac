"""`mossgen expand` and `mossgen preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers, parse_options, together, votes_option

NOTHING_ACCEPTED = 3


# what expand and preview share: what is made, and with what
run_options = together(
    click.option("--type", "type_name", required=True, metavar="TYPE|FILE",
                 help="exaggerated_risk, negated_harm, counterintuitive, or your own template's YAML."),
    click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
                 help="Same seed, same bytes."),
    click.option("--preset", default="embedded", show_default=True, help="See `mossgen plugins`."),
    click.option("--llm", metavar="PLUGIN", help="The writer, in place of the preset's."),
    click.option("--imager", metavar="PLUGIN", help="What draws."),
    click.option("--embedder", metavar="PLUGIN", help="What embeds pictures and texts."),
    click.option("--checker", "checkers", multiple=True, metavar="PLUGIN", help="For the preset's; repeatable."),
    click.option("--judge", metavar="KIND:MODEL[@URL]",
                 help="A judge who sees the pair: openai:MODEL@URL, or transformers:PATH."),
    click.option("--gate", "gates", multiple=True, metavar="CHECKER",
                 help="Let this checker decide, where it is only recorded; repeatable."),
    click.option("--signal", "signals", multiple=True, metavar="CHECKER",
                 help="Only record what this checker says; repeatable."),
    click.option("--set", "options", multiple=True, metavar="PLUGIN.OPTION=VALUE", help="An option; repeatable."),
    click.option("--against", multiple=True, metavar="REF",
                 help="Nothing near this set is accepted: an imported set's name, a run, a folder; repeatable."),
    click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD",
                 help="Stop when this invocation has spent so much; what is free goes on."),
    click.option("--max-time", type=click.FloatRange(min=0), metavar="SECONDS",
                 help="Stop when this invocation has taken so long."),
    click.option("--max-candidates", type=click.IntRange(min=1), metavar="N",
                 help="Stop when the run has tried so many in all."),
)  # fmt: skip


@click.command()
@run_options
@click.option("-n", "wanted", default=12, show_default=True, type=click.IntRange(min=1), help="Items to ACCEPT.")
@click.option("--run", type=click.Path(path_type=Path), help="The run's folder.  [default: generated/TYPE-SEED]")
@click.option("--dry-run", is_flag=True, help="Say what would be made, and what it would cost; make nothing.")
@click.option("--reviewed", is_flag=True, help="Only what people settled as benign counts, and is written.")
@votes_option
@answers
def expand(
    wanted: int, run: Path | None, dry_run: bool, reviewed: bool, votes: int, quiet: bool, **options: Any
) -> tuple[Any, str, int]:
    """Make N accepted items of one type. The same command again resumes; a larger -n adds to the run.

    \b
    mossgen expand --type negated_harm
    mossgen expand --type exaggerated_risk -n 200 --seed 7 --against generated/exaggerated_risk-0
    mossgen expand --type counterintuitive --preset gpu --set diffusers.model=sdxl
    mossgen expand --type negated_harm --reviewed
    """
    from mossgen.checks import policy
    from mossgen.expansion import estimate
    from mossgen.expansion.profile import Profile
    from mossgen.reviews.apply import apply_votes

    profile = Profile()
    stimulus, config = _configured(options)
    folder = run or Path("generated") / f"{stimulus.name}-{options['seed']}"
    if dry_run:
        forecast = estimate.forecast(stimulus, config, wanted, folder)
        return forecast, estimate.sentence(forecast), 0
    settle = (lambda store, strictly: apply_votes(store, votes, strictly)) if reviewed else None
    outcome = _expand(folder, stimulus, config, wanted, quiet, options, profile, settle)
    notes = policy.unseen([part.plugin for part in config.checkers])
    result = {**_run_object(outcome, wanted), "notes": notes}
    return result, "\n".join((_run_text(outcome, wanted), *notes)), _run_code(outcome, wanted)


@click.command()
@run_options
@click.option("-n", "wanted", default=4, show_default=True, type=click.IntRange(min=1), help="Items to accept.")
@answers
def preview(wanted: int, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    """Like expand, but nothing is kept: shows what the items would be.

    \b
    mossgen preview --type counterintuitive
    """
    import tempfile

    from mossgen.core.items import State
    from mossgen.expansion.profile import Profile
    from mossgen.runs.store import RunStore

    profile = Profile()
    stimulus, config = _configured(options)
    with tempfile.TemporaryDirectory(prefix="mossgen-preview-") as folder:
        outcome = _expand(Path(folder) / "run", stimulus, config, wanted, quiet, options, profile)
        with RunStore.open(outcome.run) as store:
            items = store.items(State.ACCEPTED)
    shown = [{"id": i.id, "question": i.question, "picture": i.description} for i in items]
    lines = [f"{s['question']}\n    {s['picture']}" for s in shown]
    result = {**_run_object(outcome, wanted), "run": None, "items": shown}
    if outcome.accepted < wanted:
        lines.append(_short_text(outcome, wanted))
    return result, "\n".join(lines), _run_code(outcome, wanted)


def _configured(options: dict[str, Any]) -> tuple[Any, Any]:
    from mossgen.runs.config import build_config, parse_roles
    from mossgen.sets.references import locate
    from mossgen.stimulus.types import load_type

    stimulus = load_type(options["type_name"])
    parts = {role: options[role] for role in ("llm", "imager", "embedder")}
    config = build_config(
        stimulus, options["seed"], options["preset"], parts,
        options["checkers"], parse_options(options["options"]), [str(locate(name)) for name in options["against"]],
        parse_roles(options["gates"], options["signals"]), options["judge"],
    )  # fmt: skip
    return stimulus, config


def _expand(
    folder: Path, stimulus: Any, config: Any, wanted: int, quiet: bool, options: dict[str, Any], profile: Any,
    settle: Any = None,
) -> Any:  # fmt: skip
    from mossgen.cli.console import Console
    from mossgen.core.budget import Budget
    from mossgen.expansion.expand import expand_run
    from mossgen.models import weights

    budget = Budget(wanted, options["max_candidates"], options["max_time"], options["max_cost"])
    with Console(quiet, wanted) as console:
        for name in config.weights:
            with profile.loading("weights"):  # downloads, the first time
                weights.path(name, console.download)
        return expand_run(folder, stimulus, config, budget, console.run, console.say, profile, settle)


def _run_object(outcome: Any, wanted: int) -> dict[str, Any]:
    return {
        "run": str(outcome.run),
        "type": outcome.type,
        "accepted": outcome.accepted,
        "candidates": outcome.candidates,
        "rejected": outcome.rejected,
        "seconds": outcome.seconds,
        "cost": outcome.usd,
        "complete": outcome.accepted >= wanted,
        "waiting": outcome.waiting,
        "stopped": outcome.stopped,
        "stages": outcome.stages,
        "profile": outcome.profile,
    }


def _run_text(outcome: Any, wanted: int) -> str:
    rejected = ", ".join(f"{count} by {stage}" for stage, count in outcome.rejected.items()) or "none"
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in outcome.stages.items())
    lines = [
        f"{outcome.accepted} accepted of {outcome.candidates} candidates (rejected: {rejected}).",
        f"Cost: {outcome.seconds:.0f} s ({stages}), ${outcome.usd:.2f}.",
        _profile_text(outcome.profile),
        f"Look at {outcome.run / 'index.html'}"
        + (f"; load {outcome.run / 'imagefolder'} with `datasets`." if outcome.accepted else "."),
    ]
    if outcome.accepted < wanted:
        lines.append(_short_text(outcome, wanted) + " What was made is kept.")
    return "\n".join(lines)


def _profile_text(profile: dict[str, Any]) -> str:
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


def _seconds(spent: dict[str, float]) -> str:
    """Seconds by what they went into; what took next to none is left out."""
    return ", ".join(f"{what} {seconds:.1f}" for what, seconds in spent.items() if seconds >= 0.05)


def _short_text(outcome: Any, wanted: int) -> str:
    if outcome.waiting and outcome.accepted + outcome.waiting >= wanted:
        return (
            f"Fell short of {wanted}: {outcome.waiting} items wait for people's votes; `mossgen review {outcome.run}` "
            "takes them, then the same command goes on."
        )
    why = {
        "candidates": "the candidates allowed were tried: raise --max-candidates, or look at what rejects them",
        "time": "the time was up: run the same command again to go on",
        "cost": "the money was spent: raise --max-cost to go on",
        "exhausted": "the template has no combination left: add values to its slots, or another --seed's run",
    }[outcome.stopped]
    return f"Fell short of {wanted}: {why}."


def _run_code(outcome: Any, wanted: int) -> int:
    if outcome.accepted == 0 and not outcome.waiting:
        return NOTHING_ACCEPTED
    return 0 if outcome.accepted >= wanted else 1
