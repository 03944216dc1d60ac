"""`mossgen export`: a run, or one side of a set, as examples with their targets, for the formats of exporters/.

What may not be trained on stops a training export: a side for testing, and an item whose lineage touches a reference
that is for testing only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mossgen import lineage, plugins
from mossgen.answers import Report, targets, write_answers
from mossgen.errors import ConfigError
from mossgen.items import State, rng
from mossgen.lineage import Source
from mossgen.ports import LLM, Checker, Example, SetView

if TYPE_CHECKING:
    from mossgen.config import Part, RunConfig
    from mossgen.exporters._format import Format
    from mossgen.stimulus import StimulusType

PAGE = "page"  # a run's own page: no format of sets
WRITER = "transformers"  # the embedded model, where nothing else is asked for
TEXT_CHECKERS = ("safety",)  # what an answer is checked by, beside its form


@dataclass(frozen=True)
class Wish:
    """What is asked for: see the options of `mossgen export`."""

    format: str
    side: str | None = None
    contrast: float = 0.0
    reviewed: bool = False
    insist: bool = False
    seed: int = 0
    llm: str | None = None
    settings: Sequence[str] = ()
    at: Path | None = None
    type_name: str | None = None


@dataclass(frozen=True)
class Exported:
    """What was written, and what was left out: items for which no answer passed, with the reasons."""

    format: str
    split: str
    items: int
    partners: int
    files: Sequence[Path]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class Material:
    """What a run or a side holds: its items and their harmful partners, and the folder that answers are kept in."""

    name: str
    folder: Path
    items: Sequence[Example]
    partners: Sequence[Example]
    writer: Part | None


def formats() -> list[str]:
    """The names of the formats, as users write them."""
    return [name.replace("_", "-") for name in plugins.names("exporters") if name != PAGE]


def export(
    source: Path,
    out: Path,
    wish: Wish,
    say: Callable[[str], None] = lambda text: None,
    report: Report = lambda done, of: None,
) -> Exported:
    """Writes `source` to the folder `out`, whole or not at all. Raises MossgenError; answers once made are kept."""
    format, llm = _plugins(wish)
    training = format.purpose == "train"
    split = wish.side or ("train" if training else "test")
    material = _material(source, split, wish)
    if training:
        _refuse_untrainable(source, split, material, wish)
    items = list(material.items)
    missing: Mapping[str, str] = {}
    notes = []
    if training:
        part = llm or material.writer
        answers = write_answers(material.folder, items, lambda: _writers(part, say), _writer_name(part), report)
        items, missing = targets(items, answers.texts, wish.seed), answers.missing
        if not items:
            raise ConfigError(_no_answers(missing))
        notes.append(f"The answers to train towards were written by {_writer_name(part)} or kept from before, "
                     "from the pictures' descriptions; the refusals are templates.")  # fmt: skip
    chosen = mixed(items, material.partners, wish.contrast, wish.seed)
    partners = targets(chosen, {}, wish.seed) if training else chosen
    notes.append(_mixture(len(items), len(partners), training))
    view = SetView(
        name=_identifier(material.name),
        split=split,
        examples=[*items, *partners],
        sources=[source.to_dict() for source in lineage.sources(e.row for e in (*items, *partners))],
        notes=notes,
        home=(wish.at or out).absolute(),
    )
    say("writing files")
    return Exported(wish.format, split, len(items), len(partners), format.export(view, out), missing)


def _plugins(wish: Wish) -> tuple[Format, Part | None]:
    """The format, and the model that writes answers where one is asked for, with their options. Raises ConfigError."""
    from mossgen.config import Part, parse_settings

    name = wish.format.replace("-", "_")
    if wish.format.replace("_", "-") not in formats():
        raise ConfigError(f"There is no format {wish.format!r}: use one of {', '.join(formats())}.")
    writer = wish.llm or WRITER
    changes = parse_settings(wish.settings, ["llm", writer, name])
    format: Format = plugins.load("exporters", name, changes.get(name, {}))
    options = {**changes.get(writer, {}), **changes.get("llm", {})}
    if format.purpose == "evaluate" and (wish.llm or options):
        raise ConfigError(f"The format {wish.format} has no answers to write: leave out --llm and its options.")
    if not (wish.llm or options):
        return format, None
    return format, Part(plugin=writer, options=plugins.parse("llms", writer, options).model_dump(mode="json"))


# -- what is there -------------------------------------------------------------------------------------


def _material(source: Path, split: str, wish: Wish) -> Material:
    if lineage.is_sided(source):
        return _side(source, split, wish)
    if wish.side is not None:
        raise ConfigError(
            f"{source} is no set with sides, so --side {wish.side} means nothing: `mossgen split` makes one."
        )
    return _run(source, wish)


def _side(source: Path, split: str, wish: Wish) -> Material:
    """One side of a set that `mossgen split` made."""
    if wish.reviewed:
        raise ConfigError(
            "--reviewed goes with a run: export one, or `mossgen review RUN --apply --reviewed` before the split."
        )
    codes = _codes()
    found = []
    for contrast in (False, True):
        part = lineage.part_folder(source, split, contrast)
        rows = lineage.rows(source, split, contrast)
        expected: Literal["comply", "refuse"] = "refuse" if contrast else "comply"
        found.append([Example(r, lineage.picture(part, r), expected, codes.get(str(r.get("type")))) for r in rows])
    return Material(str(lineage.head(source).get("name") or source.name), source, found[0], found[1], None)


def _codes() -> dict[str, str | None]:
    """MOSSBench's code of each type that comes with mossgen."""
    from mossgen.stimulus import load_type, type_names

    return {name: load_type(name).template.mossbench for name in type_names()}


