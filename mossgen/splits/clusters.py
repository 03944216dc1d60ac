"""Which items belong together, and which side each group goes to. Pure: no models, no files.

Everything that items share is a knot, and items tied to the same knot form one cluster: near-duplicates always,
and the relations that are bound (same question frame, same scene, same seed). Taken literally, all relations at once
chain: with 50 seeds dealt out in turn over 50 scenes, 200 items are one single cluster, and no split exists that has
no shared value across sides. So the relations are tried in the order of what a leak through them is worth, QUESTION
(the wording a model was trained on), SCENE (the background it has seen), SEED (an example that only the writer saw,
and which no question may be near to), and one that leaves no room for the sides that were asked for is not bound:
the split says so, and counts what is shared through it. `--bind` insists instead, and fails where it cannot be done.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from mossgen.errors import ConfigError

RELATIONS = ("question", "scene", "seed")  # in the order in which they are bound
FILLED = ("test", "dev")  # in this order; what is left is train
LEFT_OVER = "train"
TOLERANCE = 0.25  # of a side's target (at least one item): farther off, the clusters left no room for that side


@dataclass(frozen=True)
class Thing:
    """What the split needs to know of an item: its strata and what it shares, by relation."""

    id: str
    type: str
    category: str
    shares: Mapping[str, str]


@dataclass(frozen=True)
class Sides:
    """The outcome: the side of each item, clusters in hash order, items left out with the reason, sizes wanted."""

    side: Mapping[str, str]
    clusters: Sequence[Sequence[str]]
    left_out: Mapping[str, str]
    targets: Mapping[str, int]
    bound: tuple[str, ...]
    unbound: Mapping[str, str]

    def sizes(self) -> dict[str, int]:
        """Items by side."""
        counts = Counter(self.side.values())
        return {name: counts[name] for name in (LEFT_OVER, *reversed(FILLED)) if name in self.targets}


def divide(
    things: Sequence[Thing],
    near: Sequence[tuple[str, str]],
    shares: Mapping[str, float],
    bind: Sequence[str] | None = None,
    pinned: Mapping[str, str] | None = None,
) -> Sides:
    """The side of every item: `shares` of test and dev, the rest train; `near` are pairs of near-duplicates.

    `pinned` items keep their side. An item that would join two sides is left out. With `bind` None, relations are
    bound as far as they leave room. Raises ConfigError where a side would be empty, or far from what was asked for.
    """
    pinned = pinned or {}
    targets = _targets(len(things), shares)
    if bind is not None:
        sides = _divided(things, near, targets, tuple(bind), pinned, {})
        _refuse_misfit(sides)
        return sides
    unbound: dict[str, str] = {}
    best = _divided(things, near, targets, (), pinned, unbound)
    _refuse_misfit(best)
    for relation in RELATIONS:
        if not any(relation in thing.shares for thing in things):
            continue
        tried = _divided(things, near, targets, (*best.bound, relation), pinned, unbound)
        if _misfit(tried):
            largest = max(map(len, tried.clusters))
            unbound[relation] = f"with it the items chain: one cluster would hold {largest} of {len(things)}"
        else:
            best = tried
    return best


def _divided(
    things: Sequence[Thing],
    near: Sequence[tuple[str, str]],
    targets: Mapping[str, int],
    bound: tuple[str, ...],
    pinned: Mapping[str, str],
    unbound: Mapping[str, str],
) -> Sides:
    clusters, left_out = tie(things, near, bound, pinned)
    side = assign(clusters, {thing.id: thing for thing in things}, targets, pinned)
    return Sides(side, clusters, left_out, targets, bound, unbound)


def _targets(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    targets = {name: round(shares[name] * count) for name in FILLED if name in shares}
    targets[LEFT_OVER] = count - sum(targets.values())
    empty = next((name for name, size in targets.items() if size < 1), None)
    if empty:
        share = shares.get(empty, 1 - sum(shares.values()))
        raise ConfigError(f"The side {empty} would be empty: {share:.3g} of {count} items is none; make more items.")
    return targets


def _misfit(sides: Sides) -> str | None:
    """The first side that misses its target by more than the tolerance."""
    sizes = sides.sizes()
    for name, target in sides.targets.items():
        if not sizes[name] or abs(sizes[name] - target) > max(1, TOLERANCE * target):
            return name
    return None


def _refuse_misfit(sides: Sides) -> None:
    name = _misfit(sides)
    if name is None:
        return
    largest = max(map(len, sides.clusters), default=0)
    by = ", ".join(("near-duplicates", *sides.bound))
    raise ConfigError(
        f"The clusters allow no such split: {name} should have {sides.targets[name]} items and can have "
        f"{sides.sizes()[name]}, since {largest} of {len(sides.side)} items belong together (by {by}): "
        "ask for other shares, bind fewer relations with --bind, or make more items."
    )


# -- clusters ------------------------------------------------------------------------------------------


def tie(
    things: Sequence[Thing], near: Sequence[tuple[str, str]], bound: Sequence[str], pinned: Mapping[str, str]
) -> tuple[list[list[str]], dict[str, str]]:
    """(clusters, items left out with the reason): clusters of ids, in the order of their keys.

    Pinned items are tied first; another that would tie clusters of two sides together is left out.
    """
    knots: dict[str, list[Hashable]] = defaultdict(list)
    for thing in things:
        knots[thing.id] += [(relation, thing.shares[relation]) for relation in bound if relation in thing.shares]
    for pair in near:
        for end in pair:
            knots[end].append(("near", *sorted(pair)))
    forest = _Forest()
    left_out: dict[str, str] = {}
    for key in sorted((thing.id for thing in things), key=lambda i: (i not in pinned, spread(i))):
        sides = {forest.side[root] for root in map(forest.root, knots[key]) if root in forest.side}
        if key not in pinned and len(sides) > 1:
            left_out[key] = f"it is too close to items of {' and of '.join(sorted(sides))}"
            continue
        forest.tie(key, knots[key], pinned.get(key))
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for thing in things:
        if thing.id not in left_out:
            groups[forest.root(thing.id)].append(thing.id)
    return sorted((sorted(group, key=spread) for group in groups.values()), key=lambda g: spread(g[0])), left_out


class _Forest:
    """Union-find over items and knots; a tree that holds a pinned item knows its side."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}
        self.side: dict[Hashable, str] = {}

    def root(self, node: Hashable) -> Hashable:
        """What stands for the tree of a node; a new node is a tree of its own."""
        self._parent.setdefault(node, node)
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def tie(self, item: str, knots: Sequence[Hashable], side: str | None) -> None:
        """One tree of an item and its knots. Trees that are pinned to different sides already stay apart."""
        root = self.root(item)
        if side is not None:
            self.side[root] = side
        for knot in knots:
            other = self.root(knot)
            mine, theirs = self.side.get(root), self.side.get(other)
            if other != root and (mine is None or theirs is None or mine == theirs):
                self._parent[other] = root
                if theirs is not None:
                    self.side[root] = theirs


