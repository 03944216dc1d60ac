"""Groups items that belong together, and assigns each group to a side; no models, no files.

Items that share something are in one cluster, also through other items. Near-duplicates always count; a relation (same
question frame, same scene, same seed) counts if it is bound. All relations together would form chains: with 50 seeds
used in turn over 50 scenes, 200 items are a single cluster that cannot be split.

So the relations are tried one after the other, the most serious leaks first: QUESTION (wording that a model was trained
on), SCENE (a background that it has seen), SEED (an example that only the writer saw, and that no question may be near
to). A relation that leaves too few clusters for the requested sides is not bound: the split says so, and counts the
values that sides share. Relations that the caller names are always bound; if that is impossible, the split fails.
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
TOLERANCE = 0.25  # of a side's target (at least one item): beyond it, the clusters do not fit that side


@dataclass(frozen=True)
class Traits:
    """What the split needs to know of an item: its type, its category, and the values it shares by relation."""

    id: str
    type: str
    category: str
    shares: Mapping[str, str]


@dataclass(frozen=True)
class Sides:
    """The result: the side of each item, clusters in hash order, items left out with the reason, target sizes."""

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
    items: Sequence[Traits],
    near: Sequence[tuple[str, str]],
    shares: Mapping[str, float],
    bind: Sequence[str] | None = None,
    pinned: Mapping[str, str] | None = None,
) -> Sides:
    """Assigns a side to every item: `shares` are those of test and dev; the rest is train.

    `near` are pairs of ids of near-duplicates. `pinned` items keep their side. An item that would join two sides is
    left out. If `bind` is None, relations are bound as far as the sides allow. Raises ConfigError if a side would be
    empty, or far from its requested size.
    """
    pinned = pinned or {}
    targets = _targets(len(items), shares)
    if bind is not None:
        sides = _divided(items, near, targets, tuple(bind), pinned, {})
        _refuse_misfit(sides)
        return sides
    unbound: dict[str, str] = {}
    best = _divided(items, near, targets, (), pinned, unbound)
    _refuse_misfit(best)
    for relation in RELATIONS:
        if not any(relation in item.shares for item in items):
            continue
        tried = _divided(items, near, targets, (*best.bound, relation), pinned, unbound)
        if _misfit(tried):
            largest = max(map(len, tried.clusters))
            unbound[relation] = f"with it the items chain: one cluster would hold {largest} of {len(items)}"
        else:
            best = tried
    return best


def _divided(
    items: Sequence[Traits],
    near: Sequence[tuple[str, str]],
    targets: Mapping[str, int],
    bound: tuple[str, ...],
    pinned: Mapping[str, str],
    unbound: Mapping[str, str],
) -> Sides:
    clusters, left_out = make_clusters(items, near, bound, pinned)
    side = assign(clusters, {item.id: item for item in items}, targets, pinned)
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
    """The first side that misses its target by more than the tolerance; None if all are within it."""
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
        "ask for other shares, bind fewer relations (`bind`), or make more items."
    )


# -- clusters ------------------------------------------------------------------------------------------


def make_clusters(
    items: Sequence[Traits], near: Sequence[tuple[str, str]], bound: Sequence[str], pinned: Mapping[str, str]
) -> tuple[list[list[str]], dict[str, str]]:
    """(clusters, items left out with the reason): clusters of ids; ids and clusters are in hash order.

    Pinned items come first; any other item that would join clusters of two sides is left out.
    """
    shared: dict[str, list[Hashable]] = defaultdict(list)
    for item in items:
        shared[item.id] += [(relation, item.shares[relation]) for relation in bound if relation in item.shares]
    for pair in near:
        for key in pair:
            shared[key].append(("near", *sorted(pair)))
    clusters = _Clusters()
    left_out: dict[str, str] = {}
    for key in sorted((item.id for item in items), key=lambda key: (key not in pinned, hash_order(key))):
        sides = {side for value in shared[key] if (side := clusters.side(value))}
        if key not in pinned and len(sides) > 1:
            left_out[key] = f"it is too close to items of {' and of '.join(sorted(sides))}"
            continue
        clusters.add(key, pinned.get(key))
        for value in shared[key]:
            clusters.join(key, value)
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for item in items:
        if item.id not in left_out:
            groups[clusters.of(item.id)].append(item.id)
    found = [sorted(group, key=hash_order) for group in groups.values()]
    return sorted(found, key=lambda group: hash_order(group[0])), left_out


class _Clusters:
    """Disjoint sets of items and their shared values; a set with a pinned item has that item's side."""

    def __init__(self) -> None:
        from scipy.cluster.hierarchy import DisjointSet

        self._sets = DisjointSet()
        self._sides: dict[Hashable, str] = {}  # by the representative from `of`

    def add(self, item: str, side: str | None) -> None:
        """Adds an item, with its side if it is pinned."""
        self._sets.add(item)
        if side is not None:
            self._sides[self.of(item)] = side

    def of(self, node: Hashable) -> Hashable:
        """The representative of the node's set; a new node gets its own set."""
        self._sets.add(node)
        found: Hashable = self._sets[node]
        return found

    def side(self, node: Hashable) -> str | None:
        """The side of the node's set."""
        return self._sides.get(self.of(node))

    def join(self, item: str, value: Hashable) -> None:
        """Joins the sets of two nodes, unless they are pinned to different sides: those were published separately."""
        one, other = self.side(item), self.side(value)
        if one and other and one != other:
            return
        self._sets.merge(item, value)
        if side := one or other:
            self._sides[self.of(item)] = side


