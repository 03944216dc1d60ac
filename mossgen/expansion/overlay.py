"""Draws the negation over the picture with Pillow: a crossed-out X, a ring, or lettering on a plate.

`composite` is deterministic: the same picture, form, text and seed give the same bytes. Everything is drawn on a
transparent layer at a multiple of the picture's size, so that edges are smooth. The record is in picture pixels, so
that a checker can measure the overlay in the picture again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from mossgen.errors import ConfigError
from mossgen.expansion.layer import (
    RGB,
    Palette,
    blank_layer,
    choose,
    contrast,
    flatten,
    recorded,
    rounded,
    scale_of,
    under,
)
from mossgen.expansion.lettering import LETTERING, lettering

SIDES = (128, 2048)  # pixels: the sides a picture may have

MIDDLE = (0.5, 0.55)  # of a symbol, in shares of the sides: what it crosses out is mostly in the lower part

_REDS = ((216, 22, 34), (190, 12, 30), (228, 34, 22), (160, 10, 26))
_SYMBOL_COLOURS = (
    *(Palette(edge, red, red) for red in _REDS for edge in ((255, 255, 255), (255, 246, 224))),
    Palette((18, 16, 18), (255, 58, 48), (255, 58, 48)),
)


def forms() -> list[str]:
    """The names of the forms that `composite` accepts."""
    return [*_SYMBOLS, *LETTERING]


def composite(image: Image.Image, form: str, text: str, seed: int) -> tuple[Image.Image, dict[str, Any]]:
    """Draws the negation over the picture; returns the picture and the record of what was drawn.

    `image` is RGB with sides within SIDES. `text` is what lettering says (symbols have none). `seed` decides place,
    colours, thickness, angle and style. The record holds plain JSON values, in pixels of the picture:

    - all: `form, text, size, box [l, t, r, b], colour, beside` (the colour next to it), `contrast` (WCAG 2.2, the
      least of colour against beside), `area` (share of the picture)
    - symbols: `strokes` (polylines), `circles [x, y, radius], width, outline`
    - lettering: `style, angle` (degrees, anticlockwise about `centre`) and `lines`, each with its `text` and its `box`
      before the turn

    Raises ConfigError for an unknown form, a picture of another kind or size, and text that does not fit.
    """
    if form not in forms():
        raise ConfigError(f"There is no overlay form {form!r}: use one of {', '.join(forms())}.")
    if image.mode != "RGB" or not all(SIDES[0] <= side <= SIDES[1] for side in image.size):
        raise ConfigError(
            f"An overlay needs an RGB picture with sides of {SIDES[0]} to {SIDES[1]} pixels, "
            f"not {image.mode} of {image.width}x{image.height}: convert or resize it first."
        )
    draw = random.Random(seed)
    if form in LETTERING:
        return lettering(image, form, " ".join(text.split()), draw)
    return _symbol(image, form, draw)


class _Shape(NamedTuple):
    """The middle lines of a symbol: polylines and circles (x, y, radius), in picture pixels."""

    strokes: list[list[tuple[float, float]]]
    circles: list[tuple[float, float, float]]
    width: float


def _cross(size: tuple[int, int], draw: random.Random) -> _Shape:
    """Two bars, or two slightly bowed brush strokes, over most of the picture."""
    wide, high = size
    x, y = (side * (middle + draw.uniform(-0.02, 0.02)) for side, middle in zip(size, MIDDLE, strict=True))
    across, down = wide * draw.uniform(0.31, 0.38), high * draw.uniform(0.31, 0.38)
    across, down = min(across, 1.5 * down), min(down, 1.5 * across)
    bow = draw.choice((0.0, 0.05)) * draw.choice((-1, 1))
    strokes = []
    for side in (-1, 1):
        ends = (
            (x - side * across, y - down * draw.uniform(0.92, 1)),
            (x + side * across, y + down * draw.uniform(0.92, 1)),
        )
        strokes.append(_bowed(*ends, bow))
    return _Shape(strokes, [], min(size) * draw.uniform(0.045, 0.065))


def _bowed(a: tuple[float, float], b: tuple[float, float], bow: float) -> list[tuple[float, float]]:
    """A curve from a to b; its middle is `bow` of its length away from the straight line."""
    if not bow:
        return [a, b]
    (ax, ay), (bx, by) = a, b
    points = []
    for i in range(13):
        t = i / 12
        aside = 4 * bow * t * (1 - t)
        points.append((ax + (bx - ax) * t - (by - ay) * aside, ay + (by - ay) * t + (bx - ax) * aside))
    return points


def _ring(size: tuple[int, int], draw: random.Random) -> _Shape:
    """The prohibition sign of road signs: a ring, and a slash from the upper left to the lower right."""
    side = min(size)
    x, y = (s * middle + side * draw.uniform(-0.03, 0.03) for s, middle in zip(size, MIDDLE, strict=True))
    radius, angle = side * draw.uniform(0.33, 0.39), math.radians(draw.uniform(40, 50))
    dx, dy = radius * math.cos(angle), radius * math.sin(angle)
    return _Shape([[(x - dx, y - dy), (x + dx, y + dy)]], [(x, y, radius)], side * draw.uniform(0.045, 0.065))


_SYMBOLS: dict[str, Callable[[tuple[int, int], random.Random], _Shape]] = {"cross": _cross, "ring": _ring}


def _symbol(image: Image.Image, form: str, draw: random.Random) -> tuple[Image.Image, dict[str, Any]]:
    """The picture with a cross or a ring over it, and its record; see `composite`."""
    shape = _SYMBOLS[form](image.size, draw)
    outline = max(2.5, min(image.size) * draw.uniform(0.013, 0.02))
    reach = shape.width / 2 + outline
    points = [p for stroke in shape.strokes for p in stroke]
    points += [(x + i * r, y + i * r) for x, y, r in shape.circles for i in (-1, 1)]
    xs, ys = zip(*points, strict=True)
    box = (min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach)
    colours = choose(_SYMBOL_COLOURS, under(image, box), draw)
    layer = blank_layer(image, colours.plate)
    _trace(layer, shape, shape.width + 2 * outline, colours.plate, scale_of(image))
    _trace(layer, shape, shape.width, colours.ink, scale_of(image))
    record = {
        **recorded(image, form, "", box, colours, float(contrast(colours.ink, colours.plate)), layer),
        "strokes": [[rounded(p) for p in stroke] for stroke in shape.strokes],
        "circles": [rounded(c) for c in shape.circles],
        "width": round(shape.width, 2),
        "outline": round(outline, 2),
    }
    return flatten(image, layer, soft=min(image.size) * 0.015), record


def _trace(layer: Image.Image, shape: _Shape, width: float, colour: RGB, scale: int) -> None:
    """Draws the shape's middle lines with a round pen."""
    pen, half = ImageDraw.Draw(layer), width * scale / 2
    for stroke in shape.strokes:
        points = [(x * scale, y * scale) for x, y in stroke]
        pen.line(points, fill=colour, width=round(2 * half))
        for x, y in points:
            pen.ellipse((x - half, y - half, x + half, y + half), fill=colour)
    for x, y, radius in shape.circles:
        x, y, outer = x * scale, y * scale, radius * scale + half
        pen.ellipse((x - outer, y - outer, x + outer, y + outer), outline=colour, width=round(2 * half))
