"""A contact sheet: pictures with their questions below, as one PNG for a README or a model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from mossgen.core.items import Item
from mossgen.files.disk import write_whole
from mossgen.files.folders import disk_errors
from mossgen.files.pictures import to_png
from mossgen.plugins.exporters import _facts

SIDE = 256  # pixels of a picture on the sheet
GAP = 20
TEXT = 15  # pixels of the font
LINES = 3  # lines per question; a longer one ends in an ellipsis
LEADING = 20
PAPER, INK = "#f8f6f1", "#23211d"


def contact_sheet(items: Sequence[Item], blobs: Path, columns: int, out_png: Path) -> None:
    """Writes `items`, with pictures from `blobs`, as a grid of `columns`. Raises StoreError.

    The same items give the same bytes (with the same Pillow).
    """
    font = ImageFont.load_default(TEXT)
    rows = -(-len(items) // columns)
    height = SIDE + LINES * LEADING + GAP
    sheet = Image.new("RGB", (columns * (SIDE + GAP) + GAP, max(rows, 1) * (height + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, item in enumerate(items):
        x, y = GAP + index % columns * (SIDE + GAP), GAP + index // columns * (height + GAP)
        sheet.paste(_fitted(blobs, item), (x, y))
        for number, line in enumerate(wrap(item.question or "", font)):
            draw.text((x, y + SIDE + 8 + number * LEADING), line, INK, font)
    with disk_errors(out_png):
        write_whole(out_png, to_png(sheet, small=True))


def wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """At most LINES lines of `text`, each at most SIDE pixels wide if its words allow."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= SIDE or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) <= LINES:
        return lines
    last = lines[LINES - 1]
    while font.getlength(f"{last}…") > SIDE and " " in last:
        last = last.rsplit(" ", 1)[0]
    return [*lines[: LINES - 1], f"{last}…"]


def _fitted(blobs: Path, item: Item) -> Image.Image:
    """The picture fitted into SIDE x SIDE, with paper around it if it is not square."""
    _, image = _facts.read_picture(_facts.picture(blobs, item))
    return ImageOps.pad(image, (SIDE, SIDE), Image.Resampling.LANCZOS, color=PAPER)