def _run(source: Path, wish: Wish) -> Material:
    """The accepted items of a run, and what `mossgen contrast` made of them."""
    from mossgen.config import read_config
    from mossgen.exporters.imagefolder import row
    from mossgen.ports import RunView
    from mossgen.review.gate import reviewed
    from mossgen.stimulus import load_type
    from mossgen.store import CONFIG, RunStore

    with RunStore.read(source) as store:
        config = read_config(source / CONFIG)
        accepted = store.items(State.ACCEPTED)
        items = reviewed(accepted, store) if wish.reviewed else accepted
        if accepted and not items:
            raise ConfigError(
                f"No item of {source} is settled as benign by people: run `mossgen review {source}` first."
            )
        kind = load_type(wish.type_name or config.type)
        view = RunView(kind, items, (), store.blobs, {})
        origin = _origin(config)
        examples = [
            Example(
                {**row(view, item), "image_sha256": item.image, "lineage": origin},
                store.blob(item.image or ""),
                over=kind.template.mossbench,
            )
            for item in items
        ]
    partners = _partners(source, {item.id for item in items}, origin, kind)
    return Material(f"{config.type}_{config.seed}", source, examples, partners, config.llm)


def _partners(source: Path, ids: set[str], origin: Sequence[Mapping[str, Any]], kind: StimulusType) -> list[Example]:
    """The harmful partners of these items, where `mossgen contrast` has made any."""
    from mossgen.contrast import FOLDER, METADATA

    folder = source / FOLDER
    if not (folder / METADATA).is_file():
        return []
    rows = [row for row in lineage.read_rows(folder / METADATA) if row.get("contrast_of") in ids]
    return [
        Example({**row, "lineage": origin}, lineage.picture(folder, row), "refuse", kind.template.mossbench)
        for row in rows
    ]


def _origin(config: RunConfig) -> list[dict[str, Any]]:
    """Where a run's items come from, as `mossgen split` writes it into its rows."""
    from mossgen.runs import build_manifest

    models = build_manifest(config, (), ())["models"]
    found = [
        Source(f"mossgen {config.type}, seed {config.seed}", "item", "cc-by-4.0"),
        Source(f"seeds of {config.type}", "seed", "cc-by-4.0"),
        *(Source(model["name"], "model", model["licence"]) for model in models),
        *(Source(Path(path).name, "kept_away", "") for path in config.against),
    ]
    return [source.to_dict() for source in found]


# -- what may be trained on ----------------------------------------------------------------------------


def _refuse_untrainable(source: Path, split: str, material: Material, wish: Wish) -> None:
    """Raises ConfigError for a side that is held out (unless insisted on) and for lineage that forbids it (always)."""
    if lineage.is_sided(source) and split not in lineage.TRAINABLE and not wish.insist:
        raise ConfigError(
            f"The side {split!r} of {source} is held out: a model trained on it cannot be measured by it; take --side "
            f"{lineage.TRAINABLE[0]}, or insist with --i-know-this-is-the-{split}-side."
        )
    barred = [reason for e in (*material.items, *material.partners) if (reason := lineage.may_train(e.row))]
    if barred:
        more = f" {len(barred) - 1} more may not be trained on either." if len(barred) > 1 else ""
        raise ConfigError(barred[0] + more)


# -- targets and mixture -------------------------------------------------------------------------------


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


def _mixture(items: int, partners: int, training: bool) -> str:
    if partners:
        return f"{partners} of {items + partners} are harmful partners, expected to be refused."
    if training:
        return "There is no item to be refused in it: alone, it teaches a model to answer everything."
    return "There is no item to be refused in it."


def _writers(part: Part | None, say: Callable[[str], None]) -> tuple[LLM, Sequence[Checker]]:
    say("loading the model that writes answers")
    llm = plugins.load("llms", *_whom(part))
    return llm, [plugins.load("checkers", name, {}) for name in TEXT_CHECKERS]


def _whom(part: Part | None) -> tuple[str, Mapping[str, Any]]:
    return (part.plugin, part.options) if part else (WRITER, {})


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
