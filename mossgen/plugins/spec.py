"""Makes Parts from how users name plugins: `KIND:MODEL[@URL]` or a name, with `plugin.option` settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict

from mossgen.core.items import canonical_sha256
from mossgen.core.options import PluginOptions
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError
from mossgen.models import weights
from mossgen.models.dialect import EndpointOptions
from mossgen.plugins import registry

if TYPE_CHECKING:
    from mossgen.plugins.protocols import CheckerOptions, Embedder, JudgeOptions, TargetOptions

# the forms of `KIND:MODEL`, for parameters that name a model, not a plugin
ENDPOINT = {"openai": EndpointOptions.forms}
ENDPOINT_OR_HERE = {**ENDPOINT, "transformers": ("PATH",)}
VLM = "vlm"  # the checker that the parameter `vlm` adds


class Part(BaseModel):
    """One plugin of a run and its options."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    plugin: str
    options: dict[str, Any] = {}

    def parsed(self, kind: str) -> PluginOptions:
        """The part's Options, which know its needs and costs. Raises ConfigError."""
        return registry.parse(kind, self.plugin, self.options)


# -- what users write ----------------------------------------------------------------------------------


def parse_spec(parameter: str, spec: str, forms: Mapping[str, Sequence[str]]) -> Part:
    """Reads `KIND:MODEL[@URL]` as the plugin KIND with the options model and base_url.

    `forms` lists the allowed kinds and what may follow each; a URL needs a form with a URL.
    `parameter` is the one that holds the spec. Raises ConfigError.
    """
    found = re.fullmatch(r"([\w-]+):(.+?)(?:@(https?://\S+))?", spec)
    takes_url = found is not None and any("@" in form for form in forms.get(found[1], ()))
    if not found or found[1] not in forms or (found[3] and not takes_url):
        ways = (f"{kind}:{form}" for kind, kinds in forms.items() for form in kinds)
        raise ConfigError(f"`{parameter}` {spec!r}: write {' or '.join(ways)}.")
    address = {"base_url": found[3]} if found[3] else {}
    return Part(plugin=found[1], options={"model": found[2], **address})


