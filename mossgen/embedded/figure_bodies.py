"""Trunk and limbs of the whole figures with the clothes on them, along the joints of a skeleton."""

from __future__ import annotations

import math

from mossgen.embedded.figure_clothes import REFLECTING, SHORT, SLEEVES, TOPS, Clothes
from mossgen.embedded.figure_joints import Limb, Skeleton, along, between
from mossgen.embedded.figure_parts import dark, path_of, placed, shape, stroke, tube
from mossgen.embedded.scenery_parts import Point, rect, ring

FAR = {"near": 0.0, "far": 0.1}  # how much darker the limbs of the far side are
EDGE = 0.3  # how much darker than skin its edge is
FINGERS = {
    "open": ("M2 -2 L8 -4.4 M2 0 H8 M2 2 L8 4 M0 -3 L2.4 -7.4", 2.6),
    "flat": ("M3 1 L4.6 -8 M1 1 L1.6 -8.4", 3.0),
    "finger": ("M2 -1 H11", 2.8),
}
TRUNK = "M-10.5 2 C-11.5 -8 -11 -14 -10.5 -20 C-10 -26 -5 -28 0.5 -28 C6 -28 11 -26 11 -20 C11 -14 11.5 -8 10.5 2 "
SHOE = "M-5 0 V-5 Q-4 -7.6 0 -7 Q3 -5 8 -4.6 Q11.6 -3.6 11 0 Z"


def _angle(limb: Limb) -> float:
    """The way of the limb's lower half, degrees clockwise from the right."""
    return math.degrees(math.atan2(limb.end[1] - limb.joint[1], limb.end[0] - limb.joint[0]))


def _hand(limb: Limb, grip: str, skin: str, size: float) -> str:
    """A hand at the end of an arm: "fist", one of FINGERS, or else at rest."""
    edge, fist = dark(skin, EDGE), grip == "fist"
    made = stroke(*FINGERS[grip], skin) if grip in FINGERS else ""
    made += ring(1, 0, 5.2, 4.9, skin, edge) if fist else ring(1, 0, 4.6, 4.2, skin, edge)
    made += stroke("M3.4 -2.6 V2.8", 1, edge) if fist else ""
    return placed(made, limb.end, 0 if grip == "flat" else _angle(limb), size)


def _down(limb: Limb, halves: float) -> tuple[Point, ...]:
    """The limb's line from its root through so many of its two halves."""
    if halves <= 1:
        return limb.root, between(limb.root, limb.joint, halves)
    return limb.root, limb.joint, between(limb.joint, limb.end, halves - 1)


def arm(bones: Skeleton, side: str, wear: Clothes, grip: str) -> str:
    """An arm with its sleeve and hand."""
    limb, width = bones.arms[side], 7.6 * bones.girth
    skin, sleeve = dark(wear.skin, FAR[side]), dark(wear.shirt, FAR[side])
    made = tube(_down(limb, 2), skin, width - 1, dark(skin, EDGE))
    if length := SLEEVES.get(wear.top, SHORT):
        made += tube(_down(limb, length), sleeve, width)
    if wear.top == "turnout":
        made += _band(limb, 0.45, 0.65, width)
    return made + _hand(limb, grip, skin, (bones.girth + 1) / 2)


def _band(limb: Limb, start: float, end: float, width: float) -> str:
    """A reflecting band around the limb's lower half."""
    return stroke(path_of(between(limb.joint, limb.end, start), between(limb.joint, limb.end, end)), width, REFLECTING)


def leg(bones: Skeleton, side: str, wear: Clothes) -> str:
    """A leg with its shoe."""
    limb, width = bones.legs[side], 9.6 * bones.girth
    cloth, skin = dark(wear.trousers, 1.4 * FAR[side]), dark(wear.skin, FAR[side])
    if wear.bottom == "trousers":
        made = tube(_down(limb, 1.86), cloth, width)
    else:
        made = tube(_down(limb, 1.86), skin, width - 2, dark(skin, EDGE))
    if wear.bottom == "shorts":
        made += tube(_down(limb, 0.85), cloth, width)
    if wear.top == "turnout":
        made += _band(limb, 0.47, 0.62, width)
    return _shoe(limb, dark(wear.shoes, 1.4 * FAR[side]), (bones.girth + 1) / 2) + made


def _shoe(limb: Limb, colour: str, size: float) -> str:
    """A shoe that points to the right, flat on the ground or else square to the shin."""
    return placed(
        shape(SHOE, colour, edge=dark(colour)), limb.end, 0.0 if limb.end[1] > -1.5 else _angle(limb) - 90, size
    )


def skirt(bones: Skeleton, colour: str, length: float) -> str:
    """Cloth from the waist around both thighs, to a share of their length."""
    girth, knees = bones.girth, sorted(between(limb.root, limb.joint, length) for limb in bones.legs.values())
    waist, (left, right) = along(bones.pelvis, (0, -7 * bones.body)), knees
    corners = along(waist, (-8 * girth, 0)), along(waist, (8 * girth, 0)), along(right, (6 * girth, 3))
    outline = path_of(*corners, along(left, (-6 * girth, 3))) + " Z"
    thighs = "".join(stroke(path_of(bones.pelvis, knee), 15 * girth, colour) for knee in knees)
    return thighs + stroke(outline, 5, colour) + shape(outline, colour)


def _upright(bones: Skeleton, body: str) -> str:
    """What is drawn in the trunk's own frame, put where the trunk is."""
    return placed(body, bones.pelvis, bones.lean, bones.girth, bones.body)


def trunk(bones: Skeleton, wear: Clothes) -> str:
    """The trunk and what is on it."""
    made = stroke("M1.5 -21 V-30", 8, dark(wear.skin, 0.12))  # the neck
    made += shape(f"{TRUNK}Q0 6 -10.5 2 Z", wear.shirt)
    made += TOPS[wear.top](wear) if wear.top in TOPS else ""
    if wear.belly:
        made += ring(8, -8, 10.5, 11, wear.shirt) + stroke("M-2 2 Q8 7 17 -2", 1.4, dark(wear.shirt))
    return _upright(bones, made)


def backpack(bones: Skeleton) -> str:
    """A school bag on the back."""
    return _upright(bones, rect(-21, -27, 14, 23, "#e2574c", 5) + rect(-21, -15, 9, 8, "#b93f38", 3))
