"""Measures the embedded text-to-image model: recognition of what it draws, variety, speed, and contact sheets.

The judge is EfficientNet-Lite0 with its ImageNet weights, which never saw a generated picture: a picture counts as
recognised when the nearest rendered drawing, among those of all objects on plain and on random grounds, is one of
the object asked for.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mossgen.embedded import art
from mossgen.embedded.grammar import with_article
from mossgen.embedded.layout import layers
from mossgen.embedded.pipeline import LayeredDiffusionPipeline
from mossgen.embedded.vocabulary import Object, load, named
from mossgen.training import pose_figures
from mossgen.training.picture_judge import Judge, on_ground, seeds, through

STEPS, GUIDANCE, SEED = 16, 3.0, 1  # the first two as the imager has them
VISIBLE = 0.05  # of the pixels
SHEET = [
    "a kitchen knife in a kitchen",
    "a skull on a t-shirt",
    "a bomb and a birthday cake in a party room",
    "a teddy bear",
    "a boy holding a water pistol in a garden",
    "a cook holding an egg in a kitchen",
    "a shark in an underwater sea",
    "a police car to the left of a bus on a city street",
    "a ghost next to a jack-o-lantern under a night sky",
    "a woman running in a park",
    "a dog and a cat in a living room",
    "a syringe in a hospital room",
    "fire next to a tent at a camp site",
    "a snake and an apple in a classroom",
    "a red apple to the left of a banana",
    "a candle on a birthday cake",
    "a man lifting weights in a gym",
    "an axe next to a tree in a forest",
    "a firefighter next to a fire engine on a city street",
    "a scientist holding a test tube in a laboratory",
    "a bear at a camp site",
    "a girl holding a balloon on a playground",
    "a rocket in outer space",
    "a beer mug and a hamburger in a restaurant",
    "a violin on a theatre stage",
    "a crocodile next to a river",
    "a laptop and a cup of coffee in an office",
    "a mousetrap and cheese in a garage",
    "a doctor in a hospital room",
    "a tractor in a farm field",
    "a vampire next to a coffin in a graveyard",
    "a toy robot in a toy shop",
]


def _crop(picture: Image.Image, box: tuple[int, int, int, int], margin: int = 6) -> Image.Image:
    """The square around a box."""
    left, top, right, low = box
    return picture.crop((max(0, left - margin), max(0, top - margin), min(256, right + margin), min(256, low + margin)))


def _boxes(prompt: str, generator: torch.Generator) -> dict[str, tuple[int, int, int, int]]:
    """Phrase -> box, as the pipeline lays the prompt out with a fresh generator of the same seed."""
    seed = int(torch.randint(2**31, (1,), generator=torch.Generator().manual_seed(generator.initial_seed())))
    return {layer.phrase: layer.box for layer in layers(prompt, random.Random(seed))}


def draw(pipe: Any, prompts: list[str], seed: int) -> list[Image.Image]:
    """One picture a prompt, 16 at a time."""
    generators, pictures = seeds(seed, len(prompts)), []
    for first in range(0, len(prompts), 16):
        part = slice(first, first + 16)
        pictures += pipe(
            prompts[part], generator=generators[part], num_inference_steps=STEPS, guidance_scale=GUIDANCE
        ).images
    return pictures


def evaluate(work: Path, model: Path, templates: Path | None, objects: int, pairs: int, sheets: bool) -> dict[str, Any]:
    """All figures of the pipeline in the folder `model`, with art in `work`/art; contact sheets to `work` if asked.

    `objects` are drawn by chance among those that the templates in the folder `templates` name, or among all.
    """
    pipe = LayeredDiffusionPipeline.from_pretrained(model, trust_remote_code=True)  # type: ignore[no-untyped-call]
    pipe.set_progress_bar_config(disable=True)
    judge = Judge(art.fetch(work / "art", art.STYLES[:1]))
    asked = named(templates) if templates else [True] * len(judge.objects)
    known = [thing for thing, yes in zip(judge.objects, asked, strict=True) if yes]
    things = random.Random(0).sample(known, min(objects, len(known)))
    scenes = [scene.name for scene in load().scenes if scene.setting != "plain"]
    singles = [with_article(thing.name) for thing in things]
    pictures = draw(pipe, singles, SEED)
    if sheets:
        contact_sheet(pictures, singles, work / "concepts.png", columns=16)
        contact_sheet(draw(pipe, SHEET, SEED), SHEET, work / "scenes.png")
    return {
        **ceiling(pipe, judge, things, work / "art"),
        "one object": one_object(judge, things, pictures),
        "two objects on a plain ground": two_objects(pipe, judge, things, pairs, ["plain background"]),
        "two objects in a scene": two_objects(pipe, judge, things, pairs, scenes),
        "whole figures": pose_figures.recognised(pipe, judge),
        "two seeds": two_seeds(pictures, draw(pipe, singles, SEED + 2)),
        "seconds a picture": speed(pipe),
    }


def one_object(judge: Judge, things: list[Object], pictures: list[Image.Image]) -> dict[str, Any]:
    """Recognition of single objects on a plain ground, drawn with SEED."""
    crops = [
        _crop(picture, next(b for n, b in _boxes(with_article(thing.name), g).items() if n == with_article(thing.name)))
        for picture, thing, g in zip(pictures, things, seeds(SEED, len(things)), strict=True)
    ]
    ranks = judge.ranks(crops, [judge.objects.index(thing) for thing in things])
    missed = [thing.name for thing, rank in zip(things, ranks, strict=True) if rank >= 5]
    return {**_hits(ranks[:, None]), "not among five": missed}


def ceiling(pipe: Any, judge: Judge, things: list[Object], art_folder: Path) -> dict[str, Any]:
    """Recognition of the drawings themselves, varied as in training, and of what the autoencoder keeps of them."""
    drawings, rng = art.ArtSet(art_folder), np.random.default_rng(SEED)
    sprites = [art.vary(art.rasterise(drawings.variants(thing)[0].svg(), 256), rng, 128) for thing in things]
    wanted = [judge.objects.index(thing) for thing in things]
    return {
        name: _hits(judge.ranks([on_ground(p) for p in pictures], wanted)[:, None])
        for name, pictures in (
            ("the drawings themselves", sprites),
            ("through the autoencoder and back", [through(pipe, sprite) for sprite in sprites]),
        )
    }


def two_objects(pipe: Any, judge: Judge, things: list[Object], count: int, scenes: list[str]) -> dict[str, Any]:
    """Recognition of both objects of random pairs in random scenes; in a busy scene the judge itself errs more."""
    rng = random.Random(SEED)
    pairs = [rng.sample(things, 2) for _ in range(count)]
    prompts = [
        f"{with_article(a.name)} and {with_article(b.name)} in {with_article(rng.choice(scenes))}" for a, b in pairs
    ]
    pictures = draw(pipe, prompts, SEED + 1)
    crops, wanted = [], []
    for pair, prompt, picture, generator in zip(pairs, prompts, pictures, seeds(SEED + 1, count), strict=True):
        boxes = _boxes(prompt, generator)
        for thing in pair:
            crops.append(_crop(picture, boxes.get(with_article(thing.name), (0, 0, 256, 256))))
            wanted.append(judge.objects.index(thing))
    ranks = judge.ranks(crops, wanted).reshape(-1, 2)
    return {"both": _hits(ranks), "each": _hits(ranks.reshape(-1, 1))}


def two_seeds(first: list[Image.Image], second: list[Image.Image]) -> dict[str, Any]:
    """Pictures of the same prompts with other seeds: the share in which at least VISIBLE of the pixels differ."""
    a, b = (np.stack([np.asarray(p.convert("RGB"), dtype=np.int16) for p in some]) for some in (first, second))
    changed = (np.abs(a - b).max(-1) >= 32).mean((1, 2))
    return {
        "n": len(first), "differ visibly": round(float((changed >= VISIBLE).mean()), 3),
        "pixels changed, median": round(float(np.median(changed)), 3),
    }  # fmt: skip


def _hits(ranks: NDArray[np.int64]) -> dict[str, Any]:
    """How often all ranks of a row are best, or among the best five."""
    shares = {f"top-{k}": round(float((ranks < k).all(1).mean()), 3) for k in (1, 5)}
    return {"n": len(ranks), **shares}


def speed(pipe: Any) -> dict[str, Any]:
    """Seconds a picture in a batch of 8."""
    prompts = SHEET[:8]
    pipe(prompts[:1], num_inference_steps=2)
    start = time.perf_counter()
    pipe(prompts, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=seeds(0, 8))
    seconds = (time.perf_counter() - start) / 8
    return {"batch of 8": round(seconds, 2), "steps": STEPS, "threads": torch.get_num_threads()}


def contact_sheet(pictures: list[Image.Image], captions: list[str], path: Path, columns: int = 8) -> None:
    """Pictures with their prompts in a grid."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * 262, rows * 286), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = number % columns * 262, number // columns * 286
        sheet.paste(picture, (x, y))
        pen.text((x + 2, y + 258), caption[:44] + "\n" + caption[44:88], fill="black")
    sheet.save(path)
