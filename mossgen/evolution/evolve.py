"""evolve: makes a run by varying the accepted items of another, or resumes it, and measures it.

RUN/                    a run like any other: check, review, contrast, split, export and verify work on it
  evolve.json           the figures: before and after, transfer, yield, cost, mutators
  targets/search/       probes for selection; targets/held-back*/ are those for measuring
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.core.budget import Limits
from mossgen.core.defaults import JUDGE
from mossgen.core.items import Item, State
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import StoreError
from mossgen.evolution.family import EVOLVED, Family, Parents, evolved
from mossgen.evolution.figures import figures
from mossgen.evolution.panel import Panel, PanelResult
from mossgen.evolution.search import PASSED, ROUND, Quota, Search
from mossgen.evolution.setup import Models, choose, fitted, load_models, read_parents, refuse_unfit, refuse_wrong_counts
from mossgen.expansion.setup import build_backends, fetch_weights, with_references
from mossgen.expansion.stages import Inherited, Stages
from mossgen.expansion.watch import Watch
from mossgen.files.disk import locked, write_whole
from mossgen.plugins.arguments import several
from mossgen.probes.probing import Sampling
from mossgen.runs.config import Evolution, RunConfig, freeze, refuse_changed_references
from mossgen.runs.outputs import write_outputs
from mossgen.runs.store import CONFIG, RunStore
from mossgen.sets.run import Run, open_run
from mossgen.stimulus.types import load_type

if TYPE_CHECKING:
    from mossgen.sets.dataset import Dataset
    from mossgen.stimulus.types import StimulusType

FIGURES = "evolve.json"
TARGETS = "targets"
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Evolved(Run):
    """The run that `evolve` made or resumed: a Sequence of its accepted items, with its figures.

    The figures are those of `evolve.json`, described in the function figures.figures; they count all invocations.
    """

    wanted: int = field(kw_only=True)
    figures: Mapping[str, Any] = field(kw_only=True)

    @property
    def complete(self) -> bool:
        """Whether `n` items are accepted, and every response that measures them exists."""
        return bool(self.figures["accepted"] >= self.wanted and not self.figures["missing"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `mossgen evolve --json` prints them."""
        return {"run": str(self.path), **self.figures}


def evolve(
    run: str | Path | Run,
    targets: str | Sequence[str],
    *,
    n: int = 12,
    rounds: int = 4,
    held_out: str | Sequence[str] = (),
    samples: int = 1,
    held_back: int = 3,
    hard_at: int = 1,
    per_cluster: int = 2,
    mutators: str | Sequence[str] = (),
    judge: str = JUDGE,
    model: str | None = None,
    system: str = "",
    options: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    type: str | Path | None = None,
    max_cost: float | None = None,
    max_time: float | None = None,
    progress: Progress = SILENT,
) -> Evolved:
    """Varies a run's accepted items towards what `targets` refuse, and keeps what is still benign.

    >>> evolved = mossgen.evolve("generated/negated_harm-0", "openai:my-model", n=1, rounds=1, held_back=1)

    The new run is `out` (RUN-evolved); the same call again resumes it. `held_out` targets take no part in the search
    and only measure. A search has `rounds` of 16 children and asks for `samples` responses to each. It ends when `n`
    are kept; at most `per_cluster` of them share a picture. `held_back` responses to each kept item measure it; it is
    hard if at least `hard_at` targets mostly refuse it. Without `mutators`, all that the type can express are used.
    `judge` tells refusals from answers; `model` is the model that the judge asks, if it asks one. `options` are of
    targets ("target.sees", "target2.sees") and of the judge. `type` is the run's template, if it is not a shipped one.

    Raises ConfigError if an argument is wrong, and MissingModel, BackendError or StoreError if the work fails. What was
    made before an error is kept.
    """
    source = run.path if isinstance(run, Run) else Path(run)
    refuse_wrong_counts(
        n=n, rounds=rounds, samples=samples, held_back=held_back, hard_at=hard_at, per_cluster=per_cluster
    )
    mutators = several(mutators)
    chosen = choose(several(targets), several(held_out), judge, model, options or {})
    parents, config = read_parents(source)
    stimulus = load_type(str(type or config.type))
    refuse_unfit(chosen, stimulus, mutators, hard_at, samples)
    before, (config, references) = config, with_references(config)
    refuse_changed_references(before, config, source / CONFIG)
    models = load_models(chosen, progress)
    sampling = Evolution(
        parents=parents.name, parents_sha256=parents.sha256, targets=(), judge=judge, system=system, samples=samples,
        held_back=held_back, hard_at=hard_at, per_cluster=per_cluster, mutators=tuple(mutators),
    )  # fmt: skip
    evolution = fitted(sampling, config, stimulus, models)
    config = config.model_copy(update={"evolve": evolution, "seed": seed})
    fetch_weights(config, progress)
    quota = Quota(n, rounds, Limits(max_time, max_cost))
    new = _New(folder_of(source, out), stimulus, config, evolution, references, quota)
    found = _make(new, parents, models, progress)
    return Evolved(**open_run(new.folder).fields(), wanted=n, figures=found)


