"""Exact similarity of items: compares whole sets with each other or with themselves, in blocks of rows.

A channel's score is the cosine of the embedder's vectors: of the questions (text), of the pictures without their
overlays (image), or the mean of both (pair). An item without a picture has only the text channel. Two items are
near-duplicates if a channel's score reaches that channel's threshold.

The blocks are plain matrix products, much faster than a FAISS search if both sides are known from the start; the pair
score is computed from the other two. Sets that grow are searched with FAISS: see index.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mossgen.duplicates.vectors import Vectors
from mossgen.plugins.protocols import CHANNELS

BLOCK = 512  # rows compared at a time; limits the memory for sets of any size
MISSING = np.float32(-1)  # the score if a picture is missing


@dataclass(frozen=True)
class Near:
    """The nearest item in one channel, its score, and the channel's threshold for duplicates."""

    label: str
    score: float
    channel: str
    threshold: float

    @property
    def over(self) -> bool:
        """Whether the two are near-duplicates."""
        return self.score >= self.threshold

    @property
    def margin(self) -> float:
        """How far the score is above the threshold; negative if below."""
        return self.score - self.threshold

    def sentence(self) -> str:
        """The reason for a rejection, as a phrase."""
        return f"too near to {self.label} by {self.channel} (cosine {self.score:.3f})"


def worst(nears: Iterable[Near]) -> Near | None:
    """The one with the largest margin over its threshold (it may be negative); None if there are none.

    Ties go to the channel that is first in CHANNELS, then to the one given first.
    """
    return max(nears, key=lambda near: (near.margin, -CHANNELS.index(near.channel)), default=None)


def text_scores(texts: np.ndarray, items: Vectors) -> np.ndarray:
    """The scores [n, len(items)] of n text vectors [n, dim]."""
    found: np.ndarray = texts @ items.texts.T
    return found


def image_scores(images: np.ndarray, items: Vectors) -> np.ndarray:
    """The scores [n, len(items)] of n picture vectors [n, dim]; MISSING if either has no picture."""
    found: np.ndarray = images @ items.images.T
    found[np.isnan(images[:, 0])] = MISSING
    found[:, ~items.pictured()] = MISSING
    return found


def scores(a: Vectors, b: Vectors) -> dict[str, np.ndarray]:
    """The scores [len(a), len(b)] by channel; MISSING if a picture is missing."""
    text, image = text_scores(a.texts, b), image_scores(a.images, b)
    pair = (text + image) / 2
    pair[~a.pictured()] = MISSING
    pair[:, ~b.pictured()] = MISSING
    return {"text": text, "image": image, "pair": pair}


def links(vectors: Vectors, thresholds: Mapping[str, float]) -> Iterator[tuple[int, int, str, float]]:
    """Every pair of rows (first < second) that reaches a channel's threshold, with the channel and the score."""
    for start, block in _blocks(vectors):
        rest = vectors.between(start, len(vectors))
        for channel, found in scores(block, rest).items():
            for row, other in np.argwhere(found >= _least(thresholds[channel])).tolist():
                if row < other:
                    yield start + row, start + other, channel, float(found[row, other])


def nearest(a: Vectors, b: Vectors, thresholds: Mapping[str, float]) -> list[dict[str, Near]]:
    """For each row of `a`, the nearest row of `b` by channel; channels without a score are left out."""
    return _nears(best(a, b), b, thresholds) if len(b) else [{} for _ in a.labels]


def nearest_others(items: Vectors, thresholds: Mapping[str, float]) -> list[dict[str, Near]]:
    """For each row, the nearest other row by channel; channels without a score are left out."""
    return _nears(best(items, items, others=True), items, thresholds)


def best(a: Vectors, b: Vectors, others: bool = False) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By channel, for each row of `a` the nearest row of `b` (the first of equals) and its score: [len(a)] each.

    With `others`, `b` must be `a`, and no row is compared with itself. The score is MISSING if there is nothing to
    compare. `b` must have at least one row.
    """
    rows = {channel: np.zeros(len(a), dtype=np.intp) for channel in CHANNELS}
    tops = {channel: np.full(len(a), MISSING) for channel in CHANNELS}
    for start, block in _blocks(a):
        here = np.arange(len(block))
        for channel, found in scores(block, b).items():
            if others:
                found[here, start + here] = MISSING
            rows[channel][start + here] = found.argmax(axis=1)
            tops[channel][start + here] = found[here, rows[channel][start + here]]
    return {channel: (rows[channel], tops[channel]) for channel in CHANNELS}


def between(a: Vectors, b: Vectors, thresholds: Mapping[str, float]) -> dict[str, dict[str, object]]:
    """By channel: the nearest pair of a row of `a` and one of `b`, its score, and how many pairs are too near."""
    found: dict[str, dict[str, object]] = {}
    for channel in CHANNELS:
        found[channel] = {"nearest": None, "score": None, "threshold": round(thresholds[channel], 4), "over": 0}
    top = dict.fromkeys(CHANNELS, float(MISSING))
    over = dict.fromkeys(CHANNELS, 0)
    for _, block in _blocks(a) if len(b) else ():
        for channel, values in scores(block, b).items():
            over[channel] += int((values >= _least(thresholds[channel])).sum())
            row, other = np.unravel_index(int(values.argmax()), values.shape)
            if values[row, other] > top[channel]:
                top[channel] = float(values[row, other])
                pair = [block.labels[int(row)], b.labels[int(other)]]
                found[channel] |= {"nearest": pair, "score": round(top[channel], 4)}
    for channel in CHANNELS:
        found[channel]["over"] = over[channel]
    return found


def _blocks(vectors: Vectors) -> Iterator[tuple[int, Vectors]]:
    """(index of its first row, BLOCK rows) for each block."""
    for start in range(0, len(vectors), BLOCK):
        yield start, vectors.between(start, start + BLOCK)


def _least(threshold: float) -> np.float32:
    """The least float32 that reaches the threshold, so that a block of scores gives the same result as `Near.over`."""
    near = np.float32(threshold)
    return near if float(near) >= threshold else np.nextafter(near, np.float32(np.inf))


def _nears(
    found: Mapping[str, tuple[np.ndarray, np.ndarray]], items: Vectors, thresholds: Mapping[str, float]
) -> list[dict[str, Near]]:
    """The result of `best`, with labels."""
    count = len(found["text"][0])
    return [
        {
            channel: Near(items.labels[rows[at]], float(tops[at]), channel, thresholds[channel])
            for channel, (rows, tops) in found.items()
            if tops[at] > MISSING
        }
        for at in range(count)
    ]
