"""Whole sets compared in blocks, against plain readings of what is promised; and the time that a report takes."""

import time

import faiss
import numpy as np
import pytest
from support.planted import THRESHOLDS, planted, reference_score, unit

from mossgen.duplicates import nearness
from mossgen.duplicates.nearness import Near, between, links, nearest, nearest_others, worst
from mossgen.duplicates.report import compare
from mossgen.duplicates.vectors import Vectors, concatenate, texts_only
from mossgen.plugins.protocols import CHANNELS


@pytest.fixture(params=[7, 512])
def block(request, monkeypatch) -> None:
    """Blocks of which a set has several, and blocks that hold it whole."""
    monkeypatch.setattr(nearness, "BLOCK", request.param)
    monkeypatch.setattr("mossgen.duplicates.report.BLOCK", request.param)


def slow_nearest(a: Vectors, row: int, b: Vectors, among: list[int], channel: str) -> tuple[str, float] | None:
    """The first of the nearest by the definition; None where there is no score."""
    scored = [(other, reference_score(a, row, b, other, channel)) for other in among]
    scored = [(other, score) for other, score in scored if score > -1]
    best = max(scored, key=lambda pair: pair[1], default=None)
    return best and (b.labels[best[0]], best[1])


def agree(found: dict[str, Near], expected: dict[str, tuple[str, float] | None]) -> None:
    assert {c: near.label for c, near in found.items()} == {c: one[0] for c, one in expected.items() if one}
    for channel, near in found.items():
        one = expected[channel]
        assert one is not None
        assert near.score == pytest.approx(one[1], abs=1e-5)
        assert near.over == (one[1] >= THRESHOLDS[channel])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("block")
def test_the_nearest_are_those_of_the_definition(seed: int) -> None:
    a, b = planted(seed), planted(seed + 100, prefix="r")
    b = concatenate([b, Vectors([f"copy {label}" for label in a.labels[:5]], a.texts[:5], a.images[:5])])
    for row, found in enumerate(nearest(a, b, THRESHOLDS)):
        agree(found, {c: slow_nearest(a, row, b, list(range(len(b))), c) for c in CHANNELS})
    for row, found in enumerate(nearest_others(a, THRESHOLDS)):
        rest = [other for other in range(len(a)) if other != row]
        agree(found, {c: slow_nearest(a, row, a, rest, c) for c in CHANNELS})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("block")
def test_links_and_what_is_between_sets_are_those_of_the_definition(seed: int) -> None:
    a, b = planted(seed), planted(seed, prefix="r")  # the same vectors under other names: many are too near
    pairs = [(i, j) for i in range(len(a)) for j in range(i + 1, len(a))]
    over = {(i, j, c) for i, j in pairs for c in CHANNELS if reference_score(a, i, a, j, c) >= THRESHOLDS[c]}
    found = list(links(a, THRESHOLDS))
    assert {(first, second, channel) for first, second, channel, _ in found} == over
    assert len(found) == len(over) > 0
    facts = between(a, b, THRESHOLDS)
    for c in CHANNELS:
        scores = [(reference_score(a, i, b, j, c), i, j) for i in range(len(a)) for j in range(len(b))]
        assert facts[c]["over"] == sum(score >= THRESHOLDS[c] for score, _, _ in scores)
        assert facts[c]["score"] == pytest.approx(max(scores)[0], abs=1e-4)


def test_of_equals_the_first_is_nearest_and_what_cannot_be_compared_is_left_out() -> None:
    row = np.zeros((1, 8), dtype=np.float32)
    row[0, :4] = 0.5  # inner products of such rows are exact
    same = Vectors(["a", "b", "c"], row.repeat(3, 0), row.repeat(3, 0))
    bare = Vectors(["d"], row, np.full_like(row, np.nan))
    assert [near["pair"].label for near in nearest_others(same, THRESHOLDS)] == ["b", "a", "a"]
    assert [list(near) for near in nearest(bare, same, THRESHOLDS)] == [["text"]]
    assert [list(near) for near in nearest(same, bare, THRESHOLDS)] == [["text"]] * 3
    assert nearest_others(bare, THRESHOLDS) == [{}]
    nothing = same.part([])
    assert nearest(same, nothing, THRESHOLDS) == [{}, {}, {}]
    assert between(same, nothing, THRESHOLDS)["text"] == {"nearest": None, "score": None, "threshold": 0.95, "over": 0}
    assert worst([]) is None
    equals = [Near(label, 0.99, channel, 0.95) for label, channel in (("x", "image"), ("y", "text"), ("z", "text"))]
    assert worst(equals) == equals[1]