def folder_of(run: Path, out: str | Path | None) -> Path:
    """The folder of the new run: `out`, or by default one beside the run that is varied."""
    return Path(out) if out else run.with_name(f"{run.resolve().name}-evolved")


@dataclass(frozen=True)
class Calls:
    """The most calls that `evolve` would make: `search` calls to select, `held_back` calls to measure."""

    run: Path
    parents: int
    children: int
    search: int
    held_back: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `mossgen evolve --dry-run --json` prints them."""
        calls = {"search": self.search, "held_back": self.held_back}
        return {"run": str(self.run), "parents": self.parents, "children": self.children, "calls": calls}


def most_calls(
    run: str | Path, targets: str | Sequence[str], *, n: int = 12, rounds: int = 4, held_out: str | Sequence[str] = (),
    samples: int = 1, held_back: int = 3, hard_at: int = 1, mutators: str | Sequence[str] = (), judge: str = JUDGE,
    model: str | None = None, options: Mapping[str, Any] | None = None, out: str | Path | None = None,
    type: str | Path | None = None,
) -> Calls:  # fmt: skip
    """The most calls that `evolve` with these arguments would make; nothing is asked. Raises ConfigError."""
    refuse_wrong_counts(n=n, rounds=rounds, samples=samples, held_back=held_back, hard_at=hard_at)
    targets, held_out, mutators = several(targets), several(held_out), several(mutators)
    chosen = choose(targets, held_out, judge, model, options or {})
    parents, config = read_parents(Path(run))
    refuse_unfit(chosen, load_type(str(type or config.type)), mutators, hard_at, samples)
    children, measuring = rounds * ROUND, len(targets) + len(held_out)
    search = (len(parents.items) + children) * len(targets) * samples
    return Calls(folder_of(Path(run), out), len(parents.items), children, search, 2 * n * measuring * held_back)


@dataclass(frozen=True)
class _New:
    """What defines the new run: folder, type, models, how items are varied, and where it ends."""

    folder: Path
    stimulus: StimulusType
    config: RunConfig
    evolution: Evolution
    references: Sequence[Dataset]
    quota: Quota


def _make(new: _New, parents: Parents, models: Models, progress: Progress) -> dict[str, Any]:
    """Makes or resumes the run, measures it, and writes its outputs and figures. Raises MossgenError."""
    evolution, watch = new.evolution, Watch(new.quota.kept, progress)
    with locked(new.folder), RunStore.create(new.folder) as store:
        freeze(new.config, new.folder / CONFIG, empty=not store.counts())
        family = Family(parents, store, new.stimulus)

        def stages() -> Stages:
            progress.say("loading models")
            inherited = Inherited(family.picture, family.relatives, parents.vectors, PASSED)
            return Stages(store, new.stimulus, build_backends(new.config), new.references, inherited, watch)

        sampling = Sampling(evolution.samples, evolution.system)
        panel = Panel(new.folder / TARGETS, new.stimulus.name, models.judge, sampling, evolution.held_back, progress)
        search = Search(family, stages, panel, models.targets, evolution, new.config.seed, new.quota)
        stopped = search.drive()
        progress.say("measuring")
        accepted = store.items(State.ACCEPTED)
        asked, transfer = _measure(accepted, search, models)
        accepted = _mark(store, accepted, asked, evolution.hard_at)
        found = figures(search, accepted, asked, transfer, stopped)
        write_outputs(store, new.stimulus, new.config)
        _write(new.folder / FIGURES, found)
    log.info("%s: %d accepted, %d of them hard; stopped: %s", new.folder, found["accepted"], found["hard"], stopped)
    return found


def _measure(accepted: Sequence[Item], search: Search, models: Models) -> tuple[PanelResult, PanelResult]:
    """Asks for held-back responses to the accepted items and to their ancestors in the parents' run.

    Returns those of the search's targets, and those of the others.
    """
    if not accepted:
        return PanelResult(), PanelResult()
    items = [*search.family.roots(accepted), *accepted]
    return search.ask(items, models.targets, "held-back"), search.ask(items, models.held_out, "held-back")


def _mark(store: RunStore, accepted: Sequence[Item], asked: PanelResult, hard_at: int) -> list[Item]:
    """Records the measurements in the accepted items; `hard` are those that enough targets mostly refuse."""
    shares, refusers = asked.shares(), asked.refusers()
    marked = []
    for item in accepted:
        share = shares.get(item.id)
        fact = {**evolved(item), "held_back": share.to_dict() if share else None,
                "refused_by": refusers.get(item.id, []), "hard": len(refusers.get(item.id, [])) >= hard_at}  # fmt: skip
        marked.append(item.with_provenance(**{EVOLVED: fact}))
    with store.transaction():
        store.put(marked)
    return marked


def _write(path: Path, found: dict[str, Any]) -> None:
    try:
        write_whole(path, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}): the run itself is kept.") from error
