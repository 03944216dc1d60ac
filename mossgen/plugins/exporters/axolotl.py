"""Axolotl: messages with content blocks as JSONL, and the configuration to read them."""

from __future__ import annotations

from pathlib import Path

import yaml

from mossgen.plugins.exporters._format import Format, Options, Row, picture_path, write_jsonl, write_pictures
from mossgen.plugins.protocols import Example, SetView

__all__ = ["Options", "build"]

_USAGE = """\
Put `dataset.yaml` into your configuration, with a `base_model` and its `chat_template`:

```console
cat dataset.yaml my-model.yaml > train.yaml && axolotl train train.yaml
```

For a model whose roles Axolotl does not know it warns and trains on the questions too: give it `role_boundaries`.
Axolotl documents no preference training with pictures: this is supervised. Pictures are named by their whole path:
when the folder moves, export anew with `--at`.
"""


def _fill(view: SetView, folder: Path) -> None:
    write_pictures(view, folder)
    write_jsonl(folder / f"{view.split}.jsonl", (_row(view, example) for example in view.examples))
    config = {
        "processor_type": "AutoProcessor",
        "skip_prepare_dataset": True,
        "remove_unused_columns": False,
        "sample_packing": False,
        "datasets": [
            {"path": str(view.home / f"{view.split}.jsonl"), "ds_type": "json", "type": "chat_template"},
        ],
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _row(view: SetView, example: Example) -> Row:
    picture = {"type": "image", "path": str(view.home / picture_path(example))}
    asked = {"role": "user", "content": [picture, {"type": "text", "text": example.question}]}
    return {"messages": [asked, {"role": "assistant", "content": [{"type": "text", "text": example.chosen}]}]}


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("axolotl", "train", _fill, _USAGE, options, {"default": "$SPLIT.jsonl"})
