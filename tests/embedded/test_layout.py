"""The prompt's layers: phrases, scene, relations and boxes."""

import random
import subprocess
import sys

import pytest

from mossgen.embedded import vocabulary
from mossgen.embedded.grammar import PLAIN
from mossgen.embedded.layout import SIDE, Layer, layers, phrases


def laid_out(prompt: str, seed: int = 0) -> dict[str, Layer]:
    return {layer.phrase: layer for layer in layers(prompt, random.Random(seed))}


def middle(layer: Layer) -> float:
    return (layer.box[0] + layer.box[2]) / 2


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a kitchen", ["a kitchen"]),
        ("a red apple", [PLAIN, "a red apple"]),
        ("a sunny beach", ["a beach"]),
        ("a rocket in outer space", ["an outer space", "a rocket"]),
        ("a crocodile next to a river", ["a river", "a crocodile"]),
        ("A photo of a toy knife and a red apple in a kitchen.", ["a kitchen", "a toy knife", "a red apple"]),
        ("a bow and arrow next to a teddy bear, flat illustration", [PLAIN, "a bow and arrow", "a teddy bear"]),
        ("a skull and crossbones on a t-shirt", [PLAIN, "skull and crossbones", "a t-shirt"]),
        ("a t-shirt with a skull on it", [PLAIN, "a skull", "a t-shirt"]),
        ("a man with a beard holding a guitar on a sunny beach", ["a beach", "a man with a beard", "a guitar"]),
        ("a candle in front of a framed picture in a museum", ["a museum", "a candle", "a framed picture"]),
        ("two cats near a dog in a garden", ["a garden", "a cat", "a cat", "a dog"]),
        ("an old castle in a misty valley", ["a misty valley", "an old castle"]),
        ("a snake in a basket", [PLAIN, "a snake", "a basket"]),
        ("french fries, a hamburger and a glass of milk", [PLAIN, "french fries", "a hamburger", "a glass of milk"]),
        ("a snake on a scarf next to an office worker in a cafe", ["a cafe", "a snake", "a scarf", "an office worker"]),
        ("a man in a wheelchair and a cookie in a cafe", ["a cafe", "a man in a wheelchair", "a cookie"]),
        ("a person swimming next to a storm cloud by a lake", ["a lake", "a person swimming", "a storm cloud"]),
        (
            "a judge next to a money bag and a handshake in a library",
            ["a library", "a judge", "a money bag", "a handshake"],
        ),
    ],
)
def test_phrases(prompt: str, wanted: list[str]) -> None:
    found = phrases(prompt)
    assert found[0] == wanted[0]
    assert sorted(found[1:]) == sorted(wanted[1:])


@pytest.mark.parametrize("seed", range(8))
def test_left_right_above_and_holding_are_honoured(seed: int) -> None:
    found = laid_out("a cat to the left of a dog in a park", seed)
    assert middle(found["a cat"]) < middle(found["a dog"])
    found = laid_out("a cat to the right of a dog", seed)
    assert middle(found["a cat"]) > middle(found["a dog"])
    found = laid_out("a bat above a jack-o-lantern", seed)
    assert found["a bat"].box[3] < found["a jack-o-lantern"].box[3]
    found = laid_out("a boy holding a kite", seed)
    assert found["a kite"].z > found["a boy"].z


@pytest.mark.parametrize("seed", range(8))
def test_a_print_lies_inside_its_carrier(seed: int) -> None:
    found = laid_out("a skull printed on a t-shirt in a bedroom", seed)
    skull, shirt = found["a skull"], found["a t-shirt"]
    assert all(outer <= inner for outer, inner in zip(shirt.box[:2], skull.box[:2], strict=True))
    assert all(inner <= outer for outer, inner in zip(shirt.box[2:], skull.box[2:], strict=True))
    assert skull.z > shirt.z


def test_same_seed_same_layout_other_seed_another() -> None:
    prompt = "a cat and a dog and a ball in a park"
    assert layers(prompt, random.Random(3)) == layers(prompt, random.Random(3))
    assert layers(prompt, random.Random(3)) != layers(prompt, random.Random(4))


@pytest.mark.parametrize(
    "prompt",
    ["", "   ", ",,,", "and", "holding", "on it", "a", "in", "the the the", "日本語", "a cat on", "left of", "a " * 200,
     "a cat and a dog and a cow and a pig and a hen and a fox and an owl in a park", "x" * 500, "two", "in a kitchen"],
)  # fmt: skip
def test_any_text_gives_layers_inside_the_picture(prompt: str) -> None:
    found = layers(prompt, random.Random(1))
    assert found[0].background
    for layer in found:
        left, top, right, low = layer.box
        assert 0 <= left < right <= SIDE
        assert 0 <= top < low <= SIDE
        assert layer.phrase.strip()


def test_every_name_stays_whole() -> None:
    for thing in vocabulary.load().objects:
        for caption in thing.captions:
            found = phrases(f"a {caption} in a kitchen")
            assert len(found) == 2, (caption, found)


def test_scene_names_are_found() -> None:
    for scene in vocabulary.load().scenes:
        for caption in scene.captions:
            assert scene.name in phrases(f"a cat in a {caption}")[0]


def test_layout_imports_nothing_heavy() -> None:
    code = "import sys, mossgen.embedded.layout; print(sorted({'torch', 'diffusers', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
