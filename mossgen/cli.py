"""The command line: the only place with argv, environment, print and exit codes. Heavy modules load on use."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from mossgen import __version__
from mossgen.errors import MossgenError

NOTHING_ACCEPTED = 3
INTERRUPTED = 130


class Verbs(click.Group):
    """A group that lists its commands in the order written, which is the order of use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, unsorted."""
        return list(self.commands)


def answers(command: Callable[..., Any]) -> Callable[..., Any]:
    """A verb's common end: `--json` prints its dict on stdout, errors become a sentence and an exit code."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; logs go to stderr.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
    @click.option("-v", "--verbose", is_flag=True, help="Tracebacks of errors, and what libraries log.")
    @functools.wraps(command)
    def wrapped(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> None:
        if not verbose:
            _hush()
        try:
            result, text, code = command(quiet=quiet, **options)
        except MossgenError as error:
            _fail(str(error), error.exit_code, as_json, verbose)
        except OSError as error:  # where no boundary is nearer: a name too long, no folder for temporary files
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}; what was made before is kept.", 1, as_json, verbose)
        except KeyboardInterrupt:
            _fail(
                "Interrupted: what was made is kept; run the same command again to go on.",
                INTERRUPTED,
                as_json,
            )
        if as_json:
            click.echo(json.dumps(result, ensure_ascii=False))
        elif not quiet:
            click.echo(text)
        sys.exit(code)

    return wrapped


def _fail(sentence: str, code: int, as_json: bool, verbose: bool = False) -> NoReturn:
    if verbose:
        import traceback

        traceback.print_exc()
    click.echo(f"Error: {sentence}", err=True)
    if as_json:
        click.echo(json.dumps({"error": sentence, "exit_code": code}, ensure_ascii=False))
    sys.exit(code)


