"""Turns settings into what a run needs: its type, its configuration, its references, its models."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mossgen.checks.policy import resolve
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError, UsageError
from mossgen.expansion.profile import Profile
from mossgen.expansion.runfile import blamed, read_run_file, save_run_file
from mossgen.expansion.settings import Settings, checked, over
from mossgen.models import weights
from mossgen.models.loading import fast_imports
from mossgen.plugins import registry
from mossgen.plugins.spec import Part
from mossgen.runs.config import ROLES, RunConfig, build_config, parse_roles
from mossgen.sets.dataset import Dataset
from mossgen.sets.open import open_set
from mossgen.sets.references import locate
from mossgen.stimulus.types import StimulusType, load_type

if TYPE_CHECKING:
    from mossgen.expansion.stages import Backends


@dataclass(frozen=True)
class Setup:
    """The settings of a run, the type that they name, and the resulting configuration."""

    settings: Settings
    stimulus: StimulusType
    config: RunConfig

    @property
    def folder(self) -> Path:
        """The run's folder."""
        named = Path("generated") / f"{self.stimulus.name}-{self.settings.seed}"
        return Path(self.settings.run) if self.settings.run else named


def prepare(
    given: Mapping[str, Any],
    config: str | Path | None = None,
    save_config: str | Path | None = None,
    aside: frozenset[str] = frozenset(),
) -> Setup:
    """Combines the arguments in `given` (None: not given), the run file `config` without `aside`, and the defaults.

    Writes the settings to `save_config`. Raises ConfigError or TemplateError, with field and line if the run file is
    wrong.
    """
    if config is None:
        setup = _setup(given)
    else:
        file = read_run_file(Path(config))

        def attempt(given: Mapping[str, Any], values: Mapping[str, Any]) -> Setup:
            return _setup(given, {name: value for name, value in values.items() if name not in aside})

        try:
            setup = attempt(given, file.values)
        except UsageError as error:
            raise blamed(file, given, error, attempt) from None
    if save_config is not None:
        save_run_file(setup.settings, Path(save_config))
    return setup


def _setup(given: Mapping[str, Any], beneath: Mapping[str, Any] = MappingProxyType({})) -> Setup:
    settings = checked(over(given, beneath))
    stimulus = load_type(settings.type)
    parts = {role: getattr(settings, role) for role in ROLES}
    against = [_located(name) for name in settings.against]
    config = build_config(
        stimulus, settings.seed, settings.preset, parts, settings.checkers, settings.options, against,
        parse_roles(settings.gates, settings.signals), settings.vlm,
    )  # fmt: skip
    return Setup(settings, stimulus, config)


def _located(name: str) -> str:
    """The path of a reference. Opens it before anything is fetched or made, to check that it is a set."""
    path = locate(name)
    if not path.exists():
        raise ConfigError(f"`against` {name}: no set is there: give a path, or the name of an imported set.")
    try:
        open_set(path)
    except ConfigError as error:
        raise ConfigError(f"`against` {error}") from None
    return str(path)


def with_references(config: RunConfig) -> tuple[RunConfig, list[Dataset]]:
    """The configuration with the current hashes of its references, and the references. Raises ConfigError."""
    references = [open_set(path) for path in config.against]
    hashes = tuple(reference.sha256() for reference in references)
    return config.model_copy(update={"against_sha256": hashes}), references


def fetch_weights(config: RunConfig, progress: Progress = SILENT, profile: Profile | None = None) -> None:
    """Fetches the embedded models of a run that are missing. Raises MissingModel."""
    for name in config.weights:
        with profile.loading("weights") if profile else nullcontext():
            weights.path(name, progress)


def build_backends(config: RunConfig, profile: Profile | None = None) -> Backends:
    """Loads every model of a run, timed in `profile`. Raises ConfigError, MissingModel or BackendError."""
    from mossgen.expansion.stages import Backends

    def load(role: str, kind: str, part: Part) -> Any:
        with profile.loading(role) if profile else nullcontext():
            return registry.load(kind, part.plugin, part.options)

    with fast_imports():
        roles = {role: load(role, kind, getattr(config, role)) for role, kind in ROLES.items()}
        checkers = tuple(load(part.plugin, "checkers", part) for part in config.checkers)
    for checker in checkers:
        if checker.options.needs not in ("text", "image"):
            raise ConfigError(
                f"The checker {checker.name} needs {checker.options.needs!r}, not text or image: it would never run."
            )
    policy = resolve(checkers, config.policy)
    return Backends(**roles, checkers=checkers, samples=config.draft.samples, guided=config.draft.guided, policy=policy)
