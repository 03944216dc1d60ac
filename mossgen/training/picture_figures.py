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
import timm
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from torch import Tensor

from mossgen.embedded import art, scenery
from mossgen.embedded.grammar import with_article
from mossgen.embedded.layout import layers
from mossgen.embedded.pipeline import LayeredDiffusionPipeline, cut_out
from mossgen.embedded.vocabulary import Object, load, named
from mossgen.models import weights as models

STEPS, GUIDANCE, SEED = 16, 3.0, 1  # the first two as the imager has them
VISIBLE = 0.05  # of the pixels
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
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


class Judge:
    """Names the object whose drawing is nearest to a picture."""

    def __init__(self, art_folder: Path) -> None:
        self.model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
        weights = load_file(models.path("efficientnet-lite0") / "model.safetensors")
        self.model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("classifier.")})
        self.model.eval()
        self.objects = load().objects
        pictures, self.owner, rng = [], [], np.random.default_rng(0)
        places = list(scenery.PAINTERS)
        drawings = art.ArtSet(art_folder)
        for number, thing in enumerate(self.objects):
            icons = drawings.variants(thing)
            for icon in icons[:: max(1, len(icons) // 4)]:
                sprite = art.rasterise(icon.svg(), 128)
                grounds = [None, *(_somewhere(places, rng) for _ in range(2))]
                pictures += [_on_ground(sprite, ground) for ground in grounds]
                self.owner += [number] * len(grounds)
        self.references = self.features(pictures)

    @torch.no_grad()
    def features(self, pictures: list[Image.Image]) -> Tensor:
        """Unit feature vectors (n, 1280) of RGB pictures."""
        parts = []
        for first in range(0, len(pictures), 64):
            arrays = [np.asarray(p.resize((160, 160), Image.Resampling.BICUBIC)) for p in pictures[first : first + 64]]
            x = (torch.from_numpy(np.stack(arrays)).float() / 255 - MEAN) / STD
            parts.append(self.model(x.permute(0, 3, 1, 2)))
        return torch.nn.functional.normalize(torch.cat(parts), dim=1)

    def ranks(self, pictures: list[Image.Image], wanted: list[int]) -> NDArray[np.int64]:
        """The rank (0 is best) of the wanted object among all objects, for each picture."""
        likeness = self.features(pictures) @ self.references.T
        best = torch.full((len(pictures), len(self.objects)), -1.0)
        best = best.index_reduce(1, torch.tensor(self.owner), likeness, "amax")
        own = best.gather(1, torch.tensor(wanted)[:, None])
        return (best > own).sum(1).numpy()


def _somewhere(places: list[str], rng: np.random.Generator) -> Image.Image:
    """A part of a drawn scene, where objects stand."""
    scene = art.rasterise(scenery.draw(places[int(rng.integers(len(places)))], rng), 256).convert("RGB")
    left = int(rng.integers(0, 128))
    return scene.crop((left, 110, left + 128, 238))


def _on_ground(sprite: Image.Image, ground: Image.Image | None = None) -> Image.Image:
    """What is seen of an RGBA sprite in the middle of a square: of a ground, or the pale one of plain pictures."""
    seen = sprite.crop(sprite.getchannel("A").getbbox())
    side = round(1.1 * max(seen.size))
    square = ground.resize((side, side)) if ground else Image.new("RGB", (side, side), (238, 238, 238))
    square.paste(seen, ((side - seen.width) // 2, (side - seen.height) // 2), seen)
    return square


def _crop(picture: Image.Image, box: tuple[int, int, int, int], margin: int = 6) -> Image.Image:
    """The square around a box."""
    left, top, right, low = box
    return picture.crop((max(0, left - margin), max(0, top - margin), min(256, right + margin), min(256, low + margin)))


def _seeds(seed: int, count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed * 10_000 + number) for number in range(count)]


def _boxes(prompt: str, generator: torch.Generator) -> dict[str, tuple[int, int, int, int]]:
    """Phrase -> box, as the pipeline lays the prompt out with a fresh generator of the same seed."""
    seed = int(torch.randint(2**31, (1,), generator=torch.Generator().manual_seed(generator.initial_seed())))
    return {layer.phrase: layer.box for layer in layers(prompt, random.Random(seed))}


def draw(pipe: Any, prompts: list[str], seed: int) -> list[Image.Image]:
    """One picture a prompt, 16 at a time."""
    generators, pictures = _seeds(seed, len(prompts)), []
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
        "two seeds": two_seeds(pictures, draw(pipe, singles, SEED + 2)),
        "seconds a picture": speed(pipe),
    }


def one_object(judge: Judge, things: list[Object], pictures: list[Image.Image]) -> dict[str, Any]:
    """Recognition of single objects on a plain ground, drawn with SEED."""
    crops = [
        _crop(picture, next(b for n, b in _boxes(with_article(thing.name), g).items() if n == with_article(thing.name)))
        for picture, thing, g in zip(pictures, things, _seeds(SEED, len(things)), strict=True)
    ]
    ranks = judge.ranks(crops, [judge.objects.index(thing) for thing in things])
    missed = [thing.name for thing, rank in zip(things, ranks, strict=True) if rank >= 5]
    return {**_hits(ranks[:, None]), "not among five": missed}


def ceiling(pipe: Any, judge: Judge, things: list[Object], art_folder: Path) -> dict[str, Any]:
    """Recognition of the drawings themselves, varied as in training, and of what the autoencoder keeps of them."""
    drawings, rng = art.ArtSet(art_folder), np.random.default_rng(SEED)
    sprites = [art.vary(art.rasterise(drawings.variants(thing)[0].svg(), 256), rng, 128) for thing in things]
    wanted = [judge.objects.index(thing) for thing in things]
    kept = []
    for sprite in sprites:
        x = torch.from_numpy(art.to_array(sprite))[None]
        with torch.no_grad():
            y = pipe.vae.decode(pipe.vae.encode(x.to(pipe.vae.dtype)).latent).sample
        kept.append(cut_out(y[0].float().permute(1, 2, 0).numpy()))
    return {
        name: _hits(judge.ranks([_on_ground(p) for p in pictures], wanted)[:, None])
        for name, pictures in (("the drawings themselves", sprites), ("through the autoencoder and back", kept))
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
    for pair, prompt, picture, generator in zip(pairs, prompts, pictures, _seeds(SEED + 1, count), strict=True):
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
    pipe(prompts, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=_seeds(0, 8))
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
