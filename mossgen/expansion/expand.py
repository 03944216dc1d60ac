"""One run from its configuration: backends built, the pipeline driven under a lock, outputs written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.checks.policy import resolve
from mossgen.core.items import State
from mossgen.errors import ConfigError
from mossgen.expansion.profile import Profile
from mossgen.files import disk
from mossgen.models.loading import briskly
from mossgen.plugins import registry
from mossgen.plugins.spec import Part
from mossgen.runs.config import ROLES, RunConfig, freeze
from mossgen.runs.outputs import write_outputs
from mossgen.runs.store import CONFIG, RunStore

if TYPE_CHECKING:
    from mossgen.core.budget import Budget
    from mossgen.expansion.stages import Backends, Report
    from mossgen.sets.references import Reference
    from mossgen.stimulus.types import StimulusType


Settle = Callable[[RunStore, bool], object]  # the store, and whether what people have not settled yet falls


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to. `stopped` is the pipeline's reason; seconds, usd and stages are of the whole run.

    `profile` says where this invocation's time went (see profile.Profile.report). `waiting` items would be accepted
    but that people have not settled them yet.
    """

    run: Path
    type: str
    accepted: int
    candidates: int
    rejected: dict[str, int]
    seconds: float
    usd: float
    stopped: str
    stages: dict[str, float]
    profile: dict[str, Any] = field(default_factory=dict)
    waiting: int = 0


def build_backends(config: RunConfig, profile: Profile | None = None) -> Backends:
    """Loads every model of a run, timed in `profile`. Raises ConfigError, MissingModel or BackendError."""
    from mossgen.expansion.stages import Backends

    def load(role: str, kind: str, part: Part) -> Any:
        with profile.loading(role) if profile else nullcontext():
            return registry.load(kind, part.plugin, part.options)

    with briskly():
        roles = {role: load(role, kind, getattr(config, role)) for role, kind in ROLES.items()}
        checkers = tuple(load(part.plugin, "checkers", part) for part in config.checkers)
    for checker in checkers:
        if checker.needs not in ("text", "image"):
            raise ConfigError(
                f"The checker {checker.name} needs {checker.needs!r}, not text or image: it would never run."
            )
    policy = resolve(checkers, config.policy)
    return Backends(**roles, checkers=checkers, samples=config.draft.samples, guided=config.draft.guided, policy=policy)


def expand_run(
    folder: Path,
    stimulus: StimulusType,
    config: RunConfig,
    budget: Budget,
    report: Report,
    loading: Callable[[str], None] = lambda message: None,
    profile: Profile | None = None,
    settle: Settle | None = None,
) -> Outcome:
    """Makes or resumes the run in `folder` and writes its outputs. Raises MossgenError.

    With `settle`, which does to the store what people's votes say, only what they settled as benign stays accepted.
    What waits for votes counts while more are made: so the run holds as many as are asked for, and what people
    rejected is made up for.
    """
    from mossgen.expansion.pipeline import accept_spares
    from mossgen.sets.references import read_reference

    profile = profile or Profile()
    references = [read_reference(Path(path)) for path in config.against]
    config = config.model_copy(update={"against_sha256": tuple(r.sha256() for r in references)})
    with disk.locked(folder), RunStore.create(folder) as store:
        freeze(config, folder / CONFIG, empty=not store.counts())
        if settle:
            settle(store, False)
        accepted, spent = _accepted(store), store.spent()
        stopped = "quota"
        if accept_spares(store, budget.accepted):  # no model is needed for those
            loading("loading models")
            stopped = _expand(store, stimulus, config, budget, references, report, profile)
        passed = _accepted(store)
        if settle:
            settle(store, True)
        loading("writing outputs")
        before = profile.seconds
        write_outputs(store, stimulus, config)
        gone = {stage: seconds - spent.get(stage, (0.0, 0.0))[0] for stage, (seconds, _) in store.spent().items()}
        profile.stages = {stage: seconds for stage, seconds in gone.items() if seconds > 0}
        profile.stages["outputs"] = profile.seconds - before
        made = outcome(store, stimulus.name, stopped)
    return replace(made, profile=profile.report(passed - accepted), waiting=passed - made.accepted)


def _accepted(store: RunStore) -> int:
    return store.counts().get(State.ACCEPTED, 0)


def _expand(
    store: RunStore,
    stimulus: StimulusType,
    config: RunConfig,
    budget: Budget,
    references: Sequence[Reference],
    report: Report,
    profile: Profile,
) -> str:
    """Loads the models and drives the pipeline; returns why it stopped."""
    from mossgen.expansion.pipeline import expand
    from mossgen.expansion.stages import Progress

    def reported(progress: Progress) -> None:
        profile.entered(progress.stage, drawn=progress.stage == "check")  # which begins when pictures are drawn
        report(progress)

    before = profile.seconds
    profile.entered("load")
    backends = build_backends(config, profile)
    profile.entered("references")
    store.spend("load", profile.seconds - before)
    return expand(store, stimulus, config.seed, backends, budget, references, reported)


def outcome(store: RunStore, type_name: str, stopped: str) -> Outcome:
    """The figures of a run as its store has them."""
    counts, spent = store.counts(), store.spent()
    decided = (State.ACCEPTED, State.REJECTED, State.SPARE)
    return Outcome(
        run=store.folder,
        type=type_name,
        accepted=counts.get(State.ACCEPTED, 0),
        candidates=sum(counts.get(state, 0) for state in decided),
        rejected=store.rejections(),
        seconds=round(sum(seconds for seconds, _ in spent.values()), 1),
        usd=round(sum(usd for _, usd in spent.values()), 4),
        stopped=stopped,
        stages={stage: round(seconds, 2) for stage, (seconds, _) in spent.items()},
    )


# -- outputs -------------------------------------------------------------------------------------------


# -- reading runs --------------------------------------------------------------------------------------
