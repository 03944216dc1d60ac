"""Figures of the embedded text-to-image model: `python -m mossgen.embedded.evaluate --model FOLDER ...`.

The judge is EfficientNet-Lite0 with its ImageNet weights, which never saw a generated picture: a picture counts as
recognised when the nearest rendered drawing, among those of all objects on plain and on random grounds, is one of
the object asked for.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from mossgen.embedded import art, scenery
from mossgen.embedded.grammar import with_article
from mossgen.embedded.layout import layers
from mossgen.embedded.pipeline import LayeredDiffusionPipeline, cut_out
from mossgen.embedded.vocabulary import Object, load, named

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

    def __init__(self, backbone: Path, art_folder: Path, styles: tuple[str, ...]) -> None:
        self.model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
        values = [v for k, v in torch.load(backbone, weights_only=True).items() if not k.startswith("_fc")]
        names = list(self.model.state_dict())
        self.model.load_state_dict(dict(zip(names, values, strict=True)))
        self.model.eval()
        self.objects = load().objects
        pictures, self.owner, rng = [], [], np.random.default_rng(0)
        places = list(scenery.PAINTERS)
        for style in styles:
            drawings = art.ArtSet(art_folder, style)
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


def draw(pipe: Any, prompts: list[str], seed: int, steps: int, guidance: float) -> list[Image.Image]:
    """One picture a prompt, 16 at a time."""
    generators, pictures = _seeds(seed, len(prompts)), []
    for first in range(0, len(prompts), 16):
        part = slice(first, first + 16)
        pictures += pipe(
            prompts[part], generator=generators[part], num_inference_steps=steps, guidance_scale=guidance
        ).images
    return pictures


def one_object(pipe: Any, judge: Judge, things: list[Object], args: argparse.Namespace) -> None:
    """Recognition of single objects on a plain background."""
    prompts = [with_article(thing.name) for thing in things]
    pictures = draw(pipe, prompts, args.seed, args.steps, args.guidance)
    if args.singles:
        contact_sheet(pictures, prompts, args.singles, columns=16)
    crops = [
        _crop(p, next(b for n, b in _boxes(q, g).items() if n == q))
        for p, q, g in zip(pictures, prompts, _seeds(args.seed, len(prompts)), strict=True)
    ]
    ranks = judge.ranks(crops, [judge.objects.index(thing) for thing in things])
    print(f"one object, {len(things)} prompts: {_hits(ranks[:, None])}")
    print(
        "  not recognised (rank 5 or worse): " + ", ".join(t.name for t, r in zip(things, ranks, strict=True) if r >= 5)
    )


def ceiling(pipe: Any, judge: Judge, things: list[Object], args: argparse.Namespace) -> None:
    """Recognition of the drawings themselves, varied as in training, and of what the autoencoder keeps of them."""
    drawings, rng = art.ArtSet(args.art, args.styles.split(",")[0]), np.random.default_rng(args.seed)
    sprites = [art.vary(art.rasterise(drawings.variants(thing)[0].svg(), 256), rng, 128) for thing in things]
    wanted = [judge.objects.index(thing) for thing in things]
    kept = []
    for sprite in sprites:
        x = torch.from_numpy(art.to_array(sprite))[None]
        with torch.no_grad():
            y = pipe.vae.decode(pipe.vae.encode(x.to(pipe.vae.dtype)).latent).sample
        kept.append(cut_out(y[0].float().permute(1, 2, 0).numpy()))
    for name, pictures in (("the drawings themselves", sprites), ("through the autoencoder and back", kept)):
        print(f"{name}: {_hits(judge.ranks([_on_ground(p) for p in pictures], wanted)[:, None])}")


def two_objects(
    pipe: Any, judge: Judge, things: list[Object], count: int, scenes: list[str], args: argparse.Namespace
) -> None:
    """Recognition of both objects of random pairs in random scenes; in a busy scene the judge itself errs more."""
    rng = random.Random(args.seed)
    pairs = [rng.sample(things, 2) for _ in range(count)]
    prompts = [
        f"{with_article(a.name)} and {with_article(b.name)} in {with_article(rng.choice(scenes))}" for a, b in pairs
    ]
    pictures = draw(pipe, prompts, args.seed + 1, args.steps, args.guidance)
    crops, wanted = [], []
    for pair, prompt, picture, generator in zip(pairs, prompts, pictures, _seeds(args.seed + 1, count), strict=True):
        boxes = _boxes(prompt, generator)
        for thing in pair:
            crops.append(_crop(picture, boxes.get(with_article(thing.name), (0, 0, 256, 256))))
            wanted.append(judge.objects.index(thing))
    ranks = judge.ranks(crops, wanted).reshape(-1, 2)
    where = "a plain background" if len(scenes) == 1 else f"{len(scenes)} scenes"
    each = _hits(ranks.reshape(-1, 1))
    print(f"two objects on {where}, {count} prompts: both {_hits(ranks)}; each {each}")


def _hits(ranks: NDArray[np.int64]) -> str:
    """How often all ranks of a row are best, or among the best five."""
    return f"top-1 {np.mean((ranks == 0).all(1)):.1%}, top-5 {np.mean((ranks < 5).all(1)):.1%}"


def speed(pipe: Any, args: argparse.Namespace) -> None:
    """Seconds a picture in a batch of 8."""
    prompts = SHEET[:8]
    pipe(prompts[:1], num_inference_steps=2)
    start = time.perf_counter()
    pipe(prompts, num_inference_steps=args.steps, guidance_scale=args.guidance, generator=_seeds(0, 8))
    seconds = (time.perf_counter() - start) / 8
    print(f"{seconds:.2f} s a picture, batch of 8, {args.steps} steps, {torch.get_num_threads()} threads")


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


def main(argv: list[str] | None = None) -> None:
    """Print the figures, and write a contact sheet if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="assembled diffusers folder")
    parser.add_argument("--art", type=Path, help="folder of the art packages")
    parser.add_argument("--backbone", type=Path, help="efficientnet-lite0-57934424.pth")
    parser.add_argument("--styles", default="fluent-emoji-flat")
    parser.add_argument("--objects", type=int, default=250, help="tested: a fixed random choice of this many")
    parser.add_argument("--templates", type=Path, help="only objects that the templates in this folder name")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--singles", type=Path, help="write a contact sheet of the single objects here")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of scenes here")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    pipe = LayeredDiffusionPipeline.from_pretrained(args.model, trust_remote_code=True)  # type: ignore[no-untyped-call]
    pipe.set_progress_bar_config(disable=True)
    if args.sheet:
        contact_sheet(draw(pipe, SHEET, args.seed, args.steps, args.guidance), SHEET, args.sheet)
    if args.backbone:
        judge = Judge(args.backbone, args.art, tuple(args.styles.split(",")))
        asked = named(args.templates) if args.templates else [True] * len(judge.objects)
        known = [thing for thing, yes in zip(judge.objects, asked, strict=True) if yes]
        things = random.Random(0).sample(known, min(args.objects, len(known)))
        ceiling(pipe, judge, things, args)
        one_object(pipe, judge, things, args)
        scenes = [scene.name for scene in load().scenes if scene.setting != "plain"]
        for backgrounds in (["plain background"], scenes):
            two_objects(pipe, judge, things, args.pairs, backgrounds, args)
    speed(pipe, args)


if __name__ == "__main__":
    main()