def by_plugin(options: Mapping[str, Any], known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Groups options named `plugin.option` by plugin (or role). Raises ConfigError for a plugin not in `known`."""
    changes: dict[str, dict[str, Any]] = {}
    for key, value in options.items():
        plugin, _, option = key.partition(".")
        if not option:
            raise ConfigError(f"`options` {key!r}: name it plugin.option, such as diffusers.steps.")
        if plugin not in known:
            raise ConfigError(
                f"`options` {key!r}: this run has no {plugin!r}; it has {', '.join(dict.fromkeys(known))}."
            )
        changes.setdefault(plugin, {})[option] = value
    return changes


def complete(kind: str, part: Part, changes: Mapping[str, Mapping[str, Any]], role: str) -> Part:
    """The plugin with its options: the settings and the explicit defaults. Raises ConfigError."""
    asked = {**part.options, **changes.get(part.plugin, {}), **changes.get(role, {})}
    for option, value in asked.items():
        if isinstance(value, str) and re.match(r"\w+://[^/]*@", value):  # run.json and the manifest would show it
            raise ConfigError(
                f"Option {part.plugin}.{option} is an address with a user or a password in it: "
                "leave them out, and put the key into the environment."
            )
    options = registry.parse(kind, part.plugin, asked)
    return Part(plugin=part.plugin, options=options.model_dump(mode="json"))


# -- targets, judges of refusals, the vlm --------------------------------------------------------------


def target_parts(specs: Sequence[str], options: Mapping[str, Any]) -> tuple[Part, ...]:
    """The targets named by `KIND:MODEL[@URL]`, with their options. Raises ConfigError.

    The option `target.NAME` applies to all of them, `target2.NAME` to the second.
    """
    if not specs:
        raise ConfigError("`targets` names none: give at least one as KIND:MODEL[@URL].")
    parts = [parse_spec("targets", spec, target_forms(spec)) for spec in specs]
    numbered = [f"target{number}" for number in range(1, len(parts) + 1)]
    changes = by_plugin(options, ["target", *numbered])
    found = [
        complete("targets", part, {"target": {**changes.get("target", {}), **changes.get(role, {})}}, "target")
        for part, role in zip(parts, numbered, strict=True)
    ]
    doubled = next((spec for spec, part in zip(specs, found, strict=True) if found.count(part) > 1), None)
    if doubled:
        raise ConfigError(f"The target {doubled} is given twice in `targets`: leave one out.")
    return tuple(found)


def target_forms(spec: str) -> dict[str, tuple[str, ...]]:
    """What may follow the kind in a target's spec: for the named kind, or for all kinds if none is named.

    Raises ConfigError if the named plugin cannot be used.
    """
    kind, colon, _ = spec.partition(":")
    names = registry.names("targets")
    if colon and kind in names:
        return {kind: registry.options("targets", kind).forms}
    broken = registry.faults("targets")
    return {name: registry.options("targets", name).forms for name in names if name not in broken}


def refusal_judge_parts(names: Sequence[str], model: str | None, options: Mapping[str, Any]) -> tuple[Part, ...]:
    """The judges of refusals with these names, with their options. Raises ConfigError.

    `model`, as `openai:MODEL[@URL]`, is the model that judges behind an endpoint ask.
    """
    address = parse_spec("model", model, ENDPOINT).options if model else {}
    changes = by_plugin(options, names)
    found = []
    for name in dict.fromkeys(names):
        asks = "model" in registry.options("judges", name).model_fields
        if asks and not address and "model" not in changes.get(name, {}):
            raise ConfigError(f"The judge {name} asks a model: name it in `model`, as openai:MODEL[@URL].")
        found.append(complete("judges", Part(plugin=name, options=address if asks else {}), changes, name))
    if model and not any("model" in part.options for part in found):
        raise ConfigError(f"`model` {model}: none of the judges ({', '.join(names)}) asks a model: leave it out.")
    return tuple(found)


def vlm_part(spec: str | None) -> tuple[Part, ...]:
    """The extra checker that `vlm` (KIND:MODEL[@URL]) adds; empty without it. Raises ConfigError."""
    if spec is None:
        return ()
    backend = parse_spec("vlm", spec, ENDPOINT_OR_HERE)
    return (Part(plugin=VLM, options={"backend": backend.plugin, "base_url": None, **backend.options}),)


# -- what they need ------------------------------------------------------------------------------------


def needed_weights(parts: Sequence[tuple[str, Part]]) -> list[str]:
    """The embedded models that these plugins (by kind) load, without repeats, in catalogue order."""
    asked = {model for kind, part in parts for model in part.parsed(kind).needs_weights()}
    return [model.name for model in weights.catalogue() if model.name in asked]


def weights_now(names: Sequence[str]) -> dict[str, str]:
    """The current hash of each embedded model's files, as a new run records it."""
    return {name: canonical_sha256(weights.hashes(name)) for name in names}


def checker_options(parts: Sequence[Part]) -> list[CheckerOptions]:
    """The Options of these checkers, known before loading. Raises ConfigError."""
    return [cast("CheckerOptions", part.parsed("checkers")) for part in parts]


def target_options(parts: Sequence[Part]) -> list[TargetOptions]:
    """The Options of these targets, known before loading. Raises ConfigError."""
    return [cast("TargetOptions", part.parsed("targets")) for part in parts]


def judge_options(parts: Sequence[Part]) -> list[JudgeOptions]:
    """The Options of these judges of refusals, known before loading. Raises ConfigError."""
    return [cast("JudgeOptions", part.parsed("judges")) for part in parts]


def load_embedder(part: Part, progress: Progress = SILENT) -> Embedder:
    """Loads the embedder. Raises ConfigError, MissingModel or BackendError."""
    return registry.load("embedders", part.plugin, part.options, progress)
