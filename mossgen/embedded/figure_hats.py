"""Hats, masks, hoods and scarves of the whole figures, in the frame of a head of radius 17 that faces right."""

from __future__ import annotations

from collections.abc import Callable

from mossgen.embedded.figure_faces import EYES
from mossgen.embedded.figure_parts import WHITE, shape, stroke
from mossgen.embedded.scenery_parts import mix, poly, rect, ring, round_


def _dome(colour: str, brim: str) -> str:
    """A helmet with a brim to the right."""
    top = shape("M-18 -4 C-19 -18 -9 -24 1 -24 C11 -24 19 -17 18.5 -5 Z", colour)
    return top + shape("M-19 -6.5 H22.5 Q24 -3.2 20 -3 H-18 Q-20.5 -4 -19 -6.5 Z", brim)


def _police(_: str) -> str:
    top = shape("M-18 -9 C-21 -20 -8 -25 2 -24 C14 -24 22 -20 19 -10 Q0 -13 -18 -9 Z", "#27407a")
    band = shape("M-17.4 -9.6 Q0 -14 18.4 -10.6 L18 -6 Q0 -9.6 -17 -4.6 Z", "#192a4f")
    peak = shape("M3 -8.6 Q14 -10 18.4 -7.4 Q24 -5 22 -3 Q13 -6 4 -4.8 Z", "#16181d")
    return top + band + peak + round_(8, -15.4, 3.4, "#f2c341")


def _army(_: str) -> str:
    spots = "".join(ring(x, y, 4, 2.6, "#3f4a2a") for x, y in ((-9, -12), (2, -18), (10, -11)))
    return _dome("#5d6b3a", "#4b5730") + spots


def _nurse(_: str) -> str:
    cross = rect(2.6, -20, 2.8, 8, "#e03b3b") + rect(0, -17.4, 8, 2.8, "#e03b3b")
    return shape("M-13 -11 Q-12 -24 3 -24 Q16 -23 16 -12 Q2 -17 -13 -11 Z", "#f7f8fb") + cross


def _hard_hat(_: str) -> str:
    return _dome("#f8c32c", "#e2a31a") + rect(-2.4, -26, 6, 19, "#ffd95c", 3)


def _toque(_: str) -> str:
    puffs = "".join(round_(x, y, r, WHITE) for x, y, r in ((-10, -25, 8.5), (0, -29, 10), (11, -25, 8.5)))
    return puffs + rect(-14.5, -23, 29, 15, "#f1f1f5", 3) + rect(-14.5, -12, 29, 4.5, "#d9dbe3", 2)


def _straw(_: str) -> str:
    crown = shape("M-14 -10 C-14 -22 -7 -25 1 -25 C10 -25 15 -21 15 -10 Q1 -6 -14 -10 Z", "#e9bd5c")
    return ring(1, -9.5, 27, 5.4, "#d9a441") + crown + stroke("M-14 -11.4 Q1 -8 15 -11.4", 3, "#b5532f")


def _fire(_: str) -> str:
    badge = poly([(8, -20), (15, -18), (14, -9), (7, -9)], "#f2c341")
    return _dome("#d5352f", "#a92420") + stroke("M-1 -24 V-8", 3, "#f2c341") + badge


def _flaps(_: str) -> str:
    top = shape("M-18 -4 C-19 -18 -9 -23 1 -23 C11 -23 18 -17 17.4 -7 Z", "#e9722a")
    ear = shape("M-18 -6 Q-8 -8 -7 -4 L-8 12 Q-13 14 -16 11 Z", "#c95a1c")
    return top + ear + shape("M4 -9 Q18 -10 23 -5 Q20 -3 5 -4.6 Z", "#c95a1c")


def _headband(cloth: str) -> str:
    return shape("M-16.4 -6 Q0 -12.6 16.6 -7.6 L16.4 -3.4 Q0 -8.6 -16.6 -1.4 Z", cloth)


def _hood(cloth: str) -> str:
    """A hood, open to the right; the face lies in its shade."""
    shade = "M0 -15 C12 -16 17 -8 16.6 1 C16 12 10 17 4 17 C-6 16 -9 8 -9 0 C-9 -8 -6 -14 0 -15 Z"
    outer = "M-3 -22 C10 -25 20 -14 18.6 1 C18 12 12 20 4 21 C-12 24 -22 12 -21 0 C-20 -12 -13 -20 -3 -22 Z"
    inner = "M2 -14.5 C11 -15 16 -8 15.6 1 C15 11 10 15.6 5 15.6 C-4 15 -7.5 8 -7.5 0 C-7.5 -8 -4 -14 2 -14.5 Z"
    return shape(shade, "#1a1420", 0.5) + shape(f"{outer} {inner}", cloth)


def _headscarf(cloth: str) -> str:
    outer = "M-1 -20.5 C12 -21.5 19.5 -10 18 2 C17.4 12 13 17 11 21 Q0 30 -14 26 C-21 14 -22 4 -20 -4 C-17 -15 -10 -20 "
    inner = "M2 -12.5 C11 -13 16 -7 15.6 1 C15 10 10 15.2 5 15.2 C-4 14.6 -8 8 -8 0 C-8 -8 -4 -12 2 -12.5 Z"
    fold = stroke("M-15 20 Q-2 24 10 18", 1.4, mix(cloth, "#000000", 0.25))
    return shape(f"{outer}-1 -20.5 Z {inner}", cloth) + fold


# what goes over hair and face, drawn in the colour of a cloth where it has one
HATS: dict[str, Callable[[str], str]] = {
    "cap": _police, "helmet": _army, "nurse": _nurse, "hard hat": _hard_hat, "toque": _toque, "straw": _straw,
    "fire helmet": _fire, "flap cap": _flaps, "headband": _headband, "headscarf": _headscarf, "hood": _hood,
}  # fmt: skip


def _balaclava(skin: str) -> str:
    """Knitted black over the whole head but for the eyes and the mouth."""
    slit = "M-2.5 -6 Q8 -9.5 16.6 -6 Q18.6 0 15.6 4.2 Q7 6 -2 4 Q-5 -1 -2.5 -6 Z"
    return ring(0, 0, 17.4, 18.4, "#23252c") + shape(slit, skin) + ring(8, 10.4, 5.6, 3.2, skin)


def _eye_mask(_: str) -> str:
    mask = "M-9 -6.5 Q3 -9 17 -6 Q18.6 0 15.6 4.4 Q11 5.8 8 3 Q4 6 -1 4.8 L-15 1 V-5 Z"
    eyes = "".join(ring(x + 0.4, -0.5, 3.6, 3.6, WHITE) for x in EYES)
    woollen = "M-17.4 -6 C-19 -19 -8 -22.5 1 -22 C11 -22 18 -17 17 -9.5 Q0 -13 -17.4 -6 Z"
    return shape(mask, "#1d1e24") + eyes + shape(woollen, "#2c2e36")


# what goes under the face's expression, drawn in the colour of the skin that shows
MASKS: dict[str, Callable[[str], str]] = {"balaclava": _balaclava, "eye mask": _eye_mask}
COVER_HAIR = frozenset({"headscarf", "balaclava", "hood"})
