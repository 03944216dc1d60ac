"""Training pictures for the embedded text-to-image model, drawn once and kept as memory-mapped arrays."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mossgen.embedded import art, figures, figures_data, scenery
from mossgen.embedded.grammar import with_article
from mossgen.embedded.vocabulary import Object, Scene, load

SIDE = 128
MATERIALS = [
    "toy",
    "plush",
    "plastic",
    "wooden",
    "rubber",
    "stuffed",
    "foam",
    "felt",
    "cartoon",
    "small",
    "big",
    "old",
    "new",
    "paper",
    "fake",
    "realistic",
    "cute",
    "colorful",
    "decorative",
]


@dataclass(frozen=True)
class Pictures:
    """Drawn pictures (n, 4, side, side) as uint8, and the captions each may carry."""

    pixels: NDArray[np.uint8]
    captions: list[list[str]]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.captions)


def as_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[-1, 1] -> 0..255."""
    return np.asarray(np.clip(np.round((values + 1) * 127.5), 0, 255), np.uint8)


def caption(noun: str, rng: np.random.Generator) -> str:
    """A phrase for a noun as prompts have it: with an article or a count, sometimes with an adjective."""
    if rng.random() < 0.10:
        noun = f"{rng.choice(MATERIALS)} {noun}"
    roll = rng.random()
    if roll < 0.6:
        return with_article(noun)
    return noun if roll < 0.85 else f"{rng.choice(['one', 'the'])} {noun}"


