"""The items that a split takes apart: those of runs and of imported sets, with their pictures, partners and lineage."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mossgen.core.items import Item, State, canonical
from mossgen.duplicates.vectors import Vectors, embed_reference
from mossgen.errors import ConfigError
from mossgen.plugins.spec import Part, embedded_models, weights_now
from mossgen.runs.config import PRESETS, RunConfig, read_config
from mossgen.runs.outputs import MANIFEST
from mossgen.runs.store import CONFIG, DATABASE, Outputs, RunStore
from mossgen.runs.verify import unfinished
from mossgen.sets.lineage import CONTRAST as CONTRASTS
from mossgen.sets.lineage import METADATA, Row, Source, read_json, read_rows, seeds_of
from mossgen.sets.references import REFERENCE, locate, read_imported, read_reference
from mossgen.splits.evidence import made
from mossgen.stimulus.types import SCENES

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder


RUN_LICENCE = "cc-by-4.0"  # what mossgen's own exports state of a run's items


@dataclass(frozen=True)
class Member:
    """One item on its way to a side: its row, its picture, what it shares with others, and its partners.

    `shares` maps a relation to the value that related items have in common: question, scene, seed.
    """

    row: Row
    image: Path
    shares: Mapping[str, str]
    partners: Sequence[tuple[Row, Path]] = ()

    @property
    def id(self) -> str:
        """Its id in the set."""
        return str(self.row["id"])


@dataclass
class Batch:
    """The members of one run or imported set, and what their vectors are read or made from."""

    path: Path
    members: list[Member]
    config: RunConfig | None = None
    made: dict[str, Any] | None = None  # of a run: see evidence.py
    stored: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


def read_batches(paths: Sequence[Path]) -> list[Batch]:
    """The members of every set. Raises ConfigError: no set, an unfinished run, nothing accepted, clashing ids."""
    twice, count = next(iter(Counter(locate(path).resolve() for path in paths).most_common(1)))
    if count > 1:
        raise ConfigError(f"{twice} is given {count} times: give each run once.")
    batches = [_read(locate(path)) for path in paths]
    seen: dict[str, Path] = {}
    for batch in batches:
        if not batch.members:
            raise ConfigError(f"{batch.path} has no accepted item: make some with `mossgen expand` or `evolve` first.")
        for member in batch.members:
            other = seen.setdefault(member.id, batch.path)
            if other != batch.path:
                raise ConfigError(
                    f"The id {member.id} is in {other} and in {batch.path}: give each run once, or make one of them "
                    "again with another seed."
                )
    return batches


def _read(path: Path) -> Batch:
    if (path / DATABASE).is_file():
        return _run(path)
    if (path / REFERENCE).is_file():
        return _reference(path)
    raise ConfigError(f"{path}: give a run folder, or a set imported with `mossgen import`.")


# -- runs ----------------------------------------------------------------------------------------------


def _run(path: Path) -> Batch:
    """The accepted items of a finished run, with the rows of its own ImageFolder export."""
    config = read_config(path / CONFIG)
    with RunStore.read(path) as store:
        items, state = store.items(State.ACCEPTED), store.outputs()[0]
        stored = {channel: store.vectors(channel) for channel in ("text", "image")}
        blobs = {item.id: store.blob(item.image or "") for item in items}
        making = made(store, read_json(path / MANIFEST)) if items and state is Outputs.CURRENT else None
    if not items:  # before anything is accepted there may be no outputs to read
        return Batch(path, [], config)
    if reason := unfinished(path, state):
        raise ConfigError(reason)
    exported = {row["id"]: row for row in read_rows(path / "imagefolder" / "data" / METADATA)}
    partners = _partners(path)
    sources = _run_sources(path, config)
    members = []
    for item in items:
        origin = [source.to_dict() for source in (*sources, *seeds_of(item))]
        row = {**exported[item.id], "image_sha256": item.image, "lineage": origin}
        theirs = [
            ({**p, "lineage": origin}, path / CONTRASTS / p["file_name"])
            for p in partners if p["contrast_of"] == item.id
        ]  # fmt: skip
        members.append(Member(row, blobs[item.id], _shares(item), theirs))
    return Batch(path, members, config, making, stored)


def _partners(run: Path) -> list[Row]:
    metadata = run / CONTRASTS / METADATA
    return read_rows(metadata) if metadata.is_file() else []


def _run_sources(path: Path, config: RunConfig) -> list[Source]:
    """The run, its models, and the sets it was kept away from."""
    manifest = read_json(path / MANIFEST)
    sources = [Source(f"mossgen {config.type} seed {config.seed}", "item", RUN_LICENCE)]
    if config.evolve:  # whose items were varied
        sources.append(Source(f"mossgen run {config.evolve.parents}", "item", RUN_LICENCE))
    sources += [Source(str(m["name"]), "model", str(m.get("licence", ""))) for m in manifest["models"]]
    for name in config.against:
        away = Path(name)
        head = read_json(away / REFERENCE) if (away / REFERENCE).is_file() else {}
        sources.append(Source(away.name, "kept_away", head.get("licence", ""), bool(head.get("test_only", False))))
    return sources


def _shares(item: Item) -> dict[str, str]:
    """What an item of a run may have in common with others. A scene is one across types, a seed is its type's."""
    shares = {"question": template_question(item.question or "", item.slots)}
    scene = next((item.slots[slot] for slot in SCENES if slot in item.slots), None)
    if scene:
        shares["scene"] = scene
    if item.seed_id:
        shares["seed"] = f"{item.type}/{item.seed_id}"
    return shares


