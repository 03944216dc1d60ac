"""RunConfig: what a run is made with, frozen in run.json; presets; and how options reach their plugin."""

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
MATCH = "match"  # the pipeline's own verdict, which a policy may name like a checker
NOT_MADE_WITH = {
    "policy",
    "foreign",
    "contrast",
    "intent",
    "strength",
}  # sections of a template that decide nothing of what is made
TEXT_AND_IMAGE_CHECKERS = ("rules", "safety", "sanity", "legible")


class Drafting(BaseModel):
    """How many questions are written for each item: free ones, and ones inside the type's grammar."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    samples: int = Field(default=0, ge=0, le=64)
    guided: int = Field(default=6, ge=0, le=64)

    @model_validator(mode="after")
    def _some(self) -> Drafting:
        if self.samples + self.guided == 0:
            raise ValueError("no question would be written: give samples or guided at least 1")
        return self


class Evolution(BaseModel):
    """How a run varies the accepted items of another one (`mossgen evolve`), and by whose refusals.

    `parents` is that run's folder by name, `parents_sha256` the hash of its items; targets go by name. `samples` are
    asked for in the search, `held_back` to measure; `strength` is the template's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    parents: str
    parents_sha256: str
    targets: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    judge: str = "embedded"
    system: str = ""
    samples: int = 1
    held_back: int = 3
    per_cluster: int = 2
    hard_at: int = 1
    mutators: tuple[str, ...]
    strength: tuple[tuple[str, ...], ...] = ()


class RunConfig(BaseModel):
    """Everything that decides what a run makes. Budgets and -n are not in it: they only decide when it stops."""

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
    against_sha256: tuple[str, ...] = ()  # of what each of those sets held when the run began
    mossgen: str = __version__
    weights: dict[str, str] = {}  # of the embedded models in use: other weights make other items
    policy: Roles = Roles()
    evolve: Evolution | None = None

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What a run does not use is left out: one made before there was such a thing is written as it was."""
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
        # list prices when this was written, in US dollars: they feed --dry-run and --max-cost, so check them
        llm=Part(plugin="openai", options={"model": "gpt-4o-mini", "price_in": 0.15, "price_out": 0.60}),
        imager=Part(plugin="openai", options={"model": "gpt-image-1", "price": 0.042}),
        embedder=PHOTO_CLIP,
    ),
}


def preset_names() -> list[str]:
    """Our presets, and those of the entry points `mossgen.presets`."""
    return list(dict.fromkeys([*PRESETS, *outside.entries("presets")]))


def preset_origin(name: str) -> str:
    """Where a preset comes from: mossgen, or a package with its version. Raises ConfigError where two bring it."""
    entry = outside.only("presets", name, name in PRESETS)
    return entry.package if entry else "mossgen"


def preset_of(name: str) -> Preset:
    """The preset of this name; an entry point leads to a Preset, or to its plain values. Raises ConfigError."""
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
    preset: str = "embedded",
    parts: Mapping[str, str | None] | None = None,
    checkers: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    against: Sequence[str] = (),
    policy: Roles | None = None,
    vlm: str | None = None,
) -> RunConfig:
    """The configuration that flags ask for: a preset, other plugins in its place, and `plugin.option`s.

    `parts` maps llm, imager, embedder to a plugin name (None keeps the preset's). Options are checked by
    their plugin, and its defaults are written out, so that run.json says everything. `policy` are the roles
    that flags give to checkers; they go before the template's. `vlm` adds the checker of that name. Raises ConfigError.
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
    """Raises ConfigError where a run was made with another template or other embedded weights than there are now."""
    today = weights_now(tuple(config.weights))
    changed = [name for name, digest in config.weights.items() if digest != today[name]]
    now = canonical_sha256(stimulus.template.model_dump(mode="json", exclude=NOT_MADE_WITH))
    if changed or now != config.template_sha256:
        what = f"other weights of {changed[0]}" if changed else f"another template {config.type}"
        raise ConfigError(f"The run was made with {what} than there is now: make it again, in another folder.")


def refuse_own_writer(writer: Part, checkers: Sequence[Part]) -> None:
    """Raises ConfigError where a checker does not check what this run's writer wrote."""
    for options in checker_options(checkers):
        if reason := options.refuses_writer(writer.plugin, writer.options):
            raise ConfigError(reason)


def parse_roles(gates: Sequence[str], signals: Sequence[str]) -> Roles:
    """The roles that gates and signals ask for. Raises ConfigError where one name stands in both."""
    try:
        return Roles(gates=tuple(gates), signals=tuple(signals))
    except ValidationError:
        both = min(set(gates) & set(signals))
        raise ConfigError(
            f"{both} stands in `gates` and in `signals`, which exclude each other: take it out of one."
        ) from None


def resolve_roles(asked: Roles, stated: Roles, checkers: Sequence[str]) -> Roles:
    """Those that flags ask for, then what a template or a run states where flags say nothing of a checker.

    A name that is no checker here is an error, except a stated signal: no signal, nothing to record.
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
    """Writes run.json, or checks the one that is there. Raises ConfigError naming the first field that differs.

    In an `empty` run nothing was made with the old configuration (a wrong model path, an endpoint that was
    down), so the new one takes its place.
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
    """Raises ConfigError where a reference set is not what it was when the run of `before`, at `path`, began.

    Half of a run compared with one set, and half with another, would be the result of neither.
    """
    if before.against != now.against:
        return  # another field's difference, and said as such
    for reference, old, new in zip(now.against, before.against_sha256, now.against_sha256, strict=False):
        if old != new:
            raise ConfigError(
                f"{path}: the reference set {reference} has changed since this run began (its hash was {old[:12]} "
                f"and is {new[:12]}): put back what it held, or choose another folder."
            )


def read_config(path: Path) -> RunConfig:
    """The frozen configuration of a run. Raises ConfigError if it is missing, was broken, or is another version's."""
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
    """The version that a run.json names, as far as it can be read."""
    found = re.search(r'"mossgen": "([\w.+-]{1,40})"', text)
    return f"it names {found[1]}" if found else "it names none"


def _first_difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """The dotted path of the first field that differs between two plain values, and what it is in each."""
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
    checkers: Sequence[str], options: Mapping[str, Any], vlm: str | None = None, preset: str = "embedded"
) -> tuple[Part, ...]:
    """The checkers for a set that exists: those named or the preset's, with their options. Raises ConfigError."""
    parts = tuple(Part(plugin=name) for name in checkers) or preset_of(preset).checkers
    parts += vlm_part(vlm)
    changes = by_plugin(options, [part.plugin for part in parts])
    return tuple(complete("checkers", part, changes, part.plugin) for part in parts)
