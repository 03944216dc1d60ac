"""The configuration of a run (frozen in run.json), presets, and options of plugins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from mossgen import __version__
from mossgen.core.defaults import JUDGE, PRESET
from mossgen.core.items import canonical_sha256
from mossgen.errors import ConfigError, StoreError
from mossgen.files import disk, outside
from mossgen.plugins.spec import (
    Part,
    by_plugin,
    checker_options,
    complete,
    needed_weights,
    vlm_part,
    weights_now,
)
from mossgen.stimulus.schema import Roles
from mossgen.stimulus.types import StimulusType

ROLES = {"llm": "llms", "imager": "imagers", "embedder": "embedders"}
MATCH = "match"  # the pipeline's own verdict; a policy may name it like a checker
NOT_MADE_WITH = {
    "policy",
    "foreign",
    "contrast",
    "intent",
    "strength",
}  # sections of a template that do not affect what is made
TEXT_AND_IMAGE_CHECKERS = ("rules", "safety", "sanity", "legible")


class Drafting(BaseModel):
    """How many questions are written per item: free ones, and ones from the type's grammar."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    samples: int = Field(default=0, ge=0, le=64)
    guided: int = Field(default=6, ge=0, le=64)

    @model_validator(mode="after")
    def _some(self) -> Drafting:
        if self.samples + self.guided == 0:
            raise ValueError("no question would be written: give samples or guided at least 1")
        return self


class Evolution(BaseModel):
    """How a run varies the accepted items of another run (`mossgen evolve`), and which targets guide it.

    `parents` is the folder name of the other run, `parents_sha256` the hash of its items. Targets are given by name.
    `samples` are used in the search, `held_back` to measure. `strength` comes from the template.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    parents: str
    parents_sha256: str
    targets: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    judge: str = JUDGE
    system: str = ""
    samples: int = 1
    held_back: int = 3
    per_cluster: int = 2
    hard_at: int = 1
    mutators: tuple[str, ...]
    strength: tuple[tuple[str, ...], ...] = ()


class RunConfig(BaseModel):
    """Everything that decides what a run makes, without budgets and -n: they only decide when it stops."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: str
    template_sha256: str
    seeds_sha256: str
    seed: int = 0
    draft: Drafting
    llm: Part
    imager: Part
    embedder: Part
    checkers: tuple[Part, ...]
    against: tuple[str, ...] = ()
    against_sha256: tuple[str, ...] = ()  # hash of each of these sets when the run began
    mossgen: str = __version__
    weights: dict[str, str] = {}  # hashes of the embedded models in use: other weights make other items
    policy: Roles = Roles()
    evolve: Evolution | None = None

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out what a run does not use, so that older runs keep the same run.json."""
        fields: dict[str, Any] = dump(self)
        if self.policy == Roles():
            del fields["policy"]
        if self.evolve is None:
            del fields["evolve"]
        return fields


class Preset(BaseModel):
    """A named choice of plugins: `--preset NAME`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    about: str
    draft: Drafting = Drafting()
    llm: Part
    imager: Part
    embedder: Part
    checkers: tuple[Part, ...] = tuple(Part(plugin=name) for name in TEXT_AND_IMAGE_CHECKERS)


PHOTO_CLIP = Part(plugin="open_clip", options={"model": "ViT-B-32", "pretrained": "laion2b_s34b_b79k"})
PRESETS: Mapping[str, Preset] = {
    "embedded": Preset(
        about="no key, no GPU, no hub: SmolLM2-135M writes, our small diffusion model draws illustrations",
        llm=Part(plugin="transformers"),
        imager=Part(plugin="diffusers"),
        embedder=Part(plugin="open_clip"),
    ),
    "gpu": Preset(
        about="one GPU of 24 GB, weights from the hub: Qwen3-8B writes, FLUX.1-schnell draws in 4 steps (Apache-2.0)",
        draft=Drafting(samples=6, guided=0),
        llm=Part(plugin="transformers", options={"model": "Qwen/Qwen3-8B"}),
        imager=Part(plugin="diffusers", options={"model": "flux-schnell"}),
        embedder=PHOTO_CLIP,
    ),
    "openai": Preset(
        about="an OpenAI-compatible endpoint writes and draws (OPENAI_API_KEY; costs money: a dry run says how much)",
        draft=Drafting(samples=6, guided=0),
        # list prices at the time of writing, in US dollars, for --dry-run and --max-cost: check them
        llm=Part(plugin="openai", options={"model": "gpt-4o-mini", "price_in": 0.15, "price_out": 0.60}),
        imager=Part(plugin="openai", options={"model": "gpt-image-1", "price": 0.042}),
        embedder=PHOTO_CLIP,
    ),
}


