"""From a prompt to layers: what to draw, where and in which order; `grammar` reads the prompt.

Things joined by "and" and the like stand in a row on the lower part of the picture, in random order; left of, right
of, above, under, in front of, behind, on, holding and printed on put the one where it belongs to the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from mossgen.embedded.grammar import Thing, parse

SIDE = 256
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer:
    """One thing to draw: its phrase for the model, its box (left, top, right, bottom of 256) and its depth."""

    phrase: str
    box: Box = (0, 0, SIDE, SIDE)
    z: int = 0
    relation: str = "beside"
    background: bool = False
    grounded: bool = False  # stands on the ground, and so throws a shadow there


def layers(prompt: str, rng: random.Random) -> list[Layer]:
    """The layers of a prompt, background first, in drawing order. The same prompt and generator give the same ones."""
    background, groups, order = parse(prompt)
    placed = [Layer(background, z=-100, relation="background", background=True)]
    placed += _arrange(groups, order, rng)
    return sorted(placed, key=lambda layer: layer.z)


def phrases(prompt: str) -> list[str]:
    """What the layers of a prompt are drawn from, background first, without a layout."""
    return [layer.phrase for layer in layers(prompt, random.Random(0))]


def _arrange(row: list[Thing], binding: bool, rng: random.Random) -> list[Layer]:
    """Put the things in a row on the lower part of the picture, what is attached to them around them."""
    row = row[:5]
    if not binding and len(row) > 1:
        rng.shuffle(row)
    count = len(row)
    base = {0: 0, 1: 152, 2: 116, 3: 88, 4: 72, 5: 60}[count]
    placed: list[Layer] = []
    for number, thing in enumerate(row):
        grown = 1.15 if thing.attached else 1.08 if thing.person else 1.0
        size = round(min(168, base * grown) * rng.uniform(0.94, 1.06))
        centre = SIDE * (number + 0.5) / count + rng.uniform(-10, 10)
        bottom = _bottom(thing, size, rng)
        placed += _place(thing, centre, bottom, size, 10 * number, rng)
    return placed


def _bottom(thing: Thing, size: int, rng: random.Random) -> float:
    """Where the lower edge of a thing goes: on the ground, in the air or on the wall."""
    if thing.anchor == "air":
        return 40 + size * 0.7 + rng.uniform(0, 25)
    if thing.anchor == "wall" and not thing.attached:
        return 62 + size * 0.7 + rng.uniform(0, 25)
    return 232 + rng.uniform(-8, 12)


def _boxed(thing: Thing, x: float, bottom: float, size: float, z: int, relation: str) -> Layer:
    """A layer of that size around x, kept inside the picture."""
    left = round(min(max(x - size / 2, 2), SIDE - 2 - size))
    top = round(min(max(bottom - size, 2), SIDE - 2 - size))
    box = (left, top, left + round(size), top + round(size))
    return Layer(thing.phrase, box, z, relation, grounded=thing.anchor == "ground" and relation in _STANDING)


def _place(
    thing: Thing, x: float, bottom: float, size: float, z: int, rng: random.Random, relation: str = "beside"
) -> list[Layer]:
    """A thing and what is attached to it."""
    own = _boxed(thing, x, bottom, size, z, relation)
    left, _, right, low = own.box
    middle, placed = (left + right) / 2, [own]
    for number, (kind, other) in enumerate(thing.attached):
        side = (-1 if middle > SIDE / 2 else 1) * (-1) ** number
        scale, dx, dy, dz = _OFFSETS[kind](side, rng)
        part = size * scale
        placed += _place(other, middle + dx * size, low + dy * size, part, z + dz + number, rng, kind)
    if any(kind == "above" for kind, _ in thing.attached) or any(kind == "top" for kind, _ in thing.attached):
        placed[0] = replace(own, box=_lowered(own.box))
    return placed


def _lowered(box: Box) -> Box:
    """The same box on the picture's ground."""
    left, top, right, low = box
    drop = max(0, 246 - low)
    return left, top + drop, right, low + drop


_STANDING = frozenset({"beside", "front", "behind"})

# relation -> (size, shift right, shift of the lower edge, depth) in sizes of what it is attached to; side is -1 or 1
_OFFSETS: dict[str, Callable[[int, random.Random], tuple[float, float, float, int]]] = {
    "printed": lambda side, rng: (0.5, 0.0, -0.23, 1),
    "shaped": lambda side, rng: (0.9, 0.0, 0.0, 1),
    "holding": lambda side, rng: (0.5, 0.5 * side, -0.04, 50),
    "top": lambda side, rng: (0.62, rng.uniform(-0.08, 0.08), -0.74, 1),
    "riding": lambda side, rng: (0.8, 0.0, -0.4, 1),
    "above": lambda side, rng: (0.7, rng.uniform(-0.1, 0.1), -0.96, 1),
    "under": lambda side, rng: (0.6, rng.uniform(-0.1, 0.1), 0.06, 1),
    "front": lambda side, rng: (0.66, 0.3 * side, 0.06, 2),
    "behind": lambda side, rng: (0.9, 0.42 * side, -0.16, -2),
}
