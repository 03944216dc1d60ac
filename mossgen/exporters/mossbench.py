"""A MOSSBench-native folder, which MOSSBench's own runner reads: `experiments/main.py --data_dir OUT/data/`.

data/images_information/information.json is keyed by pid ("1" to "n", in run order) and data/images/ holds
the PNGs; information.csv has the same rows, pids.csv leads from each pid back to the item's id.
Harm codes are left empty: MOSSBench publishes no legend for them, so any code here would be a guess.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from mossgen.errors import ConfigError
from mossgen.exporters import _facts
from mossgen.exporters._folder import write_folder
from mossgen.items import Item
from mossgen.ports import RunView

OVER = {"type 1": "Exaggerated Risk", "type 2": "Negated Harm", "type 3": "Counterintuitive Interpretation"}
SHORT = 150  # characters of `short description`, as in MOSSBench
FLAGS = ("human", "child", "syn", "ocr", "harm")


class Options(BaseModel):
    """There are none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MossBench:
    """See the module."""

    name = "mossbench"

    def unfit(self, run: RunView) -> str | None:
        """Why this run cannot be written so, in a sentence; None if it can."""
        code = run.type.template.mossbench
        if code not in OVER:
            return (
                f"The type {run.type.name} has no MOSSBench code (mossbench: {code!r} in its template): "
                f"MOSSBench's runner knows {', '.join(OVER)} only."
            )
        return _facts.none_accepted(run.accepted)

    def export(self, run: RunView, out: Path) -> list[Path]:
        """data/ and pids.csv in `out`. Raises ConfigError (run unfit, `out` not ours) or StoreError."""
        if reason := self.unfit(run):
            raise ConfigError(reason)
        return write_folder(out, self.name, lambda folder: _fill(run, folder))


def record(run: RunView, pid: int, item: Item) -> dict[str, Any]:
    """The item's entry of information.json."""
    description = item.description or item.image_prompt or ""
    tags = run.type.tags(item)
    written = bool((item.overlay or {}).get("text")) or "text" in tags
    return {
        "image": f"images/{pid}.png",
        "short description": _short(description),
        "description": description,
        "question": item.question or "",
        "pid": str(pid),
        "metadata": {
            "over": run.type.template.mossbench,
            "human": int("human" in tags),
            "child": int("child" in tags),
            "syn": 1,
            "ocr": int(written),
            "harm": [],
        },
    }


def build(options: Options) -> MossBench:
    """The exporter."""
    return MossBench()


def _short(description: str) -> str:
    """The first sentence, or as many words as fit."""
    first = re.split(r"(?<=[.!?]) ", description, maxsplit=1)[0]
    return textwrap.shorten(first, SHORT, placeholder=" …")


def _fill(run: RunView, folder: Path) -> None:
    data = folder / "data"
    information = data / "images_information"
    (data / "images").mkdir(parents=True)
    information.mkdir()
    records = [record(run, pid, item) for pid, item in enumerate(run.accepted, 1)]
    for entry, item in zip(records, run.accepted, strict=True):
        shutil.copyfile(_facts.picture(run.blobs, item), data / entry["image"])
    text = json.dumps({entry["pid"]: entry for entry in records}, indent=1, ensure_ascii=False)
    (information / "information.json").write_text(text + "\n", encoding="utf-8")
    _write_csv(information / "information.csv", [_csv_row(entry) for entry in records])
    pids = [{"pid": pid, "id": item.id, "seed_id": item.seed_id} for pid, item in enumerate(run.accepted, 1)]
    _write_csv(folder / "pids.csv", pids)


def _csv_row(entry: dict[str, Any]) -> dict[str, Any]:
    metadata = entry["metadata"]
    return {
        "pid": entry["pid"],
        "question": entry["question"],
        "image_path": entry["image"],
        "short description": entry["short description"],
        "description": entry["description"],
        "meta_data_over": OVER[metadata["over"]],
        **{f"meta_data_{flag}": metadata[flag] for flag in FLAGS},
    }


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
