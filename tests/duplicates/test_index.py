"""Greedy dedup against a slow reading of its definition, over FAISS for real."""

import numpy as np
import pytest
from support.planted import THRESHOLDS, planted, reference_score

from mossgen.duplicates.index import Deduplicator
from mossgen.duplicates.vectors import Vectors, texts_only
from mossgen.plugins.protocols import CHANNELS

Found = tuple[str, str] | None  # the label and the channel of what an item duplicates


def slow(items: Vectors, relatives: list[dict[str, frozenset[str]]]) -> list[Found]:
    """What each item duplicates, by the definition: of all kept earlier items that are none of its relatives and reach
    a channel's threshold, the one farthest above it; None where it is kept.
    """
    found: list[Found] = []
    for row in range(len(items)):
        worst, most = None, 0.0
        for channel in CHANNELS:
            for other in (o for o in range(row) if found[o] is None):
                margin = reference_score(items, row, items, other, channel) - THRESHOLDS[channel]
                rival = margin >= 0 and items.labels[other] not in relatives[row].get(channel, ())
                if rival and (worst is None or margin > most + 1e-6):
                    worst, most = (items.labels[other], channel), margin
        found.append(worst)
    return found


def families(items: Vectors, seed: int) -> list[dict[str, frozenset[str]]]:
    """For every third item, a few labels by channel that it may be near to."""
    draw = np.random.default_rng(seed)
    return [
        {c: frozenset(draw.choice(items.labels, size=6).tolist()) for c in CHANNELS} if row % 3 == 0 else {}
        for row in range(len(items))
    ]


@pytest.mark.parametrize("related", [False, True])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("batch", [1, 5, 100])
def test_greedy_is_its_definition_whatever_the_batch(seed: int, batch: int, related: bool) -> None:
    items = planted(seed)
    relatives = families(items, seed) if related else [{} for _ in items.labels]
    deduplicator = Deduplicator(items.texts.shape[1], THRESHOLDS)
    found = []
    for start in range(0, len(items), batch):
        found += deduplicator.greedy(items.between(start, start + batch), relatives[start : start + batch])
    assert [near and (near.label, near.channel) for near in found] == slow(items, relatives)
    assert 0 < sum(near is None for near in found) < len(items)
    for row, near in enumerate(found):
        if near is not None:
            other = items.labels.index(near.label)
            assert near.score == pytest.approx(reference_score(items, row, items, other, near.channel), abs=1e-5)
            assert near.sentence() == f"too near to {near.label} by {near.channel} (cosine {near.score:.3f})"


def test_of_equals_the_first_that_is_kept_is_named() -> None:
    row = np.zeros((1, 8), dtype=np.float32)
    row[0, :4] = 0.5  # inner products of such rows are exact
    deduplicator = Deduplicator(8, THRESHOLDS)
    deduplicator.keep(Vectors(["a", "b", "c"], row.repeat(3, 0), row.repeat(3, 0)))
    [near] = deduplicator.greedy(Vectors(["d"], row, row))
    assert near is not None
    assert (near.label, near.channel) == ("a", "pair")  # the pair's threshold is the lowest
    [near] = deduplicator.greedy(Vectors(["d"], row, row), [{"pair": frozenset("a"), "text": frozenset("abc")}])
    assert near is not None
    assert (near.label, near.channel) == ("b", "pair")
    deduplicator.forget(["a", "b"])
    [near] = deduplicator.greedy(Vectors(["d"], row, row))
    assert near is not None
    assert near.label == "c"
    deduplicator.forget(["c"])
    assert deduplicator.greedy(Vectors(["d"], row, row)) == [None]


def test_texts_alone_are_kept_too() -> None:
    items = planted(0, missing=0)
    deduplicator = Deduplicator(items.texts.shape[1], THRESHOLDS)
    assert deduplicator.near_texts(items.texts[:2]) == [None, None]
    deduplicator.keep(texts_only(["seed nh-1"], items.texts[:1]))
    near = deduplicator.near_texts(items.texts[:1])[0]
    assert near is not None
    assert "seed nh-1" in near.sentence()
    assert deduplicator.near_texts(items.texts[:1], [{"seed nh-1"}]) == [None]
    assert [n and n.channel for n in deduplicator.greedy(items.between(0, 1))] == ["text"]  # it has no picture
