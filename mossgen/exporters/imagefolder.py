"""A Hugging Face ImageFolder: data/metadata.jsonl, data/images/*.png and a dataset card.

`datasets.load_dataset(out)` and `load_dataset("imagefolder", data_dir=out/"data")` open it with every field.
What differs from type to type (slots, overlay, provenance) is one JSON text each, so that the columns of
all types are the same and sets of several types can be concatenated.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mossgen.errors import ConfigError
from mossgen.exporters import _card, _facts
from mossgen.exporters._folder import write_folder
from mossgen.items import Item, canonical
from mossgen.ports import RunView


class Options(BaseModel):
    """`licence` is that of the data, as the Hub writes it; those of the models come from the manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    licence: str = Field(default="cc-by-4.0", min_length=1)


class ImageFolder:
    """See the module."""

    name = "imagefolder"

    def __init__(self, options: Options) -> None:
        self._options = options

    def unfit(self, run: RunView) -> str | None:
        """Why this run cannot be written so, in a sentence; None if it can."""
        return _facts.none_accepted(run.accepted)

    def export(self, run: RunView, out: Path) -> list[Path]:
        """README.md and data/ in `out`. Raises ConfigError (run unfit, `out` not ours) or StoreError."""
        if reason := self.unfit(run):
            raise ConfigError(reason)
        return write_folder(out, self.name, lambda folder: self._fill(run, folder))

    def _fill(self, run: RunView, folder: Path) -> None:
        images = folder / "data" / "images"
        images.mkdir(parents=True)
        lines = []
        for item in run.accepted:
            # named by id: a name with "test" or "train" in it would make `datasets` guess a split
            shutil.copyfile(_facts.picture(run.blobs, item), images / f"{item.id}.png")
            lines.append(json.dumps(row(run, item), ensure_ascii=False))
        (folder / "data" / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(_card.render(run, self._options.licence), encoding="utf-8")


def row(run: RunView, item: Item) -> dict[str, Any]:
    """The item's line of metadata.jsonl. A missing text is empty; no overlay is the JSON text `null`."""
    return {
        "file_name": f"images/{item.id}.png",
        "id": item.id,
        "type": item.type,
        "category": _facts.category(run, item),
        "question": item.question or "",
        "description": item.description or "",
        "image_prompt": item.image_prompt or "",
        "slots": canonical(dict(item.slots)),
        "overlay": canonical(item.overlay),
        "tags": sorted(run.type.tags(item)),
        "seed_id": item.seed_id,
        "verdicts": [
            {
                "checker": v.checker,
                "decision": str(v.decision),
                "reason": v.reason,
                "score": None if v.score is None else float(v.score),
            }
            for v in item.verdicts
        ],
        "provenance": canonical(dict(item.provenance)),
    }


def build(options: Options) -> ImageFolder:
    """The exporter."""
    return ImageFolder(options)
