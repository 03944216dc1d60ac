"""expand: makes a run or resumes it, and writes its outputs."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from mossgen.checks.policy import unseen
from mossgen.core.budget import Budget, Limits
from mossgen.core.items import State
from mossgen.core.progress import SILENT, Progress
from mossgen.expansion.profile import Profile
from mossgen.expansion.settings import Given, Settings
from mossgen.expansion.setup import build_backends, fetch_weights, prepare, with_references
from mossgen.expansion.watch import Watch
from mossgen.files import disk
from mossgen.plugins.spec import checker_options
from mossgen.reviews.apply import apply_votes
from mossgen.runs.config import RunConfig, freeze
from mossgen.runs.outputs import write_outputs
from mossgen.runs.store import CONFIG, RunStore
from mossgen.sets.run import Run, open_run

if TYPE_CHECKING:
    from mossgen.sets.dataset import Dataset
    from mossgen.stimulus.types import StimulusType

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The result of one call of `expand`.

    `accepted`, `candidates`, `rejected` (by stage or checker), `seconds`, `usd` and `stages` (seconds by stage) count
    the whole run, over all calls. `profile` says how this call spent its time. `stopped` is why it ended: "quota"
    (`wanted` items are accepted), "candidates", "time", "cost", or "exhausted" (the template has no combination left).
    `waiting` items are good enough but wait for people's votes. `notes` are sentences about what no checker saw, and
    about unusual records of the references.
    """

    run: Path
    type: str
    wanted: int
    accepted: int
    candidates: int
    rejected: dict[str, int]
    seconds: float
    usd: float
    stopped: str
    stages: dict[str, float]
    notes: tuple[str, ...] = ()
    profile: dict[str, Any] = field(default_factory=dict)
    waiting: int = 0

    @property
    def complete(self) -> bool:
        """Whether `wanted` items are accepted."""
        return self.accepted >= self.wanted

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `mossgen expand --json` prints them."""
        return {
            "run": str(self.run),
            "type": self.type,
            "accepted": self.accepted,
            "candidates": self.candidates,
            "rejected": self.rejected,
            "seconds": self.seconds,
            "cost": self.usd,
            "complete": self.complete,
            "waiting": self.waiting,
            "stopped": self.stopped,
            "stages": self.stages,
            "profile": self.profile,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class Expanded(Run):
    """The run that `expand` made or resumed: a Sequence of its accepted items, with the outcome of the call."""

    outcome: Outcome = field(kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `mossgen expand --json` prints them."""
        return self.outcome.to_dict()


def expand(
    type: str | Path | StimulusType | None = None,
    n: int | None = None,
    *,
    config: str | Path | None = None,
    save_config: str | Path | None = None,
    progress: Progress = SILENT,
    **settings: Unpack[Given],
) -> Expanded:
    """Makes `n` accepted items of one type. The same call again resumes the run; a larger `n` adds to it.

    >>> run = mossgen.expand("negated_harm", n=4)
    >>> len(run), run[0].image.size, run.outcome.complete
    (4, (256, 256), True)

    `type` is the name of a type, the YAML file of your own, or the result of `load_type`. The settings are described in
    expansion.settings.Settings: `n` (default 12), `seed` (0), `run` (generated/TYPE-SEED), `preset` ("embedded"),
    `llm`, `imager`, `embedder`, `checkers`, `vlm`, `gates`, `signals`, `options` (a mapping of "plugin.option" to its
    value), `against`, `max_cost` (US dollars), `max_time` (seconds), `max_candidates`, `reviewed` and `votes`. None
    means not given. `config` is a run file that holds any of them; arguments override it. `save_config` is a file to
    write the settings of this call to; another file there is not overwritten.

    Raises ConfigError or TemplateError if a setting is wrong, and MissingModel, BackendError or StoreError if the work
    fails. What was made before an error is kept.
    """
    profile = Profile()
    setup = prepare({"type": type, "n": n, **settings}, config, save_config)
    fetch_weights(setup.config, progress, profile)
    watch = Watch(setup.settings.n, progress, profile)
    outcome = make(setup.folder, setup.stimulus, setup.config, setup.settings, watch)
    return Expanded(**open_run(setup.folder).fields(), outcome=outcome)


