"""Clothes of the whole figures: who wears what, and what marks each kind of top on a trunk.

A trunk is drawn upright: the pelvis at 0, the neck at -29, about 11 to each side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mossgen.embedded.figure_parts import WHITE, dark, shape, stroke
from mossgen.embedded.scenery_parts import mix, poly, rect, ring, round_

# how far down an arm its sleeve goes, in halves of the arm: 0.75 is above the elbow
SLEEVES = {
    "suit": 1.75, "jumper": 1.75, "coat": 1.75, "hoodie": 1.75, "cardigan": 1.75, "uniform": 1.75, "camouflage": 1.75,
    "turnout": 1.75, "chef": 1.75, "clown": 1.75, "overalls": 1.7, "vest": 1.7, "singlet": 0.0,
}  # fmt: skip
SHORT = 0.75
BRASS, REFLECTING, COLLAR = "#f2c341", "#f1ec5a", "#f3efe6"


@dataclass(frozen=True)
class Clothes:
    """What a figure wears: kinds and colours ("#rrggbb") of top and bottom, and what goes with them."""

    skin: str
    top: str
    shirt: str
    bottom: str
    trousers: str
    shoes: str
    belly: bool = False
    backpack: bool = False
    vest: str = ""


def _open_vest(wear: Clothes) -> str:
    """A vest over the shirt: with reflecting stripes if it is bright, with pockets if not."""
    cut = "M-10.5 2 C-11.5 -8 -11 -14 -10.5 -20 C-10 -26 -7 -28 -3 -28 L4 -17 L8 -27.4 Q11 -25 11 -20 C11 -14 11.5 -8 "
    cloth, low = shape(f"{cut}10.5 2 Q0 6 -10.5 2 Z", wear.vest), dark(wear.vest)
    if wear.vest > "#c":
        return cloth + "".join(rect(-11, y, 22, 2.6, "#f6f3c4") for y in (-14, -6))
    return cloth + rect(-8, -10, 7, 6, low) + rect(4, -10, 5, 6, low)


def _suit(_: Clothes) -> str:
    tie = poly([(4.4, -27), (7.4, -27), (7.4, -14), (5.8, -11), (4.4, -14)], "#c9342f")
    return poly([(1, -28), (10, -28), (6, -12)], WHITE) + tie


def _coat(_: Clothes) -> str:
    """A doctor's coat, open at the neck, and a stethoscope."""
    tube = stroke("M-1 -27 Q0 -14 4 -13 Q9 -14 9.5 -27", 1.8, "#3a3f4a") + round_(4, -12, 2.4, "#3a3f4a")
    return stroke("M5 -27 L5.6 3", 1.6, "#c4c8d4") + poly([(2, -28), (10, -28), (6, -19)], "#7fb3e0") + tube


def _cardigan(wear: Clothes) -> str:
    low = dark(wear.shirt)
    buttons = "".join(round_(4, y, 1.1, low) for y in (-20, -13, -6))
    return poly([(1, -28), (10, -28), (6, -14)], COLLAR) + stroke("M6 -14 V3", 1.4, low) + buttons


def _uniform(wear: Clothes) -> str:
    badge = poly([(-7, -22), (-2, -22), (-2.6, -17), (-4.5, -15), (-6.4, -17)], BRASS)
    belt = rect(-11, -2, 22, 4.4, "#20232b") + rect(3, -2, 4.4, 4.4, BRASS)
    return stroke("M5 -27 V1", 1.4, dark(wear.shirt)) + badge + belt


def _camouflage(wear: Clothes) -> str:
    places = ((-6, -20), (4, -23), (6, -14), (-4, -11), (7, -5))
    return "".join(ring(x, y, 3.8, 2.4, dark(wear.shirt)) for x, y in places) + rect(-11, -2, 22, 4, "#3a3d2a")


def _overalls(wear: Clothes) -> str:
    straps = stroke("M-6 -14 L-7 -27 M6.5 -14 L7 -27", 3.2, wear.trousers)
    buttons = round_(-6, -13, 1.4, BRASS) + round_(6.5, -13, 1.4, BRASS)
    return rect(-9, -15, 18, 19, wear.trousers, 2) + straps + buttons


def _turnout(wear: Clothes) -> str:
    stripes = rect(-11, -16, 22, 3.4, REFLECTING) + rect(-11, -5, 22, 3.4, REFLECTING)
    return stripes + stroke("M5 -27 V2", 1.4, dark(wear.shirt))


def _scrubs(wear: Clothes) -> str:
    neck = poly([(1, -28), (10, -28), (5.6, -21)], dark(wear.skin, 0.12))
    return neck + rect(-7, -13, 6, 6, dark(wear.shirt), 1)


def _chef(_: Clothes) -> str:
    buttons = "".join(round_(x, y, 1.2, "#7d8494") for x in (1, 7) for y in (-20, -14, -8))
    return buttons + poly([(-2, -28), (11, -28), (5, -23)], "#d9503f")


def _hoodie(wear: Clothes) -> str:
    strings = stroke("M2 -25 L1 -17 M8 -25 L8.6 -17", 1.5, "#f0f0f0")
    return strings + shape("M-6 -8 H8 L10 0 H-8 Z", dark(wear.shirt))


def _singlet(wear: Clothes) -> str:
    return rect(-11, -14, 22, 4, WHITE) + poly([(0, -28.4), (10, -28.4), (6, -22)], dark(wear.skin, 0.1))


def _clown(_: Clothes) -> str:
    dots = ((-6, -18, "#e53935"), (5, -13, "#3f7fe8"), (-4, -7, "#35a853"), (7, -4, "#e53935"))
    ruff = "".join(round_(x, -27, 3.6, WHITE) for x in (-6, -1, 4, 9))
    return "".join(round_(x, y, 2.8, colour) for x, y, colour in dots) + ruff


def _romper(wear: Clothes) -> str:
    return round_(4, -14, 4, mix(wear.shirt, "#ffffff", 0.55))


TOPS: dict[str, Callable[[Clothes], str]] = {
    "suit": _suit, "coat": _coat, "cardigan": _cardigan, "uniform": _uniform, "camouflage": _camouflage,
    "vest": _open_vest, "overalls": _overalls, "turnout": _turnout, "scrubs": _scrubs, "chef": _chef,
    "hoodie": _hoodie, "singlet": _singlet, "clown": _clown, "romper": _romper,
}  # fmt: skip
