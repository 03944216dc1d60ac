"""Adds targets to the items of an export: helpful answers, written and checked, and refusals to train away from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mossgen.core.defaults import PRESET
from mossgen.core.progress import Progress
from mossgen.errors import ConfigError
from mossgen.exports.answers import answers_file, targets, write_answers
from mossgen.exports.material import Material
from mossgen.exports.refusals import Refusal
from mossgen.plugins import registry
from mossgen.plugins.protocols import LLM, Checker, Example
from mossgen.plugins.spec import Part, checker_options
from mossgen.runs.config import PRESETS

DEFAULTS = PRESETS[PRESET]  # writes and checks answers by default


def with_targets(
    material: Material,
    part: Part | None,
    own: Mapping[str, Refusal],
    seed: int,
    progress: Progress,
) -> tuple[list[Example], Mapping[str, str], list[str]]:
    """The items with their targets, why others have none, and the notes for the card; raises MossgenError."""
    name = _writer_name(part)
    file = answers_file(material.folder)
    found = write_answers(file, material.items, lambda: _writers(part, progress), name, progress)
    items = targets(material.items, found.texts, seed, {key: refusal.text for key, refusal in own.items()})
    if not items:
        raise ConfigError(_no_answers(found.missing))
    count = sum(example.id in own for example in items)
    which = f"{count} of the refusals are a target model's own, the others" if count else "the refusals"
    note = f"The answers to train towards were written by {name} or kept from before; {which} are templates."
    return items, found.missing, [note]


def _writers(part: Part | None, progress: Progress) -> tuple[LLM, Sequence[Checker]]:
    progress.say("loading the model that writes answers")
    llm = registry.load("llms", *_whom(part))
    usual = zip(DEFAULTS.checkers, checker_options(DEFAULTS.checkers), strict=True)
    by_text = [part for part, options in usual if options.needs == "text" and options.looks_for_harm]
    return llm, [registry.load("checkers", part.plugin, part.options) for part in by_text]


def _whom(part: Part | None) -> tuple[str, Mapping[str, Any]]:
    return (part.plugin, part.options) if part else (DEFAULTS.llm.plugin, DEFAULTS.llm.options)


def _writer_name(part: Part | None) -> str:
    plugin, options = _whom(part)
    model = str(options.get("model") or "smollm2")
    return f"{plugin}/{Path(model).name if Path(model).is_dir() else model}"


def _no_answers(missing: Mapping[str, str]) -> str:
    if not missing:
        return "There is no item to export: the run or the side is empty."
    key, reason = next(iter(missing.items()))
    return f"No answer passed for any of {len(missing)} items ({key}: {reason}): let another model write them (`llm`)."