def hash_order(key: str) -> str:
    """The sort key of an item: a hash, so that it depends only on the item."""
    return hashlib.sha256(f"mossgen split {key}".encode()).hexdigest()


# -- sides ---------------------------------------------------------------------------------------------


def assign(
    clusters: Sequence[Sequence[str]],
    traits: Mapping[str, Traits],
    targets: Mapping[str, int],
    pinned: Mapping[str, str],
) -> dict[str, str]:
    """The side of each clustered item: whole clusters, in hash order, as near to the targets as possible.

    A side takes clusters that fit its quota for each type and category, then for each type, then overall. So it misses
    its target by less than the smallest remaining cluster.
    """
    side: dict[str, str] = {}
    free: list[Sequence[str]] = []
    for cluster in clusters:
        held = next((pinned[key] for key in cluster if key in pinned), None)
        if held is None:
            free.append(cluster)
        else:
            side |= {key: pinned.get(key, held) for key in cluster}
    everything = [traits[key] for cluster in clusters for key in cluster]
    for name in (name for name in FILLED if name in targets):
        have = [traits[key] for key, its in side.items() if its == name]
        side |= dict.fromkeys(_fill(free, traits, targets[name], everything, have), name)
        free = [cluster for cluster in free if cluster[0] not in side]
    return side | {key: LEFT_OVER for cluster in free for key in cluster}


def _fill(
    free: Sequence[Sequence[str]],
    traits: Mapping[str, Traits],
    target: int,
    everything: Sequence[Traits],
    have: Sequence[Traits],
) -> set[str]:
    """The items that a side gets in addition to those it has, as whole clusters."""
    chosen: set[str] = set()
    left = target - len(have)
    share = target / len(everything)
    taken = list(have)
    for stratum in (_both, _type, _one):
        quota = _quotas(Counter(map(stratum, everything)), share, target)
        quota.subtract(map(stratum, taken))
        for cluster in free:
            members = [traits[key] for key in cluster]
            wanted = Counter(map(stratum, members))
            if cluster[0] in chosen or len(cluster) > left or any(quota[s] < n for s, n in wanted.items()):
                continue
            chosen.update(cluster)
            taken += members
            left -= len(cluster)
            quota.subtract(wanted)
    spare = min((cluster for cluster in free if cluster[0] not in chosen), key=len, default=())
    if spare and len(spare) - left < left:
        chosen.update(spare)
    return chosen


def _both(item: Traits) -> Hashable:
    return item.type, item.category


def _type(item: Traits) -> Hashable:
    return item.type


def _one(item: Traits) -> Hashable:
    return ""


def _quotas(sizes: Counter[Hashable], share: float, target: int) -> Counter[Hashable]:
    """The target divided into whole numbers by stratum, in proportion, rounded by largest remainder."""
    exact = {stratum: size * share for stratum, size in sizes.items()}
    quota = Counter({stratum: int(value) for stratum, value in exact.items()})
    order = sorted(exact, key=lambda s: (quota[s] - exact[s], hash_order(repr(s))))
    for stratum in order[: max(target - quota.total(), 0)]:
        quota[stratum] += 1
    return quota
