"""Training art: emoji drawings fetched from the npm registry, rasterised and varied. Used by training only.

The packages hold SVG bodies as JSON (`icons.json`: name -> {"body", "width"?, "height"?}). The art itself is never
committed; model cards credit it: Fluent Emoji (MIT, Microsoft), Noto Emoji (Apache-2.0, Google), Twemoji (CC BY 4.0,
X Corp. and contributors).
"""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mossgen.embedded.vocabulary import Object

STYLES = ("fluent-emoji-flat", "noto", "twemoji")
PICTURES = "fluent-emoji-3d"  # the one style that comes as pictures, not as drawings
OWN = "own/"  # before an object's icon: the drawings NAME.svg, NAME-2.svg ... of our own, in OWN_FOLDER
OWN_FOLDER = Path(__file__).parents[1] / "training" / "icons"
MARGIN = 4
TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
# an icon of an unmirrorable thing: writing, a clock face, a flag, a way to point
ONE_WAY = frozenset(
    [
        "alarm-clock",
        "calendar",
        "placard",
        "newspaper",
        "world-map",
        "keyboard",
        "stop-sign",
        "mahjong",
        "globe-showing-europe-africa",
        "abacus",
        "medical-symbol",
        "no-smoking",
        "no-littering",
        "prohibited",
        "joker",
        "chart-increasing",
        "chart-decreasing",
        "slot-machine",
    ]
)


