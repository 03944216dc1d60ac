"""`mossgen export`: a run, or one side of a set, as examples with their targets, for the formats of exporters/.

What may not be trained on stops a training export: a side for testing, and an item whose lineage touches a reference
that is for testing only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mossgen.core.items import rng
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError
from mossgen.exports.answers import answers_file, targets, write_answers
from mossgen.exports.refusals import Refusal, read_refusals
from mossgen.plugins import registry
from mossgen.plugins.protocols import LLM, Checker, Example, Exporter, SetView
from mossgen.plugins.spec import Part, by_plugin, checker_options
from mossgen.reviews.apply import settled_benign
from mossgen.reviews.votes import REVIEWERS
from mossgen.runs.config import PRESETS, read_config
from mossgen.runs.store import CONFIG, DATABASE, RunStore
from mossgen.sets import lineage
from mossgen.sets.dataset import Record, unaltered
from mossgen.sets.open import open_set
from mossgen.sets.run import Run
from mossgen.splits.members import foreign_row, read_batch
from mossgen.stimulus.types import load_type, type_names

Placed = tuple[lineage.Row, Path | bytes]  # a row, and where its picture lies, or what it is
DEFAULTS = PRESETS["embedded"]  # what writes and checks answers, where nothing else is asked for


@dataclass(frozen=True)
class Wish:
    """What is asked for: see the options of `mossgen export`."""

    format: str
    side: str | None = None
    contrast: float | None = None
    reviewed: bool = False
    hard: bool = False
    votes: int = REVIEWERS
    insist: bool = False
    seed: int = 0
    llm: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    at: Path | None = None
    type_name: str | None = None
    rejected_from: Sequence[Path] = ()


@dataclass(frozen=True)
class Exported:
    """What was written, and what was left out: items for which no answer passed, with the reasons.

    `own_refusals` counts the items whose rejected answer is a target model's own.
    """

    format: str
    split: str
    items: int
    partners: int
    files: Sequence[Path]
    missing: Mapping[str, str]
    own_refusals: int = 0


@dataclass(frozen=True)
class Material:
    """What a run or a side holds: its items and their harmful partners, and the folder that answers are kept in."""

    name: str
    folder: Path
    items: Sequence[Example]
    partners: Sequence[Example]
    evidence: Mapping[str, Any]
    writer: Part | None


@dataclass(frozen=True)
class _Found:
    """The rows of a run or a side with their pictures, before they are examples."""

    name: str
    folder: Path
    items: Sequence[Placed]
    partners: Sequence[Placed]
    evidence: Mapping[str, Any]


def formats() -> list[str]:
    """The names of the formats, as users write them."""
    usable = [name for name in registry.names("exporters") if name not in registry.faults("exporters")]
    return [name.replace("_", "-") for name in usable if "set" in registry.load("exporters", name, {}).takes]


def export(
    source: Path,
    out: Path,
    wish: Wish,
    progress: Progress = SILENT,
) -> Exported:
    """Writes `source` to the folder `out`, whole or not at all. Raises MossgenError; answers once made are kept."""
    format, llm = _plugins(wish)
    training = format.purpose == "train"
    split = wish.side or ("train" if training else "test")
    material = _material(source, split, wish)
    own: dict[str, Refusal] = {}
    if training:
        _refuse_untrainable(source, split, material, wish)
        own = _own_refusals(material, wish.rejected_from)
    _partners(format, material.items, material.partners, wish)  # too few of them: said before any answer
    if training:
        items, missing, notes = _answered(material, llm or material.writer, own, wish.seed, progress)
    else:
        items, missing, notes = list(material.items), {}, []
    chosen = _partners(format, items, material.partners, wish)
    partners = targets(chosen, {}, wish.seed) if training else chosen
    if wish.hard:
        notes.append(_rule(material))
    notes.append(_mixture(len(items), len(partners), training))
    used = [own[e.id] for e in items if e.id in own]
    made_by = [lineage.Source(name, "model", "") for name in sorted({refusal.target for refusal in used} - {""})]
    sources = [*lineage.sources(e.row for e in (*items, *partners)), *made_by]
    view = SetView(
        name=_identifier(material.name),
        split=split,
        examples=[*items, *partners],
        sources=[source.to_dict() for source in sources],
        notes=notes,
        home=(wish.at or out).absolute(),
        evidence=material.evidence,
    )
    progress.say("writing files")
    return Exported(wish.format, split, len(items), len(partners), format.export(view, out), missing, len(used))


def _plugins(wish: Wish) -> tuple[Exporter, Part | None]:
    """The format, and the model that writes answers where one is asked for, with their options. Raises ConfigError."""
    name = wish.format.replace("-", "_")
    if name not in registry.names("exporters"):
        raise ConfigError(f"There is no format {wish.format!r}: use one of {', '.join(formats())}.")
    writer = wish.llm or DEFAULTS.llm.plugin
    changes = by_plugin(wish.options, ["llm", writer, name])
    format = registry.load("exporters", name, changes.get(name, {}))
    if "set" not in format.takes:
        raise ConfigError(f"The format {wish.format} is of whole runs alone: use one of {', '.join(formats())}.")
    options = {**changes.get(writer, {}), **changes.get("llm", {})}
    if format.purpose == "evaluate" and wish.rejected_from:
        raise ConfigError(f"The format {wish.format} has no rejected answers: leave out --rejected-from.")
    if format.purpose == "evaluate" and (wish.llm or options):
        raise ConfigError(f"The format {wish.format} has no answers to write: leave out --llm and its options.")
    if not (wish.llm or options):
        return format, None
    return format, Part(plugin=writer, options=registry.parse("llms", writer, options).model_dump(mode="json"))


# -- what is there -------------------------------------------------------------------------------------


def _material(source: Path, split: str, wish: Wish) -> Material:
    """What is at `source`. Raises ConfigError: no set, no such side, a picture that is missing or was changed."""
    sided = lineage.is_sided(source)
    if wish.side is not None and not sided:
        raise ConfigError(f"{source} has no sides, so `side` {wish.side} means nothing: `mossgen split` makes them.")
    found = _side(source, split) if sided else _whole(source)
    if wish.reviewed:
        found = _reviewed(found, wish.votes)
    if wish.hard:
        found = _hard(found)
    codes = _codes(found, wish.type_name)

    def examples(part: Sequence[Placed], expected: Literal["comply", "refuse"]) -> list[Example]:
        return [Example(row, picture, expected, codes.get(str(row.get("type")))) for row, picture in part]

    config = read_config(source / CONFIG) if (source / CONFIG).is_file() else None
    items, partners = examples(found.items, "comply"), examples(found.partners, "refuse")
    return Material(found.name, found.folder, items, partners, found.evidence, config.llm if config else None)


def _side(source: Path, side: str) -> _Found:
    """One side of a set that `mossgen split` made."""
    found = open_set(source, side=side)
    items, partners = _placed((r, r.row) for r in found), _placed((p, p.row) for p in found.partners)
    return _Found(found.name, source, items, partners, lineage.evidence(source))


def _whole(source: Path) -> _Found:
    """The accepted items of a run, or another set whole, with what is to be refused as its partners."""
    batch = read_batch(source)
    found = batch.source
    items = _placed((member.record, member.row) for member in batch.members)
    if isinstance(found, Run):
        partners = _placed((p.record, p.row) for member in batch.members for p in member.partners)
        name = f"{found.config.type}_{found.config.seed}"
        return _Found(name, found.path, items, partners, {"runs": [batch.made]})
    harmful = [record for record in found.usable if record.expected == "refuse"]
    return _Found(found.name, found.path, items, _placed((r, foreign_row(found, r)) for r in harmful), {})


def _placed(records: Iterable[tuple[Record, lineage.Row]]) -> list[Placed]:
    """Rows with their pictures, which are as they were written. Raises ConfigError."""
    found: list[Placed] = []
    for record, row in records:
        unaltered(record, row)
        found.append((row, record.picture or b""))
    return found


def _hard(found: _Found) -> _Found:
    """What `mossgen evolve` found that enough targets refuse, and the partners of that. Raises ConfigError."""
    hard = {row["id"] for row, _ in found.items if json.loads(row["provenance"]).get("evolved", {}).get("hard")}
    if not hard:
        raise ConfigError(f"{found.folder} has no hard item: `mossgen evolve` makes runs that have.")
    items = [(row, path) for row, path in found.items if row["id"] in hard]
    partners = [(row, path) for row, path in found.partners if row.get("contrast_of") in hard]
    return replace(found, name=f"{found.name}_hard", items=items, partners=partners)


def _reviewed(found: _Found, votes: int) -> _Found:
    """What people settled as benign, of a run, and the partners of that. Raises ConfigError."""
    if not (found.folder / DATABASE).is_file():
        raise ConfigError(
            f"--reviewed goes with a run, and {found.folder} is a set: run `mossgen review RUN --apply --reviewed` "
            "and split anew."
        )
    with RunStore.read(found.folder) as store:
        benign = settled_benign(store, votes)
    items = [(row, path) for row, path in found.items if row["id"] in benign]
    if not items:
        raise ConfigError(
            f"People settled no item of {found.folder} as benign: run `mossgen review {found.folder}` first."
        )
    partners = [(row, path) for row, path in found.partners if row.get("contrast_of") in benign]
    return replace(found, items=items, partners=partners)


def _codes(found: _Found, type_name: str | None) -> dict[str, str | None]:
    """MOSSBench's code of each type that is there and comes with mossgen, or is given."""
    there = {str(row.get("type")) for row, _ in found.items}
    names = [*(name for name in type_names() if name in there), *([type_name] if type_name else [])]
    return {kind.name: kind.template.mossbench for kind in map(load_type, names)}


