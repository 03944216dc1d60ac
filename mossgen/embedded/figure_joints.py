"""Where the joints of a figure are: from a pose of figures.yaml and a build to points, y downwards, the ground at 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mossgen.embedded.scenery_parts import Point, Rng

TRUNK, ARM, LEG = 29.0, 15.0, 17.2  # pelvis to neck; half an arm; half a leg
SHOULDER = 23.5  # pelvis to shoulder
APART = {"near": -4.0, "far": 4.5}  # shoulders from the middle of the trunk, to the right
SIDES = ("near", "far")
CROWN, MOUTH = (0.0, -17.0), (8.0, 8.5)  # in a head of radius HEAD
HEAD = 17.0
LONGEST = 1.35  # how far a limb is drawn out to reach its goal


@dataclass(frozen=True)
class Limb:
    """Shoulder, elbow and hand, or hip, knee and foot."""

    root: Point
    joint: Point
    end: Point


@dataclass(frozen=True)
class Skeleton:
    """The joints of one figure, and what scales its parts: trunk and limbs, the head's radius, their thickness."""

    pelvis: Point
    shoulder: Point
    head: Point
    lean: float
    tilt: float
    arms: dict[str, Limb]
    legs: dict[str, Limb]
    body: float
    radius: float
    girth: float

    def on_head(self, point: Point) -> Point:
        """A point given in the head's own frame, where its radius is HEAD."""
        return along(self.head, turned(point, self.tilt), self.radius / HEAD)

    @property
    def mouth(self) -> Point:
        """The middle of the mouth."""
        return self.on_head(MOUTH)


def turned(point: Point, degrees: float) -> Point:
    """A point turned clockwise around the origin."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return point[0] * c - point[1] * s, point[0] * s + point[1] * c


def along(start: Point, way: Point, share: float = 1.0) -> Point:
    """The start moved by a share of the way."""
    return start[0] + way[0] * share, start[1] + way[1] * share


def between(first: Point, second: Point, share: float) -> Point:
    """A point on the line from the first to the second."""
    return along(first, (second[0] - first[0], second[1] - first[1]), share)


def bend(root: Point, goal: Point, half: float, side: int) -> Limb:
    """Two links of length `half` from root to goal; the joint stands to that side of the way. Far goals draw it out."""
    dx, dy = goal[0] - root[0], goal[1] - root[1]
    way = max(math.hypot(dx, dy), 1e-6)
    longest = 2 * half * LONGEST
    end = goal if way <= longest else along(root, (dx, dy), longest / way)
    way = min(way, longest)
    out = side * math.sqrt(max(half * half - way * way / 4, 0)) / max(math.hypot(dx, dy), 1e-6)
    return Limb(root, along(between(root, end, 0.5), (-dy, dx), out), end)


def skeleton(joints: dict[str, Any], build: dict[str, float], rng: Rng) -> Skeleton:
    """The joints of a pose for a build, each moved a little at random."""
    body, radius, reach = build["body"], build["head"], build["arm"]

    def near(point: list[float], spread: float) -> Point:
        return point[0] + rng.normal(0, spread), point[1] + rng.normal(0, spread)

    x, y = joints.get("pelvis", (0, 33))
    pelvis = (body * x, -body * y)
    lean = joints.get("lean", 0) + rng.normal(0, 2)
    up = turned((0, -1), lean)
    shoulder, neck = along(pelvis, up, body * SHOULDER), along(pelvis, up, body * TRUNK)
    head = along(neck, turned((0, -1), 0.6 * lean + joints.get("head", 0)), radius - 1.5)
    tilt = 0.35 * lean + joints.get("head", 0) + rng.normal(0, 2)
    made = Skeleton(pelvis, shoulder, head, lean, tilt, {}, {}, body, radius, build["girth"])
    arms, legs = {}, {}
    for side, hand, foot in zip(SIDES, joints["hands"], joints["feet"], strict=True):
        root = along(shoulder, turned((APART[side], 0), lean), body)
        if isinstance(hand[0], str):
            start = MOUTH if hand[0] == "mouth" else CROWN
            goal = made.on_head((start[0] + hand[1], start[1] - hand[2]))
        else:
            dx, dy = near(hand, 1.2)
            goal = along(root, (dx, -dy), reach)
        over = -1 if side in joints.get("flip", ()) else 1
        arms[side] = bend(root, goal, reach * ARM, over)
        hip = along(pelvis, turned((0.75 * APART[side], 0), lean), body)
        dx, dy = near(foot, 0.8 if foot[1] else 0.5)
        legs[side] = bend(hip, (pelvis[0] + body * dx, -body * (dy if foot[1] else 0)), body * LEG, -1)
    return Skeleton(pelvis, shoulder, head, lean, tilt, arms, legs, body, radius, build["girth"])