def fetch(folder: Path, styles: tuple[str, ...] = STYLES) -> Path:
    """Download the art packages with the npm client into `folder`, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for style in styles:
        if (folder / style / "icons.json").exists():
            continue
        icons = _pictures(folder) if style == PICTURES else _unpacked(folder, f"@iconify-json/{style}")["icons.json"]
        (folder / style).mkdir(exist_ok=True)
        (folder / style / "icons.json").write_bytes(icons)
    return folder


def _unpacked(folder: Path, package: str) -> dict[str, bytes]:
    """The files of an npm package by name, without their folders."""
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(folder)]
    path = folder / subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(path) as archive:
        found = {Path(member.name).name: archive.extractfile(member) for member in archive if member.isfile()}
        files = {name: file.read() for name, file in found.items() if file}
    path.unlink()
    return files


def _pictures(folder: Path) -> bytes:
    """PICTURES as the icon sets are: pictures by code point, named as Twemoji names its own."""
    named = json.loads(_unpacked(folder, "@iconify-json/twemoji")["chars.json"])
    icons = {}
    for file, picture in _unpacked(folder, f"@lobehub/{PICTURES}").items():
        point = file.removesuffix(".webp").lstrip("0")
        name = named.get(point) or named.get(point.replace("-fe0f", ""))
        if file.endswith(".webp") and name:
            data = base64.b64encode(picture).decode()
            icons[name] = {"body": f'<image width="256" height="256" href="data:image/webp;base64,{data}"/>'}
    return json.dumps({"icons": icons, "width": 256, "height": 256}).encode()


@dataclass(frozen=True)
class Icon:
    """One drawing of an object: its SVG body, side of its view box, and the caption that fits this variant."""

    name: str
    body: str
    size: tuple[int, int]
    captions: tuple[str, ...]
    mirrored: bool

    def svg(self, ink: str = "black") -> str:
        """The drawing as an SVG document; what is of one colour is drawn in `ink`."""
        (width, height), body = self.size, self.body.replace("currentColor", ink)
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{body}</svg>'


class ArtSet:
    """All icons of one style."""

    def __init__(self, folder: Path, style: str = STYLES[0]) -> None:
        data: dict[str, Any] = json.loads((folder / style / "icons.json").read_text(encoding="utf-8"))
        self.icons: dict[str, dict[str, Any]] = data["icons"]
        self.size = int(data.get("width", 16)), int(data.get("height", 16))
        self.style = style

    def __contains__(self, name: str) -> bool:
        return name in self.icons

    def icon(self, name: str, captions: tuple[str, ...] = ()) -> Icon:
        """The icon of that name; KeyError if this style lacks it."""
        raw = self.icons[name]
        size = int(raw.get("width", self.size[0])), int(raw.get("height", self.size[1]))
        return Icon(name, raw["body"], size, captions or (name.replace("-", " "),), name not in ONE_WAY)

    def variants(self, thing: Object) -> list[Icon]:
        """Every drawing of a thing: people as man and woman where the style has both, in all skin tones.

        They are ours, whatever the style, if its icon says so. What faces a way stays as it is drawn, so that the
        layout knows which way to turn it.
        """
        if thing.icon.startswith(OWN):
            return own(thing)
        found: list[Icon] = []
        for icon, captions in _genders(thing, self):
            toned = [self._toned(icon, tone) for tone in TONES]
            names = toned if all(name in self for name in toned) else [icon]
            drawn = [self.icon(name, captions) for name in names if name in self]
            found += [replace(one, mirrored=one.mirrored and not thing.faces) for one in drawn]
        return found

    def _toned(self, icon: str, tone: str) -> str:
        short = f"{icon}-{tone}"
        return short if short in self else f"{icon}-{tone}-skin-tone"


def _genders(thing: Object, art: ArtSet) -> list[tuple[str, tuple[str, ...]]]:
    """(icon, captions) for the neutral icon or, where both exist, for its man and its woman."""
    base = thing.icon.removeprefix("person-")
    man, woman = f"man-{base}", f"woman-{base}"
    if thing.icon.startswith(("man", "woman")) or man not in art or woman not in art:
        return [(thing.icon, thing.captions)]
    found = []
    for icon, noun, adjective in ((man, "man", "male"), (woman, "woman", "female")):
        own = tuple(c.replace("person", noun) if "person" in c else f"{adjective} {c}" for c in thing.captions)
        found.append((icon, thing.captions + own))
    return found


def own(thing: Object) -> list[Icon]:
    """Our own drawings of a thing. FileNotFoundError if there is none."""
    name = thing.icon.removeprefix(OWN)
    files = [path for path in OWN_FOLDER.glob(f"{name}*.svg") if re.fullmatch(r"(-\d+)?", path.stem.removeprefix(name))]
    if not files:
        raise FileNotFoundError(f"{thing.name!r} has no drawing {name}.svg in {OWN_FOLDER}")
    found = []
    for path in sorted(files):
        drawing = path.read_text(encoding="utf-8")
        box = re.search(r'viewBox="0 0 (\d+) (\d+)"', drawing)
        body = re.search(r"<svg[^>]*>(.*)</svg>", drawing, re.DOTALL)
        if not box or not body:
            raise ValueError(f"{path} is no drawing with a view box that begins at 0 0")
        found.append(Icon(name, body[1], (int(box[1]), int(box[2])), thing.captions, not thing.faces))
    return found


def rasterise(svg: str, side: int) -> Image.Image:
    """Render an SVG document to a square RGBA picture of `side` pixels."""
    import resvg_py

    data = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(data))).convert("RGBA")


def vary(picture: Image.Image, rng: np.random.Generator, side: int, mirrored: bool = True) -> Image.Image:
    """An RGBA sprite that fills `side` pixels but for a narrow margin, perhaps mirrored, a little tinted.

    It is neither turned, moved nor resized at random: where a sprite stands and how large it is, the layout decides,
    so a model that learned those variations would learn them in vain.
    """
    if mirrored and rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    seen = picture.crop(picture.getchannel("A").getbbox() or (0, 0, *picture.size)).convert("RGBa")
    scale = (side - 2 * MARGIN) / max(seen.size)
    small = seen.resize((round(seen.width * scale), round(seen.height * scale)), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (side, side))
    canvas.paste(small.convert("RGBA"), ((side - small.width) // 2, (side - small.height) // 2))
    return tint(canvas, rng)


def tint(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Change the brightness and the colour balance of an RGBA picture a little."""
    pixels = np.asarray(picture).astype(np.float32)
    gain = rng.normal(1, 0.03, 3) * rng.normal(1, 0.04)
    pixels[..., :3] = np.clip(pixels[..., :3] * gain, 0, 255)
    return Image.fromarray(pixels.astype(np.uint8), "RGBA")


def to_array(picture: Image.Image) -> NDArray[np.float32]:
    """RGBA picture -> (4, side, side) in [-1, 1], colours premultiplied over mid-grey (0): clear pixels are 0."""
    pixels = np.asarray(picture.convert("RGBA")).astype(np.float32).transpose(2, 0, 1)
    alpha = pixels[3:] / 255
    return np.concatenate([(pixels[:3] / 127.5 - 1) * alpha, alpha * 2 - 1])
