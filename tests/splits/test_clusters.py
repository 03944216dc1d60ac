"""Clusters and sides against slow readings of what they promise, over planned items of the shipped types."""

import itertools
from collections import Counter

import pytest

from mossgen.errors import ConfigError
from mossgen.splits.clusters import RELATIONS, TOLERANCE, Traits, divide, make_clusters
from mossgen.stimulus.types import load_type

SHARES = {"test": 0.2, "dev": 0.1}


def planned(count: int, *types: str) -> list[Traits]:
    """The first items of each type's plan, with what a split sees of them; every question is its own."""
    found = []
    for name in types:
        kind = load_type(name)
        for item in itertools.islice(kind.plan(0), count):
            scene = item.slots.get("scene") or item.slots["place"]
            shares = {"question": item.id, "scene": scene, "seed": f"{name}/{item.seed_id}"}
            found.append(Traits(item.id, name, kind.render(kind.template.category, item), shares))
    return found


def crossing(items: list[Traits], side: dict[str, str], relation: str) -> int:
    """Values of a relation that lie on more than one side."""
    places: dict[str, set[str]] = {}
    for item in items:
        if item.id in side:
            places.setdefault(item.shares[relation], set()).add(side[item.id])
    return sum(len(sides) > 1 for sides in places.values())


@pytest.mark.parametrize("count", [24, 120])
def test_what_is_bound_never_crosses_and_the_sides_have_their_sizes(count: int) -> None:
    items = planned(count, "exaggerated_risk", "negated_harm", "counterintuitive")
    near = [(items[n].id, items[n + 40].id) for n in range(0, len(items) - 40, 17)]
    sides = divide(items, near, SHARES)
    assert "scene" in sides.bound
    assert set(sides.side) == {t.id for t in items}
    for relation in sides.bound:
        assert crossing(items, dict(sides.side), relation) == 0
    assert all(sides.side[a] == sides.side[b] for a, b in near)
    largest = max(map(len, sides.clusters))
    for name, target in sides.targets.items():
        assert abs(sides.sizes()[name] - target) <= largest
    types = Counter((t.type, sides.side[t.id]) for t in items)
    for name, target in sides.targets.items():
        for kind in ("exaggerated_risk", "negated_harm", "counterintuitive"):
            assert abs(types[kind, name] - target / 3) <= largest


def test_relations_that_chain_are_not_bound_and_that_is_said() -> None:
    items = planned(200, "exaggerated_risk")
    clusters, _ = make_clusters(items, [], RELATIONS, {})
    assert len(clusters) == 1  # the literal reading allows no split at all
    sides = divide(items, [], SHARES)
    assert sides.bound == ("question", "scene")
    assert "200 of 200" in sides.unbound["seed"]
    assert crossing(items, dict(sides.side), "seed") > 0
    with pytest.raises(ConfigError, match="The clusters allow no such split"):
        divide(items, [], SHARES, bind=RELATIONS)


def test_the_order_of_the_items_decides_nothing() -> None:
    items = planned(60, "negated_harm", "counterintuitive")
    assert divide(items, [], SHARES).side == divide(items[::-1], [], SHARES).side


def test_a_set_that_grows_keeps_every_side() -> None:
    small = planned(30, "exaggerated_risk", "counterintuitive")
    large = planned(90, "exaggerated_risk", "counterintuitive")
    before = divide(small, [], SHARES, bind=("question", "scene"))
    after = divide(large, [], SHARES, bind=("question", "scene"), pinned=before.side)
    assert {key: after.side[key] for key in before.side} == before.side
    assert crossing(large, dict(after.side), "scene") == 0
    assert len(after.side) + len(after.left_out) == len(large)
    for name, target in after.targets.items():
        assert abs(after.sizes()[name] - target) <= max(map(len, after.clusters))


def test_an_item_that_would_join_two_sides_is_left_out() -> None:
    items = [Traits(key, "t", "", {}) for key in "abcd"]
    clusters, left_out = make_clusters(items, [("a", "c"), ("c", "b"), ("c", "d")], (), {"a": "test", "b": "train"})
    assert left_out == {"c": "it is too close to items of test and of train"}
    assert sorted(map(sorted, clusters)) == [["a"], ["b"], ["d"]]


def test_stratified_when_nothing_is_tied() -> None:
    items = [Traits(f"{kind}{n}", kind, f"c{n % 4}", {}) for kind in ("x", "y") for n in range(40)]
    sides = divide(items, [], SHARES)
    assert sides.sizes() == {"train": 56, "dev": 8, "test": 16}
    counts = Counter((t.type, t.category) for t in items if sides.side[t.id] == "test")
    assert set(counts.values()) == {2}


def test_splits_that_cannot_be_are_a_sentence() -> None:
    items = [Traits(str(n), "t", "", {"scene": "kitchen" if n < 18 else str(n)}) for n in range(20)]
    with pytest.raises(ConfigError, match="18 of 20 items belong together"):
        divide(items, [], {"test": 0.5}, bind=("scene",))
    with pytest.raises(ConfigError, match=r"The side dev would be empty: 0\.01 of 20 items is none"):
        divide(items, [], {"test": 0.2, "dev": 0.01})
    with pytest.raises(ConfigError, match="The side train would be empty"):
        divide(items, [], {"test": 0.9, "dev": 0.1})
    assert TOLERANCE < 1
