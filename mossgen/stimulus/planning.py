"""Plans the candidates of a type: which slot values they combine, and in which order.

A value may need or avoid values of other slots (`needs`, `avoid` in the template), so not every combination fits.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence, Set

from mossgen.core.items import Item, item_id
from mossgen.stimulus.schema import Seed, Template, Value

DRY_ROUNDS = 20  # a plan ends after this many rounds without a new combination
NEVER_FITTED = 3  # the same, if no combination has ever fitted

Used = dict[tuple[str, str], int]  # how often each value of a slot was used so far


def plan(template: Template, seeds: Sequence[Seed], seed: int) -> Iterator[Item]:
    """Candidates in run order, without repeats, until there are no new combinations.

    Each round visits every value of the primary slot once, in an order drawn from `seed`. The other slots get their
    least used compatible value, so that a set of any size covers all slots evenly.
    """
    seen: set[str] = set()
    used: Used = {}
    dry_rounds = 0
    for round_number in itertools.count():
        before = len(seen)
        for slots in _round(template, random.Random(f"{template.name}/{seed}/{round_number}"), used):
            number, key = len(seen), json.dumps(slots, sort_keys=True)
            if key in seen:
                continue
            seen.add(key)
            seed_id = seeds[(number + seed) % len(seeds)].id if seeds else ""
            yield Item(item_id(template.name, seed_id, slots, seed), number, template.name, seed_id, slots, seed)
        dry_rounds = dry_rounds + 1 if len(seen) == before else 0
        if dry_rounds == (DRY_ROUNDS if seen else NEVER_FITTED):
            return


def _round(template: Template, draw: random.Random, used: Used) -> Iterator[dict[str, str]]:
    """One combination for each value of the primary slot that can be combined with all other slots."""
    primary = template.slots[template.primary].values
    for first in draw.sample(primary, len(primary)):
        slots = _filled(template, first, draw, used)
        if slots is not None:
            yield slots


def _filled(template: Template, first: Value, draw: random.Random, used: Used) -> dict[str, str] | None:
    """Adds to `first` the least used compatible value of every other slot; None if a slot has none."""
    chosen = {template.primary: first}
    for name, slot in template.slots.items():
        if name in chosen:
            continue
        fitting = [v for v in slot.values if fits(name, v, chosen)]
        if not fitting:
            return None
        least = min(used.get((name, v.text), 0) for v in fitting)
        chosen[name] = draw.choice([v for v in fitting if used.get((name, v.text), 0) <= least + 1])
    for name, value in chosen.items():
        used[name, value.text] = used.get((name, value.text), 0) + 1
    return {name: chosen[name].text for name in template.slots}


def vary(template: Template, old: Mapping[str, Value], fresh: Set[str], draw: random.Random) -> dict[str, str] | None:
    """The slots of `old` with another value in each of `fresh`; other slots change only if they must to fit.

    None if nothing fits. Prefers a value that is compatible with all the others.
    """
    chosen: dict[str, Value] = {}
    rest = {slot: value for slot, value in old.items() if slot not in fresh}
    for name in sorted(old, key=lambda slot: slot not in fresh):
        fitting = [v for v in template.slots[name].values if fits(name, v, chosen)]
        if name in fresh:
            fitting = [v for v in fitting if v != old[name]]
            fitting = [v for v in fitting if fits(name, v, rest)] or fitting
        elif old[name] in fitting:
            fitting = [old[name]]
        if not fitting:
            return None
        chosen[name] = draw.choice(fitting)
    return {name: chosen[name].text for name in template.slots}


def fits(name: str, value: Value, chosen: Mapping[str, Value]) -> bool:
    """Whether a value of the slot `name` is compatible with the `chosen` values, by `needs` and `avoid` of both."""
    for slot, other in chosen.items():
        if slot in value.needs and not other.has(value.needs[slot]):
            return False
        if slot in value.avoid and other.has(value.avoid[slot]):
            return False
        if name in other.needs and not value.has(other.needs[name]):
            return False
        if name in other.avoid and value.has(other.avoid[name]):
            return False
    return True
