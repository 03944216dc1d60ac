"""Lettering on a plate over a picture: hashtags, slogans and stamps, large and wholly inside the picture."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mossgen.errors import ConfigError
from mossgen.expansion.layer import (
    Box,
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

TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3: text against what is behind it
LONGEST = 80  # characters; far more than stays readable

_CAP = 0.70  # cap height of Pillow's font (Aileron), in em
_STEP = 1.14  # from one baseline to the next, in em
_BOLD = 0.03  # stroke added on each side, in em: the font has one weight only
_LEAST_CAP = 0.039  # least cap height as a share of the shorter side: 10 px of 256
_LEAST_CAP_PX = 7.0


class _Lettering(NamedTuple):
    """The style of one form of lettering; sizes are shares of the picture's sides."""

    styles: tuple[str, ...]
    palettes: tuple[Palette, ...]
    lines: int
    largest: float  # font size, of the shorter side
    height: float  # of the text block at most
    tilt: tuple[float, float]  # degrees, least and most, either way
    opacity: tuple[float, float]


_POSTER = (
    Palette((196, 22, 38), (255, 255, 255), (255, 214, 102)),
    Palette((19, 41, 91), (255, 255, 255), (110, 190, 255)),
    Palette((12, 84, 78), (255, 255, 255), (150, 230, 200)),
    Palette((255, 205, 30), (28, 24, 20), (28, 24, 20)),
    Palette((250, 247, 240), (176, 16, 36), (176, 16, 36)),
    Palette((250, 247, 240), (18, 38, 84), (224, 122, 20)),
    Palette((26, 26, 30), (255, 221, 64), (255, 221, 64)),
    Palette((88, 28, 110), (255, 255, 255), (250, 170, 210)),
)
_PAPER = (252, 248, 238)
_INK = tuple(Palette(_PAPER, ink, ink) for ink in ((182, 20, 34), (24, 50, 128), (20, 92, 52), (60, 20, 92)))

LETTERING = {
    "hashtag": _Lettering(("band", "pill", "card"), _POSTER, 2, 0.13, 0.24, (0, 4), (0.90, 1)),
    "slogan": _Lettering(("band", "ribbon", "card"), _POSTER, 3, 0.105, 0.30, (0, 3), (0.92, 1)),
    "stamp": _Lettering(("stamp",), _INK, 3, 0.125, 0.24, (5, 13), (0.80, 0.92)),
}


class _Plate(NamedTuple):
    """A plate with its text, before it is turned by `angle` about its centre (x, y); in picture pixels."""

    style: str
    x: float
    y: float
    wide: float
    high: float
    angle: float
    lines: tuple[str, ...]
    widths: tuple[float, ...]  # of the lines, in em
    em: float  # font size

    @property
    def box(self) -> Box:
        return (
            self.x - self.wide / 2,
            self.y - self.high / 2,
            self.x + self.wide / 2,
            self.y + self.high / 2,
        )

    def turned(self) -> Box:
        """The box around the turned plate."""
        wide, high = _turned(self.wide, self.high, self.angle)
        return (self.x - wide / 2, self.y - high / 2, self.x + wide / 2, self.y + high / 2)

    def baseline(self, line: int) -> float:
        """The height of a line's baseline; the block of capitals is centred on the plate."""
        block = (_CAP + (len(self.lines) - 1) * _STEP) * self.em
        return self.y - block / 2 + (_CAP + line * _STEP) * self.em

    def line_box(self, line: int) -> list[float]:
        """The box of one line's letters, descenders included."""
        half, base = self.widths[line] * self.em / 2, self.baseline(line)
        return rounded((self.x - half, base - (_CAP + _BOLD) * self.em, self.x + half, base + 0.24 * self.em))


def _turned(wide: float, high: float, angle: float) -> tuple[float, float]:
    sin, cos = abs(math.sin(math.radians(angle))), math.cos(math.radians(angle))
    return wide * cos + high * sin, wide * sin + high * cos


def lettering(image: Image.Image, form: str, text: str, draw: random.Random) -> tuple[Image.Image, dict[str, Any]]:
    """Draws `text` in one of LETTERING's forms; returns the picture and its record (see overlay.composite)."""
    look = LETTERING[form]
    _refuse(form, text)
    said = text.upper() if form == "stamp" or (form == "slogan" and draw.random() < 0.5) else text
    plate = _laid_out(image.size, form, said, draw, _calmer_below(image))
    beneath = under(image, plate.turned())
    colours = choose(look.palettes, beneath, draw)
    opacity = draw.uniform(*look.opacity)
    if _text_contrast(colours, opacity, beneath) < TEXT_CONTRAST:
        opacity = 1.0
    layer = _paint(image, plate, colours, opacity)
    record = {
        **recorded(image, form, text, plate.turned(), colours, _text_contrast(colours, opacity, beneath), layer),
        "style": plate.style,
        "angle": round(plate.angle, 2),
        "centre": rounded((plate.x, plate.y)),
        "lines": [{"text": line, "box": plate.line_box(i)} for i, line in enumerate(plate.lines)],
    }
    return flatten(image, layer, soft=min(image.size) * 0.012), record


