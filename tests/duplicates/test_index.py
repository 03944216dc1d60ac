"""Greedy dedup against a slow reading of its definition, over FAISS for real."""

import numpy as np
import pytest

from mossgen.duplicates.index import CHANNELS, Deduplicator

THRESHOLDS = {"text": 0.95, "image": 0.95, "pair": 0.9}


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def planted(seed: int, groups: int = 12, dim: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Texts and images in clusters of up to 4, some near in one channel only."""
    draw = np.random.default_rng(seed)
    texts, images = [], []
    for _ in range(groups):
        text, image = draw.normal(size=dim), draw.normal(size=dim)
        for _ in range(draw.integers(1, 5)):
            texts.append(text + draw.normal(size=dim) * draw.choice([0.02, 0.3]))
            images.append(image + draw.normal(size=dim) * draw.choice([0.02, 0.3]))
    order = draw.permutation(len(texts))
    return unit(np.array(texts))[order], unit(np.array(images))[order]


def slow(texts: np.ndarray, images: np.ndarray) -> list[bool]:
    """Kept or not, by the definition: no kept earlier item at or above a threshold in any channel."""
    kept: list[int] = []
    for row in range(len(texts)):
        scores = {"text": texts[kept] @ texts[row], "image": images[kept] @ images[row]}
        scores["pair"] = (scores["text"] + scores["image"]) / 2
        if not any((scores[c] >= THRESHOLDS[c]).any() for c in CHANNELS):
            kept.append(row)
    return [row in kept for row in range(len(texts))]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("batch", [1, 5, 100])
def test_greedy_is_its_definition_whatever_the_batch(seed: int, batch: int) -> None:
    texts, images = planted(seed)
    deduplicator = Deduplicator(texts.shape[1], THRESHOLDS)
    labels = [f"i{n}" for n in range(len(texts))]
    found = []
    for start in range(0, len(texts), batch):
        part = slice(start, start + batch)
        found += deduplicator.greedy(labels[part], texts[part], images[part])
    kept = [near is None for near in found]
    assert kept == slow(texts, images)
    assert 0 < sum(kept) < len(kept)
    for near in found:
        assert near is None or kept[labels.index(near.label)]  # the reason names a survivor
        assert near is None or near.score >= THRESHOLDS[near.channel]


def test_texts_alone_are_kept_too() -> None:
    texts, _ = planted(0)
    deduplicator = Deduplicator(texts.shape[1], THRESHOLDS)
    assert deduplicator.near_texts(texts[:2]) == [None, None]
    deduplicator.keep_texts(["seed nh-1"], texts[:1])
    near = deduplicator.near_texts(texts[:1])[0]
    assert near is not None
    assert "seed nh-1" in near.sentence()
