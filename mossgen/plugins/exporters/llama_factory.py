"""LLaMA-Factory: sft.json, dpo.json and kto.json with their dataset_info.json; set `dataset_dir` to the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mossgen.plugins.exporters._format import Format, Options, Row, picture_path, tagged, write_json, write_pictures
from mossgen.plugins.protocols import Example, SetView

__all__ = ["Options", "build"]

_USAGE = """\
```console
llamafactory-cli train --stage sft --dataset $NAME_sft --dataset_dir . --media_dir . --model_name_or_path …
llamafactory-cli train --stage dpo --dataset $NAME_dpo --dataset_dir . --media_dir . --model_name_or_path …
llamafactory-cli train --stage kto --dataset $NAME_kto --dataset_dir . --media_dir . --model_name_or_path …
```
"""
_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
_COLUMNS = {"messages": "messages", "images": "images"}
_INFO: dict[str, dict[str, Any]] = {
    "sft": {"columns": _COLUMNS},
    "dpo": {"ranking": True, "columns": {**_COLUMNS, "chosen": "chosen", "rejected": "rejected"}},
    "kto": {"columns": {**_COLUMNS, "kto_tag": "kto_tag"}},
}


def _fill(view: SetView, folder: Path) -> None:
    write_pictures(view, folder)
    write_json(folder / "sft.json", [_row(e, _said(e.chosen)) for e in view.examples])
    write_json(
        folder / "dpo.json",
        [{**_row(e), "chosen": _said(e.chosen), "rejected": _said(e.rejected)} for e in view.examples],
    )
    labelled = [(e, text, label) for e in view.examples for text, label in ((e.chosen, True), (e.rejected, False))]
    write_json(folder / "kto.json", [{**_row(e, _said(text)), "kto_tag": label} for e, text, label in labelled])
    write_json(
        folder / "dataset_info.json",
        {
            f"{view.name}_{kind}": {"file_name": f"{kind}.json", "formatting": "sharegpt", **info, "tags": _TAGS}
            for kind, info in _INFO.items()
        },
    )


def _row(example: Example, *answer: Row) -> Row:
    asked = {"role": "user", "content": f"<image>{example.question}"}
    return {"messages": [asked, *answer], "images": [picture_path(example)]}


def _said(text: str | None) -> Row:
    return {"role": "assistant", "content": text}


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("llama-factory", "train", _fill, _USAGE, options, {"default": "sft.json"}, misfit=tagged)
