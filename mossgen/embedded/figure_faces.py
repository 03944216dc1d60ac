"""Faces of the whole figures: eyes, brows and mouth of each expression, in the frame of a head of radius 17."""

from __future__ import annotations

from mossgen.embedded.figure_parts import INK, WHITE, shape, stroke
from mossgen.embedded.scenery_parts import rect, ring

TONGUE, THROAT, WATER, RIM = "#e2615f", "#6b1f22", "#5db8f0", "#8a6a5a"
EYES = (3.2, 12.4)  # the two eyes' x: the face looks to the right
LEVEL = -0.5


def _dots(dx: float = 0.0, dy: float = 0.0) -> str:
    """Open eyes that look a little aside."""
    return "".join(
        ring(x + dx, LEVEL + dy, 2.1, 3, INK) + ring(x + dx + 0.7, LEVEL + dy - 1.2, 0.8, 0.8, WHITE) for x in EYES
    )


def _wide() -> str:
    """Eyes wide open."""
    return "".join(ring(x, LEVEL, 3.9, 4.6, WHITE, RIM) + ring(x + 0.3, LEVEL, 1.7, 2, INK) for x in EYES)


def _arcs(rise: float) -> str:
    """Closed eyes: bent upwards if rise is positive."""
    end, top = LEVEL + rise / 2, LEVEL - rise
    return "".join(stroke(f"M{x - 3} {end} Q{x} {top} {x + 3} {end}", 2) for x in EYES)


def _brows(colour: str, inner: float, outer: float, y: float = -7.5) -> str:
    """Brows whose inner ends stand `inner` and outer ends `outer` lower than y."""
    left, right = EYES
    one = stroke(f"M{left - 3} {y + outer} L{left + 2.6} {y + inner}", 1.9, colour)
    return one + stroke(f"M{right - 2.6} {y + inner} L{right + 3} {y + outer}", 1.9, colour)


def _open(rx: float, ry: float, y: float = 9.5, teeth: bool = True) -> str:
    """An open mouth with teeth above and a tongue below."""
    body = ring(8, y, rx, ry, THROAT) + ring(8, y + 0.55 * ry, 0.65 * rx, 0.4 * ry, TONGUE)
    return body + (rect(8 - 0.6 * rx, y - 0.86 * ry, 1.2 * rx, 1.9, WHITE, 0.8) if teeth else "")


def _tears() -> str:
    low = LEVEL + 2
    drops = "".join(shape(f"M{x - 2} {low} q-1.6 8 0.4 13 q2.4 1.8 3.6 0 q1.4 -6 0 -13 z", WATER) for x in EYES)
    return drops + ring(EYES[0] - 6, 16, 1.6, 2.4, WATER) + ring(EYES[1] + 5, 15, 1.6, 2.4, WATER)


def _grit() -> str:
    """Teeth set."""
    return rect(3, 6.6, 10.4, 5, WHITE, 2, INK) + stroke("M3.6 9.1 H12.8 M6.5 7 V11.2 M9.9 7 V11.2", 0.8)


def face(expression: str, brow: str) -> str:
    """The face of an expression; brow is the colour of the brows."""
    smile = stroke("M4 8 Q8 11.5 12.5 7.5", 2)
    made = {
        "neutral": _dots(0.6) + _brows(brow, -0.8, 0.8, -7) + stroke("M4.8 9 Q8.4 10.6 12 8.6", 2),
        "happy": _dots(0.6) + _brows(brow, -1.2, 0.6, -7.4) + smile,
        "angry": _dots(0.8, 0.6) + _brows(brow, 3.4, -1.6, -7) + stroke("M3.6 11 Q8 6.6 12.6 10.6", 2.4),
        "stern": _dots(0.8, 0.6) + _brows(brow, 2.8, -0.8, -7) + stroke("M4.4 9.4 H12", 2.2),
        "strained": _arcs(-2.2) + _brows(brow, 2.6, -0.6, -6.6) + _grit(),
        "scared": _wide() + _brows(brow, -3.4, 0.8, -8.5) + _open(3.4, 4, 10.5, False),
        "sad": _dots(0.3, 1) + _brows(brow, -2.6, 1.4) + stroke("M4.4 11.4 Q8 7.4 12 11", 2.2),
        "crying": _arcs(-2.6) + _brows(brow, -3, 1.4, -7) + _tears() + _open(4, 3.6, 11, False),
        "laughing": _arcs(2.8) + _brows(brow, -1, 0.6, -8.5) + _open(6.6, 5.6, 8.5),
        "shouting": _dots(0.6, -0.6) + _brows(brow, 3.4, -1.8, -8) + _open(6, 7, 9),
        "asleep": _arcs(-2.4) + _brows(brow, -0.8, 0.8, -6) + stroke("M6 9.4 H11", 2),
        "cool": _arcs(-1.6) + _brows(brow, 0, 0.8) + stroke("M4.8 9 H11.6", 2),
        "down": _dots(1, 1.8) + _brows(brow, 0.6, 1.4, -6.6) + stroke("M5 9.6 H11", 2),
        "sly": _dots(1.4) + _brows(brow, 2.4, -1.2, -6.8) + stroke("M3.6 8.6 Q9 11.4 13 6.6", 2),
    }
    return made[expression]
