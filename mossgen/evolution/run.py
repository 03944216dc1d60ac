"""A run made by varying the accepted items of another: what `mossgen evolve` makes, resumes and measures.

RUN/                    a run as any: check, review, contrast, split, export and verify work on it
  evolve.json           the figures: before and after, transfer, yield, cost, mutators
  targets/search/       probes that selected; targets/held-back*/ those that measured
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mossgen.core.budget import Limits
from mossgen.core.items import Item, State, canonical
from mossgen.core.progress import SILENT, Progress
from mossgen.duplicates.vectors import Vectors
from mossgen.errors import ConfigError, StoreError
from mossgen.evolution.family import EVOLVED, Family, Parents, evolved
from mossgen.evolution.figures import measured
from mossgen.evolution.panel import Asked, Panel
from mossgen.evolution.search import PASSED, Quota, Search
from mossgen.expansion.setup import build_backends, with_references
from mossgen.expansion.stages import Inherited, Stages
from mossgen.expansion.watch import Watch
from mossgen.files.disk import locked, write_whole
from mossgen.plugins.protocols import RefusalJudge, Target
from mossgen.probes.probing import Wish
from mossgen.runs.config import RunConfig, freeze, read_config
from mossgen.runs.outputs import write_outputs
from mossgen.runs.store import CONFIG, RunStore
from mossgen.runs.verify import unfinished
from mossgen.stimulus.types import StimulusType

FIGURES = "evolve.json"
TARGETS = "targets"


@dataclass(frozen=True)
class Voices:
    """Who is asked: the targets of the search, those that only measure, and the judge of all their responses."""

    targets: Sequence[Target]
    held_out: Sequence[Target]
    judge: RefusalJudge


def read_parents(folder: Path) -> tuple[Parents, RunConfig]:
    """The items that a run offers to be varied. Raises ConfigError: no run, unfinished, or nothing accepted."""
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
    digest = hashlib.sha256(canonical([item.to_dict() for item in items]).encode()).hexdigest()
    return Parents(folder.resolve().name, digest, items, vectors, known, folder / "blobs"), config


def evolve_run(
    folder: Path, parents: Parents, stimulus: StimulusType, config: RunConfig, voices: Voices, quota: Quota,
    progress: Progress = SILENT,
) -> dict[str, Any]:  # fmt: skip
    """Makes or resumes the run in `folder`, measures it, and writes its outputs and figures. Raises MossgenError."""
    how = config.evolve
    assert how is not None
    config, references = with_references(config)
    with locked(folder), RunStore.create(folder) as store:
        freeze(config, folder / CONFIG, empty=not store.counts())
        family = Family(parents, store, stimulus)

        def stages() -> Stages:
            progress.say("loading models")
            inherited = Inherited(family.picture, family.relatives, parents.vectors, PASSED)
            watch = Watch(quota.kept, progress)
            return Stages(store, stimulus, build_backends(config), references, inherited, watch)

        wish = Wish(how.samples, how.system)
        panel = Panel(folder / TARGETS, stimulus.name, voices.judge, wish, how.held_back, progress)
        search = Search(family, stages, panel, voices.targets, how, config.seed, quota)
        stopped = search.go()
        progress.say("measuring")
        accepted = store.items(State.ACCEPTED)
        asked, transfer = _measure(accepted, search, voices)
        accepted = _marked(store, accepted, asked, how.hard_at)
        told = measured(search, accepted, asked, transfer, stopped)
        write_outputs(store, stimulus, config)
        _write(folder / FIGURES, told)
    return told


def _measure(accepted: Sequence[Item], search: Search, voices: Voices) -> tuple[Asked, Asked]:
    """Held-back responses to the accepted items and to those that they descend from: of the search's targets, of the
    others.
    """
    if not accepted:
        return Asked(), Asked()
    items = [*search.family.roots(accepted), *accepted]
    return search.ask(items, voices.targets, "held-back"), search.ask(items, voices.held_out, "held-back")


def _marked(store: RunStore, accepted: Sequence[Item], asked: Asked, hard_at: int) -> list[Item]:
    """The accepted items with what measuring said of them; `hard` are those that enough targets mostly refuse."""
    shares, refusers = asked.shares(), asked.refusers()
    marked = []
    for item in accepted:
        share = shares.get(item.id)
        fact = {**evolved(item), "held_back": share.told() if share else None,
                "refused_by": refusers.get(item.id, []), "hard": len(refusers.get(item.id, [])) >= hard_at}  # fmt: skip
        marked.append(item.noted(**{EVOLVED: fact}))
    with store.transaction():
        store.put(marked)
    return marked


def _write(path: Path, told: dict[str, Any]) -> None:
    try:
        write_whole(path, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}): the run itself is kept.") from error


def quota(kept: int, rounds: int, seconds: float | None, usd: float | None) -> Quota:
    """Where an invocation ends."""
    return Quota(kept, rounds, Limits(seconds, usd))
