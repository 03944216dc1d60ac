"""`mossgen export`: writes a run, or one side of a set, as examples with targets, in the formats of exporters/.

A training export stops if it contains what must not be trained on: a test side, or an item whose lineage includes a
reference that is for testing only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mossgen.core.items import rng
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError
from mossgen.exports.answers import targets
from mossgen.exports.material import Choice, Material, hard_rule, read_material
from mossgen.exports.refusals import Refusal, read_refusals
from mossgen.exports.training import DEFAULTS, with_targets
from mossgen.plugins import registry
from mossgen.plugins.arguments import refuse_outside
from mossgen.plugins.protocols import Example, Exporter, SetView
from mossgen.plugins.spec import Part, by_plugin
from mossgen.reviews.votes import REVIEWERS
from mossgen.sets import lineage
from mossgen.sets.dataset import Dataset
from mossgen.sets.references import locate

MOST_PARTNERS = 0.99  # the largest share of the whole


@dataclass(frozen=True)
class Exported:
    """The result of an export: what was written, and what was not.

    `missing` are items for which no answer passed, `left_out` records that cannot be used, both with the reasons.
    `own_refusals` counts the items whose rejected answer is a target model's own.
    """

    format: str
    split: str
    items: int
    partners: int
    files: Sequence[Path]
    missing: Mapping[str, str]
    own_refusals: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {
            "format": self.format,
            "side": self.split,
            "items": self.items,
            "partners": self.partners,
            "own_refusals": self.own_refusals,
            "unanswered": dict(self.missing),
            "left_out": dict(self.left_out),
            "files": [str(file) for file in self.files],
        }


def formats() -> list[str]:
    """The names of the formats, as users type them."""
    usable = [name for name in registry.names("exporters") if name not in registry.faults("exporters")]
    return [name.replace("_", "-") for name in usable if "set" in registry.load("exporters", name, {}).takes]


def export(
    source: Path | str | Dataset,
    format: str,
    *,
    out: Path | str,
    side: str | None = None,
    contrast: float | None = None,
    reviewed: bool = False,
    hard: bool = False,
    votes: int = REVIEWERS,
    llm: str | None = None,
    options: Mapping[str, Any] | None = None,
    rejected_from: Sequence[Path | str] = (),
    seed: int = 0,
    at: Path | str | None = None,
    type: str | None = None,
    held_out: bool = False,
    progress: Progress = SILENT,
) -> Exported:
    """Writes a run, or one side of a set, to the folder `out` in a format for a trainer or a harness.

    `side` selects a side of a set with sides; the default is train for training formats, test for evaluation formats.
    `contrast` is the share of harmful partners in the whole, at most. For a run, `reviewed` takes only items that
    people decided are benign with `votes` votes, and `hard` only what `evolve` found that enough targets refuse. `llm`
    and `options` choose the writer of helpful answers; `rejected_from` are files of a target's own refusals. `at` is
    where the folder will be read from, if not at `out`. `type` is the template file if the run's type did not come with
    mossgen. A held-out side is exported as training data only with `held_out`. Of an opened set, only its own records
    are exported.

    The folder is written completely or not at all; answers already written are kept. Raises ConfigError (also if the
    lineage of an item forbids training on it), MissingModel, BackendError, StoreError.

    >>> made = mossgen.export("my-set", "trl-sft", out="out/sft", side="train")
    >>> made.items + len(made.missing), made.split
    (3, 'train')
    """
    refuse_outside("contrast", contrast, 0, MOST_PARTNERS)
    given, side = _given(source, side)
    writing, part = _plugins(format, llm, options or {}, bool(rejected_from))
    training = writing.purpose == "train"
    split = side or ("train" if training else "test")
    material = read_material(given, split, Choice(side, reviewed, hard, votes, type))
    if training:
        _refuse_untrainable(material.folder, split, material, held_out)
    own = _own_refusals(material, [Path(file) for file in rejected_from])
    _partners(writing, material.items, material.partners, contrast, seed)  # fail early if there are too few partners
    items: Sequence[Example] = material.items
    missing: Mapping[str, str] = {}
    notes: list[str] = []
    if training:
        items, missing, notes = with_targets(material, part or material.writer, own, seed, progress)
    partners = _partners(writing, items, material.partners, contrast, seed)
    partners = targets(partners, {}, seed) if training else partners
    notes += [hard_rule(material)] if hard else []
    notes.append(_mixture(len(items), len(partners), training))
    used = [own[e.id] for e in items if e.id in own]
    view = _view(material, split, [*items, *partners], used, notes, Path(at or out).absolute())
    progress.say("writing files")
    files = writing.export(view, Path(out))
    return Exported(format, split, len(items), len(partners), files, missing, len(used), material.left_out)


def _given(source: Path | str | Dataset, side: str | None) -> tuple[Path | Dataset, str | None]:
    """What is exported, and its side if one is named or the set was opened with one."""
    if not isinstance(source, Dataset):
        return locate(source), side
    return source, side or _opened_side(source)


def _opened_side(found: Dataset) -> str | None:
    """The side of an opened set; raises ConfigError if it was opened with several."""
    there = list(dict.fromkeys(record.side for record in found)) if found.kind == "split" else []
    if len(there) > 1:
        raise ConfigError(
            f"{found.path} was opened with the sides {', '.join(there)}, and one is exported at a time: give `side` "
            f"{there[0]}, for example."
        )
    return there[0] if there else found.side


def _view(
    material: Material,
    split: str,
    examples: Sequence[Example],
    used: Sequence[Refusal],
    notes: Sequence[str],
    home: Path,
) -> SetView:
    """What the format may read; a target whose refusals are `used` is also a source."""
    made_by = [lineage.Source(name, "model", "") for name in sorted({refusal.target for refusal in used} - {""})]
    sources = [*lineage.sources(example.row for example in examples), *made_by]
    return SetView(
        name=_identifier(material.name),
        split=split,
        examples=examples,
        sources=[source.to_dict() for source in sources],
        notes=notes,
        home=home,
        evidence=material.evidence,
    )


def _plugins(asked: str, llm: str | None, options: Mapping[str, Any], refusals: bool) -> tuple[Exporter, Part | None]:
    """The format, and the model that writes answers if needed, with their options; raises ConfigError."""
    name = asked.replace("-", "_")
    if name not in registry.names("exporters"):
        raise ConfigError(f"There is no format {asked!r}: use one of {', '.join(formats())}.")
    writer = llm or DEFAULTS.llm.plugin
    changes = by_plugin(options, ["llm", writer, name])
    format = registry.load("exporters", name, changes.get(name, {}))
    if "set" not in format.takes:
        raise ConfigError(f"The format {asked} is of whole runs alone: use one of {', '.join(formats())}.")
    writing = {**changes.get(writer, {}), **changes.get("llm", {})}
    if format.purpose == "evaluate" and refusals:
        raise ConfigError(f"The format {asked} has no rejected answers: leave out `rejected_from`.")
    if format.purpose == "evaluate" and (llm or writing):
        raise ConfigError(f"The format {asked} has no answers to write: leave out `llm` and its options.")
    if not (llm or writing):
        return format, None
    return format, Part(plugin=writer, options=registry.parse("llms", writer, writing).model_dump(mode="json"))


# -- what may be trained on ----------------------------------------------------------------------------


def _refuse_untrainable(source: Path, split: str, material: Material, held_out: bool) -> None:
    """Raises ConfigError for a held-out side (unless `held_out`) and for lineage that forbids training (always)."""
    if lineage.is_sided(source) and split not in lineage.TRAINABLE and not held_out:
        raise ConfigError(
            f"The side {split!r} of {source} is held out: a model trained on it cannot be measured by it; take the "
            f"`side` {lineage.TRAINABLE[0]}, or insist with `held_out`."
        )
    barred = [reason for e in (*material.items, *material.partners) if (reason := lineage.may_train(e.row))]
    if barred:
        more = f" {len(barred) - 1} more may not be trained on either." if len(barred) > 1 else ""
        raise ConfigError(barred[0] + more)


# -- targets and mixture -------------------------------------------------------------------------------


def _own_refusals(material: Material, files: Sequence[Path]) -> dict[str, Refusal]:
    """A target's own refusals of the items; raises ConfigError for unusable files, or files about other items."""
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


