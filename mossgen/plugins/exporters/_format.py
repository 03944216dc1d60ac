"""What all formats of `mossgen export` share: a complete folder with a card, PNG pictures, JSON and JSONL.

Each format is one module: a function that writes the data files into a folder, and the usage text for the card.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mossgen.errors import ConfigError
from mossgen.files.folders import write_folder
from mossgen.files.pictures import to_png
from mossgen.plugins.exporters import _facts, _setcard
from mossgen.plugins.protocols import Example, PluginOptions, SetView

Row = dict[str, Any]
IMAGES = "images"


class Options(PluginOptions):
    """What the card says about the data."""

    licence: str = Field(
        "cc-by-4.0",
        min_length=1,
        description="the licence of the data as the Hub writes it; those of its sources come from the lineage",
    )


def _fits(view: SetView) -> str | None:
    return None


@dataclass(frozen=True)
class Format:
    """An exporter of sets. `fill` writes the data files; the card is added here.

    `usage` is Markdown to run from the folder; $NAME and $SPLIT are replaced by the set and its split. `configs` are
    the Hub's: which files `datasets` opens, by config name. `misfit` says why a set does not fit, for reasons other
    than being empty or having no answers. Formats with `apart` store harmful partners separately.
    """

    name: str
    purpose: Literal["train", "evaluate"]
    fill: Callable[[SetView, Path], None]
    usage: str
    options: Options
    configs: Mapping[str, str | list[str]] = field(default_factory=dict)
    misfit: Callable[[SetView], str | None] = _fits
    apart: bool = False
    takes: frozenset[Literal["run", "set"]] = frozenset({"set"})
    readable: bool = False

    def unfit(self, view: SetView) -> str | None:
        """One sentence: why this set cannot be written in this format; None if it can."""
        if not view.examples:
            return "There is no item to export: the run or the side is empty."
        bare = [e.id for e in view.examples if self.purpose == "train" and (e.chosen is None or e.rejected is None)]
        if bare:
            return f"{len(bare)} items have no answer to train on (the first is {bare[0]}): let a model write them."
        return self.misfit(view)

    def export(self, view: SetView, out: Path) -> list[Path]:
        """Writes the files and README.md into `out`. Raises ConfigError (unfit, `out` not ours) or StoreError."""
        if reason := self.unfit(view):
            raise ConfigError(reason)
        return write_folder(out, self.name, lambda folder: self._write(view, folder))

    def _write(self, view: SetView, folder: Path) -> None:
        self.fill(view, folder)
        usage = self.usage.replace("$NAME", view.name).replace("$SPLIT", view.split)
        card = _setcard.render(view, self.purpose, self.options.licence, usage, self.configs)
        (folder / "README.md").write_text(card, encoding="utf-8")


# -- pictures ------------------------------------------------------------------------------------------


def png(example: Example) -> bytes:
    """The picture as an RGB PNG: its own bytes if they are one already. Raises StoreError."""
    raw, image = _facts.read_picture(example.picture)
    if raw.startswith(b"\x89PNG") and _facts.png_is_rgb(raw):
        return raw
    return to_png(image)


def data_uri(example: Example) -> str:
    """The picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(example)).decode()


def write_pictures(view: SetView, folder: Path) -> None:
    """Writes images/<id>.png for every example."""
    (folder / IMAGES).mkdir()
    for example in view.examples:
        (folder / IMAGES / example.file_name).write_bytes(png(example))


def picture_path(example: Example) -> str:
    """The path that `write_pictures` writes to, relative to the export's folder."""
    return f"{IMAGES}/{example.file_name}"


_TAG = re.compile(r"<(image|video|audio)>")


def tagged(view: SetView) -> str | None:
    """Why a format with picture tags does not fit: a text of the set contains the tag; None if it fits."""
    texts = {e.id: f"{e.question} {e.chosen} {e.rejected}" for e in view.examples}
    found = next((f"{key} has {tag[0]}" for key, text in texts.items() if (tag := _TAG.search(text))), None)
    return (
        f"The item {found} in a text, which would be taken for a picture: leave it out, or export as trl."
        if found
        else None
    )


# -- texts ---------------------------------------------------------------------------------------------


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file that people can read."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes one object per line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
