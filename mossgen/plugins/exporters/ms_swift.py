"""ms-swift: sft.jsonl, dpo.jsonl and kto.jsonl, read without registration."""

from __future__ import annotations

from pathlib import Path

from mossgen.plugins.exporters._format import Format, Options, Row, picture_path, tagged, write_jsonl, write_pictures
from mossgen.plugins.protocols import Example, SetView

__all__ = ["Options", "build"]

_USAGE = """\
```console
export ROOT_IMAGE_DIR=$PWD
swift sft --dataset sft.jsonl --model …
swift rlhf --rlhf_type dpo --dataset dpo.jsonl --model …
swift rlhf --rlhf_type kto --dataset kto.jsonl --model … --gradient_accumulation_steps 1
```

Pictures are named from this folder, which ms-swift learns by `ROOT_IMAGE_DIR`: so the folder may be moved.
"""


def _fill(view: SetView, folder: Path) -> None:
    write_pictures(view, folder)
    write_jsonl(folder / "sft.jsonl", (_row(e, e.chosen) for e in view.examples))
    write_jsonl(folder / "dpo.jsonl", ({**_row(e, e.chosen), "rejected_response": e.rejected} for e in view.examples))
    labelled = ((e, text, label) for e in view.examples for text, label in ((e.chosen, True), (e.rejected, False)))
    write_jsonl(folder / "kto.jsonl", ({**_row(e, text), "label": label} for e, text, label in labelled))


def _row(example: Example, answer: str | None) -> Row:
    asked = {"role": "user", "content": f"<image>{example.question}"}
    return {"messages": [asked, {"role": "assistant", "content": answer}], "images": [picture_path(example)]}


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("ms-swift", "train", _fill, _USAGE, options, {"default": "sft.jsonl"}, misfit=tagged)