def make(
    folder: Path, stimulus: StimulusType, config: RunConfig, settings: Settings, watch: Watch | None = None
) -> Outcome:
    """Makes or resumes the run in `folder` until a limit in the settings is reached, and writes its outputs.

    With `settings.reviewed`, only items that people settled as benign stay accepted. Items that wait for votes count
    towards `n`, and items that people rejected are replaced. Raises MossgenError.
    """
    watch = watch or Watch(settings.n)
    profile = watch.profile
    config, references = with_references(config)
    with disk.locked(folder), RunStore.create(folder) as store:
        freeze(config, folder / CONFIG, empty=not store.counts())
        if settings.reviewed:
            apply_votes(store, settings.votes)
        accepted, spent = _accepted(store), store.spent()
        stopped = _drive(store, stimulus, config, settings, references, watch)
        passed = _accepted(store)
        if settings.reviewed:
            apply_votes(store, settings.votes, only_reviewed=True)
        watch.progress.say("writing outputs")
        before = profile.seconds
        write_outputs(store, stimulus, config)
        gone = {stage: seconds - spent.get(stage, (0.0, 0.0))[0] for stage, (seconds, _) in store.spent().items()}
        profile.stages = {stage: seconds for stage, seconds in gone.items() if seconds > 0}
        profile.stages["outputs"] = profile.seconds - before
        made = _outcome(store, stimulus.name, settings.n, stopped)
    log.info("%s: %d of %d accepted; stopped: %s", folder, made.accepted, made.wanted, stopped)
    odd = [sentence for reference in references if (sentence := reference.odd())]
    notes = (*unseen(checker_options(config.checkers)), *odd)
    return replace(made, notes=notes, profile=profile.report(passed - accepted), waiting=passed - made.accepted)


def _accepted(store: RunStore) -> int:
    return store.counts().get(State.ACCEPTED, 0)


def _drive(
    store: RunStore, stimulus: StimulusType, config: RunConfig, settings: Settings, references: list[Dataset],
    watch: Watch,
) -> str:  # fmt: skip
    """Accepts spare items; if they are too few, loads the models and makes more. Returns why it stopped."""
    from mossgen.expansion.pipeline import accept_spares, drive
    from mossgen.expansion.stages import Stages

    if not accept_spares(store, settings.n):  # spare items need no model
        return "quota"
    watch.progress.say("loading models")
    before = watch.profile.seconds
    watch.profile.entered("load")
    backends = build_backends(config, watch.profile)
    watch.profile.entered("references")
    store.spend("load", watch.profile.seconds - before)
    budget = Budget(settings.n, settings.max_candidates, Limits(settings.max_time, settings.max_cost))
    return drive(Stages(store, stimulus, backends, references, watch=watch), config.seed, budget)


def _outcome(store: RunStore, type_name: str, wanted: int, stopped: str) -> Outcome:
    """Reads the figures of a run from its store."""
    counts, spent = store.counts(), store.spent()
    decided = (State.ACCEPTED, State.REJECTED, State.SPARE)
    return Outcome(
        run=store.folder,
        type=type_name,
        wanted=wanted,
        accepted=counts.get(State.ACCEPTED, 0),
        candidates=sum(counts.get(state, 0) for state in decided),
        rejected=store.rejections(),
        seconds=round(sum(seconds for seconds, _ in spent.values()), 1),
        usd=round(sum(usd for _, usd in spent.values()), 4),
        stopped=stopped,
        stages={stage: round(seconds, 2) for stage, (seconds, _) in spent.items()},
    )
