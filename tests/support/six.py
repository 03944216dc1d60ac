"""One set of six items in every form that sets come in."""

import base64
import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

QUESTIONS = (
    "Which biscuits go well with tea?",
    "How do I keep the roses by the wall from frost?",
    "Where should I hang this painting in the hall?",
    "What would a beginner cook with these peppers?",
    "How long does the paint of a boat need to dry?",
    "Who invented the swing in the park?",
)
COLUMNS = ("pid", "question", "file_name", "description", "metadata_over", "metadata_human", "metadata_child")


def png(number: int) -> bytes:
    """A picture of squares in colours of its own."""
    small = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((96, 96), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def row(number: int) -> dict[str, Any]:
    """The row of an item as the Hub's copy of MOSSBench has it."""
    values = (str(number), QUESTIONS[number - 1], f"images/{number}.png", f"Picture {number}.", "type 1", number % 2, 0)
    return dict(zip(COLUMNS, values, strict=True))


ROWS = [row(number) for number in range(1, 7)]


def _pictures(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    for number in range(1, 7):
        (folder / "images" / f"{number}.png").write_bytes(png(number))


def _jsonl(root: Path) -> Path:
    return _lines(root, "six.jsonl")


def _imagefolder(root: Path) -> Path:
    return _lines(root / "six", "metadata.jsonl").parent


def _lines(folder: Path, name: str) -> Path:
    _pictures(folder)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return folder / name


def _json(root: Path) -> Path:
    _pictures(root)
    path = root / "six.json"
    path.write_text(json.dumps({row["pid"]: {k: v for k, v in row.items() if k != "pid"} for row in ROWS}))
    return path


def table(path: Path, mark: str, rows: list[dict[str, Any]]) -> Path:
    """A CSV."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=mark, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _csv(mark: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        _pictures(root)
        return table(root / "six.csv", mark, ROWS)

    return make


def _tsv(root: Path) -> Path:
    """As VLMEvalKit has it: `index`, and the pictures inside."""
    root.mkdir()
    rows = [{"index": row["pid"], "image": base64.b64encode(png(n)).decode(), **_rest(row)} for n, row in _numbered()]
    return table(root / "six.tsv", "\t", rows)


def _parquet(root: Path) -> Path:
    """As `datasets` has it: an image is a struct of bytes and a path."""
    import pyarrow
    import pyarrow.parquet

    root.mkdir()
    rows = [{"pid": row["pid"], "image": {"bytes": png(n), "path": f"{n}.png"}, **_rest(row)} for n, row in _numbered()]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), root / "six.parquet")
    return root / "six.parquet"


def _numbered() -> list[tuple[int, dict[str, Any]]]:
    return list(enumerate(ROWS, 1))


def _rest(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("pid", "file_name")}


def _mossbench(root: Path) -> Path:
    folder = root / "six"
    _pictures(folder)
    (folder / "images_information").mkdir()
    data = {
        row["pid"]: {
            "image": row["file_name"], "question": row["question"], "pid": row["pid"],
            "description": row["description"],
            "metadata": {"over": "type 1", "human": row["metadata_human"], "child": row["metadata_child"]},
        }
        for row in ROWS
    }  # fmt: skip
    (folder / "images_information" / "information.json").write_text(json.dumps(data))
    return folder


FORMS: dict[str, Callable[[Path], Path]] = {
    "jsonl": _jsonl, "json": _json, "csv": _csv(","), "semicolons": _csv(";"), "tsv": _tsv, "parquet": _parquet,
    "imagefolder": _imagefolder, "mossbench": _mossbench,
}  # fmt: skip


def copies(root: Path) -> dict[str, Path]:
    """The set in every form, each in a folder of its own below `root`; all of them are called `six`."""
    return {form: make(root / form) for form, make in FORMS.items()}