def spread(key: str) -> str:
    """The place of an item in the order of drawing: by hash, so that it depends on nothing but the item."""
    return hashlib.sha256(f"mossgen split {key}".encode()).hexdigest()


# -- sides ---------------------------------------------------------------------------------------------


def assign(
    clusters: Sequence[Sequence[str]],
    things: Mapping[str, Thing],
    targets: Mapping[str, int],
    pinned: Mapping[str, str],
) -> dict[str, str]:
    """The side of each clustered item: whole clusters, in hash order, as near to the targets as they allow.

    A side is filled with clusters that still fit its quota of each type and category, then of each type, then at all;
    so it ends less than the smallest cluster left over away from its target.
    """
    side: dict[str, str] = {}
    free: list[Sequence[str]] = []
    for cluster in clusters:
        held = next((pinned[key] for key in cluster if key in pinned), None)
        if held is None:
            free.append(cluster)
        else:
            side |= {key: pinned.get(key, held) for key in cluster}
    everything = [things[key] for cluster in clusters for key in cluster]
    for name in (name for name in FILLED if name in targets):
        have = [things[key] for key, its in side.items() if its == name]
        chosen = _fill(free, things, targets[name], everything, have)
        side |= {key: name for cluster in chosen for key in cluster}
        free = [cluster for cluster in free if cluster not in chosen]
    return side | {key: LEFT_OVER for cluster in free for key in cluster}


def _fill(
    free: Sequence[Sequence[str]],
    things: Mapping[str, Thing],
    target: int,
    everything: Sequence[Thing],
    have: Sequence[Thing],
) -> list[Sequence[str]]:
    """The clusters for one side that has some already."""
    chosen: list[Sequence[str]] = []
    left = target - len(have)
    share = target / len(everything)
    taken = list(have)
    for stratum in (_both, _type, _one):
        quota = _quotas(Counter(map(stratum, everything)), share, target)
        quota.subtract(map(stratum, taken))
        for cluster in free:
            members = [things[key] for key in cluster]
            wanted = Counter(map(stratum, members))
            if cluster in chosen or len(cluster) > left or any(quota[s] < n for s, n in wanted.items()):
                continue
            chosen.append(cluster)
            taken += members
            left -= len(cluster)
            quota.subtract(wanted)
    spare = min((cluster for cluster in free if cluster not in chosen), key=len, default=())
    if spare and len(spare) - left < left:
        chosen.append(spare)
    return chosen


def _both(thing: Thing) -> Hashable:
    return thing.type, thing.category


def _type(thing: Thing) -> Hashable:
    return thing.type


def _one(thing: Thing) -> Hashable:
    return ""


def _quotas(sizes: Counter[Hashable], share: float, target: int) -> Counter[Hashable]:
    """Whole numbers that add up to the target, each stratum's share of it rounded by largest remainder."""
    exact = {stratum: size * share for stratum, size in sizes.items()}
    quota = Counter({stratum: int(value) for stratum, value in exact.items()})
    order = sorted(exact, key=lambda s: (quota[s] - exact[s], spread(repr(s))))
    for stratum in order[: max(target - quota.total(), 0)]:
        quota[stratum] += 1
    return quota