# -- what may be trained on ----------------------------------------------------------------------------


def _refuse_untrainable(source: Path, split: str, material: Material, wish: Wish) -> None:
    """Raises ConfigError for a side that is held out (unless insisted on) and for lineage that forbids it (always)."""
    if lineage.is_sided(source) and split not in lineage.TRAINABLE and not wish.insist:
        raise ConfigError(
            f"The side {split!r} of {source} is held out: a model trained on it cannot be measured by it; take --side "
            f"{lineage.TRAINABLE[0]}, or insist with --i-know-it-is-held-out."
        )
    barred = [reason for e in (*material.items, *material.partners) if (reason := lineage.may_train(e.row))]
    if barred:
        more = f" {len(barred) - 1} more may not be trained on either." if len(barred) > 1 else ""
        raise ConfigError(barred[0] + more)


# -- targets and mixture -------------------------------------------------------------------------------


def _own_refusals(material: Material, files: Sequence[Path]) -> dict[str, Refusal]:
    """A target's own refusals of the items. Raises ConfigError: files that cannot be used, or of other items."""
    if not files:
        return {}
    here = {example.id for example in material.items}
    read = read_refusals(files)
    found = {key: refusal for key, refusal in read.items() if key in here}
    if not found:
        raise ConfigError(
            f"{' and '.join(map(str, files))}: none of the {len(read)} refusals (the first is of {next(iter(read))}) "
            f"is of an item of {material.folder}: give the responses to this run or set."
        )
    return found


