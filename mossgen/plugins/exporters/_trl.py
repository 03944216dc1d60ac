"""What the three TRL formats share: conversations of content blocks, as Parquet with pictures and as JSONL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mossgen.plugins.exporters._format import Format, Options, Row, picture_path, write_jsonl, write_pictures
from mossgen.plugins.exporters._parquet import cell, write_parquet
from mossgen.plugins.protocols import Example, SetView

_USAGE = """\
```python
from datasets import load_dataset
from trl import {trainer}Config, {trainer}Trainer

rows = load_dataset(".", split="$SPLIT")  # `images` are PIL pictures
trainer = {trainer}Trainer(MODEL, args={trainer}Config(max_length=None), train_dataset=rows)
```

`max_length=None`, since truncation would cut the picture's tokens. `$SPLIT.jsonl` with `images/` holds the same rows.
"""


def trl_format(
    name: str, trainer: str, options: Options, kinds: Mapping[str, str], rows: Callable[[Example], Sequence[Row]]
) -> Format:
    """Builds a TRL format; `kinds` and `rows` define its columns other than id and picture."""
    fill = partial(_fill, kinds={"id": "text", "images": "images", **kinds}, rows=rows)
    usage = _USAGE.format(trainer=trainer)
    return Format(name, "train", fill, usage, options, {"default": "data/$SPLIT-*.parquet"})


def prompt(example: Example) -> list[Row]:
    """The user's turn: the picture, then the question."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": example.question}]}]


def reply(text: str | None) -> list[Row]:
    """The assistant's turn."""
    return [{"role": "assistant", "content": [{"type": "text", "text": text}]}]


def _fill(view: SetView, folder: Path, kinds: Mapping[str, str], rows: Callable[[Example], Sequence[Row]]) -> None:
    def with_picture(example: Example, picture: Any) -> list[Row]:
        return [{"id": example.id, "images": [picture], **row} for row in rows(example)]

    write_pictures(view, folder)
    texts = (row for example in view.examples for row in with_picture(example, picture_path(example)))
    write_jsonl(folder / f"{view.split}.jsonl", texts)
    write_parquet(view, folder, kinds, lambda example: with_picture(example, cell(example)))
