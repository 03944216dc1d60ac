"""The family: the items of the parents' run and of this run, who descends from whom, and which share a picture.

A child's provenance holds, under `evolved`: round, mutator, parents, `picture_of` (the item whose bare picture it
uses; None if it is drawn anew), `cluster` (the first item with that bare picture), `seeds` (the seeds of its parents),
and its fitness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mossgen.core.items import Item, State
from mossgen.duplicates.index import Relatives
from mossgen.duplicates.nearness import best
from mossgen.duplicates.vectors import Vectors
from mossgen.evolution.mutators import WRITTEN
from mossgen.expansion.render import Rendered, overlaid
from mossgen.files.pictures import read_picture
from mossgen.runs.store import RunStore
from mossgen.sets.dataset import Record
from mossgen.sets.lineage import seeds_of
from mossgen.stimulus.types import StimulusType

EVOLVED = "evolved"  # in a child's provenance
KEPT = (State.SPARE, State.ACCEPTED)


@dataclass(frozen=True)
class Parents:
    """The accepted items of the run that is varied, with their vectors, and the ids of all its candidates."""

    name: str
    sha256: str
    items: Sequence[Item]
    vectors: Vectors
    known: frozenset[str]
    blobs: Path


def evolved(item: Item) -> Mapping[str, Any]:
    """The part of a child's provenance about its origin; empty for an item of another run."""
    found: Mapping[str, Any] = item.provenance.get(EVOLVED) or {}
    return found


class Family:
    """Parents and children, by id. `add` each wave before the stages see it."""

    def __init__(self, parents: Parents, store: RunStore, kind: StimulusType) -> None:
        self.parents = parents
        self.store = store
        self.kind = kind
        self._own = frozenset(item.id for item in parents.items)
        self._everyone = {item.id: item for item in parents.items}
        self._alike: dict[str, set[str]] = {item.id: {item.id} for item in parents.items}  # by cluster
        self.add(store.items())

    def add(self, children: Sequence[Item]) -> None:
        """Adds children, or updates them."""
        for child in children:
            self._everyone[child.id] = child
            self._alike.setdefault(self.cluster(child.id), set()).add(child.id)

    def known(self, key: str) -> bool:
        """Whether this id was ever a candidate, in this run or in the parents' run."""
        return key in self._everyone or key in self.parents.known

    def cluster(self, key: str) -> str:
        """The first item with this item's bare picture: items of one cluster share a picture."""
        return key if key in self._own else str(evolved(self._everyone[key])["cluster"])

    def root(self, key: str) -> Item:
        """The ancestor of this item in the parents' run, by first parents."""
        item = self._everyone[key]
        return item if key in self._own else self.root(str(evolved(item)["parents"][0]))

    def roots(self, items: Sequence[Item]) -> list[Item]:
        """The ancestors of these items in the parents' run, each once."""
        return list({root.id: root for root in (self.root(item.id) for item in items)}.values())

    def same_picture(self, slots: Mapping[str, str], parent: Item) -> bool:
        """Whether these slots draw the same picture as the parent's, apart from any overlay."""
        return all(slots[name] == parent.slots[name] for name in self.kind.drawn_slots)

    def seeds(self, parents: Sequence[Item]) -> list[dict[str, object]]:
        """The seeds of these items and of their ancestors: a child comes from them too."""
        found = {source for parent in parents for source in seeds_of(parent)}
        return [{"name": s.name, "licence": s.licence, "test_only": s.test_only} for s in sorted(found, key=str)]

    def kept(self) -> list[Item]:
        """The children that targets refuse more, in plan order."""
        return self.store.items(*KEPT)

    # -- for the stages ------------------------------------------------------------------------------

    def relatives(self, child: Item) -> Relatives:
        """The items that a child may be near to, by channel.

        By its picture, these are all items that share it. By its question, it is the item that was varied, if that is
        in the parents' run: the child replaces it, so this run still holds no two items that are near to each other.
        A question by the language model may be near to no item, because the model may have repeated the parent's.
        """
        mine = evolved(child)
        parent = frozenset({str(mine["parents"][0])})
        near = parent & self._own if mine["mutator"] != WRITTEN else frozenset()
        alike = frozenset(self._alike[mine["cluster"]]) - {child.id} if mine["picture_of"] else frozenset()
        return {"image": alike, "pair": alike | near, "text": near}

    def picture(self, child: Item) -> Rendered | Item | None:
        """The picture that a child inherits from its parent, with another overlay if it has one; None: draw it."""
        source = self._everyone.get(str(evolved(child)["picture_of"]))
        if source is None:
            return None
        child = replace(child, image_prompt=source.image_prompt)
        picture = read_picture(self._blob(source.image or ""))
        digest = source.provenance.get("bare_image")
        bare = picture if digest is None else read_picture(self._blob(str(digest)))
        imager = str(source.provenance.get("imager", ""))
        if any(child.slots[name] != source.slots[name] for name in self.kind.overlay_slots):
            return overlaid(child, bare, self.kind, imager)
        child = replace(child, description=source.description, overlay=source.overlay).with_provenance(imager=imager)
        return Rendered(child, bare, picture)

    def _blob(self, digest: str) -> Path:
        own = self.store.blob(digest)
        return own if own.is_file() else self.parents.blobs / own.name

    # -- for the panel -------------------------------------------------------------------------------

    def record(self, item: Item) -> Record:
        """The item in the form in which a target is asked about it."""
        tags = self.kind.tags(item)
        return Record(
            id=item.id, number=item.number, type=self.kind.name, question=item.question or "",
            picture=self._blob(item.image or ""), slots=item.slots, overlay=item.overlay,
            category=self.kind.render(self.kind.template.category, item), description=item.description or "",
            facts={"human": "human" in tags, "child": "child" in tags},
        )  # fmt: skip

    def novelty(self, items: Sequence[Item]) -> dict[str, float]:
        """The distance of each item to its nearest other: 1 minus the cosine of question and picture together."""
        vectors = self._vectors(items)
        _, nearest = best(vectors, vectors, others=True)["pair"]
        return {item.id: float(np.clip(1 - near, 0, 1)) for item, near in zip(items, nearest, strict=True)}

    def _vectors(self, items: Sequence[Item]) -> Vectors:
        texts, images = self.store.vectors("text"), self.store.vectors("image")
        theirs = self.parents.vectors
        texts |= dict(zip(theirs.labels, theirs.texts, strict=True))
        images |= dict(zip(theirs.labels, theirs.images, strict=True))
        ids = [item.id for item in items]
        return Vectors(ids, np.stack([texts[i] for i in ids]), np.stack([images[i] for i in ids]))
