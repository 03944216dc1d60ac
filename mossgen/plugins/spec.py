"""Checkers, targets and judges of refusals as the command line names them: `kind:name[@base_url]`, a name, a model."""

from __future__ import annotations

from collections.abc import Sequence

from mossgen.errors import ConfigError
from mossgen.plugins import registry
from mossgen.runs.config import PRESETS, Part, complete, judge_part, parse_settings, parse_spec


def checking_parts(
    checkers: Sequence[str], settings: Sequence[str], judge: str | None = None, preset: str = "embedded"
) -> tuple[Part, ...]:
    """The checkers for a set that exists: those named or the preset's, with their options. Raises ConfigError."""
    parts = tuple(Part(plugin=name) for name in checkers) or PRESETS[preset].checkers
    parts += judge_part(judge)
    changes = parse_settings(settings, [part.plugin for part in parts])
    return tuple(complete("checkers", part, changes, part.plugin) for part in parts)


def target_parts(specs: Sequence[str], settings: Sequence[str]) -> tuple[Part, ...]:
    """The targets that `--target kind:name[@base_url]` names, with their options. Raises ConfigError.

    `--set target.option=value` is for all of them, `--set target2.option=value` for the second.
    """
    parts = [parse_spec("--target", spec, ("openai", "transformers", "file")) for spec in specs]
    numbered = [f"target{number}" for number in range(1, len(parts) + 1)]
    changes = parse_settings(settings, ["target", *numbered])
    found = [
        complete("targets", part, {"target": {**changes.get("target", {}), **changes.get(role, {})}}, "target")
        for part, role in zip(parts, numbered, strict=True)
    ]
    doubled = next((spec for spec, part in zip(specs, found, strict=True) if found.count(part) > 1), None)
    if doubled:
        raise ConfigError(f"--target {doubled} is given twice: leave one out.")
    return tuple(found)


def refusal_judge_parts(names: Sequence[str], model: str | None, settings: Sequence[str]) -> tuple[Part, ...]:
    """The judges of refusals that `--judge NAME` names, with their options. Raises ConfigError.

    `model`, as `openai:MODEL[@URL]`, is the one that those behind an endpoint ask.
    """
    address = parse_spec("--model", model, ("openai",)).options if model else {}
    changes = parse_settings(settings, names)
    found = []
    for name in dict.fromkeys(names):
        asks = "model" in registry.options("judges", name)
        if asks and not address and "model" not in changes.get(name, {}):
            raise ConfigError(f"--judge {name} asks a model: name it with --model openai:MODEL[@URL].")
        found.append(complete("judges", Part(plugin=name, options=address if asks else {}), changes, name))
    if model and not any("model" in part.options for part in found):
        raise ConfigError(f"--model {model}: none of the judges ({', '.join(names)}) asks a model: leave it out.")
    return tuple(found)
