"""What symbols and lettering share: colours that stand out by WCAG, and a smooth layer over a picture."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

STANDS_OUT = 3.0  # WCAG 2.2, 1.4.11: a graphical object against what is beside it

RGB = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class Palette(NamedTuple):
    """Colours that go together: lettering in `ink` on `plate`, or a symbol in `ink` outlined in `plate`."""

    plate: RGB
    ink: RGB
    accent: RGB


def luminance(pixels: np.ndarray) -> np.ndarray:
    """WCAG 2.2 relative luminance, [...] in 0..1, of sRGB values 0..255, [..., 3]."""
    share = np.asarray(pixels, dtype=np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(one: np.ndarray | RGB, other: np.ndarray | RGB) -> np.ndarray:
    """WCAG 2.2 contrast ratio, 1..21, of sRGB values 0..255, [..., 3], broadcast against each other."""
    a, b = luminance(np.asarray(one)), luminance(np.asarray(other))
    return np.asarray((np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05))


def under(image: Image.Image, box: Box) -> np.ndarray:
    """A sample, [2304, 3], of the pixels under a box."""
    part = image.crop(whole(box, image.size))
    return np.asarray(part.resize((48, 48), Image.Resampling.NEAREST)).reshape(-1, 3)


def choose(palettes: Sequence[Palette], beneath: np.ndarray, draw: random.Random) -> Palette:
    """Chooses one of the palettes that contrast with the pixels beneath, [n, 3], nearly as well as the best one.

    At each pixel the better of plate and accent counts; contrast above STANDS_OUT counts no more.
    """
    scores = []
    for palette in palettes:
        best = np.maximum(contrast(palette.plate, beneath), contrast(palette.accent, beneath))
        scores.append(float(np.minimum(best, STANDS_OUT).mean()))
    return draw.choice([p for p, score in zip(palettes, scores, strict=True) if score >= 0.9 * max(scores)])


def scale_of(image: Image.Image) -> int:
    """How many times larger than the picture its layer is drawn."""
    return 4 if max(image.size) <= 512 else 2


def blank_layer(image: Image.Image, colour: RGB) -> Image.Image:
    """A transparent RGBA layer; its `colour` prevents a dark fringe at smoothed edges."""
    wide, high = (side * scale_of(image) for side in image.size)
    return Image.new("RGBA", (wide, high), (*colour, 0))


def flatten(image: Image.Image, layer: Image.Image, soft: float) -> Image.Image:
    """The layer over the picture, with a soft shadow of `soft` pixels under it."""
    small = layer.resize(image.size, Image.Resampling.LANCZOS)
    dark = small.getchannel("A").filter(ImageFilter.GaussianBlur(soft)).point(lambda v: round(v * 0.45))
    shadow = Image.new("RGBA", image.size, (0, 0, 0, 255))
    shadow.putalpha(dark)
    flat = image.convert("RGBA")
    flat.alpha_composite(shadow)
    flat.alpha_composite(small)
    return flat.convert("RGB")


def hex_colour(colour: RGB) -> str:
    """`#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def recorded(
    image: Image.Image, form: str, text: str, box: Box, colours: Palette, least: float, layer: Image.Image
) -> dict[str, Any]:
    """The fields that the record of every overlay has; `least` is the least contrast of ink with its surroundings."""
    return {
        "form": form,
        "text": text,
        "size": list(image.size),
        "box": list(whole(box, image.size)),
        "colour": hex_colour(colours.ink),
        "beside": hex_colour(colours.plate),
        "contrast": round(least, 2),
        "area": area(layer),
    }


def rounded(values: Sequence[float]) -> list[float]:
    """Plain numbers with two decimals, for a record."""
    return [round(float(v), 2) for v in values]


def area(layer: Image.Image) -> float:
    """The share of the picture that a layer covers, 0..1."""
    return round(float((np.asarray(layer.getchannel("A")) > 127).mean()), 3)


def whole(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box in whole pixels, inside a picture of that size."""
    left, top, right, bottom = box
    return (
        max(0, math.floor(left)),
        max(0, math.floor(top)),
        min(size[0], math.ceil(right)),
        min(size[1], math.ceil(bottom)),
    )