def _hush() -> None:
    """Libraries' warnings and bars would drown the progress; -v lets them through."""
    import logging
    import os
    import warnings

    warnings.filterwarnings("ignore")
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    logging.disable(logging.WARNING)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def main() -> None:
    r"""Make benign image+text queries that look alarming, to measure and mend oversensitivity.

    \b
    mossgen expand --type negated_harm          12 accepted items into generated/
    mossgen preview --type exaggerated_risk     4 items, nothing kept
    mossgen doctor                              what works on this machine
    """


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What expand and preview share: what is made, and with what."""
    options = [
        click.option("--type", "type_name", required=True, metavar="TYPE|FILE",
                     help="exaggerated_risk, negated_harm, counterintuitive, or your own template's YAML."),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
                     help="Same seed, same bytes."),
        click.option("--preset", default="embedded", show_default=True, help="See `mossgen plugins`."),
        click.option("--llm", metavar="PLUGIN", help="The writer, in place of the preset's."),
        click.option("--imager", metavar="PLUGIN", help="What draws."),
        click.option("--embedder", metavar="PLUGIN", help="What embeds pictures and texts."),
        click.option("--checker", "checkers", multiple=True, metavar="PLUGIN", help="For the preset's; repeatable."),
        click.option("--set", "settings", multiple=True, metavar="PLUGIN.OPTION=VALUE", help="An option; repeatable."),
        click.option("--against", multiple=True, metavar="REF",
                     help="Nothing near this set is accepted: a run, a MOSSBench folder, an ImageFolder; repeatable."),
        click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Stop when this much is spent."),
        click.option("--max-time", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after this long."),
        click.option("--max-candidates", type=click.IntRange(min=1), help="Stop after this many were tried."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@run_options
@click.option("-n", "wanted", default=12, show_default=True, type=click.IntRange(min=1), help="Items to ACCEPT.")
@click.option("--run", type=click.Path(path_type=Path), help="The run's folder.  [default: generated/TYPE-SEED]")
@click.option("--dry-run", is_flag=True, help="Say what would be made, and what it would cost; make nothing.")
@answers
def expand(wanted: int, run: Path | None, dry_run: bool, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    r"""Make N accepted items of one type. The same command again resumes; a larger -n adds to the run.

    \b
    mossgen expand --type negated_harm
    mossgen expand --type exaggerated_risk -n 200 --seed 7 --against generated/exaggerated_risk-0
    mossgen expand --type counterintuitive --preset gpu --set diffusers.model=sdxl
    """
    from mossgen import estimate

    stimulus, config = _configured(options)
    folder = run or Path("generated") / f"{stimulus.name}-{options['seed']}"
    if dry_run:
        forecast = estimate.forecast(stimulus, config, wanted, folder)
        return forecast, estimate.sentence(forecast), 0
    outcome = _expand(folder, stimulus, config, wanted, quiet, options)
    result = _run_object(outcome, wanted)
    return result, _run_text(outcome, wanted), _run_code(outcome, wanted)


@main.command()
@run_options
@click.option("-n", "wanted", default=4, show_default=True, type=click.IntRange(min=1), help="Items to accept.")
@answers
def preview(wanted: int, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    r"""Like expand, but nothing is kept: shows what the items would be.

    \b
    mossgen preview --type counterintuitive
    """
    import tempfile

    from mossgen.items import State
    from mossgen.store import RunStore

    stimulus, config = _configured(options)
    with tempfile.TemporaryDirectory(prefix="mossgen-preview-") as folder:
        outcome = _expand(Path(folder) / "run", stimulus, config, wanted, quiet, options)
        with RunStore.open(outcome.run) as store:
            items = store.items(State.ACCEPTED)
    shown = [{"id": i.id, "question": i.question, "picture": i.description} for i in items]
    lines = [f"{s['question']}\n    {s['picture']}" for s in shown]
    result = {**_run_object(outcome, wanted), "run": None, "items": shown}
    if outcome.accepted < wanted:
        lines.append(_short_text(outcome, wanted))
    return result, "\n".join(lines), _run_code(outcome, wanted)


def _configured(options: dict[str, Any]) -> tuple[Any, Any]:
    from mossgen.config import build_config
    from mossgen.stimulus import load_type

    stimulus = load_type(options["type_name"])
    parts = {role: options[role] for role in ("llm", "imager", "embedder")}
    config = build_config(
        stimulus, options["seed"], options["preset"], parts,
        options["checkers"], options["settings"], options["against"],
    )  # fmt: skip
    return stimulus, config


def _expand(folder: Path, stimulus: Any, config: Any, wanted: int, quiet: bool, options: dict[str, Any]) -> Any:
    from mossgen import models
    from mossgen.console import Console
    from mossgen.pipeline import Budget
    from mossgen.runs import expand_run

    budget = Budget(wanted, options["max_candidates"], options["max_time"], options["max_cost"])
    with Console(quiet, wanted) as console:
        for name in config.weights:
            models.path(name, console.download)
        return expand_run(folder, stimulus, config, budget, console.run, console.say)


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
        "stopped": outcome.stopped,
        "stages": outcome.stages,
    }


def _run_text(outcome: Any, wanted: int) -> str:
    rejected = ", ".join(f"{count} by {stage}" for stage, count in outcome.rejected.items()) or "none"
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in outcome.stages.items())
    lines = [
        f"{outcome.accepted} accepted of {outcome.candidates} candidates (rejected: {rejected}).",
        f"Cost: {outcome.seconds:.0f} s ({stages}), ${outcome.usd:.2f}.",
        f"Look at {outcome.run / 'index.html'}; load {outcome.run / 'imagefolder'} with `datasets`.",
    ]
    if outcome.accepted < wanted:
        lines.append(_short_text(outcome, wanted) + " What was made is kept.")
    return "\n".join(lines)


def _short_text(outcome: Any, wanted: int) -> str:
    why = {
        "candidates": "the candidates allowed were tried: raise --max-candidates, or look at what rejects them",
        "time": "the time was up: run the same command again to go on",
        "cost": "the money was spent: raise --max-cost to go on",
        "exhausted": "the template has no combination left: add values to its slots, or another --seed's run",
    }[outcome.stopped]
    return f"Fell short of {wanted}: {why}."


def _run_code(outcome: Any, wanted: int) -> int:
    if outcome.accepted == 0:
        return NOTHING_ACCEPTED
    return 0 if outcome.accepted >= wanted else 1


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@answers
def status(run: Path, quiet: bool) -> tuple[Any, str, int]:
    r"""Where a run stands: items by state, what rejected them, what it has cost.

    \b
    mossgen status generated/negated_harm-0
    """
    from mossgen.store import RunStore

    with RunStore.open(run) as store:
        states, rejected, spent = store.counts(), store.rejections(), store.spent()
    cost = {stage: {"seconds": round(s, 1), "usd": round(usd, 4)} for stage, (s, usd) in spent.items()}
    lines = [f"{state:9} {count}" for state, count in states.items()]
    lines += [f"  by {stage}: {count}" for stage, count in rejected.items()]
    return {"states": states, "rejected": rejected, "spent": cost}, "\n".join(lines) or "empty", 0


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@answers
def verify(run: Path, quiet: bool) -> tuple[Any, str, int]:
    r"""Recompute every id and hash of a run; say what was altered or lost.

    \b
    mossgen verify generated/negated_harm-0
    """
    from mossgen.runs import verify_run

    problems = verify_run(run)
    text = "\n".join(problems) or f"{run}: every id and hash is as it should be."
    return {"ok": not problems, "problems": problems}, text, 1 if problems else 0


@main.group()
def models() -> None:
    """The embedded models: where they come from, whether they are here."""


@models.command("list")
@answers
def models_list(quiet: bool) -> tuple[Any, str, int]:
    r"""Every embedded model, its source and licence, and whether it is here.

    \b
    mossgen models list
    """
    from mossgen import models as weights

    rows = []
    for model in weights.catalogue():
        ready = weights.ready(model.name)
        rows.append({"name": model.name, "about": model.about, "source": model.source, "licence": model.licence,
                     "bytes": weights.size(model.name), "path": str(ready) if ready else None})  # fmt: skip
    lines = [f"{r['name']:18} {'here' if r['path'] else 'not pulled':10} {r['about']} ({r['licence']})" for r in rows]
    return {"models": rows}, "\n".join(lines), 0


@models.command("pull")
@click.argument("names", nargs=-1)
@answers
def models_pull(names: tuple[str, ...], quiet: bool) -> tuple[Any, str, int]:
    r"""Fetch and build embedded models (default: all), with hashes checked.

    \b
    mossgen models pull
    mossgen models pull smollm2
    """
    from mossgen import models as weights
    from mossgen.console import Console

    with Console(quiet) as console:
        pulled = {
            name: str(weights.pull(name, console.download))
            for name in names or [model.name for model in weights.catalogue()]
        }
    return {"models": pulled}, "\n".join(f"{name}: {path}" for name, path in pulled.items()), 0


@models.command("verify")
@answers
def models_verify(quiet: bool) -> tuple[Any, str, int]:
    r"""Recompute the hash of every file of every pulled model.

    \b
    mossgen models verify
    """
    from mossgen import models as weights

    problems = [p for m in weights.catalogue() if weights.ready(m.name) for p in weights.verify(m.name)]
    text = "\n".join(problems) or "Every pulled model is as it should be."
    return {"ok": not problems, "problems": problems}, text, 1 if problems else 0


@main.command()
@answers
def plugins(quiet: bool) -> tuple[Any, str, int]:
    r"""Every type, preset and plugin there is.

    \b
    mossgen plugins
    """
    from mossgen import plugins as found
    from mossgen.config import PRESETS
    from mossgen.stimulus import type_names

    listing = {kind: {name: found.about(kind, name) for name in found.names(kind)} for kind in found.KINDS}
    listing = {"presets": {name: preset.about for name, preset in PRESETS.items()}, **listing}
    lines = ["types", *(f"  {name}" for name in type_names())]
    for kind, members in listing.items():
        lines += [kind, *(f"  {name:14} {about}" for name, about in members.items())]
    return {"types": type_names(), **listing}, "\n".join(lines), 0


@main.command()
@answers
def doctor(quiet: bool) -> tuple[Any, str, int]:
    r"""What works on this machine: devices, packages, weights, keys, space.

    \b
    mossgen doctor
    """
    from mossgen.diagnosis import diagnose

    checks = diagnose()
    lines = [f"{'ok ' if c['ok'] else 'NO '} {c['what']}: {c['found']}" for c in checks]
    good = all(c["ok"] or not c["needed"] for c in checks)
    return {"ok": good, "checks": checks}, "\n".join(lines), 0 if good else 1
