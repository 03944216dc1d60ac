"""The vocabulary's sizes and the ways its drawings face."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mossgen.embedded.art import OWN, ArtSet, own, rasterise
from mossgen.embedded.vocabulary import SIZES, load


def test_sizes_are_those_of_the_world() -> None:
    known = {thing.name: thing.size for thing in load().objects}
    ordered = ["cigarette", "mobile phone", "dog", "horse", "car", "house"]
    assert [known[name] for name in ordered] == sorted(known[name] for name in ordered)
    assert all(0.05 <= size <= 3 for size in known.values())
    assert {thing.kind for thing in load().objects} <= set(SIZES)


def test_animals_and_vehicles_face_left_and_a_needle_points_right() -> None:
    faces = {thing.name: thing.faces for thing in load().objects}
    assert set(faces.values()) == {"left", "right", ""}
    assert [faces[name] for name in ("dog", "police car", "axe", "syringe", "red apple")] == [
        "left", "left", "left", "right", "",
    ]  # fmt: skip


def test_a_drawing_that_faces_a_way_is_never_mirrored_in_training(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "icons.json").write_text(json.dumps({"icons": {"dog": {"body": "<g/>"}}}), encoding="utf-8")
    dog = next(thing for thing in load().objects if thing.name == "dog")
    art = ArtSet(tmp_path, "set")
    assert [icon.mirrored for icon in art.variants(dog)] == [False]
    assert [icon.mirrored for icon in art.variants(replace(dog, faces=""))] == [True]


def test_every_thing_of_ours_has_its_drawings_and_what_has_none_is_told() -> None:
    ours = [thing for thing in load().objects if thing.icon.startswith(OWN)]
    drawn = {thing.name: own(thing) for thing in ours}
    assert len(drawn["pistol"]) > 1
    assert {icon.name for icon in drawn["pistol"]} == {"pistol"}
    assert all(np.asarray(rasterise(icons[0].svg(), 32).getchannel("A")).any() for icons in drawn.values())
    with pytest.raises(FileNotFoundError, match="'unicorn' has no drawing"):
        own(replace(ours[0], name="unicorn", icon="own/unicorn"))
