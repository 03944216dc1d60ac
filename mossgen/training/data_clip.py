"""Pictures with captions for the image side of the embedder: emoji drawings on our procedural backgrounds."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from mossgen.embedded import scenery, vocabulary
from mossgen.embedded.art import ArtSet, Icon, rasterise
from mossgen.embedded.vocabulary import Object
from mossgen.stimulus.texts import with_article

SIDE = 256  # pixels of a picture
SPRITE = 160  # pixels of a rasterised drawing
BACKDROPS = 6  # drawings kept of each scene
INKS = ("#1b1b1f", "#7a1f1f", "#1f3d7a", "#2c5e2e", "#6b4a1f", "#f4f1e8")  # of drawings of one colour


@dataclass(frozen=True)
class Scene:
    """What a picture shows; each of `swapped` is the same with one object replaced."""

    objects: tuple[Object, ...]
    place: str | None
    swapped: tuple[tuple[Object, ...], ...]

    @property
    def caption(self) -> str:
        """`a knife and a teddy bear in a classroom`."""
        return describe(self.objects, self.place)

    @property
    def wrong_captions(self) -> list[str]:
        """The captions of the swapped objects."""
        return [describe(objects, self.place) for objects in self.swapped]


def describe(objects: Sequence[Object], place: str | None) -> str:
    """The caption of objects at a place, in the wording of the image prompts."""
    names = [with_article(o.name) for o in objects]
    text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{text} in {with_article(place)}" if place else text


class Studio:
    """Draws scenes in the given emoji styles, `restyled` for training. All randomness comes from `seed`.

    Each scene has as many wrong captions as `swaps`.
    """

    def __init__(self, art: Path, styles: Sequence[str], seed: int, restyle: bool = False, swaps: int = 1) -> None:
        self.draw, self.restyle, self.swaps = random.Random(seed), restyle, swaps
        self.sets = [ArtSet(art, style) for style in styles]
        words = vocabulary.load()
        self.objects = [o for o in words.objects if any(s.variants(o) for s in self.sets)]
        self.places = [s.name for s in words.scenes if s.setting != "plain" and s.name in scenery.PAINTERS]

    def scenes(self, each: int, mixed: int) -> Iterator[Scene]:
        """`each` one-object scenes of every object, then `mixed` of two or three objects."""
        for number in range(each):
            for thing in self.objects:
                # every other round has the bare thing: its name alone must be learnt too
                yield self._scene((thing,), self.draw.choice(self.places) if number % 2 else None)
        for _ in range(mixed):
            count = self.draw.choice((2, 2, 3))
            place = self.draw.choice((None, *self.places[:]))
            yield self._scene(tuple(self.draw.sample(self.objects, count)), place)

    def _scene(self, things: tuple[Object, ...], place: str | None) -> Scene:
        return Scene(things, place, tuple(self._swapped(things) for _ in range(self.swaps)))

    def _swapped(self, things: tuple[Object, ...]) -> tuple[Object, ...]:
        spot = self.draw.randrange(len(things))
        other = self.draw.choice([o for o in self.objects if o not in things])
        return (*things[:spot], other, *things[spot + 1 :])

    def picture(self, scene: Scene, take: int = 0) -> Image.Image:
        """A new RGB picture of the scene, SIDE x SIDE: other drawings, sizes and positions each time.

        Takes 0 and 1 of a scene never share a backdrop: they are not near-duplicates.
        """
        canvas = self._backdrop(scene.place, take)
        lanes = self.draw.sample(range(len(scene.objects)), len(scene.objects))
        for lane, thing in zip(lanes, scene.objects, strict=True):
            self._paste(canvas, thing, lane, len(lanes))
        return canvas

    def _backdrop(self, place: str | None, take: int) -> Image.Image:
        if place is None:
            # light or middling by take
            floor = 190 - 70 * take
            return Image.new("RGB", (SIDE, SIDE), tuple(self.draw.randrange(floor, floor + 66) for _ in range(3)))
        return _scenery(place, self.draw.randrange(take, BACKDROPS, 2)).copy()

    def _paste(self, canvas: Image.Image, thing: Object, lane: int, lanes: int) -> None:
        # a style first: those with drawings of every skin tone are not to crowd out the others
        style = self.draw.choice([variants for s in self.sets if (variants := s.variants(thing))])
        sprite = _sprite(self.draw.choice(style), self.draw.choice(INKS))
        share = self.draw.uniform(0.45, 0.85) if lanes == 1 else self.draw.uniform(0.8, 1.15) / lanes
        side = round(SIDE * share)
        small = sprite.resize((side, side), Image.Resampling.BILINEAR)
        if self.restyle:
            small = restyled(small, self.draw)
        if self.draw.random() < 0.5:
            small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        width = SIDE / lanes
        x = round(lane * width + (width - side) / 2 + self.draw.uniform(-0.08, 0.08) * SIDE)
        y = round((SIDE - side) * self.draw.uniform(0.35, 1.0))
        canvas.paste(small, (x, y), small)

    def worn(self, picture: Image.Image) -> Image.Image:
        """A near-duplicate: cropped, recoloured, recompressed, resized, and sometimes with something laid over."""
        side = picture.width
        cut = [round(side * self.draw.uniform(0, 0.07)) for _ in range(4)]
        copy = picture.crop((cut[0], cut[1], side - cut[2], side - cut[3])).resize((side, side))
        copy = ImageEnhance.Brightness(copy).enhance(self.draw.uniform(0.88, 1.12))
        copy = ImageEnhance.Color(copy).enhance(self.draw.uniform(0.8, 1.2))
        if self.draw.random() < 0.3:
            self._overlay(copy)
        file = io.BytesIO()
        copy.save(file, "JPEG", quality=self.draw.randrange(35, 92))
        return Image.open(file).convert("RGB")

    def _overlay(self, picture: Image.Image) -> None:
        pen, side = ImageDraw.Draw(picture), picture.width
        red, width = (215, 25, 30), side // 16
        form = self.draw.choice(("cross", "ring", "banner"))
        box = (side * 0.12, side * 0.12, side * 0.88, side * 0.88)
        if form == "cross":
            pen.line((box[0], box[1], box[2], box[3]), fill=red, width=width)
            pen.line((box[0], box[3], box[2], box[1]), fill=red, width=width)
        elif form == "ring":
            pen.ellipse(box, outline=red, width=width)
            pen.line((side * 0.23, side * 0.77, side * 0.77, side * 0.23), fill=red, width=width)
        else:
            pen.rectangle((0, side * 0.82, side, side), fill=self.draw.choice((red, (20, 60, 120), (15, 15, 15))))
            pen.text((side * 0.08, side * 0.85), "#ThinkTwice", fill=(255, 255, 255), font_size=side // 9)


def restyled(sprite: Image.Image, draw: random.Random) -> Image.Image:
    """The RGBA drawing as some other style might have it: turned, stretched, recoloured, outlined, softened.

    Few styles draw one thing, so what tells their drawings of it apart must not become what it is known by.
    """
    sprite = _bent(sprite, draw)
    alpha = sprite.getchannel("A")
    colours = sprite.convert("RGB").convert("RGB", _recolouring(draw))
    if draw.random() < 0.15:
        grown = alpha.filter(ImageFilter.MaxFilter(5))
        ink = Image.new("RGB", sprite.size, (draw.randrange(60),) * 3)
        colours, alpha = Image.composite(colours, ink, alpha), ImageChops.lighter(alpha, grown)
    if draw.random() < 0.15:
        colours = colours.filter(ImageFilter.GaussianBlur(draw.uniform(0.5, 1.5)))
    colours.putalpha(alpha)
    return colours


def _bent(sprite: Image.Image, draw: random.Random) -> Image.Image:
    """Turned by some degrees, stretched one way and sheared, about the middle."""
    angle, stretch, shear = draw.gauss(0, 0.15), math.exp(draw.gauss(0, 0.12)), draw.gauss(0, 0.1)
    a, b = math.cos(angle) * stretch, math.sin(angle) + shear
    c, d = -math.sin(angle), math.cos(angle) / stretch
    middle = sprite.width / 2
    matrix = (a, b, middle * (1 - a - b), c, d, middle * (1 - c - d))
    return sprite.transform(sprite.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _recolouring(draw: random.Random) -> tuple[float, ...]:
    """Rows of red, green and blue, and an offset: the hue turned, more or less saturated and bright, or grey."""
    hue = draw.gauss(0, 0.35) if draw.random() < 0.85 else draw.uniform(-math.pi, math.pi)
    fullness = 0.0 if draw.random() < 0.08 else draw.uniform(0.5, 1.3)
    gain, lift = draw.uniform(0.75, 1.25), draw.uniform(-25, 25)
    grey = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)  # turns colours about the grey axis
    turn = grey + fullness * (math.cos(hue) * (np.eye(3) - grey) + math.sin(hue) * across)
    return tuple(float(x) for row in gain * turn for x in (*row, lift))


@lru_cache(maxsize=4096)
def _sprite(icon: Icon, ink: str) -> Image.Image:
    return rasterise(icon.svg(ink), SPRITE)


@lru_cache(maxsize=1024)
def _scenery(place: str, number: int) -> Image.Image:
    svg = scenery.draw(place, np.random.default_rng([number, *place.encode()]))
    return rasterise(svg, SIDE).convert("RGB")