def template_question(question: str, slots: Mapping[str, str]) -> str:
    """The question with what fills its slots taken out, in lower case: equal for two fillings of one frame."""
    text = " ".join(re.findall(r"\w+", question.lower()))
    values = {slot: " ".join(re.findall(r"\w+", re.sub(r"^(an?|the) ", "", v.lower()))) for slot, v in slots.items()}
    for slot, value in sorted(values.items(), key=lambda pair: -len(pair[1])):
        if value:
            text = re.sub(rf"\b{re.escape(value)}\b", f"<{slot}>", text)
    return text


# -- imported sets -------------------------------------------------------------------------------------


def _reference(path: Path) -> Batch:
    """The items of an imported set that have a question and a picture; their lineage is the set itself."""
    reference = read_reference(path)
    source = Source(reference.name, "item", reference.licence, reference.test_only)
    types = {row["id"]: row["type"] for row in read_imported(path)[1]}
    members = []
    for pair in reference.pairs:
        if pair.image is None:
            continue
        # an id of somebody else may be anything: as a file's name it is a hash
        name = "ref-" + hashlib.sha256(f"{reference.name}/{pair.id}".encode()).hexdigest()[:16]
        row = {
            "file_name": f"images/{name}{pair.image.suffix}", "id": name, "type": types[pair.id] or "", "category": "",
            "question": pair.question, "description": "", "image_prompt": "", "slots": "{}", "overlay": "null",
            "tags": [], "seed_id": "", "verdicts": [], "provenance": canonical({"reference": reference.name,
            "reference_id": pair.id}), "image_sha256": pair.image.stem, "lineage": [source.to_dict()],
        }  # fmt: skip
        members.append(Member(row, pair.image, {"question": template_question(pair.question, {})}))
    return Batch(path, members)


# -- vectors -------------------------------------------------------------------------------------------


def common_embedder(batches: Sequence[Batch]) -> tuple[Part, bool]:
    """The embedder that all runs were made with, and whether their stored vectors may be used.

    Runs of several embedders, or sets that have none, are embedded anew by the embedded one. Vectors made with other
    weights than today's are not used: today's thresholds say nothing of them.
    """
    configs = [batch.config for batch in batches if batch.config is not None]
    kinds = {canonical([c.embedder.model_dump(mode="json"), _weights(c)]) for c in configs}
    if len(kinds) == 1:
        return configs[0].embedder, _weights(configs[0]) == weights_now(embedded_models([configs[0].embedder]))
    return PRESETS["embedded"].embedder, False


def _weights(config: RunConfig) -> dict[str, str]:
    return {name: config.weights.get(name, "") for name in embedded_models([config.embedder])}


def embed(batches: Sequence[Batch], embedder: Embedder, stored: bool) -> Vectors:
    """The vectors of all members, in order: as their runs kept them where `stored`, else made now."""
    texts: dict[str, np.ndarray] = {}
    images: dict[str, np.ndarray] = {}
    for batch in batches:
        ids = [member.id for member in batch.members]
        if stored and all(i in batch.stored.get("text", {}) and i in batch.stored["image"] for i in ids):
            texts |= {i: batch.stored["text"][i] for i in ids}
            images |= {i: batch.stored["image"][i] for i in ids}
            continue
        made = embed_reference(_bare(batch), embedder)
        texts |= dict(zip(ids, made.texts, strict=True))
        images |= dict(zip(ids, made.images, strict=True))
    return Vectors(list(texts), np.stack(list(texts.values())), np.stack(list(images.values())))


def _bare(batch: Batch) -> Any:
    """The batch as a reference set: its pictures without their overlays."""
    reference = read_reference(batch.path)
    return type(reference)(reference.name, [pair for pair in reference.pairs if pair.image is not None])
