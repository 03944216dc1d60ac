"""Near-duplicates: CLIP vectors searched exactly with FAISS, greedy in plan order, one survivor a cluster.

An item duplicates what is kept if a channel's cosine reaches that channel's threshold. Channels are the
question (text), the picture (image) and both together (pair: the mean of the two cosines). Only kept items
are compared with, so chains do not remove more than they should, and each rejected item names its survivor.
Plan order rather than id order decides: it is as fixed as ids are, and a run can grow without a decision
about an earlier item ever changing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from mossgen.files.pictures import read_image
from mossgen.plugins.protocols import Embedder
from mossgen.sets.references import Reference

CHANNELS = ("text", "image", "pair")
BATCH = 64  # pictures embedded at a time
Kin = Mapping[str, frozenset[str]]  # by channel, labels that an item may be near to


@dataclass(frozen=True)
class Near:
    """The kept thing nearest to an item in one channel."""

    label: str
    score: float
    channel: str

    def sentence(self) -> str:
        """The reason of a rejection."""
        return f"too near to {self.label} by {self.channel} (cosine {self.score:.3f})"


class Neighbours:
    """One channel's kept vectors: float32 unit rows, searched by inner product, exactly."""

    def __init__(self, channel: str, dim: int) -> None:
        import faiss

        self.channel = channel
        self._index = faiss.IndexFlatIP(dim)
        self._labels: list[str] = []

    def add(self, labels: Sequence[str], vectors: np.ndarray) -> None:
        """Keeps [n, dim] vectors under n labels."""
        if len(labels):
            self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))
            self._labels += labels

    def forget(self, labels: Set[str]) -> None:
        """Keeps these no longer."""
        rows = [row for row, label in enumerate(self._labels) if label in labels]
        if rows:
            import faiss

            self._index.remove_ids(faiss.IDSelectorBatch(np.asarray(rows, dtype=np.int64)))  # those after them move up
            self._labels = [label for label in self._labels if label not in labels]

    def nearest(self, vectors: np.ndarray, kin: Sequence[Set[str]] = ()) -> list[Near | None]:
        """The nearest kept row of each of [n, dim] vectors that is none of its `kin`, in one search; None without."""
        if not self._labels:
            return [None] * len(vectors)
        kin = kin or [frozenset()] * len(vectors)
        deep = min(1 + max(map(len, kin), default=0), len(self._labels))
        scores, rows = self._index.search(np.ascontiguousarray(vectors, dtype=np.float32), deep)
        return [
            next((n for n in self._nears(s, r) if n.label not in its), None)
            for s, r, its in zip(scores, rows, kin, strict=True)
        ]

    def _nears(self, scores: np.ndarray, rows: np.ndarray) -> list[Near]:
        return [Near(self._labels[r], float(s), self.channel) for s, r in zip(scores, rows, strict=True)]


class Deduplicator:
    """What is kept, in all channels, with the thresholds at which something duplicates it."""

    def __init__(self, dim: int, thresholds: Mapping[str, float]) -> None:
        self.thresholds = {channel: thresholds[channel] for channel in CHANNELS}
        self._kept = {c: Neighbours(c, 2 * dim if c == "pair" else dim) for c in CHANNELS}

    def keep_texts(self, labels: Sequence[str], texts: np.ndarray) -> None:
        """Keeps questions that come without a picture (seeds), [n, dim]."""
        self._kept["text"].add(labels, texts)

    def keep(self, labels: Sequence[str], texts: np.ndarray, images: np.ndarray) -> None:
        """Keeps whole items: [n, dim] of their questions and of their pictures."""
        for channel, vectors in _channels(texts, images).items():
            self._kept[channel].add(labels, vectors)

    def forget(self, labels: Sequence[str]) -> None:
        """Keeps these items no longer."""
        for neighbours in self._kept.values():
            neighbours.forget(set(labels))

    def near_texts(self, texts: np.ndarray, kin: Sequence[Set[str]] = ()) -> list[Near | None]:
        """For each of [n, dim] questions, the kept one it duplicates, its `kin` aside; None where it is new."""
        return [near if self._duplicates(near) else None for near in self._kept["text"].nearest(texts, kin)]

    def greedy(
        self, labels: Sequence[str], texts: np.ndarray, images: np.ndarray, kin: Sequence[Kin] = ()
    ) -> list[Near | None]:
        """For each of n items in plan order, what it duplicates, its `kin` aside; new ones are kept at once."""
        vectors = _channels(texts, images)
        kin = kin or [{}] * len(labels)
        aside = {c: [its.get(c, frozenset()) for its in kin] for c in CHANNELS}
        before = {c: self._kept[c].nearest(vectors[c], aside[c]) for c in CHANNELS}
        within = {c: vectors[c] @ vectors[c].T for c in CHANNELS}
        survivors: list[int] = []
        found: list[Near | None] = []
        for row in range(len(labels)):
            candidates = [before[c][row] for c in CHANNELS]
            candidates += [
                Near(labels[s], float(within[c][row, s]), c)
                for c in CHANNELS
                for s in survivors
                if labels[s] not in aside[c][row]
            ]
            near = self._worst(candidates)
            found.append(near)
            if near is None:
                survivors.append(row)
        self.keep([labels[s] for s in survivors], texts[survivors], images[survivors])
        return found

    def _duplicates(self, near: Near | None) -> bool:
        return near is not None and near.score >= self.thresholds[near.channel]

    def _worst(self, candidates: Sequence[Near | None]) -> Near | None:
        duplicates = [near for near in candidates if near is not None and self._duplicates(near)]
        return max(duplicates, key=lambda n: n.score - self.thresholds[n.channel], default=None)


def keep_reference(kept: Deduplicator, reference: Reference, embedder: Embedder) -> None:
    """Makes every pair of a reference count as kept, so that a near-duplicate of it is rejected naming it."""
    bare = [p for p in reference.pairs if p.image is None]
    if bare:
        kept.keep_texts([f"{reference.name}/{p.id}" for p in bare], embedder.texts([p.question for p in bare]))
    whole = [p for p in reference.pairs if p.image is not None]
    for start in range(0, len(whole), BATCH):
        batch = whole[start : start + BATCH]
        images = embedder.images([read_image(p.image) for p in batch if p.image is not None])
        texts = embedder.texts([p.question for p in batch])
        kept.keep([f"{reference.name}/{p.id}" for p in batch], texts, images)


def _channels(texts: np.ndarray, images: np.ndarray) -> dict[str, np.ndarray]:
    pair = np.concatenate([texts, images], axis=1) / np.sqrt(np.float32(2))
    return {"text": texts, "image": images, "pair": pair}
