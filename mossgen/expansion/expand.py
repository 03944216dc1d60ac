"""One run from its configuration: backends built, the pipeline driven under a lock, outputs written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen import __version__
from mossgen.checks.policy import resolve
from mossgen.core.items import Item, State, canonical
from mossgen.errors import ConfigError, StoreError
from mossgen.expansion.profile import Profile
from mossgen.files import disk
from mossgen.models import weights
from mossgen.models.loading import briskly
from mossgen.plugins import registry
from mossgen.plugins.protocols import RunView
from mossgen.runs.config import ROLES, RunConfig, freeze, read_config
from mossgen.runs.store import CONFIG, Outputs, RunStore

if TYPE_CHECKING:
    from mossgen.expansion.pipeline import Budget
    from mossgen.expansion.stages import Backends, Report
    from mossgen.sets.references import Reference
    from mossgen.stimulus.types import StimulusType

MANIFEST = "manifest.json"
Settle = Callable[[RunStore, bool], object]  # the store, and whether what people have not settled yet falls
EXPORTERS = ("imagefolder", "mossbench", "page")
LIBRARIES = ("diffusers", "faiss-cpu", "open_clip_torch", "pillow", "torch", "transformers")


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

    def load(role: str, kind: str, plugin: str, options: dict[str, Any]) -> Any:
        with profile.loading(role) if profile else nullcontext():
            return registry.load(kind, plugin, options)

    with briskly():
        roles = {role: load(role, kind, *_plugin(config, role)) for role, kind in ROLES.items()}
        checkers = tuple(load(part.plugin, "checkers", part.plugin, part.options) for part in config.checkers)
    for checker in checkers:
        if checker.needs not in ("text", "image"):
            raise ConfigError(
                f"The checker {checker.name} needs {checker.needs!r}, not text or image: it would never run."
            )
    policy = resolve(checkers, config.policy)
    return Backends(**roles, checkers=checkers, samples=config.draft.samples, guided=config.draft.guided, policy=policy)


def _plugin(config: RunConfig, role: str) -> tuple[str, dict[str, Any]]:
    part = getattr(config, role)
    return part.plugin, part.options


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


def write_outputs(store: RunStore, stimulus: StimulusType, config: RunConfig) -> list[Path]:
    """The run's dataset in every format it fits, its page and its manifest. The same items give the same bytes."""
    store.mark_outputs(Outputs.WRITING)
    accepted, rejected = store.items(State.ACCEPTED), store.items(State.REJECTED)
    manifest = build_manifest(config, accepted, rejected)
    view = RunView(stimulus, accepted, rejected, store.blobs, manifest)
    written: list[Path] = []
    for name in EXPORTERS if accepted else ("page",):
        exporter = registry.load("exporters", name, {})
        if exporter.unfit(view) is None:
            out = store.folder if name == "page" else store.folder / name
            written += exporter.export(view, out)
    manifest["files"] = {str(file.relative_to(store.folder)): _sha256(file) for file in sorted(written)}
    path = store.folder / MANIFEST
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    try:
        disk.write_whole(path, text.encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}): the run itself is kept.") from error
    if not accepted:
        _clear_exports(store.folder)
    store.mark_outputs(Outputs.CURRENT, _sha256(path))
    return [*written, path]


