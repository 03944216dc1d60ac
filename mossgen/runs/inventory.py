"""Lists all plugins, presets and types, ours and of other packages (`mossgen plugins`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from mossgen.errors import ConfigError, MossgenError
from mossgen.plugins import registry
from mossgen.plugins.protocols import CheckerOptions, PluginOptions
from mossgen.runs.config import preset_names, preset_of, preset_origin
from mossgen.stimulus.types import load_type, type_names, type_origin

PRESETS, TYPES = "presets", "types"
PLAIN = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null",
         "object": "mapping", "array": "list"}  # fmt: skip


@dataclass(frozen=True)
class Available:
    """A plugin, preset or type with its package: mossgen, or another with its version.

    `problem` says why it cannot be used; None if it can.
    """

    kind: str
    name: str
    about: str
    package: str
    problem: str | None = None


@dataclass(frozen=True)
class Option:
    """One option of a plugin: its type in words, its default as JSON has it, and what it means."""

    name: str
    type: str
    required: bool
    default: Any
    meaning: str


@dataclass(frozen=True)
class Description:
    """The full description of a plugin, preset or type; `licence` is None if it runs no model."""

    kind: str
    name: str
    about: str
    package: str
    options: Sequence[Option] = ()
    licence: str | None = None
    paid: bool = False
    needs: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return asdict(self)


def kinds() -> tuple[str, ...]:
    """The names of all kinds: types, presets, then the kinds of plugins."""
    return (TYPES, PRESETS, *registry.KINDS)


def inventory() -> list[Available]:
    """All plugins, presets and types, by kind and name; broken ones are included with their problem."""
    return [_available(kind, name) for kind in kinds() for name in _names(kind)]


def describe(wanted: str) -> Description:
    """Describes what `wanted` names (NAME or KIND/NAME). Raises ConfigError if nothing or several things match."""
    kind, slash, name = wanted.rpartition("/")
    if slash and kind not in kinds():
        raise ConfigError(f"There is no kind {kind!r}: use one of {', '.join(kinds())}.")
    found = [(k, n) for k in ([kind] if slash else kinds()) for n in _names(k) if n in (name, name.replace("-", "_"))]
    if not found:
        raise ConfigError(f"Nothing is called {wanted!r}: `mossgen plugins` lists everything.")
    if len(found) > 1:
        ways = ", ".join(f"{k}/{n}" for k, n in found)
        raise ConfigError(f"Several things are called {wanted!r}: name one of {ways}.")
    return _described(*found[0])


def _names(kind: str) -> list[str]:
    if kind == TYPES:
        return type_names()
    return preset_names() if kind == PRESETS else registry.names(kind)


def _available(kind: str, name: str) -> Available:
    try:
        package = _package(kind, name)
    except MossgenError as error:
        return Available(kind, name, "", "several", str(error))
    try:
        return Available(kind, name, _about(kind, name), package)
    except MossgenError as error:
        return Available(kind, name, "", package, str(error))


def _package(kind: str, name: str) -> str:
    if kind == TYPES:
        return type_origin(name)
    return preset_origin(name) if kind == PRESETS else registry.origin(kind, name)


def _about(kind: str, name: str) -> str:
    """One line about it. Also loads the options of a plugin of another package. Raises MossgenError."""
    if kind == TYPES:
        return ""  # reading all templates would be slow
    if kind == PRESETS:
        return preset_of(name).about
    if registry.origin(kind, name) != registry.OURS:
        registry.options(kind, name)
    return registry.about(kind, name).split("\n")[0]


def _described(kind: str, name: str) -> Description:
    package = _package(kind, name)
    if kind == TYPES:
        template = load_type(name).template
        slots = {slot: f"{spec.about} ({len(spec.values)} values)" for slot, spec in template.slots.items()}
        return Description(kind, name, " ".join(template.definition.split()), package, facts={"slots": slots})
    if kind == PRESETS:
        preset = preset_of(name)
        return Description(kind, name, preset.about, package, facts=preset.model_dump(mode="json", exclude={"about"}))
    return _plugin(kind, name, package)


def _plugin(kind: str, name: str, package: str) -> Description:
    wanted = registry.options(kind, name)
    fields = wanted.model_fields
    usual = _with_defaults(wanted)
    weights = usual.needs_weights() if usual else ()
    needs = [f"the embedded model {model}" for model in weights]
    if "api_key_env" in fields:
        needs.append(f"a key in {fields['api_key_env'].default}; for an endpoint on this machine none")
    needs += [f"the option {option}" for option, info in fields.items() if info.is_required()]
    licence = usual.model_licence() if usual and (weights or "model" in fields) else None
    return Description(
        kind, name, registry.about(kind, name), package,
        options=options_of(wanted),
        licence=licence or ("that of the model you name" if "model" in fields else None),
        paid=wanted.paid,
        needs=needs,
        facts=_facts(kind, name, wanted),
    )  # fmt: skip


def _with_defaults(wanted: type[PluginOptions]) -> PluginOptions | None:
    try:
        return wanted()
    except ValidationError:
        return None


def _facts(kind: str, name: str, wanted: type[PluginOptions]) -> dict[str, Any]:
    """Facts of single kinds: how a target is named, what a checker looks at."""
    if issubclass(wanted, CheckerOptions):
        sees = "the question alone" if wanted.needs == "text" else "the picture"
        return {"role": wanted.role, "sees": "picture and question together" if wanted.sees_pair else sees}
    return {"named": [f"{name}:{form}" for form in wanted.forms]} if kind == "targets" else {}


# -- options in words ----------------------------------------------------------------------------------


def options_of(wanted: type[BaseModel]) -> list[Option]:
    """The options of a plugin, in their order."""
    schema = wanted.model_json_schema()
    required = schema.get("required", [])
    return [
        Option(name, _type(facts), name in required, facts.get("default"), facts.get("description", ""))
        for name, facts in schema.get("properties", {}).items()
    ]


def _type(facts: Mapping[str, Any]) -> str:
    """A JSON schema type in words, with its bounds."""
    if "anyOf" in facts:
        return " or ".join(dict.fromkeys(_type(one) for one in facts["anyOf"]))
    if "enum" in facts or "const" in facts:
        return " or ".join(str(value) for value in facts.get("enum", [facts.get("const")]))
    low, above = facts.get("minimum"), facts.get("exclusiveMinimum")
    bounds = [f"from {low}"] if low is not None else [f"above {above}"] if above is not None else []
    high, below = facts.get("maximum"), facts.get("exclusiveMaximum")
    bounds += [f"to {high}"] if high is not None else [f"below {below}"] if below is not None else []
    return " ".join([PLAIN.get(str(facts.get("type")), "anything"), *bounds])