def _draw_object(thing: Object, folder: Path, styles: tuple[str, ...], count: int) -> list[tuple[list[str], bytes]]:
    """`count` varied drawings of one object, evenly over its variants and styles."""
    rng = np.random.default_rng([7, *thing.name.encode()])
    icons = [icon for style in styles for icon in art_set(folder, style).variants(thing)]
    drawn = []
    for number in range(count):
        icon = icons[(number * len(icons)) // count if len(icons) <= count else int(rng.integers(len(icons)))]
        picture = art.vary(art.rasterise(icon.svg(), 2 * SIDE), rng, SIDE, icon.mirrored)
        names = [caption(str(rng.choice(icon.captions)), rng) for _ in range(3)]
        names.append(with_article(thing.name if len(icon.captions) < 2 else str(rng.choice(icon.captions))))
        drawn.append((names, as_bytes(art.to_array(picture)).tobytes()))
    return drawn


_SETS: dict[tuple[Path, str], art.ArtSet] = {}


def art_set(folder: Path, style: str) -> art.ArtSet:
    """The icons of a style, read once a process."""
    if (folder, style) not in _SETS:
        _SETS[folder, style] = art.ArtSet(folder, style)
    return _SETS[folder, style]


def _draw_scene(scene: Scene, count: int) -> list[tuple[list[str], bytes]]:
    """`count` random drawings of one scene."""
    rng = np.random.default_rng([11, *scene.name.encode()])
    drawn = []
    for _ in range(count):
        picture = art.rasterise(scenery.draw(scene.name, rng), SIDE)
        names = [caption(str(rng.choice(scene.captions)), rng) for _ in range(3)] + [scene.name]
        drawn.append((names, as_bytes(art.to_array(picture)).tobytes()))
    return drawn


def figure_caption(who: str, pose: str, rng: np.random.Generator) -> str:
    """A phrase for a character in a pose, by any of the words for them."""
    character, what = figures_data.load().characters[who], figures_data.load().poses[pose]
    noun = str(rng.choice([character.name, *character.also]))
    article = with_article(noun).removesuffix(noun) if rng.random() < 0.7 else str(rng.choice(["", "the ", "one "]))
    return f"{article}{noun} {rng.choice([what.name, *what.also])}"


def _draw_figure(pair: tuple[str, str], count: int) -> list[tuple[list[str], bytes]]:
    """`count` random drawings of one character in one pose; half of their captions are the usual one."""
    rng, usual = np.random.default_rng([13, *" ".join(pair).encode()]), figures_data.phrase(*pair)
    drawn = []
    for _ in range(count):
        picture = art.vary(art.rasterise(figures.draw(*pair, rng).svg, 3 * SIDE), rng, SIDE, mirrored=False)
        names = [usual, usual, *(figure_caption(*pair, rng) for _ in range(2))]
        drawn.append((names, as_bytes(art.to_array(picture)).tobytes()))
    return drawn


def _collect(parts: list[list[tuple[list[str], bytes]]], path: Path) -> Pictures:
    """Write the parts as one array; group i is part i."""
    total = sum(map(len, parts))
    pixels = np.lib.format.open_memmap(path.with_suffix(".part"), "w+", np.uint8, (total, 4, SIDE, SIDE))
    captions, groups, row = [], [], 0
    for group, part in enumerate(parts):
        for names, data in part:
            pixels[row] = np.frombuffer(data, np.uint8).reshape(4, SIDE, SIDE)
            captions.append(names)
            groups.append(group)
            row += 1
    pixels.flush()
    path.with_suffix(".json").write_text(json.dumps({"captions": captions, "groups": groups}))
    path.with_suffix(".part").rename(path)
    return read(path)


def read(path: Path) -> Pictures:
    """Open pictures drawn earlier."""
    side = json.loads(path.with_suffix(".json").read_text())
    return Pictures(np.load(path, mmap_mode="r"), side["captions"], np.asarray(side["groups"], np.int64))


def _drawn(path: Path, draw: Callable[[Any], list[tuple[list[str], bytes]]], what: Sequence[Any]) -> Pictures:
    """The pictures kept at `path`, drawn first if there are none: those of what[i] are group i."""
    if path.exists():
        return read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        return _collect(list(pool.map(draw, what, chunksize=4)), path)


def objects(cache: Path, art_folder: Path, styles: tuple[str, ...], count: int) -> Pictures:
    """`count` varied pictures of every object of the emoji sets, drawn if the cache has none."""
    draw = partial(_draw_object, folder=art_folder, styles=styles, count=count)
    return _drawn(cache / f"objects-{len(emoji_things())}-{'-'.join(styles)}-{count}.npy", draw, emoji_things())


def emoji_things() -> list[Object]:
    """The objects that the emoji sets draw, in the vocabulary's order."""
    return [thing for thing in load().objects if not thing.icon.startswith(art.OWN)]


def own(cache: Path, art_folder: Path, count: int) -> Pictures:
    """`count` varied pictures of every object drawn by ourselves, drawn if the cache has none."""
    things = [thing for thing in load().objects if thing.icon.startswith(art.OWN)]
    draw = partial(_draw_object, folder=art_folder, styles=art.STYLES[:1], count=count)
    return _drawn(cache / f"own-{len(things)}-{count}.npy", draw, things)


def whole_figures(cache: Path, count: int) -> Pictures:
    """`count` pictures of every character in every pose, drawn if the cache has none."""
    known = figures_data.load()
    pairs = [(who, pose) for who in known.characters for pose in known.poses]
    return _drawn(cache / f"figures-{len(pairs)}-{count}.npy", partial(_draw_figure, count=count), pairs)


def scenes(cache: Path, count: int) -> Pictures:
    """`count` pictures of every scene, drawn if the cache has none."""
    return _drawn(cache / f"scenes-{len(load().scenes)}-{count}.npy", partial(_draw_scene, count=count), load().scenes)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of what draws the pictures: how many of each thing, and in which styles."""
    parser.add_argument("--per-object", type=int, default=16)
    parser.add_argument("--per-figure", type=int, default=12, help="pictures of each character in each pose")
    parser.add_argument("--per-scene", type=int, default=48)
    parser.add_argument("--styles", default="fluent-emoji-flat")


def parts(args: argparse.Namespace) -> dict[str, Pictures]:
    """All training pictures, by kind, as the options say; drawn once and kept in --out."""
    cache, styles = args.out / "pictures", tuple(args.styles.split(","))
    return {
        "objects": objects(cache, args.art, styles, args.per_object),
        "own": own(cache, args.art, args.per_object),
        "figures": whole_figures(cache, args.per_figure),
        "scenes": scenes(cache, args.per_scene),
    }