def _calmer_below(image: Image.Image) -> bool:
    """Whether the lower two fifths of the picture hold less detail (mean step between pixels) than the upper two."""
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    part = max(2, grey.shape[0] * 2 // 5)
    upper, lower = (float(np.abs(np.diff(rows, axis=1)).mean()) for rows in (grey[:part], grey[-part:]))
    return lower < upper / 2  # the main object is mostly in the lower part, even if the rest has more detail


def _text_contrast(colours: Palette, opacity: float, beneath: np.ndarray) -> float:
    """The least contrast of the ink against the plate with the picture shining through."""
    return float(contrast(colours.ink, opacity * np.array(colours.plate) + (1 - opacity) * beneath).min())


def _refuse(form: str, text: str) -> None:
    """Raises ConfigError for text that cannot be set."""
    if not text:
        raise ConfigError(f"Overlay form {form!r} got no text: give the words it shall show, or use cross or ring.")
    if len(text) > LONGEST:
        raise ConfigError(f"Overlay text {text[:30]!r}... has {len(text)} characters: at most {LONGEST} stay readable.")
    font = ImageFont.load_default(40)
    absent = font.getbbox("\uffff"), bytes(font.getmask("\uffff"))
    missing = [
        c
        for c in dict.fromkeys(text + text.upper())
        if c != " " and (font.getbbox(c), bytes(font.getmask(c))) == absent
    ]
    if missing:
        raise ConfigError(
            f"Overlay text {text!r} has {', '.join(map(repr, missing))}, which the lettering font lacks: "
            "use plain English letters, digits and punctuation."
        )


def _laid_out(size: tuple[int, int], form: str, text: str, draw: random.Random, below: bool) -> _Plate:
    """Lines, font size and position of the plate (`below`: in the lower part), as large as fits inside the picture."""
    look, (wide, high), side = LETTERING[form], size, min(size)
    style = draw.choice(look.styles)
    tilt = 0.0 if style in ("band", "ribbon") else draw.uniform(*look.tilt) * draw.choice((-1, 1))
    tail = (0.09 * side if style == "ribbon" else 0.0) + 1.3 * look.largest * side  # the plate beyond the text
    most_wide = (0.95 * wide - (look.height + 0.1) * high * abs(math.sin(math.radians(tilt)))) - tail
    lines, widths, em = _fit(_pieces(text, form), (most_wide, look.height * high, look.largest * side), look.lines)
    least = max(_LEAST_CAP_PX, _LEAST_CAP * side) / _CAP
    if em < least:
        raise ConfigError(
            f"Overlay text {text!r} does not fit a {wide}x{high} picture readably as a {form}: "
            f"shorten it to about {int(len(text) * em / least)} characters."
        )
    plate_high = (_CAP + (len(lines) - 1) * _STEP + (1.35 if style == "stamp" else 1.2)) * em
    plate_wide = wide if style == "band" else max(widths) * em + tail * em / (look.largest * side)
    while _turned(plate_wide, plate_high, tilt)[1] > 0.9 * high and abs(tilt) > 0.1:
        tilt *= 0.7  # a flat picture
    reach_x, reach_y = (v / 2 for v in _turned(plate_wide, plate_high, tilt))
    edge = draw.choice((0.0, 0.03)) * high if style == "band" else 0.03 * high
    # never the middle, and not over the main object: what is negated must be seen
    y = high - reach_y - edge if below else reach_y + edge
    slack = max(0.0, 0.48 * wide - reach_x)
    x = wide / 2 + (0.0 if style in ("band", "ribbon") else slack * draw.uniform(-0.7, 0.7))
    return _Plate(style, x, y, plate_wide, plate_high, tilt, lines, widths, em)


def _pieces(text: str, form: str) -> list[str]:
    """Splits a line where it may break: after a word, and in a hashtag also before a capital (#StopBullying)."""
    if form == "hashtag":
        return re.findall(r".+?(?:(?<=[a-z0-9])(?=[A-Z])|\s+|$)", text)
    return re.findall(r"\S+\s*", text)


def _fit(
    pieces: list[str], room: tuple[float, float, float], most: int
) -> tuple[tuple[str, ...], tuple[float, ...], float]:
    """The lines, their widths in em, and the font size that fills the room (width, height, largest size).

    Adds another line only if it makes the letters a sixth larger.
    """
    font = ImageFont.load_default(100)
    best: tuple[tuple[str, ...], tuple[float, ...], float] = ((), (), 0.0)
    for count in range(1, min(most, len(pieces)) + 1):
        splits = []
        for cuts in itertools.combinations(range(1, len(pieces)), count - 1):
            ends = (0, *cuts, len(pieces))
            lines = tuple("".join(pieces[a:b]).strip() for a, b in itertools.pairwise(ends))
            splits.append((tuple(font.getlength(line) / 100 + 2 * _BOLD for line in lines), lines))
        widths, lines = min(splits, key=lambda split: max(split[0]))
        em = min(room[0] / max(widths), room[1] / (_CAP + (count - 1) * _STEP), room[2])
        if em > best[2] * 7 / 6:
            best = lines, widths, em
    return best


def _paint(image: Image.Image, plate: _Plate, colours: Palette, opacity: float) -> Image.Image:
    """The plate and its text on a layer, turned."""
    scale = scale_of(image)
    layer = blank_layer(image, colours.plate)
    pen = ImageDraw.Draw(layer)
    left, top, right, bottom = (v * scale for v in plate.box)
    _STYLES[plate.style](pen, (left, top, right, bottom), colours, round(255 * opacity))
    font = ImageFont.load_default(plate.em * scale)
    for i, line in enumerate(plate.lines):
        spot = (plate.x * scale, plate.baseline(i) * scale)
        pen.text(spot, line, fill=colours.ink, font=font, anchor="ms", stroke_width=_BOLD * plate.em * scale)
    if plate.angle:
        centre = (plate.x * scale, plate.y * scale)
        layer = layer.rotate(plate.angle, Image.Resampling.BICUBIC, center=centre)
    return layer


def _inset(box: Box, by: float) -> Box:
    return (box[0] + by, box[1] + by, box[2] - by, box[3] - by)


def _band(pen: ImageDraw.ImageDraw, box: Box, colours: Palette, alpha: int) -> None:
    """A strip from edge to edge with a thin line along both sides."""
    left, top, right, bottom = box
    high = bottom - top
    pen.rectangle(box, fill=(*colours.plate, alpha))
    for y in (top + 0.07 * high, bottom - 0.07 * high):
        pen.line((left, y, right, y), fill=colours.accent, width=max(1, round(0.025 * high)))


def _pill(pen: ImageDraw.ImageDraw, box: Box, colours: Palette, alpha: int) -> None:
    """A plate with round ends and an edge in the accent colour."""
    high = box[3] - box[1]
    pen.rounded_rectangle(box, min(high, 0.4 * (box[2] - box[0])) / 2, fill=colours.accent)
    line = 0.035 * high
    pen.rounded_rectangle(
        _inset(box, line), min(high, 0.4 * (box[2] - box[0])) / 2 - line, fill=(*colours.plate, alpha)
    )


def _card(pen: ImageDraw.ImageDraw, box: Box, colours: Palette, alpha: int) -> None:
    """A card with a thin frame inside."""
    high = box[3] - box[1]
    pen.rounded_rectangle(box, 0.10 * high, fill=(*colours.plate, alpha))
    width = max(1, round(0.022 * high))
    pen.rounded_rectangle(_inset(box, 0.07 * high), 0.06 * high, outline=colours.accent, width=width)


def _ribbon(pen: ImageDraw.ImageDraw, box: Box, colours: Palette, alpha: int) -> None:
    """A banner with swallow-tailed ends behind it."""
    left, top, right, bottom = box
    high, tail = bottom - top, 0.16 * (bottom - top) + 0.03 * (right - left)
    shade = tuple(round(v * 0.68) for v in colours.plate)
    drop = 0.10 * high
    for outer, inner, notch in (
        (left, left + 1.9 * tail, left + 0.55 * tail),
        (right, right - 1.9 * tail, right - 0.55 * tail),
    ):
        pen.polygon([(outer, top + drop), (inner, top + drop), (inner, bottom), (outer, bottom),
                     (notch, (top + drop + bottom) / 2)], fill=shade)  # fmt: skip
    pen.rectangle((left + tail, top, right - tail, bottom - drop), fill=(*colours.plate, alpha))


def _stamp(pen: ImageDraw.ImageDraw, box: Box, colours: Palette, alpha: int) -> None:
    """Paper with the double frame of a rubber stamp."""
    high = box[3] - box[1]
    pen.rounded_rectangle(box, 0.14 * high, fill=(*colours.plate, alpha))
    for inset, width in ((0.05, 0.05), (0.14, 0.018)):
        line = max(1, round(width * high))
        pen.rounded_rectangle(_inset(box, inset * high), (0.13 - 0.6 * inset) * high, outline=colours.ink, width=line)


_STYLES: dict[str, Callable[[ImageDraw.ImageDraw, Box, Palette, int], None]] = {
    "band": _band,
    "pill": _pill,
    "card": _card,
    "ribbon": _ribbon,
    "stamp": _stamp,
}
