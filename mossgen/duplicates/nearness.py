"""How near items are: every pair of two sets or of one, by channel, exactly; and which pairs count as near-duplicates.

A channel's score is the cosine of the embedder's vectors: of the questions (text), of the pictures without their
overlays (image), or the mean of both (pair). An item that lacks a picture has the text channel alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mossgen.files.pictures import read_image
from mossgen.sets.references import Reference

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder

CHANNELS = ("text", "image", "pair")
BLOCK = 512  # rows compared at a time: bounds the memory, whatever the size of the sets
BATCH = 64  # pictures opened at a time


@dataclass(frozen=True)
class Near:
    """The thing nearest to an item in one channel, and whether it reaches that channel's threshold."""

    label: str
    score: float
    channel: str
    over: bool

    def to_dict(self) -> dict[str, object]:
        """Plain JSON-able values."""
        return {"nearest": self.label, "score": round(self.score, 4), "channel": self.channel, "over": self.over}


@dataclass(frozen=True)
class Vectors:
    """Unit rows of n labelled items: texts and images are float32 [n, dim]; a missing picture's row is all NaN."""

    labels: Sequence[str]
    texts: np.ndarray
    images: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: Sequence[int]) -> Vectors:
        """These rows alone, in this order."""
        picked = np.asarray(rows, dtype=np.intp)
        return Vectors([self.labels[row] for row in rows], self.texts[picked], self.images[picked])


def joined(parts: Sequence[Vectors]) -> Vectors:
    """All rows of all parts, in order."""
    labels = [label for part in parts for label in part.labels]
    return Vectors(labels, np.concatenate([p.texts for p in parts]), np.concatenate([p.images for p in parts]))


def embed_reference(reference: Reference, embedder: Embedder) -> Vectors:
    """The vectors of a reference set, labelled NAME/ID. Raises ConfigError from a picture that cannot be read."""
    labels = [f"{reference.name}/{pair.id}" for pair in reference.pairs]
    images = np.full((len(labels), embedder.dim), np.nan, dtype=np.float32)
    rows = [row for row, pair in enumerate(reference.pairs) if pair.image is not None]
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        paths = [reference.pairs[row].image for row in batch]
        images[batch] = embedder.images([read_image(path) for path in paths if path is not None])
    return Vectors(labels, embedder.texts([pair.question for pair in reference.pairs]), images)


def scores(a: Vectors, b: Vectors) -> dict[str, np.ndarray]:
    """[len(a), len(b)] of each channel; -1 where a picture is missing."""
    text, image = a.texts @ b.texts.T, a.images @ b.images.T
    missing = np.isnan(image)
    return {
        "text": text,
        "image": np.where(missing, np.float32(-1), image),
        "pair": np.where(missing, np.float32(-1), (text + image) / 2),
    }


def links(vectors: Vectors, thresholds: Mapping[str, float]) -> Iterator[tuple[int, int, str, float]]:
    """Every pair of rows (first < second) that reaches a channel's threshold, with the channel and the score."""
    for start in range(0, len(vectors), BLOCK):
        block = vectors.part(range(start, min(start + BLOCK, len(vectors))))
        for channel, found in scores(block, vectors).items():
            for row, other in np.argwhere(found >= thresholds[channel]).tolist():
                if start + row < other:
                    yield start + row, other, channel, float(found[row, other])


def nearest(a: Vectors, b: Vectors, thresholds: Mapping[str, float]) -> list[dict[str, Near]]:
    """For each row of `a`, the nearest row of `b` by channel; a channel without any score is left out."""
    result: list[dict[str, Near]] = []
    if not len(b):
        return [{} for _ in a.labels]
    for start in range(0, len(a), BLOCK):
        block = a.part(range(start, min(start + BLOCK, len(a))))
        found = scores(block, b)
        best = {channel: (values.argmax(axis=1), values.max(axis=1)) for channel, values in found.items()}
        for row in range(len(block)):
            result.append({
                channel: Near(b.labels[where[row]], float(top[row]), channel, bool(top[row] >= thresholds[channel]))
                for channel, (where, top) in best.items()
                if top[row] > -1
            })  # fmt: skip
    return result


def worst(near: Mapping[str, Near], thresholds: Mapping[str, float]) -> Near | None:
    """The channel that comes nearest to its threshold, or passes it by most; None where nothing could be compared."""
    return max(near.values(), key=lambda n: n.score - thresholds[n.channel], default=None)


def between(a: Vectors, b: Vectors, thresholds: Mapping[str, float]) -> dict[str, dict[str, object]]:
    """By channel: the nearest pair of a row of `a` and one of `b`, its score, and how many pairs are too near."""
    found: dict[str, dict[str, object]] = {}
    for channel in CHANNELS:
        found[channel] = {"nearest": None, "score": None, "threshold": round(thresholds[channel], 4), "over": 0}
    top = dict.fromkeys(CHANNELS, -1.0)
    over = dict.fromkeys(CHANNELS, 0)
    for start in range(0, len(a) if len(b) else 0, BLOCK):
        block = a.part(range(start, min(start + BLOCK, len(a))))
        for channel, values in scores(block, b).items():
            over[channel] += int((values >= thresholds[channel]).sum())
            row, other = np.unravel_index(int(values.argmax()), values.shape)
            if values[row, other] > top[channel]:
                top[channel] = float(values[row, other])
                pair = [block.labels[int(row)], b.labels[int(other)]]
                found[channel] |= {"nearest": pair, "score": round(top[channel], 4)}
    for channel in CHANNELS:
        found[channel]["over"] = over[channel]
    return found