@pytest.mark.parametrize("threshold", [0.7, 0.716, 0.814, 0.999])
def test_every_comparison_decides_alike_at_the_threshold(threshold: float) -> None:
    """A threshold lies between two numbers of single precision, and is not rounded to one of them."""
    at = np.float32(threshold)
    for score in (np.nextafter(at, np.float32(-1)), at, np.nextafter(at, np.float32(2))):
        texts = np.array([[1, 0], [score, np.sqrt(1 - score**2)]], dtype=np.float32)
        items = texts_only(["a", "b"], texts)
        over = float(score) >= threshold
        limits = dict.fromkeys(CHANNELS, threshold)
        assert nearest_others(items, limits)[0]["text"].over == over
        assert bool(list(links(items, limits))) == over
        assert between(items.between(0, 1), items.between(1, 2), limits)["text"]["over"] == over


def slow_compare(items: Vectors, references: Vectors | None) -> list[str | None]:
    """What each item is a near-duplicate of: a reference, or else an earlier item that is kept."""
    kept: list[int] = []
    found = []
    for row in range(len(items)):
        for others, among in ((references, range(len(references or ()))), (items, kept)):
            over = [
                (reference_score(items, row, others, other, c) - THRESHOLDS[c], others.labels[other])
                for c in CHANNELS for other in among
                if reference_score(items, row, others, other, c) >= THRESHOLDS[c]
            ] if others else []  # fmt: skip
            if over:
                break
        found.append(max(over)[1] if over else None)
        if not over:
            kept.append(row)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("block")
def test_what_a_report_keeps_is_greedy_with_references_first(seed: int) -> None:
    items = planted(seed)
    references = concatenate([planted(seed + 50, prefix="r"), Vectors(["ref"], items.texts[-1:], items.images[-1:])])
    for others in (None, references):
        _, blockers = compare(items, others, THRESHOLDS)
        assert [near and near.label for near in blockers] == slow_compare(items, others)
        assert 0 < sum(near is None for near in blockers) < len(items)


def of_processor(job) -> float:
    """The least processor time of three tries, in seconds."""
    times = []
    for _ in range(3):
        started = time.process_time()
        job()
        times.append(time.process_time() - started)
    return min(times)


def test_a_report_of_2000_items_takes_less_than_two_searches() -> None:
    """Of the same vectors, in every channel, with FAISS: the nearest other item is the second found."""
    draw = np.random.default_rng(0)
    centre = draw.normal(size=512)
    texts, images = (unit(centre + draw.normal(size=(2000, 512))) for _ in range(2))
    texts[1000:1100], images[1100:1200] = texts[:100], images[:100]
    items = Vectors([str(n) for n in range(2000)], texts, images)
    pairs = np.concatenate([texts, images], axis=1) / np.sqrt(np.float32(2))

    def search() -> None:
        for rows in (texts, images, pairs):
            index = faiss.IndexFlatIP(rows.shape[1])
            index.add(rows)
            index.search(rows, 2)

    _, blockers = compare(items, None, THRESHOLDS)
    assert [row for row, near in enumerate(blockers) if near] == list(range(1000, 1200))
    ours, theirs = of_processor(lambda: compare(items, None, THRESHOLDS)), of_processor(search)
    print(f"a report of 2,000 items: {ours:.3f} s; one search of them: {theirs:.3f} s; ratio {ours / theirs:.2f}")
    assert ours < 2 * theirs
