"""A folder for MOSSBench's own runner: `experiments/main.py --data_dir OUT/data/`.

data/images_information/information.json has a key per pid ("1" to "n", in run order); information.csv has the same
rows. data/images/ holds the PNGs, and pids.csv maps each pid to the item's id. Harmful partners go to data_contrast/,
with the same layout.
Harm codes are left empty: MOSSBench publishes no legend for them, so any code here would be a guess.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import textwrap
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from mossgen.core.items import Item
from mossgen.errors import ConfigError
from mossgen.files.folders import write_folder
from mossgen.plugins.exporters import _facts
from mossgen.plugins.exporters._columns import columns
from mossgen.plugins.exporters._format import Format, Options, png
from mossgen.plugins.protocols import Example, RunView, SetView

__all__ = ["OVER", "MossBench", "Options", "build", "record"]

OVER = {"type 1": "Exaggerated Risk", "type 2": "Negated Harm", "type 3": "Counterintuitive Interpretation"}
SHORT = 150  # characters of `short description`, as in MOSSBench
INFORMATION = "images_information"
FLAGS = ("human", "child", "syn", "ocr", "harm")


_USAGE = """\
```console
python experiments/main.py --data_dir data/ --work_dir … --model_name …
```

By MOSSBench's own runner. `pids.csv` leads from its pids back to the items; `data_contrast/`, where there is one, holds
harmful partners, which should be refused.
"""


class MossBench:
    """Exports as the module describes."""

    name = "mossbench"
    purpose = "evaluate"
    takes = frozenset({"run", "set"})
    apart = True
    readable = True

    def __init__(self, options: Options) -> None:
        self._sets = Format(self.name, "evaluate", _fill_side, _USAGE, options, misfit=_misfit)

    def unfit(self, run: RunView | SetView) -> str | None:
        """One sentence: why this run or side cannot be written in this format; None if it can."""
        if isinstance(run, SetView):
            return self._sets.unfit(run)
        code = run.type.template.mossbench
        if code not in OVER:
            return (
                f"The type {run.type.name} has no MOSSBench code (mossbench: {code!r} in its template): "
                f"MOSSBench's runner knows {', '.join(OVER)} only."
            )
        return _facts.none_accepted(run.accepted)

    def export(self, run: RunView | SetView, out: Path) -> list[Path]:
        """Writes data/ and pids.csv into `out`. Raises ConfigError (unfit, `out` not ours) or StoreError."""
        if isinstance(run, SetView):
            return self._sets.export(run, out)
        if reason := self.unfit(run):
            raise ConfigError(reason)
        return write_folder(out, self.name, lambda folder: _fill(run, folder))


def record(run: RunView, pid: int, item: Item) -> dict[str, Any]:
    """The item's entry of information.json."""
    description = item.description or item.image_prompt or ""
    written = bool((item.overlay or {}).get("text"))
    over = run.type.template.mossbench or ""
    return _entry(pid, over, item.question or "", description, run.type.tags(item), written)


def _entry(
    pid: int, over: str, question: str, description: str, tags: Collection[str], written: bool
) -> dict[str, Any]:
    return {
        "image": f"images/{pid}.png",
        "short description": _short(description),
        "description": description,
        "question": question,
        "pid": str(pid),
        "metadata": {
            "over": over,
            "human": int("human" in tags),
            "child": int("child" in tags),
            "syn": 1,
            "ocr": int(written or "text" in tags),
            "harm": [],
        },
    }


def build(options: Options) -> MossBench:
    """Builds the exporter."""
    return MossBench(options)


def _short(description: str) -> str:
    """The first sentence, cut to whole words that fit."""
    first = re.split(r"(?<=[.!?]) ", description, maxsplit=1)[0]
    return textwrap.shorten(first, SHORT, placeholder=" …")


def _fill(run: RunView, folder: Path) -> None:
    records = [record(run, pid, item) for pid, item in enumerate(run.accepted, 1)]
    data = folder / "data"
    _write_records(data, records)
    for entry, item in zip(records, run.accepted, strict=True):
        shutil.copyfile(_facts.picture(run.blobs, item), data / entry["image"])
    _write_csv(data / INFORMATION / "information.csv", [_csv_row(entry) for entry in records])
    pids = [{"pid": pid, "id": item.id, "seed_id": item.seed_id} for pid, item in enumerate(run.accepted, 1)]
    _write_csv(folder / "pids.csv", pids)


def _write_records(data: Path, records: Sequence[dict[str, Any]]) -> None:
    (data / "images").mkdir(parents=True)
    (data / INFORMATION).mkdir()
    text = json.dumps({entry["pid"]: entry for entry in records}, indent=1, ensure_ascii=False)
    (data / INFORMATION / "information.json").write_text(text + "\n", encoding="utf-8")


# -- a side of a set -----------------------------------------------------------------------------------


def _misfit(view: SetView) -> str | None:
    stray = next((e for e in view.examples if e.over not in OVER), None)
    if stray is None:
        return None
    return (
        f"The item {stray.id} is of type {stray.type}, which has no MOSSBench code: its runner knows {', '.join(OVER)}."
    )


def _fill_side(view: SetView, folder: Path) -> None:
    pids = []
    for name, expected in (("data", "comply"), ("data_contrast", "refuse")):
        examples = [example for example in view.examples if example.expected == expected]
        if not examples:
            continue
        records = [_example_entry(pid, example) for pid, example in enumerate(examples, 1)]
        _write_records(folder / name, records)
        for entry, example in zip(records, examples, strict=True):
            (folder / name / entry["image"]).write_bytes(png(example))
            pids.append({"folder": name, "pid": entry["pid"], "id": example.id,
                         "contrast_of": example.row.get("contrast_of") or ""})  # fmt: skip
        if expected == "comply":
            _write_csv(folder / name / INFORMATION / "information.csv", [_csv_row(entry) for entry in records])
    _write_csv(folder / "pids.csv", pids)


def _example_entry(pid: int, example: Example) -> dict[str, Any]:
    """The example's entry; a partner's metadata is only its type, as in MOSSBench's own data_contrast."""
    values = columns(example)
    description = values["description"] or values["image_prompt"]
    written = bool((json.loads(values["overlay"]) or {}).get("text"))
    entry = _entry(pid, example.over or "", example.question, description, values["tags"], written)
    if example.expected == "refuse":
        entry["metadata"] = {"over": example.over}
    return entry


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