def _clear_exports(folder: Path) -> None:
    """Removes the sets of a run of which nothing is left: they would hold what people rejected."""
    from mossgen.files.folders import disk_errors, write_folder

    for name in EXPORTERS:
        out = folder / name
        if out.is_dir():
            write_folder(out, name, lambda stage: None)  # refuses a folder that holds what is not ours
            with disk_errors(out):
                shutil.rmtree(out)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def build_manifest(config: RunConfig, accepted: Sequence[Item], rejected: Sequence[Item]) -> dict[str, Any]:
    """Versions, seed, models with licences and hashes, counts, and a hash over the accepted items."""
    reasons: dict[str, int] = {}
    for item in rejected:
        reasons[item.rejected_by or "?"] = reasons.get(item.rejected_by or "?", 0) + 1
    text = "\n".join(canonical(item.to_dict()) for item in accepted)
    return {
        "mossgen": __version__,
        "type": config.type,
        "seed": config.seed,
        # names alone: where a reference lies differs between machines that make the same set
        "config": {**config.model_dump(mode="json"), "against": [Path(path).name for path in config.against]},
        "models": [_model_facts(config, role) for role in ROLES],
        "libraries": {name: _version(name) for name in LIBRARIES},
        "accepted": len(accepted),
        "candidates": len(accepted) + len(rejected),
        "rejected": dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        "items_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # it came under another name, such as faiss-gpu
        return "unknown"


def _model_facts(config: RunConfig, role: str) -> dict[str, Any]:
    """What the manifest says of the model in a role: name, licence and, of an embedded one, where it comes from."""
    plugin, options = _plugin(config, role)
    name = str(options.get("model", ""))
    known = {model.name: model for model in weights.catalogue()}
    if name not in known:
        return {"role": role, "name": f"{plugin}:{name}", "licence": _preset_licence(plugin, name)}
    model = known[name]
    return {"role": role, "name": f"{plugin}:{name}", "licence": model.licence, "sha256": config.weights[name],
            "credit": model.source}  # fmt: skip


def _preset_licence(plugin: str, name: str) -> str:
    if plugin == "diffusers":
        from mossgen.plugins.imagers.diffusers import PRESETS

        if name in PRESETS:
            return PRESETS[name].licence
    return "see the model's page"


# -- reading runs --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verification:
    """What `verify_run` found: what was altered or lost, and why the run is unfinished where it is."""

    problems: list[str]
    unfinished: str | None

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be, and up to date."""
        return not self.problems and self.unfinished is None


def verify_run(folder: Path) -> Verification:
    """What was altered or lost in a run: rows, ids, pictures, and outputs that are not what was written.

    Outputs that are older than the items must still be what their manifest says; where they were being
    written, nothing can be said of them. Raises ConfigError, StoreError.
    """
    with RunStore.read(folder) as store:
        problems, (state, manifest) = store.problems(), store.outputs()
        if store.counts():
            config = read_config(folder / CONFIG)
            if state is Outputs.CURRENT and not problems:  # rows that cannot be trusted cannot be compared with
                problems += _altered_manifest(folder, store, config)
        if manifest:
            problems += _altered_outputs(folder, manifest)
        return Verification(problems, unfinished(folder, state))


def unfinished(folder: Path, state: Outputs) -> str | None:
    """The sentence for a run whose outputs are not up to date; None where they are."""
    if state is Outputs.CURRENT:
        return None
    return (
        f"{folder} is unfinished: its outputs are older than its items (it was interrupted, or is being made right "
        "now): run the same command (`mossgen expand` or `evolve`) again to finish it."
    )


def _altered_manifest(folder: Path, store: RunStore, config: RunConfig) -> list[str]:
    """Fields of the manifest that are not what run.json and the items give."""
    path = folder / MANIFEST
    try:
        recorded = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []  # `_altered_outputs` says so
    fresh = build_manifest(config, store.items(State.ACCEPTED), store.items(State.REJECTED))
    return [
        f"{path}: `{key}` is not what {CONFIG} and the run's items give: one of them was altered."
        for key in ("type", "seed", "config", "accepted", "candidates", "rejected", "items_sha256")
        if recorded.get(key) != fresh[key]
    ]


def _altered_outputs(folder: Path, manifest: str) -> list[str]:
    """Output files that are missing or not what the manifest of this sha256 recorded."""
    path = folder / MANIFEST
    if not path.is_file():
        return [f"{path} is missing: run the same command (`mossgen expand` or `evolve`) again to write it."]
    if _sha256(path) != manifest:
        return [f"{path} was altered: its hash is not the one that was noted when it was written."]
    found = []
    for name, digest in json.loads(path.read_bytes()).get("files", {}).items():
        file = folder / name
        if not file.is_file():
            found.append(f"{file} is missing: run the same command (`mossgen expand` or `evolve`) again to write it.")
        elif _sha256(file) != digest:
            found.append(f"{file} was altered: its hash is not the manifest's.")
    return found
