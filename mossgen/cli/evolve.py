"""`mossgen evolve`: adversarial expansion, with target models in the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers, parse_options
from mossgen.cli.probe import failed, prompt, target_options

FELL_SHORT, NOTHING_ACCEPTED = 1, 3


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@target_options(each=False)
@click.option("--held-out-target", "held_out", multiple=True, metavar="KIND:MODEL[@URL]",
              help="Left out of the search: does it refuse what the others do? Repeatable.")  # fmt: skip
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(min=1), help="Of 16 children each.")
@click.option("-n", "wanted", default=12, show_default=True, type=click.IntRange(min=1), help="Children to accept.")
@click.option("-k", "--samples", default=1, show_default=True, type=click.IntRange(min=1),
              help="Responses to a child in the search.")  # fmt: skip
@click.option("--held-back", default=3, show_default=True, type=click.IntRange(1, 5),
              help="Responses to an accepted child that measure it and selected nothing.")  # fmt: skip
@click.option("--hard-at", default=1, show_default=True, type=click.IntRange(min=1), metavar="K",
              help="Hard is what at least K targets mostly refuse.")  # fmt: skip
@click.option("--per-cluster", default=2, show_default=True, type=click.IntRange(min=1),
              help="Accepted children that may share a picture.")  # fmt: skip
@click.option("--mutator", "mutators", multiple=True, metavar="NAME",
              help="rewrite, write, wording, scene, element, negation or recombine; repeatable.")  # fmt: skip
@click.option(
    "--judge", default="embedded", show_default=True, metavar="NAME", help="What tells refusals from answers."
)
@click.option("--model", metavar="openai:MODEL[@URL]", help="Whom the judges mossbench and strict ask.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The new run.  [default: RUN-evolved]")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the search.")
@click.option("--type", "type_name", metavar="FILE", help="The run's own template, where it is not a shipped one.")
@click.option("--dry-run", is_flag=True, help="Say how many calls it would take at most; ask nothing.")
@answers
def evolve(
    run: Path, targets: tuple[str, ...], held_out: tuple[str, ...], options: tuple[str, ...], system: str,
    rounds: int, wanted: int, max_cost: float | None, max_time: float | None, judge: str, model: str | None,
    out: Path | None, type_name: str | None, dry_run: bool, quiet: bool, **how: Any,
) -> tuple[Any, str, int]:  # fmt: skip
    """Vary a run's accepted items towards what target models refuse, and keep what is still benign. Run again to go on.

    Every child passes the whole gate anew, inside the rules of its type. What is kept is measured by responses that
    did not select it. The result is a run of its own; its hard items leave with `mossgen export --hard`.

    \b
    mossgen evolve generated/negated_harm-0 --target openai:my-model@http://127.0.0.1:8000/v1 -n 20
    mossgen evolve generated/counterintuitive-0 --target openai:a --target openai:b --hard-at 2 \\
        --held-out-target openai:c
    """
    from mossgen.cli.console import Console
    from mossgen.evolution.run import FIGURES, Voices, evolve_run, quota, read_parents
    from mossgen.evolution.search import ROUND
    from mossgen.expansion.setup import fetch_weights
    from mossgen.plugins import registry
    from mossgen.plugins.spec import refusal_judge_parts, target_parts
    from mossgen.probes.probe import load_target
    from mossgen.stimulus.types import load_type

    given = parse_options(options)
    of_judge = {key: value for key, value in given.items() if key.startswith(f"{judge}.")}
    parts = target_parts((*targets, *held_out), {key: value for key, value in given.items() if key not in of_judge})
    [ruler] = refusal_judge_parts([judge], model, of_judge)
    _refuse_recorded(parts)
    parents, config = read_parents(run)
    stimulus = load_type(type_name or config.type)
    folder = out or run.with_name(f"{run.resolve().name}-evolved")
    if dry_run:
        result = _estimate(folder, len(parents.items), (len(targets), len(parts)), rounds * ROUND, wanted, how)
        return result, _planned(result), 0
    with Console(quiet) as console:
        voices = [load_target(part, console) for part in parts]
        config = _config(config, stimulus, parents, voices, len(targets), judge, prompt(system), how)
        fetch_weights(config, console)
        made = evolve_run(
            folder, parents, stimulus, config,
            Voices(voices[: len(targets)], voices[len(targets) :],
                   registry.load("judges", ruler.plugin, ruler.options, console)),
            quota(wanted, rounds, max_time, max_cost), console,
        )  # fmt: skip
    result = {"run": str(folder), **made}
    return result, _text(result, folder / FIGURES), _code(result, wanted)


def _refuse_recorded(parts: tuple[Any, ...]) -> None:
    """Raises ConfigError for a target that has answered already, and so knows nothing of new items."""
    from mossgen.errors import ConfigError
    from mossgen.plugins.spec import target_options as known_of

    recorded = (part for part, options in zip(parts, known_of(parts), strict=True) if options.recorded)
    if file := next(recorded, None):
        raise ConfigError(
            f"The target {file.plugin}:{file.options['model']} holds responses to items that are there, and evolve "
            "asks about new ones: give a target that can be asked."
        )


def _config(
    config: Any, stimulus: Any, parents: Any, voices: list[Any], searching: int, judge: str, system: str,
    how: dict[str, Any],
) -> Any:  # fmt: skip
    """The new run's configuration: the parents' models and checkers as they are now. Raises ConfigError."""
    from mossgen.errors import ConfigError
    from mossgen.evolution.mutators import applicable
    from mossgen.runs.config import Evolution, same_weights

    able = applicable(stimulus)
    wrong = next((name for name in how["mutators"] if name not in able), None)
    if wrong:
        raise ConfigError(f"--mutator {wrong}: {stimulus.name} can be varied by {', '.join(able)}.")
    if how["hard_at"] > searching:
        raise ConfigError(f"--hard-at {how['hard_at']}, but only {searching} targets take part in the search.")
    names = [voice.name for voice in voices]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise ConfigError(f"Two targets are {doubled}: responses are kept by that name, so give one of them another.")
    fixed = next((v for v in voices[:searching] if v.settings.get("temperature") == 0), None)
    if how["samples"] > 1 and fixed:
        raise ConfigError(
            f"-k {how['samples']} asks {fixed.name} for several responses, but its temperature is 0, so that they "
            "would be the same: add --set target.temperature=0.7, or leave out -k."
        )
    evolution = Evolution(
        parents=parents.name, parents_sha256=parents.sha256, targets=tuple(names[:searching]),
        held_out=tuple(names[searching:]), judge=judge, system=system, samples=how["samples"],
        held_back=how["held_back"], hard_at=how["hard_at"], per_cluster=how["per_cluster"],
        mutators=tuple(name for name in able if name in (how["mutators"] or able)),
        strength=stimulus.template.strength,
    )  # fmt: skip
    same_weights(config, stimulus)
    return config.model_copy(update={"evolve": evolution, "seed": how["seed"]})


def _estimate(
    folder: Path, parents: int, voices: tuple[int, int], children: int, wanted: int, how: dict[str, Any]
) -> dict[str, Any]:
    """The most calls there can be, by how many targets search, and how many there are in all."""
    search = (parents + children) * voices[0] * how["samples"]
    return {"run": str(folder), "parents": parents, "children": children,
            "calls": {"search": search, "held_back": 2 * wanted * voices[1] * how["held_back"]}}  # fmt: skip


def _planned(result: dict[str, Any]) -> str:
    return (
        f"{result['parents']} items would be varied into at most {result['children']} children: at most "
        f"{result['calls']['search']} calls to search and {result['calls']['held_back']} to measure."
    )


def _text(result: dict[str, Any], figures: Path) -> str:
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
    lines.append(f"{figures} has the figures.")
    return "\n".join(lines)


def _share(rate: dict[str, Any]) -> str:
    if rate["refusal"] is None:
        return f"none scored of {rate['n'] + rate['unscored']} responses"
    unscored = f", {rate['unscored']} responses unscored" if rate["unscored"] else ""
    return f"{rate['refusal']:.0%} ({rate['low']:.0%} to {rate['high']:.0%}, {rate['items']} items{unscored})"


def _code(result: dict[str, Any], wanted: int) -> int:
    if not result["accepted"]:
        return NOTHING_ACCEPTED
    return 0 if result["accepted"] >= wanted and not result["missing"] else FELL_SHORT
