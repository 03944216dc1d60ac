"""The backgrounds: every scene has a painter, whose drawings are random, repeatable and without words."""

import numpy as np
import pytest

from mossgen.embedded.art import rasterise
from mossgen.embedded.scenery import PAINTERS, draw
from mossgen.embedded.vocabulary import load

SCENES = [scene.name for scene in load().scenes]


def test_every_scene_has_a_painter_and_every_painter_a_scene() -> None:
    assert sorted(PAINTERS) == sorted(SCENES)


def test_no_caption_names_two_scenes() -> None:
    captions = [caption for scene in load().scenes for caption in scene.captions]
    assert len(captions) == len(set(captions))


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_covers_the_picture_and_varies_with_its_seed_alone(name: str) -> None:
    drawn = [draw(name, np.random.default_rng(seed)) for seed in (1, 2, 3, 4, 1)]
    assert drawn[0] == drawn[-1]
    assert len(set(drawn)) > 1
    assert "<text" not in "".join(drawn)
    assert all(np.asarray(rasterise(one, 128))[..., 3].min() == 255 for one in drawn[:4])
