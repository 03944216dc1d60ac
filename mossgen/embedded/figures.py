"""Whole figures for training the embedded text-to-image model: our own art, drawn as random SVG from figures.yaml.

A figure faces right. Skin tone, hair and the colours of clothes are chosen at random, whoever it is and whatever it
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mossgen.embedded import figure_bodies, figure_heads, figure_props
from mossgen.embedded.figure_clothes import Clothes
from mossgen.embedded.figure_heads import Head
from mossgen.embedded.figure_joints import HEAD, SIDES, Skeleton, skeleton, turned
from mossgen.embedded.figure_parts import placed
from mossgen.embedded.figures_data import Character, load
from mossgen.embedded.scenery_parts import Point, Rng

LEFT, TOP, SIDE, MIDDLE = -85, -125, 170, -50  # the view box, its ground at 0; where a turned figure turns


@dataclass(frozen=True)
class Figure:
    """One drawing: the SVG document, and where hand, mouth and foot are in its view box (0..1 of its side)."""

    svg: str
    anchors: dict[str, Point]


def _choice(rng: Rng, values: Any) -> Any:
    """One of a list, or the value itself."""
    return values[int(rng.integers(len(values)))] if isinstance(values, list) else values


def _coloured(who: Character, top: str, rng: Rng) -> tuple[str, str]:
    """The colours of shirt and trousers."""
    looks, colours = who.looks, load().colours
    shirt = colours[_choice(rng, "white" if top in ("coat", "chef") else looks["shirt"])]
    return shirt, shirt if top == "suit" else colours[_choice(rng, looks["trousers"])]


def _dressed(who: Character, expression: str, rng: Rng) -> tuple[Head, Clothes]:
    """A head and clothes for a character, by chance where its looks leave a choice."""
    looks, colours = who.looks, load().colours
    woman = _choice(rng, looks["sex"]) == "woman"
    style, hat, top, bottom = (_choice(rng, looks.get(part, "")) for part in ("hair", "hat", "top", "bottom"))
    if woman and style in ("short", "mop"):
        style = _choice(rng, ["long", "bun", "bob"])
    skin, cloth = _choice(rng, colours["skin"]), colours[_choice(rng, colours["cloths"])]
    hair = _choice(rng, colours["wig" if style == "wig" else "grey" if looks.get("grey") else "hair"])
    shirt, trousers = _coloured(who, top, rng)
    wear = Clothes(
        skin, top, shirt, "bare" if top == "dress" else bottom, trousers, _choice(rng, colours["shoes"]),
        "belly" in looks, "backpack" in looks, colours[looks.get("vest", "high-visibility")],
    )  # fmt: skip
    worn = {part: part in looks for part in ("glasses", "clown", "moustache")}
    return Head(skin, style, hair, hat, expression, shirt if hat == "hood" else cloth, woman, **worn), wear


def _skirt(bones: Skeleton, wear: Clothes) -> str:
    """The skirt of a dress or of a coat, or a skirt, if any."""
    if wear.top in ("dress", "coat"):
        return figure_bodies.skirt(bones, wear.shirt, 0.62 if wear.top == "coat" else 0.95)
    return figure_bodies.skirt(bones, wear.trousers, 0.9) if wear.bottom == "skirt" else ""


def _below(bones: Skeleton, wear: Clothes, pose: str, seated: bool) -> str:
    """Trunk, legs and skirt; the legs come last in one who sits, and not at all in one who drives."""
    torso = figure_bodies.trunk(bones, wear)
    if pose == "driving":
        return torso
    legs = figure_bodies.leg(bones, "far", wear) + figure_bodies.leg(bones, "near", wear)
    return torso + legs + _skirt(bones, wear) if seated else legs + _skirt(bones, wear) + torso


PROPS = {
    "smoking": figure_props.cigarette,
    "shouting": figure_props.shout,
    "falling": figure_props.rush,
    "injecting": figure_props.syringe,
}


def _put_together(bones: Skeleton, joints: dict[str, Any], head: Head, wear: Clothes, pose: str, rng: Rng) -> str:
    """All parts from the back to the front."""

    def on_neck(part: str) -> str:
        return placed(part, bones.head, bones.tilt, bones.radius / HEAD)

    grip = joints.get("grip", "rest")
    grips = grip if isinstance(grip, list) else [grip, grip]
    arms = {side: figure_bodies.arm(bones, side, wear, g) for side, g in zip(SIDES, grips, strict=True)}
    behind, before = figure_props.car(bones, rng) if pose == "driving" else ("", "")
    return "".join([
        behind, on_neck(figure_heads.back(head)), arms["far"],
        figure_bodies.backpack(bones) if wear.backpack else "",
        arms["near"] if "near" in joints.get("under", ()) else "",
        _below(bones, wear, pose, joints.get("seated", False)), on_neck(figure_heads.front(head)),
        PROPS[pose](bones) if pose in PROPS else "",
        "" if "near" in joints.get("under", ()) else arms["near"], before,
    ])  # fmt: skip


def draw(character: str, pose: str, rng: Rng) -> Figure:
    """A random drawing of a character in a pose, both by their names in figures.yaml; facing right."""
    who, what = load().characters[character], load().poses[pose]
    joints = what.joints[int(rng.integers(len(what.joints)))]
    bones = skeleton(joints, load().builds[who.build], rng)
    body = _put_together(bones, joints, *_dressed(who, what.face, rng), pose, rng)
    turn = joints.get("turn", 0)
    whole = f'<g transform="rotate({turn} 0 {MIDDLE})">{body}</g>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{LEFT} {TOP} {SIDE} {SIDE}">{whole}</svg>'
    return Figure(svg, _anchors(bones, joints, turn))


def _anchors(bones: Skeleton, joints: dict[str, Any], turn: float) -> dict[str, Point]:
    steps = joints.get("steps") or max(SIDES, key=lambda side: bones.legs[side].end[0])
    points = {
        "hand": bones.arms[joints.get("acts", "near")].end,
        "mouth": bones.mouth,
        "foot": (bones.legs[steps].end[0] + 5 * bones.girth, bones.legs[steps].end[1]),
    }
    moved = {part: turned((x, y - MIDDLE), turn) for part, (x, y) in points.items()}
    return {part: ((x - LEFT) / SIDE, (y + MIDDLE - TOP) / SIDE) for part, (x, y) in moved.items()}
