"""Checkers, targets and judges of refusals as the command line names them: `kind:name[@base_url]`, a name, a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import (
    BaseModel,
    ConfigDict,
)

from mossgen.core.items import canonical_sha256
from mossgen.errors import ConfigError
from mossgen.models import weights as models
from mossgen.plugins import registry

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder


def target_parts(specs: Sequence[str], options: Mapping[str, Any]) -> tuple[Part, ...]:
    """The targets that `--target kind:name[@base_url]` names, with their options. Raises ConfigError.

    The option `target.NAME` is for all of them, `target2.NAME` for the second.
    """
    parts = [parse_spec("--target", spec, ("openai", "transformers", "file")) for spec in specs]
    numbered = [f"target{number}" for number in range(1, len(parts) + 1)]
    changes = by_plugin(options, ["target", *numbered])
    found = [
        complete("targets", part, {"target": {**changes.get("target", {}), **changes.get(role, {})}}, "target")
        for part, role in zip(parts, numbered, strict=True)
    ]
    doubled = next((spec for spec, part in zip(specs, found, strict=True) if found.count(part) > 1), None)
    if doubled:
        raise ConfigError(f"--target {doubled} is given twice: leave one out.")
    return tuple(found)


def refusal_judge_parts(names: Sequence[str], model: str | None, options: Mapping[str, Any]) -> tuple[Part, ...]:
    """The judges of refusals that `--judge NAME` names, with their options. Raises ConfigError.

    `model`, as `openai:MODEL[@URL]`, is the one that those behind an endpoint ask.
    """
    address = parse_spec("--model", model, ("openai",)).options if model else {}
    changes = by_plugin(options, names)
    found = []
    for name in dict.fromkeys(names):
        asks = "model" in registry.options("judges", name)
        if asks and not address and "model" not in changes.get(name, {}):
            raise ConfigError(f"--judge {name} asks a model: name it with --model openai:MODEL[@URL].")
        found.append(complete("judges", Part(plugin=name, options=address if asks else {}), changes, name))
    if model and not any("model" in part.options for part in found):
        raise ConfigError(f"--model {model}: none of the judges ({', '.join(names)}) asks a model: leave it out.")
    return tuple(found)


class Part(BaseModel):
    """One plugin of a run and its options."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    plugin: str
    options: dict[str, Any] = {}


def embedded_models(parts: Sequence[Part]) -> list[str]:
    """The embedded models that these plugins load, each once."""
    asked = {str(value) for part in parts for value in part.options.values()}
    if any(part.plugin in ("safety", "embedded") for part in parts):
        asked.add("minilm")  # the encoder of the safety and the refusal head
    return [model.name for model in models.catalogue() if model.name in asked]


def weights_now(names: Sequence[str]) -> dict[str, str]:
    """The hash of each embedded model's files, as a run that is made today notes them."""
    return {name: canonical_sha256(models.hashes(name)) for name in names}


def judge_part(spec: str | None) -> tuple[Part, ...]:
    """The judge that `--judge kind:name[@base_url]` adds to the checkers; none without one. Raises ConfigError."""
    if spec is None:
        return ()
    backend = parse_spec("--judge", spec, ("openai", "transformers"))
    return (Part(plugin="judge", options={"backend": backend.plugin, "base_url": None, **backend.options}),)


def parse_spec(flag: str, spec: str, kinds: Sequence[str]) -> Part:
    """`kind:name[@base_url]` as the plugin `kind` with the options model and base_url. Raises ConfigError."""
    found = re.fullmatch(r"(\w+):(.+?)(?:@(https?://\S+))?", spec)
    if not found or found[1] not in kinds or (found[3] and found[1] != "openai"):
        forms = {"openai": "openai:MODEL, openai:MODEL@http://127.0.0.1:8000/v1", "transformers": "transformers:PATH",
                 "file": "file:RESPONSES.jsonl"}  # fmt: skip
        raise ConfigError(f"{flag} {spec!r}: write {' or '.join(forms[kind] for kind in kinds)}.")
    address = {"base_url": found[3]} if found[3] else {}
    return Part(plugin=found[1], options={"model": found[2], **address})


def by_plugin(options: Mapping[str, Any], known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Options named `plugin.option`, by plugin (or role). Raises ConfigError for a plugin that is not among `known`."""
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
    """The plugin with its options as settings change them, and its own defaults written out. Raises ConfigError."""
    asked = {**part.options, **changes.get(part.plugin, {}), **changes.get(role, {})}
    for option, value in asked.items():
        if isinstance(value, str) and re.match(r"\w+://[^/]*@", value):  # run.json and the manifest would show it
            raise ConfigError(
                f"Option {part.plugin}.{option} is an address with a user or a password in it: "
                "leave them out, and put the key into the environment."
            )
    options: BaseModel = registry.parse(kind, part.plugin, asked)
    return Part(plugin=part.plugin, options=options.model_dump(mode="json"))


def load_embedder(part: Part) -> Embedder:
    """The embedder. Raises ConfigError, MissingModel or BackendError."""
    embedder: Embedder = registry.load("embedders", part.plugin, part.options)
    return embedder
