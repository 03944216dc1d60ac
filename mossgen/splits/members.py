"""The items to split, from runs and other sets, with what they share and where they come from."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mossgen.core.defaults import PRESET
from mossgen.core.items import canonical
from mossgen.duplicates.vectors import Vectors, embed_set
from mossgen.errors import ConfigError
from mossgen.plugins.spec import Part, needed_weights, weights_now
from mossgen.runs.config import PRESETS, RunConfig
from mossgen.runs.store import RunStore
from mossgen.sets.dataset import Dataset, Record
from mossgen.sets.lineage import Row, Source
from mossgen.sets.open import open_set
from mossgen.sets.references import locate
from mossgen.sets.run import Run
from mossgen.splits.evidence import run_evidence
from mossgen.stimulus.types import SCENES, type_names

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder


@dataclass(frozen=True)
class Member:
    """One record to be placed on a side: its row there, and what it shares with others.

    `shares` maps a relation (question, scene, seed) to the value that related items have in common.
    """

    record: Record
    row: Row
    shares: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its id in the set."""
        return str(self.row["id"])

    @property
    def partners(self) -> list[Member]:
        """The harmful partners, which go to the same side."""
        return [Member(partner, partner.row) for partner in self.record.partners]


@dataclass(frozen=True)
class Batch:
    """The members of one set, the records left out and why, and the source of their vectors."""

    source: Dataset
    members: Sequence[Member]
    left_out: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] | None = None  # for a run; see evidence.py
    stored: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)

    @property
    def config(self) -> RunConfig | None:
        """The configuration of a run; None for another set."""
        return self.source.config if isinstance(self.source, Run) else None


def read_batches(sources: Sequence[Path | Dataset]) -> list[Batch]:
    """The members of every set; raises ConfigError: no set, an unfinished run, an empty set, clashing ids."""
    places = [source.path if isinstance(source, Dataset) else locate(source) for source in sources]
    twice, count = next(iter(Counter(place.resolve() for place in places).most_common(1)))
    if count > 1:
        raise ConfigError(f"{twice} is given {count} times: give each run once.")
    batches = [read_batch(source) for source in sources]
    seen: dict[str, Path] = {}
    for batch in batches:
        for member in batch.members:
            other = seen.get(member.id)
            seen[member.id] = batch.source.path
            if other == batch.source.path:
                raise ConfigError(f"The id {member.id} is in {other} twice: mend the set, or open it anew.")
            if other is not None:
                raise ConfigError(
                    f"The id {member.id} is in {other} and in {batch.source.path}: give each run once, or make one of "
                    "them again with another seed."
                )
    return batches


def read_batch(source: Path | Dataset) -> Batch:
    """The members of one set.

    Raises ConfigError: no set, a set with sides, an unfinished run, or no benign record.
    """
    found = open_set(source).finished()
    if found.kind == "split":
        raise ConfigError(f"{found.path} has sides already: give the runs that it was made of.")
    left_out = {record.id: reason for record in found if (reason := _unfit(record))}
    members = [_member(found, record) for record in found if record.id not in left_out]
    if not members:
        raise ConfigError(f"{found.path}: none of its items can be used; {next(iter(left_out.items()))}.")
    if not isinstance(found, Run):
        return Batch(found, members, left_out)
    with RunStore.read(found.path) as store:
        stored = {channel: store.vectors(channel) for channel in ("text", "image")}
        return Batch(found, members, left_out, run_evidence(store, found.manifest), stored)


def _unfit(record: Record) -> str | None:
    if record.problem:
        return record.problem.removesuffix(".")
    return "it is to be refused, and no partner of an item" if record.expected == "refuse" else None


def _member(found: Dataset, record: Record) -> Member:
    if isinstance(found, Run):
        return Member(record, record.row, _shares(record))
    return Member(record, foreign_row(found, record), {"question": template_question(record.question, {})})


