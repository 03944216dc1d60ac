"""`mossgen.diagnose`: at which stage target models refuse benign items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.core.budget import Limits
from mossgen.core.defaults import JUDGE
from mossgen.core.progress import SILENT, Progress
from mossgen.diagnosis import perception
from mossgen.diagnosis.diagnosis import PUBLISHED, Captions, Diagnoser, Diagnosis, summary
from mossgen.errors import ConfigError
from mossgen.judgements.judge import load_judge
from mossgen.plugins.arguments import several
from mossgen.plugins.registry import options_of
from mossgen.plugins.spec import ENDPOINT, by_plugin, parse_spec, refusal_judge_parts, target_parts
from mossgen.probes.items import askable, open_items
from mossgen.probes.probe import load_target
from mossgen.probes.probing import Sampling
from mossgen.sets.dataset import Dataset
from mossgen.stimulus.types import known_type, load_type

FOLDER = Path("generated")  # the default folder of the probe
ROUGH = "rough"


@dataclass(frozen=True)
class Diagnoses:
    """The diagnosis of each target, by name. `published` are the paper's figures if the set is MOSSBench's."""

    folder: Path
    targets: Mapping[str, Diagnosis]
    published: Mapping[str, Any]
    problems: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether every query got its response; if not, the same call again resumes."""
        return all(diagnosis.complete for diagnosis in self.targets.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values; `stages` are the first target's."""
        tables = {target: summary(diagnosis) for target, diagnosis in self.targets.items()}
        return {
            "out": str(self.folder),
            "items": [item.to_dict() for diagnosis in self.targets.values() for item in diagnosis.items],
            "stages": next(iter(tables.values())),
            "targets": tables,
            "published": dict(self.published),
            "problems": dict(self.problems),
            "probes": {
                target: {way: tally.to_dict() for way, tally in diagnosis.tallies.items()}
                for target, diagnosis in self.targets.items()
            },
        }


def diagnose(
    set: Path | str | Dataset,
    targets: str | Sequence[str],
    *,
    judge: str = JUDGE,
    model: str | None = None,
    captions: str = ROUGH,
    system: str = "",
    side: str | None = None,
    type: str | None = None,
    limit: int | None = None,
    options: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    max_cost: float | None = None,
    max_time: float | None = None,
    progress: Progress = SILENT,
) -> Diagnoses:
    """Finds at which stage targets refuse benign items: perception, intent or judgement; the same call again resumes.

    Targets are asked about every refused item three more times: for a caption of its picture, with a description in
    place of the picture, and also with the user's intent. `captions` says how to compare captions with the record:
    "rough" by words alone, or an openai:MODEL[@URL]. `judge` tells refusals from answers; `model` is the model that the
    judge asks, if it asks one. The responses of a probe at `out` are used. `options` are those of targets, of the judge
    and of captions.

    Raises ConfigError, MissingModel, BackendError, StoreError.

    >>> options = {"target.max_tokens": 24}
    >>> diagnoses = mossgen.diagnose("generated/negated_harm-0", "transformers:smollm2", options=options)
    >>> diagnoses.complete
    True
    """
    given = options or {}
    of_targets = {key: value for key, value in given.items() if key.startswith("target")}
    rest = {key: value for key, value in given.items() if key not in of_targets}
    of_captions = by_plugin(rest, [judge, "captions"]).get("captions", {})
    of_judge = {key: value for key, value in rest.items() if not key.startswith("captions.")}
    parts = target_parts(several(targets), of_targets)
    comparing = _captions(captions, of_captions)
    [judging] = refusal_judge_parts([judge], model, of_judge)
    found = open_items(set, type=type, side=side, contrast=False)
    records, name = askable(found, limit), found.path.resolve().name
    template = load_type(type) if type else None
    diagnoser = Diagnoser(
        folder=Path(out) if out is not None else FOLDER / f"probe-{name}",
        name=name,
        sampling=Sampling(1, system),
        judge=load_judge(judging, progress),
        captions=comparing,
        types=lambda named: known_type(named, template),
        limits=Limits(seconds=max_time, usd=max_cost),
        progress=progress,
    )
    made = {}
    for part in parts:
        target = load_target(part, progress)
        made[target.name] = diagnoser.diagnose(records, target)
        diagnoser.write(made)
    paper = PUBLISHED if all(record.mossbench for record in records) else {}
    return Diagnoses(diagnoser.folder, made, paper, found.problems)


def _captions(spec: str, options: Mapping[str, Any]) -> Captions:
    """Loads what compares captions with the record. Raises ConfigError."""
    if spec == ROUGH:
        if options:
            raise ConfigError(f"`captions` {ROUGH} has no options: name a model, or leave the options out.")
        return perception.rough
    part = parse_spec("captions", spec, ENDPOINT)
    return perception.CaptionJudge(options_of(perception.Options, "captions", {**part.options, **options}))