def preset_names() -> list[str]:
    """The names of our presets and of those from the entry points `mossgen.presets`."""
    return list(dict.fromkeys([*PRESETS, *outside.entries("presets")]))


def preset_origin(name: str) -> str:
    """The source of a preset: mossgen, or a package with its version. Raises ConfigError if two packages have it."""
    entry = outside.only("presets", name, name in PRESETS)
    return entry.package if entry else "mossgen"


def preset_of(name: str) -> Preset:
    """The preset of this name. An entry point gives a Preset or its plain values. Raises ConfigError."""
    entry = outside.only("presets", name, name in PRESETS)
    if entry is None and name not in PRESETS:
        raise ConfigError(f"There is no preset {name!r}: use one of {', '.join(preset_names())}.")
    if entry is None:
        return PRESETS[name]
    try:
        return Preset.model_validate(entry.load())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(the whole)"
        raise ConfigError(f"The preset {name!r} of the package {entry.package}: {field}: {first['msg']}.") from None


def build_config(
    stimulus: StimulusType,
    seed: int = 0,
    preset: str = PRESET,
    parts: Mapping[str, str | None] | None = None,
    checkers: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    against: Sequence[str] = (),
    policy: Roles | None = None,
    vlm: str | None = None,
) -> RunConfig:
    """Builds the configuration from a preset, other plugins and options (`plugin.option`).

    `parts` maps llm, imager, embedder to a plugin name (None keeps the preset's). Each plugin checks its options; its
    defaults are included, so that run.json is complete. `policy` holds the roles of checkers from flags; they override
    the template's. `vlm` adds the checker of that name. Raises ConfigError.
    """
    chosen = preset_of(preset)
    roles: dict[str, Part] = {}
    for role in ROLES:
        name = (parts or {}).get(role)
        mine: Part = getattr(chosen, role)
        roles[role] = Part(plugin=name) if name and name != mine.plugin else mine
    checks = tuple(Part(plugin=name) for name in checkers) or chosen.checkers
    checks += vlm_part(vlm)
    changes = by_plugin(options or {}, ["draft", *roles, *(p.plugin for p in (*roles.values(), *checks))])
    whole = {role: complete(ROLES[role], part, changes, role) for role, part in roles.items()}
    checking = tuple(complete("checkers", part, changes, part.plugin) for part in checks)
    refuse_own_writer(whole["llm"], checking)
    needed = needed_weights([*((ROLES[r], part) for r, part in whole.items()), *(("checkers", p) for p in checking)])
    return RunConfig(
        type=stimulus.name,
        template_sha256=canonical_sha256(stimulus.template.model_dump(mode="json", exclude=NOT_MADE_WITH)),
        seeds_sha256=canonical_sha256([s.model_dump() for s in stimulus.seeds]),
        seed=seed,
        draft=_drafting({**chosen.draft.model_dump(), **changes.get("draft", {})}),
        checkers=checking,
        against=tuple(str(Path(a).absolute()) for a in against),
        weights=weights_now(needed),
        policy=resolve_roles(policy or Roles(), stimulus.template.policy, [p.plugin for p in checks]),
        **whole,
    )


def same_weights(config: RunConfig, stimulus: StimulusType) -> None:
    """Raises ConfigError if the template or the embedded weights have changed since the run was made."""
    today = weights_now(tuple(config.weights))
    changed = [name for name, digest in config.weights.items() if digest != today[name]]
    now = canonical_sha256(stimulus.template.model_dump(mode="json", exclude=NOT_MADE_WITH))
    if changed or now != config.template_sha256:
        what = f"other weights of {changed[0]}" if changed else f"another template {config.type}"
        raise ConfigError(f"The run was made with {what} than there is now: make it again, in another folder.")


def refuse_own_writer(writer: Part, checkers: Sequence[Part]) -> None:
    """Raises ConfigError if a checker cannot check questions of this run's writer."""
    for options in checker_options(checkers):
        if reason := options.refuses_writer(writer.plugin, writer.options):
            raise ConfigError(reason)