def _shares(record: Record) -> dict[str, str]:
    """What an item of a run may share with others; scenes are shared across types, seeds only within a type."""
    shares = {"question": template_question(record.question, record.slots)}
    scene = next((record.slots[slot] for slot in SCENES if slot in record.slots), None)
    if scene:
        shares["scene"] = scene
    if record.row["seed_id"]:
        shares["seed"] = f"{record.row['type']}/{record.row['seed_id']}"
    return shares


def template_question(question: str, slots: Mapping[str, str]) -> str:
    """The question in lower case without its slot values: equal for two fillings of one frame."""
    text = " ".join(re.findall(r"\w+", question.lower()))
    values = {slot: " ".join(re.findall(r"\w+", re.sub(r"^(an?|the) ", "", v.lower()))) for slot, v in slots.items()}
    for slot, value in sorted(values.items(), key=lambda pair: -len(pair[1])):
        if value:
            text = re.sub(rf"\b{re.escape(value)}\b", f"<{slot}>", text)
    return text


def foreign_row(found: Dataset, record: Record) -> Row:
    """A record of an imported set as a row of ours; its lineage is the set itself.

    Its new id, also used as file name, is a hash, because a foreign id may contain anything. Raises ConfigError if the
    picture cannot be read, or is not the one that was imported.
    """
    data = record.picture_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if found.kind == "reference" and isinstance(record.picture, Path) and digest != record.picture.stem:
        raise ConfigError(f"{record.picture}: the picture of item {record.id} was changed: import the set again.")
    name = "ref-" + hashlib.sha256(f"{found.name}/{record.id}".encode()).hexdigest()[:16]
    suffix = record.picture.suffix if isinstance(record.picture, Path) else _suffix(data)
    source = Source(found.name, "item", found.licence, found.test_only)
    return {
        "file_name": f"images/{name}{suffix}", "id": name,
        "type": record.type if record.type in type_names() else "", "category": "", "question": record.question,
        "description": "", "image_prompt": "", "slots": "{}", "overlay": "null", "tags": [], "seed_id": "",
        "verdicts": [], "provenance": canonical({"reference": found.name, "reference_id": record.id}),
        "image_sha256": digest, "lineage": [source.to_dict()],
    }  # fmt: skip


def _suffix(data: bytes) -> str:
    """The file suffix for a picture that has no name."""
    kinds = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"GIF8": ".gif", b"RIFF": ".webp"}
    return next((suffix for magic, suffix in kinds.items() if data.startswith(magic)), ".bin")


# -- vectors -------------------------------------------------------------------------------------------


def common_embedder(batches: Sequence[Batch]) -> tuple[Part, bool]:
    """The embedder of all runs, and whether their stored vectors may be used.

    Runs of different embedders, and sets without one, are embedded again by the embedded one. Vectors from other
    weights than the current ones are not used, since the current thresholds do not apply to them.
    """
    configs = [batch.config for batch in batches if batch.config is not None]
    kinds = {canonical([c.embedder.model_dump(mode="json"), _weights(c)]) for c in configs}
    if len(kinds) == 1:
        return configs[0].embedder, _weights(configs[0]) == weights_now(
            needed_weights([("embedders", configs[0].embedder)])
        )
    return PRESETS[PRESET].embedder, False


def _weights(config: RunConfig) -> dict[str, str]:
    return {name: config.weights.get(name, "") for name in needed_weights([("embedders", config.embedder)])}


def embed(batches: Sequence[Batch], embedder: Embedder, stored: bool) -> Vectors:
    """The vectors of all members, in order: those kept by their runs if `stored`, else computed now."""
    texts: dict[str, np.ndarray] = {}
    images: dict[str, np.ndarray] = {}
    for batch in batches:
        ids = [member.id for member in batch.members]
        if stored and all(i in batch.stored.get("text", {}) and i in batch.stored["image"] for i in ids):
            texts |= {i: batch.stored["text"][i] for i in ids}
            images |= {i: batch.stored["image"][i] for i in ids}
            continue
        made = embed_set(replace(batch.source, records=[m.record for m in batch.members]), embedder)
        texts |= dict(zip(ids, made.texts, strict=True))
        images |= dict(zip(ids, made.images, strict=True))
    return Vectors(list(texts), np.stack(list(texts.values())), np.stack(list(images.values())))
