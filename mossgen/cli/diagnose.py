"""`mossgen diagnose`: why targets refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers, odd, parse_options
from mossgen.cli.probe import FELL_SHORT, failed, item_options, loaded, prompt, target_options

STAGES = ("perception", "intent", "judgement")
SHARES = ("still_refused_with_description", "still_refused_with_intent")


@click.command()
@item_options
@target_options()
@click.option(
    "--judge", default="embedded", show_default=True, metavar="NAME", help="What tells refusals from answers."
)
@click.option("--model", metavar="openai:MODEL[@URL]", help="Whom the judges mossbench and strict ask.")
@click.option("--captions", default="rough", show_default=True, metavar="rough|openai:MODEL[@URL]",
              help="What compares captions with the record: words alone, or a model.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="A probe's folder, whose responses are used.  [default: generated/probe-NAME]")  # fmt: skip
@answers
def diagnose(
    set_: Path, targets: tuple[str, ...], options: tuple[str, ...], system: str, judge: str, model: str | None,
    captions: str, out: Path | None, type: str | None, max_cost: float | None, max_time: float | None,
    quiet: bool, side: str | None, limit: int | None,
) -> tuple[Any, str, int]:  # fmt: skip
    """Find at which stage a target refuses benign items: perception, intent or judgement. Run again to go on.

    Every refused item is asked about three more times: for a caption of its picture, with the picture described in
    words, and with what the user means told as well.

    \b
    mossgen diagnose generated/negated_harm-0 --target openai:gpt-4o
    mossgen diagnose MOSSBench/data --target openai:qwen@http://127.0.0.1:8000/v1 --captions openai:gpt-4o --limit 50
    """
    from mossgen.cli.console import Console
    from mossgen.core.budget import Limits
    from mossgen.diagnosis.diagnosis import PUBLISHED, Diagnoser, summary
    from mossgen.plugins import registry
    from mossgen.plugins.spec import by_plugin, refusal_judge_parts, target_parts
    from mossgen.probes.items import askable, open_items
    from mossgen.probes.probing import Wish
    from mossgen.stimulus.types import known_type, load_type

    given = parse_options(options)
    theirs = {key: value for key, value in given.items() if key.startswith("target")}
    parts = target_parts(targets, theirs)
    mine = {key: value for key, value in given.items() if key not in theirs}
    eyes = by_plugin(mine, [judge, "captions"]).get("captions", {})
    [ruler] = refusal_judge_parts(
        [judge], model, {key: value for key, value in mine.items() if not key.startswith("captions.")}
    )
    source = open_items(set_, type=type, side=side, contrast=False)
    records, template = askable(source, limit), load_type(type) if type else None
    name = set_.resolve().name
    wish = Wish(1, prompt(system))
    found = {}
    with Console(quiet) as console:
        diagnoser = Diagnoser(
            out or Path("generated") / f"probe-{name}", name, wish,
            registry.load("judges", ruler.plugin, ruler.options, console), _captions(captions, eyes),
            lambda name: known_type(name, template),
            Limits(max_time, max_cost), console,
        )  # fmt: skip
        for part in parts:
            target = loaded(part, console)
            found[target.name] = diagnoser.diagnose(records, target)
            diagnoser.write(found)
    tables = {target: summary(diagnosis) for target, diagnosis in found.items()}
    paper = PUBLISHED if all(record.mossbench for record in records) else {}
    result = {
        "out": str(diagnoser.folder),
        "items": [item.to_dict() for diagnosis in found.values() for item in diagnosis.items],
        "stages": next(iter(tables.values())),
        "targets": tables,
        "published": paper,
        "problems": dict(source.problems),
        "probes": {target: {way: tally.told() for way, tally in d.tallies.items()} for target, d in found.items()},
    }
    return result, _text(result, paper), 0 if all(d.complete for d in found.values()) else FELL_SHORT


def _captions(spec: str, options: dict[str, Any]) -> Any:
    """What compares captions with the record. Raises ConfigError."""
    from mossgen.diagnosis import perception
    from mossgen.errors import ConfigError
    from mossgen.plugins.spec import ENDPOINT, parse_spec

    if spec == "rough":
        if options:
            raise ConfigError("--set captions.…: --captions rough has no options; name a model, or leave them out.")
        return perception.rough
    part = parse_spec("captions", spec, ENDPOINT)
    return perception.CaptionJudge(perception.Options(**part.options, **options))


def _text(result: dict[str, Any], published: dict[str, Any]) -> str:
    """A table for each target, and the paper's figures where they are comparable."""
    lines = []
    for target, table in result["targets"].items():
        lines.append(f"{target}: {table['all']['refused']} of {table['all']['answered']} refused.")
        for kind, row in table.items():
            if row["refused"]:
                stages = ", ".join(f"{row[key]} {key}" for key in (*STAGES, "unexplained"))
                lines.append(f"  {kind:17} {row['refused']:4} refused: {stages}")
                lines.append(f"  {'':17}      still refused with the description {_percent(row[SHARES[0]])}, with the "
                             f"intent too {_percent(row[SHARES[1]])}")  # fmt: skip
        lines += _trouble(result["probes"][target])
    for model, types in published.items():
        lines.append(f"The paper's {model}, still refused with the description and with the intent too (30 items):")
        lines += [f"  {kind:17} {first} %, {second} %" for kind, (first, second) in types.items()]
    lines += odd(result["problems"])
    lines.append(f"{result['out']}: every answer and label is in diagnose/ there.")
    return "\n".join(lines)


def _trouble(probes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is missing in each way of asking, and why, each reason once."""
    lines = [f"  {way}: {told['missing']} missing." for way, told in probes.items() if told["missing"]]
    failures: Counter[str] = Counter()
    for told in probes.values():
        failures.update(told["failures"])
    stopped = dict.fromkeys(told["stopped"] for told in probes.values() if told["stopped"])
    return [*lines, *failed(failures), *(f"  Stopped: {reason.rstrip('.')}." for reason in stopped)]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0f} %"
