"""A growing index of kept items: a new item that is a near-duplicate of a kept one is not kept.

An item is a duplicate if the cosine in a channel reaches that channel's threshold (see nearness.py). Items are compared
only with kept ones, so a chain of items, each near to the next, is not dropped as a whole. Each rejected item names the
item that it duplicates. Items are decided in plan order, not in the order of their ids: this order is fixed too, and a
run can grow without changing earlier decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from mossgen.duplicates.nearness import Near, links, worst
from mossgen.duplicates.vectors import Vectors
from mossgen.plugins.protocols import CHANNELS

Relatives = Mapping[str, frozenset[str]]  # by channel, the labels of items that an item may be near to
_NONE: frozenset[str] = frozenset()


class Index:
    """Vectors of one channel under labels: float32 unit rows, searched with FAISS by inner product, exactly."""

    def __init__(self, channel: str, dim: int, threshold: float) -> None:
        import faiss

        self._channel = channel
        self._threshold = threshold
        self._rows: Any = faiss.IndexFlatIP(dim)
        self._labels: list[str] = []

    def add(self, labels: Sequence[str], vectors: np.ndarray) -> None:
        """Adds [n, dim] vectors under n labels; a row of NaN means that there is no vector, and is skipped."""
        there = ~np.isnan(vectors[:, 0])
        if there.any():
            self._rows.add(np.ascontiguousarray(vectors[there], dtype=np.float32))
            self._labels += [label for label, has in zip(labels, there, strict=True) if has]

    def remove(self, labels: Set[str]) -> None:
        """Removes all vectors under these labels."""
        rows = [row for row, label in enumerate(self._labels) if label in labels]
        if rows:
            import faiss

            self._rows.remove_ids(faiss.IDSelectorBatch(np.asarray(rows, dtype=np.int64)))  # later rows move up
            self._labels = [label for label in self._labels if label not in labels]

    def nearest(self, vectors: np.ndarray, relatives: Sequence[Set[str]] = ()) -> list[Near | None]:
        """For each of [n, dim] vectors the nearest one outside its `relatives`; None if there is nothing to compare."""
        found: list[Near | None] = [None] * len(vectors)
        there = np.flatnonzero(~np.isnan(vectors[:, 0])).tolist()
        if not self._labels or not there:
            return found
        theirs = relatives or [_NONE] * len(vectors)
        deep = min(1 + max(len(theirs[place]) for place in there), len(self._labels))
        scores, rows = self._rows.search(np.ascontiguousarray(vectors[there], dtype=np.float32), deep)
        for place, near, at in zip(there, scores.tolist(), rows.tolist(), strict=True):
            nears = (
                Near(self._labels[row], score, self._channel, self._threshold)
                for score, row in zip(near, at, strict=True)
            )
            found[place] = next((n for n in nears if n.label not in theirs[place]), None)
        return found


class Deduplicator:
    """The kept items in all channels, with the thresholds for duplicates."""

    def __init__(self, dim: int, thresholds: Mapping[str, float]) -> None:
        self.thresholds = {channel: thresholds[channel] for channel in CHANNELS}
        self._kept = {c: Index(c, 2 * dim if c == "pair" else dim, thresholds[c]) for c in CHANNELS}

    def keep(self, items: Vectors) -> None:
        """Keeps these items; one without a picture is compared by its question only."""
        for channel, vectors in _by_channel(items).items():
            self._kept[channel].add(items.labels, vectors)

    def forget(self, labels: Sequence[str]) -> None:
        """Removes the items with these labels."""
        for index in self._kept.values():
            index.remove(set(labels))

    def near_texts(self, texts: np.ndarray, relatives: Sequence[Set[str]] = ()) -> list[Near | None]:
        """For each of [n, dim] questions the kept one that it duplicates; None if it is new.

        A question may be near to the labels in its `relatives`.
        """
        return [near if near and near.over else None for near in self._kept["text"].nearest(texts, relatives)]

    def greedy(self, items: Vectors, relatives: Sequence[Relatives] = ()) -> list[Near | None]:
        """For each item, in this order, the kept one that it duplicates; None if it is new, and then it is kept.

        An item may be near to its `relatives`. The batch size does not change any decision.
        """
        theirs = relatives or [{}] * len(items)
        allowed = {c: [its.get(c, _NONE) for its in theirs] for c in CHANNELS}
        before = {c: self._kept[c].nearest(vectors, allowed[c]) for c, vectors in _by_channel(items).items()}
        earlier: dict[int, list[tuple[int, Near]]] = defaultdict(list)
        for first, second, channel, score in links(items, self.thresholds):
            if items.labels[first] not in allowed[channel][second]:
                near = Near(items.labels[first], score, channel, self.thresholds[channel])
                earlier[second].append((first, near))
        found: list[Near | None] = []
        for row in range(len(items)):
            nears = [before[channel][row] for channel in CHANNELS]
            nears += [near for first, near in earlier[row] if found[first] is None]
            found.append(worst(near for near in nears if near and near.over))
        self.keep(items.part([row for row, near in enumerate(found) if near is None]))
        return found


def _by_channel(items: Vectors) -> dict[str, np.ndarray]:
    """[n, dim] for texts and images; [n, 2 dim] for pairs: their inner product is the mean of the other two."""
    pair = np.concatenate([items.texts, items.images], axis=1) / np.sqrt(np.float32(2))
    pair[~items.pictured()] = np.nan
    return {"text": items.texts, "image": items.images, "pair": pair}
