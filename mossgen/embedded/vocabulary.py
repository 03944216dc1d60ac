"""What the embedded text-to-image model draws by name: its objects and its scenes, read from vocabulary.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

PATH = Path(__file__).with_name("vocabulary.yaml")
PEOPLE_KINDS = frozenset({"person", "child"})
# the longest side of a thing of that kind, in heights of a standing man, if its entry says nothing else
SIZES = {
    "weapon": 0.35, "danger": 0.4, "medical": 0.25, "sign": 0.4, "fantasy": 0.9, "person": 0.7, "child": 0.5,
    "hand": 0.3, "face": 0.4, "animal": 0.5, "food": 0.2, "household": 0.4, "tool": 0.3, "study": 0.3,
    "electronics": 0.3, "clothing": 0.35, "sport": 0.3, "toy": 0.3, "music": 0.5, "vehicle": 1.8, "plant": 0.6,
    "nature": 1.5, "building": 2.4,
}  # fmt: skip
FACES = {"animal": "left", "vehicle": "left"}  # as the emoji sets draw them


@dataclass(frozen=True)
class Object:
    """A thing with a caption, the name of its icon in the emoji sets, and where in a picture it belongs.

    `size` is its longest side in heights of a standing man; `faces` is "left" or "right" for a thing that looks, points
    or strikes that way in its drawing, and "" for one that does not.
    """

    name: str
    icon: str
    kind: str
    anchor: str = "ground"
    also: tuple[str, ...] = ()
    faces: str = ""
    size: float = 0.4

    @property
    def captions(self) -> tuple[str, ...]:
        """Every caption for it, the usual one first."""
        return (self.name, *self.also)


@dataclass(frozen=True)
class Scene:
    """A background: its caption, and whether it is indoor, outdoor or plain."""

    name: str
    setting: str
    also: tuple[str, ...] = ()

    @property
    def captions(self) -> tuple[str, ...]:
        """Every caption for it, the usual one first."""
        return (self.name, *self.also)


@dataclass(frozen=True)
class Vocabulary:
    """All objects and scenes, in file order."""

    objects: tuple[Object, ...]
    scenes: tuple[Scene, ...]


@lru_cache(maxsize=1)
def load() -> Vocabulary:
    """Read vocabulary.yaml once."""
    raw = yaml.load(PATH.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    objects = tuple(
        Object(
            name=entry["name"],
            icon=entry.get("icon", entry["name"].replace(" ", "-")),
            kind=entry["kind"],
            anchor=entry.get("anchor", "ground"),
            also=tuple(entry.get("also", ())),
            faces=entry.get("faces", FACES.get(entry["kind"], "")),
            size=entry.get("size", SIZES.get(entry["kind"], Object.size)),
        )
        for entry in raw["objects"]
    )
    scenes = tuple(Scene(entry["name"], entry["setting"], tuple(entry.get("also", ()))) for entry in raw["scenes"])
    return Vocabulary(objects, scenes)


def named(folder: Path) -> list[bool]:
    """Whether a template, a YAML file in the folder, names each object of the vocabulary by any of its captions."""
    words = " ".join(path.read_text(encoding="utf-8").lower() for path in sorted(folder.glob("*.yaml")))
    return [any(re.search(rf"\b{re.escape(c.lower())}\b", words) for c in thing.captions) for thing in load().objects]
