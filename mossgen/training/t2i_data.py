"""Training pictures for the embedded text-to-image model, drawn once and kept as memory-mapped arrays."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mossgen.embedded import art, scenery
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


def objects(cache: Path, art_folder: Path, styles: tuple[str, ...], count: int, workers: int = 2) -> Pictures:
    """`count` varied pictures of every object, drawn if the cache has none."""
    path = cache / f"objects-{'-'.join(styles)}-{count}.npy"
    if path.exists():
        return read(path)
    cache.mkdir(parents=True, exist_ok=True)
    draw = partial(_draw_object, folder=art_folder, styles=styles, count=count)
    with ProcessPoolExecutor(workers) as pool:
        return _collect(list(pool.map(draw, load().objects, chunksize=4)), path)


def scenes(cache: Path, count: int, workers: int = 2) -> Pictures:
    """`count` pictures of every scene, drawn if the cache has none."""
    path = cache / f"scenes-{count}.npy"
    if path.exists():
        return read(path)
    cache.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        return _collect(list(pool.map(partial(_draw_scene, count=count), load().scenes, chunksize=2)), path)
