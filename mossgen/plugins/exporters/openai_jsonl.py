"""OpenAI's chat messages as JSONL with pictures as data URIs, for OpenAI's fine-tuning and many other tools."""

from __future__ import annotations

from pathlib import Path

from mossgen.plugins.exporters._format import Format, Options, Row, data_uri, write_jsonl
from mossgen.plugins.protocols import Example, SetView

__all__ = ["Options", "build"]

_USAGE = """\
```console
openai api files.create -f $SPLIT.jsonl -p fine-tune
swift sft --dataset $SPLIT.jsonl --model …
```

One file holds everything. OpenAI's own fine-tuning refuses some pictures of people, and says which.
"""


def _fill(view: SetView, folder: Path) -> None:
    write_jsonl(folder / f"{view.split}.jsonl", (_row(example) for example in view.examples))


def _row(example: Example) -> Row:
    picture = {"type": "image_url", "image_url": {"url": data_uri(example)}}
    asked = {"role": "user", "content": [{"type": "text", "text": example.question}, picture]}
    return {"messages": [asked, {"role": "assistant", "content": example.chosen}]}


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("openai-jsonl", "train", _fill, _USAGE, options, {"default": "$SPLIT.jsonl"})
