"""Vectors drawn at random, with near-duplicates planted among them, and what their scores are by the definition."""

import numpy as np

from mossgen.duplicates.vectors import Vectors

THRESHOLDS = {"text": 0.95, "image": 0.95, "pair": 0.9}


def unit(rows: np.ndarray) -> np.ndarray:
    """The rows as unit vectors."""
    made: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return made


def planted(seed: int, groups: int = 12, dim: int = 32, missing: float = 0.15, prefix: str = "i") -> Vectors:
    """Items in clusters of up to 4, some near in one channel only, a share of them without a picture."""
    draw = np.random.default_rng(seed)
    texts, images = [], []
    for _ in range(groups):
        text, image = draw.normal(size=dim), draw.normal(size=dim)
        for _ in range(draw.integers(1, 5)):
            texts.append(text + draw.normal(size=dim) * draw.choice([0.02, 0.3]))
            images.append(image + draw.normal(size=dim) * draw.choice([0.02, 0.3]))
    order = draw.permutation(len(texts))
    pictures = unit(np.array(images))[order]
    pictures[draw.random(len(order)) < missing] = np.nan
    return Vectors([f"{prefix}{n}" for n in range(len(order))], unit(np.array(texts))[order], pictures)


def reference_score(a: Vectors, row: int, b: Vectors, other: int, channel: str) -> float:
    """The score of a row of `a` and one of `b`, in double precision; -1 where a picture is missing."""
    text = float(a.texts[row].astype(float) @ b.texts[other].astype(float))
    image = float(a.images[row].astype(float) @ b.images[other].astype(float))
    score = {"text": text, "image": image, "pair": (text + image) / 2}[channel]
    return -1.0 if np.isnan(score) else score