def _partners(
    format: Exporter, items: Sequence[Example], partners: Sequence[Example], share: float | None, seed: int
) -> list[Example]:
    """The partners to export: the share asked for; by default all if the format keeps them apart, else none."""
    if share is None and format.apart:
        return list(partners)
    return mixed(items, partners, share or 0.0, seed)


def mixed(items: Sequence[Example], partners: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Enough partners to make up `share` of items and partners together, drawn by `seed`, in their order.

    Raises ConfigError if there are too few.
    """
    wanted = round(len(items) * share / (1 - share))
    if wanted > len(partners):
        most = math.floor(100 * len(partners) / (len(items) + len(partners))) / 100
        raise ConfigError(
            f"A share of {share:g} takes {wanted} harmful partners for {len(items)} items, and there are "
            f"{len(partners)}: run `mossgen contrast` first, or give `contrast` {most:g} or less."
        )
    drawn = {e.id for e in sorted(partners, key=lambda e: rng(e.id, f"mix/{seed}").random())[:wanted]}
    return [example for example in partners if example.id in drawn]


def _mixture(items: int, partners: int, training: bool) -> str:
    if partners:
        return f"{partners} of {items + partners} are harmful partners, expected to be refused."
    if training:
        return "There is no item to be refused in it: alone, it teaches a model to answer everything."
    return "There is no item to be refused in it."


def _identifier(name: str) -> str:
    """The name in the form that files, tasks and datasets allow."""
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "set"
    return words if words.startswith("mossgen") else f"mossgen_{words}"