def parse_roles(gates: Sequence[str], signals: Sequence[str]) -> Roles:
    """The roles from lists of gates and signals. Raises ConfigError if a name is in both."""
    try:
        return Roles(gates=tuple(gates), signals=tuple(signals))
    except ValidationError:
        both = min(set(gates) & set(signals))
        raise ConfigError(
            f"{both} stands in `gates` and in `signals`, which exclude each other: take it out of one."
        ) from None


def resolve_roles(asked: Roles, stated: Roles, checkers: Sequence[str]) -> Roles:
    """Merges two sets of roles: `asked` (from flags) overrides `stated` (from a template or a run).

    Raises ConfigError for a name that is no checker here. A stated signal of such a name is ignored.
    """
    known = (*checkers, MATCH)
    gates = dict.fromkeys((*asked.gates, *(n for n in stated.gates if n not in asked.signals)))
    signals = dict.fromkeys(
        (*asked.signals, *(n for n in stated.signals if n in known and n not in asked.gates))
    )  # fmt: skip
    for name in (*gates, *signals):
        if name not in known:
            raise ConfigError(
                f"The policy names {name!r}, which is no checker of this run ({', '.join(known)}): "
                f"add it to `checkers`, or leave it out of `gates` and `signals`."
            )
    return Roles(gates=tuple(sorted(gates)), signals=tuple(sorted(signals)))


def _drafting(options: Mapping[str, Any]) -> Drafting:
    try:
        return Drafting.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"Option draft.{option}: {first['msg']} (got {first['input']!r}).") from None


def freeze(config: RunConfig, path: Path, empty: bool = False) -> None:
    """Writes run.json, or checks an existing one. Raises ConfigError with the first field that differs; StoreError.

    In an `empty` run nothing was made with the old configuration (for example, its model path was wrong), so the new
    one replaces it.
    """
    if path.is_file() and not empty:
        before = read_config(path)
        refuse_changed_references(before, config, path)
        difference = _first_difference(before.model_dump(mode="json"), config.model_dump(mode="json"))
        if difference:
            field, old, new = difference
            raise ConfigError(
                f"{path}: `{field}` is {old!r} in this run and {new!r} now: "
                "run with the same options to resume it, or choose another folder."
            )
        return
    text = json.dumps(config.model_dump(mode="json"), indent=2) + "\n"
    try:
        disk.write_whole(path, text.encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}): choose another folder for the run.") from error


def refuse_changed_references(before: RunConfig, now: RunConfig, path: Path) -> None:
    """Raises ConfigError if a reference set has changed since the run of `before`, at `path`, began.

    Otherwise the two halves of the run would be compared with different sets.
    """
    if before.against != now.against:
        return  # reported as a difference of that field
    for reference, old, new in zip(now.against, before.against_sha256, now.against_sha256, strict=False):
        if old != new:
            raise ConfigError(
                f"{path}: the reference set {reference} has changed since this run began (its hash was {old[:12]} "
                f"and is {new[:12]}): put back what it held, or choose another folder."
            )


def read_config(path: Path) -> RunConfig:
    """The frozen configuration of a run. Raises ConfigError if it is missing, invalid or from another version."""
    try:
        text = path.read_text(encoding="utf-8")
        return RunConfig.model_validate_json(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): give the folder of a run.") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ConfigError(
            f"{path}: {field}: {first['msg']}: it was altered, or another version of mossgen made the run "
            f"({_version_in(text)}; this is {__version__}): make the run again, with `mossgen expand` in a new folder."
        ) from None


def _version_in(text: str) -> str:
    """The mossgen version named in a run.json, in words."""
    found = re.search(r'"mossgen": "([\w.+-]{1,40})"', text)
    return f"it names {found[1]}" if found else "it names none"


def _first_difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """The dotted path of the first field that differs between two plain values, and both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            found = _first_difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)
            if found:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            found = _first_difference(before, after, f"{path}[{index}]")
            if found:
                return found
        return None
    return None if old == new else (path, old, new)


def checking_parts(
    checkers: Sequence[str], options: Mapping[str, Any], vlm: str | None = None, preset: str = PRESET
) -> tuple[Part, ...]:
    """The checkers for an existing set, named or from the preset, with their options. Raises ConfigError."""
    parts = tuple(Part(plugin=name) for name in checkers) or preset_of(preset).checkers
    parts += vlm_part(vlm)
    changes = by_plugin(options, [part.plugin for part in parts])
    return tuple(complete("checkers", part, changes, part.plugin) for part in parts)
