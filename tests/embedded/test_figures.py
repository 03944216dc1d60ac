"""Whole figures: every character in every pose is drawn, its hands where the table has them."""

import numpy as np
import pytest

from mossgen.embedded import art, figures
from mossgen.embedded.figures_data import PARTS, anchor, character, load, phrase, size
from mossgen.training import figure_boxes


@pytest.mark.parametrize("who", load().characters)
def test_every_character_in_every_pose_is_drawn_whole(who: str) -> None:
    for number, pose in enumerate(load().poses):
        figure = figures.draw(who, pose, np.random.default_rng(number))
        alpha = art.rasterise(figure.svg, 96).getchannel("A")
        left, top, right, low = alpha.getbbox() or (0, 0, 96, 96)
        assert min(left, top) > 0, f"{pose} leaves its view box"
        assert max(right, low) < 96, f"{pose} leaves its view box"
        assert (np.asarray(alpha) > 128).mean() > 0.03, f"{pose} is nearly empty"
        for part in PARTS:
            x, y = (96 * value for value in figure.anchors[part])
            assert left - 1 <= x <= right + 1, f"{part} of {pose}"
            assert top - 1 <= y <= low + 1, f"{part} of {pose}"


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    first, again, other = (figures.draw("cook", "pushing", np.random.default_rng(seed)).svg for seed in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize("pose", load().poses)
def test_the_table_for_the_layout_is_that_of_the_drawings(pose: str) -> None:
    man = figure_boxes.man_height()
    for name, build in (("man", "adult"), ("boy", "child"), ("toddler", "toddler")):
        found = figure_boxes.box(build, pose, man)
        assert found["size"] == pytest.approx(size(name, pose), abs=0.02)
        for part in PARTS:
            assert found[part] == pytest.approx(anchor(name, pose, part), abs=0.02)


def test_who_acts_reaches_to_the_right_and_who_lies_is_wide() -> None:
    for pose in ("pushing", "pointing", "aiming", "punching", "reaching out"):
        assert all(anchor(who, pose, "hand")[0] > 0.7 for who in ("man", "girl", "toddler"))
    for pose in load().poses.values():
        width, height = size("woman", pose.name)
        assert pose.wide == (width > 1.2 * height), pose.name
    assert size("boy", "standing")[1] < 0.85 < size("man", "standing")[1]


def test_words_for_characters_and_phrases() -> None:
    assert character("policeman") is load().characters["police officer"]
    assert character("teapot") is None
    assert phrase("old man", "lying on the ground") == "an old man lying on the ground"
