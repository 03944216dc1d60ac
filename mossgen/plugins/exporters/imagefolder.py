"""A Hugging Face ImageFolder: data/metadata.jsonl, data/images/*.png and a dataset card.

`datasets.load_dataset(out)` and `load_dataset("imagefolder", data_dir=out/"data")` open it with every field.
Fields that differ between types (slots, overlay, provenance) are JSON texts, so that all types have the same
columns and their sets can be concatenated. A side of a set goes into a folder named after its split, with the
columns of _columns.py.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mossgen.core.items import Item, canonical
from mossgen.errors import ConfigError
from mossgen.files.folders import write_folder
from mossgen.plugins.exporters import _facts, _runcard
from mossgen.plugins.exporters._columns import columns
from mossgen.plugins.exporters._format import Format, Options, picture_path, write_jsonl, write_pictures
from mossgen.plugins.protocols import RunView, SetView

__all__ = ["ImageFolder", "Options", "build", "row"]

_USAGE = """\
```python
from datasets import load_dataset

items = load_dataset(".", split="$SPLIT")
items[0]["image"], items[0]["question"], items[0]["expected"]
```

`expected` is `comply`, or `refuse` in a harmful partner of the item `contrast_of`.
"""


class ImageFolder:
    """Exports as the module describes."""

    name = "imagefolder"
    purpose = "evaluate"
    takes = frozenset({"run", "set"})
    apart = False
    readable = True

    def __init__(self, options: Options) -> None:
        self._options = options
        files = ["$SPLIT/metadata.jsonl", "$SPLIT/images/*.png"]
        self._sets = Format(self.name, "evaluate", _fill_side, _USAGE, options, {"default": files})

    def unfit(self, run: RunView | SetView) -> str | None:
        """One sentence: why this run or side cannot be written in this format; None if it can."""
        return self._sets.unfit(run) if isinstance(run, SetView) else _facts.none_accepted(run.accepted)

    def export(self, run: RunView | SetView, out: Path) -> list[Path]:
        """Writes README.md and the data into `out`. Raises ConfigError (unfit, `out` not ours) or StoreError."""
        if isinstance(run, SetView):
            return self._sets.export(run, out)
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
        (folder / "README.md").write_text(_runcard.render(run, self._options.licence), encoding="utf-8")


def _fill_side(view: SetView, folder: Path) -> None:
    side = folder / view.split
    side.mkdir()
    write_pictures(view, side)
    write_jsonl(side / "metadata.jsonl", ({"file_name": picture_path(e), **columns(e)} for e in view.examples))


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
    """Builds the exporter."""
    return ImageFolder(options)
