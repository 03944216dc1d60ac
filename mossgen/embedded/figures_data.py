"""Whole figures by name: the characters and poses of figures.yaml, and how large each is and where its hands are.

Light: read by the layout, which asks the model for `phrase` and puts things to the `anchor` of a hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).with_name("figures.yaml")
BOXES = Path(__file__).with_name("figure_boxes.yaml")
PARTS = ("hand", "mouth", "foot")
Point = tuple[float, float]


@dataclass(frozen=True)
class Character:
    """Who a figure is: the name in captions, the build it shares with others, and what it wears (see figures.yaml)."""

    name: str
    build: str
    also: tuple[str, ...]
    looks: dict[str, Any]


@dataclass(frozen=True)
class Pose:
    """What a figure does: the words of its phrase, whether it is wider than high, and its drawings' joints."""

    name: str
    also: tuple[str, ...]
    wide: bool
    face: str
    joints: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Figures:
    """All characters and poses by name, in file order, the builds, and the colours by name."""

    characters: dict[str, Character]
    poses: dict[str, Pose]
    builds: dict[str, dict[str, float]]
    colours: dict[str, Any]


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@lru_cache(maxsize=1)
def load() -> Figures:
    """Read figures.yaml once."""
    raw = _yaml(PATH)
    characters = {
        entry["name"]: Character(
            entry["name"],
            entry.get("build", "adult"),
            tuple(entry.get("also", ())),
            {**raw["looks"], **entry.get("looks", {})},
        )
        for entry in raw["characters"]
    }
    poses = {
        entry["name"]: Pose(
            entry["name"],
            tuple(entry.get("also", ())),
            entry.get("wide", False),
            entry.get("face", "neutral"),
            tuple(entry["joints"]),
        )
        for entry in raw["poses"]
    }
    return Figures(characters, poses, raw["builds"], raw["colours"])


@lru_cache(maxsize=1)
def _names() -> dict[str, Character]:
    known: dict[str, Character] = {}
    for one in load().characters.values():
        for word in (one.name, *one.also):
            known.setdefault(word, one)
    return known


def character(word: str) -> Character | None:
    """The character of a name or another word for it ("policeman"), lower case and without an article, if any."""
    return _names().get(word)


def phrase(character_name: str, pose_name: str) -> str:
    """What the model is asked for: "an old man lying on the ground"."""
    return f"{'an' if character_name[0] in 'aeiou' else 'a'} {character_name} {pose_name}"


@lru_cache(maxsize=1)
def _boxes() -> dict[str, dict[str, dict[str, list[float]]]]:
    boxes: dict[str, dict[str, dict[str, list[float]]]] = _yaml(BOXES)
    return boxes


def _box(character_name: str, pose_name: str) -> dict[str, list[float]]:
    return _boxes()[load().characters[character_name].build][load().poses[pose_name].name]


def size(character_name: str, pose_name: str) -> Point:
    """Width and height of the cropped sprite, in heights of a standing man."""
    width, height = _box(character_name, pose_name)["size"]
    return width, height


def anchor(character_name: str, pose_name: str, part: str) -> Point:
    """Where a part of PARTS is in the cropped sprite, which faces right: 0..1 from its left and from its top."""
    x, y = _box(character_name, pose_name)[part]
    return x, y
