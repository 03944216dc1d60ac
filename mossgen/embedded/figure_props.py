"""What a pose itself holds or sits in: a cigarette with its smoke, a syringe, a car, the marks of a shout or a fall."""

from __future__ import annotations

from mossgen.embedded.figure_joints import HEAD, Skeleton, between
from mossgen.embedded.figure_parts import WHITE, dark, placed, shape, stroke
from mossgen.embedded.scenery_parts import Rng, pick, rect, ring, round_

SMOKE = "#aeb6c2"


def cigarette(bones: Skeleton) -> str:
    """Between the lips, its wisp of smoke rising before the face."""
    stick = rect(0, -1.4, 10, 2.8, WHITE, 1, "#b9b9b9") + rect(0, -1.4, 3, 2.8, "#e9a04c", 1)
    smoke = stroke("M14 -5 q6 -5 1 -10 q-4 -5 1 -10", 4.2, SMOKE) + ring(18, -28, 4.4, 3.6, SMOKE)
    return placed(stick + round_(11, 0, 2, "#ff5a2a") + smoke, bones.mouth, 8, bones.radius / HEAD)


def syringe(bones: Skeleton) -> str:
    """In the near hand, its needle at the far forearm."""
    x, y = between(bones.arms["far"].joint, bones.arms["far"].end, 0.55)
    body = stroke("M0 0 V-7", 1.3, "#7f8894") + rect(-3, -20, 6, 13, "#dff1fb", 1, "#6f7f8f")
    body += rect(-2.4, -14, 4.8, 6.4, "#f0695f") + stroke("M0 -20 V-26 M-3.6 -26 H3.6", 1.8, "#56606c")
    return placed(body, (x, y - 3), 18, (bones.girth + 1) / 2)


def shout(bones: Skeleton) -> str:
    """Strokes before an open mouth."""
    return placed(
        stroke("M14 -9 L22 -14 M15.5 0 H25 M14 9 L22 14", 2.8, "#e2453c"), bones.mouth, 0, bones.radius / HEAD
    )


def rush(bones: Skeleton) -> str:
    """Strokes above something that falls."""
    return placed(stroke("M12 -24 q7 2 10 8 M24 -27 q7 3 10 9", 2.4, "#8fa3b8"), bones.head)


def car(bones: Skeleton, r: Rng) -> tuple[str, str]:
    """(behind, before) the driver: an open car seen from its side."""
    paint = pick(r, "#d9463f", "#3b7dd8", "#f0b429", "#3f9f63", "#8756b8")
    low, size = dark(paint), bones.girth
    body = "M-56 -12 Q-58 -29 -46 -31 L-22 -32 Q-18 -26 -8 -26 H24 L30 -33 Q58 -31 64 -22 Q67 -16 64 -9 H-54 Z"
    lights = round_(61, -21, 3.4, "#fff3b0") + rect(-57, -26, 4, 6, "#b32420", 1)
    door = stroke("M-6 -25 V-13 M22 -25 V-13", 1.4, low) + stroke("M0 -20 H6", 1.8, low)
    wheels = "".join(round_(x, -8, 12, "#25272d") + round_(x, -8, 5.6, "#c7ccd4") for x in (-34, 42))
    glass = shape("M27 -32 L36 -56 Q40 -57 39.6 -53 L34 -32 Z", "#bfe3f5") + stroke("M30 -32 L38.4 -55", 1.8, "#4d5968")
    steering = placed(stroke("M0 -8.4 A3 8.4 0 1 1 -0.1 -8.4", 2.6, "#2a2c33"), bones.arms["near"].end, 18, size)
    front = shape(body, paint) + rect(-56, -13, 120, 5, low, 2) + lights + door + wheels
    seat = rect(-25, -44, 9, 28, "#5b4032", 4)
    return placed(seat + glass, (0, 0), 0, size), steering + placed(front, (0, 0), 0, size)