def _answered(
    material: Material,
    part: Part | None,
    own: Mapping[str, Refusal],
    seed: int,
    progress: Progress,
) -> tuple[list[Example], Mapping[str, str], list[str]]:
    """The items with their targets, why others have none, and what the card says of it. Raises MossgenError."""
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


def _partners(format: Exporter, items: Sequence[Example], partners: Sequence[Example], wish: Wish) -> list[Example]:
    """The partners that go along: the share asked for; else all where the format keeps them apart, none elsewhere."""
    if wish.contrast is None and format.apart:
        return list(partners)
    return mixed(items, partners, wish.contrast or 0.0, wish.seed)


def mixed(items: Sequence[Example], partners: Sequence[Example], share: float, seed: int) -> list[Example]:
    """As many partners as make up `share` of items and partners together, drawn by `seed`, in their order.

    Raises ConfigError where there are fewer.
    """
    wanted = round(len(items) * share / (1 - share))
    if wanted > len(partners):
        most = math.floor(100 * len(partners) / (len(items) + len(partners))) / 100
        raise ConfigError(
            f"--mix contrast={share:g} takes {wanted} harmful partners for {len(items)} items, and there are "
            f"{len(partners)}: run `mossgen contrast` first, or give contrast={most:g} or less."
        )
    drawn = {e.id for e in sorted(partners, key=lambda e: rng(e.id, f"mix/{seed}").random())[:wanted]}
    return [example for example in partners if example.id in drawn]


def _rule(material: Material) -> str:
    """By what rule the hard items were chosen, as the run's figures have it."""
    file = material.folder / "evolve.json"
    told = lineage.read_json(file) if file.is_file() else {}
    rule = told.get("rule", "refused by enough of the targets of `mossgen evolve`")
    return f"These are the hard items of an adversarial search: {rule}. Rates on them are none of a model in general."


def _mixture(items: int, partners: int, training: bool) -> str:
    if partners:
        return f"{partners} of {items + partners} are harmful partners, expected to be refused."
    if training:
        return "There is no item to be refused in it: alone, it teaches a model to answer everything."
    return "There is no item to be refused in it."


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
    return f"No answer passed for any of {len(missing)} items ({key}: {reason}): let another model write with --llm."


def _identifier(name: str) -> str:
    """The name as files, tasks and datasets can be called."""
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "set"
    return words if words.startswith("mossgen") else f"mossgen_{words}"
