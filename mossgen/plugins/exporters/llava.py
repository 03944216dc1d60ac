"""LLaVA: one JSON file of conversations between `human` and `gpt`; pictures under `--image_folder`."""

from __future__ import annotations

from pathlib import Path

from mossgen.plugins.exporters._format import Format, Options, Row, tagged, write_json, write_pictures
from mossgen.plugins.protocols import Example, SetView

__all__ = ["Options", "build"]

_USAGE = """\
```console
python llava/train/train_mem.py --data_path $SPLIT.json --image_folder images …
```
"""


def _fill(view: SetView, folder: Path) -> None:
    write_pictures(view, folder)
    write_json(folder / f"{view.split}.json", [_row(example) for example in view.examples])


def _row(example: Example) -> Row:
    turns = [("human", f"<image>\n{example.question}"), ("gpt", example.chosen)]
    conversation = [{"from": who, "value": text} for who, text in turns]
    return {"id": example.id, "image": example.file_name, "conversations": conversation}


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("llava", "train", _fill, _USAGE, options, {"default": "$SPLIT.json"}, misfit=tagged)
