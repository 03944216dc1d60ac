"""Loads and checks what an evolution needs: parents, targets and a judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mossgen.core.items import State, canonical_sha256
from mossgen.core.progress import Progress
from mossgen.duplicates.vectors import Vectors
from mossgen.errors import ConfigError
from mossgen.evolution.family import Parents
from mossgen.evolution.mutators import applicable
from mossgen.evolution.panel import HELD_BACK_PROMPTS
from mossgen.plugins import registry
from mossgen.plugins.protocols import RefusalJudge, Target
from mossgen.plugins.spec import Part, refusal_judge_parts, target_options, target_parts
from mossgen.probes.probe import load_target, refuse_equal_samples
from mossgen.runs.config import Evolution, RunConfig, read_config, same_weights
from mossgen.runs.store import CONFIG, RunStore
from mossgen.runs.verify import unfinished
from mossgen.stimulus.types import StimulusType


@dataclass(frozen=True)
class Models:
    """The models that are asked: the search's targets, those that only measure, and the judge of all responses."""

    targets: Sequence[Target]
    held_out: Sequence[Target]
    judge: RefusalJudge


@dataclass(frozen=True)
class Chosen:
    """The plugins of `Models` with their options, before they are loaded."""

    targets: Sequence[Part]
    held_out: Sequence[Part]
    judge: Part


def read_parents(folder: Path) -> tuple[Parents, RunConfig]:
    """Reads the items of a run that may be varied. Raises ConfigError: no run, unfinished, or nothing accepted."""
    config = read_config(folder / CONFIG)
    with RunStore.read(folder) as store:
        if reason := unfinished(folder, store.outputs()[0]):
            raise ConfigError(reason)
        items = store.items(State.ACCEPTED)
        texts, images = store.vectors("text"), store.vectors("image")
        known = frozenset(item.id for item in store.items())
    items = [item for item in items if item.id in texts]
    if not items:
        raise ConfigError(f"{folder} has no accepted item to vary: run `mossgen expand` first.")
    ids = [item.id for item in items]
    vectors = Vectors(ids, np.stack([texts[i] for i in ids]), np.stack([images[i] for i in ids]))
    digest = canonical_sha256([item.to_dict() for item in items])
    return Parents(folder.resolve().name, digest, items, vectors, known, folder / "blobs"), config


def refuse_wrong_counts(**counts: int) -> None:
    """Raises ConfigError if a number is less than 1, or if `held_back` is larger than the number of its prompts."""
    for name, count in counts.items():
        most = len(HELD_BACK_PROMPTS) if name == "held_back" else count
        if not 1 <= count <= most:
            raise ConfigError(f"`{name}` {count}: give at least 1{f' and at most {most}' if count > most else ''}.")


def choose(
    targets: Sequence[str], held_out: Sequence[str], judge: str, model: str | None, options: Mapping[str, Any]
) -> Chosen:
    """The plugins that these specs name; options `JUDGE.NAME` go to the judge, all others to the targets.

    Raises ConfigError, also for a target with recorded responses, since it cannot answer about new items.
    """
    for_judge = {key: value for key, value in options.items() if key.startswith(f"{judge}.")}
    for_targets = {key: value for key, value in options.items() if key not in for_judge}
    parts = target_parts((*targets, *held_out), for_targets)
    [judging] = refusal_judge_parts([judge], model, for_judge)
    recorded = (part for part, known in zip(parts, target_options(parts), strict=True) if known.recorded)
    if part := next(recorded, None):
        raise ConfigError(
            f"The target {part.plugin}:{part.options['model']} holds responses to items that are there, and evolve "
            "asks about new ones: give a target that can be asked."
        )
    return Chosen(parts[: len(targets)], parts[len(targets) :], judging)


def refuse_unfit(
    chosen: Chosen, stimulus: StimulusType, mutators: Sequence[str], hard_at: int, samples: int
) -> None:  # fmt: skip
    """Raises ConfigError if the type lacks a mutator, or if targets are too few or always give the same answer."""
    able = applicable(stimulus)
    wrong = next((name for name in mutators if name not in able), None)
    if wrong:
        raise ConfigError(f"`mutators` {wrong}: {stimulus.name} can be varied by {', '.join(able)}.")
    if hard_at > len(chosen.targets):
        raise ConfigError(f"`hard_at` {hard_at}, but only {len(chosen.targets)} targets take part in the search.")
    refuse_equal_samples(chosen.targets, samples)


def load_models(chosen: Chosen, progress: Progress) -> Models:
    """Loads targets and judge. Raises MossgenError."""
    judge = registry.load("judges", chosen.judge.plugin, chosen.judge.options, progress)
    targets, held_out = ([load_target(part, progress) for part in parts] for parts in (chosen.targets, chosen.held_out))
    return Models(targets, held_out, judge)


def fitted(evolution: Evolution, config: RunConfig, stimulus: StimulusType, models: Models) -> Evolution:
    """How a run's items are varied, as its type and the targets allow.

    Raises ConfigError if the settings do not fit them, or if the parents' run, made with `config`, had another template
    or other weights than there are now.
    """
    _refuse_equal_names([target.name for target in (*models.targets, *models.held_out)])
    same_weights(config, stimulus)
    able = applicable(stimulus)
    facts = {
        "targets": tuple(target.name for target in models.targets),
        "held_out": tuple(target.name for target in models.held_out),
        "mutators": tuple(name for name in able if name in (evolution.mutators or able)),
        "strength": stimulus.template.strength,
    }
    return evolution.model_copy(update=facts)


def _refuse_equal_names(names: Sequence[str]) -> None:
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise ConfigError(f"Two targets are {doubled}: responses are kept by that name, so give one of them another.")
