"""Parquet with pictures that `datasets` decodes: plain pyarrow, with the Hub's features in the metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError
from mossgen.plugins.exporters._columns import columns
from mossgen.plugins.exporters._format import png
from mossgen.plugins.protocols import Example, SetView

ROWS = 100  # per row group: few, since each row holds a picture
_TEXT: dict[str, Any] = {"dtype": "string", "_type": "Value"}
_BLOCKS = {"_type": "List", "feature": {"type": _TEXT, "text": _TEXT}}  # text is null in an image's block
# kind of column -> the feature of `datasets`, https://huggingface.co/docs/datasets/about_dataset_features
FEATURES: Mapping[str, Any] = {
    "text": _TEXT,
    "texts": {"_type": "List", "feature": _TEXT},
    "flag": {"dtype": "bool", "_type": "Value"},
    "image": {"_type": "Image"},
    "images": {"_type": "List", "feature": {"_type": "Image"}},
    "messages": {"_type": "List", "feature": {"role": _TEXT, "content": _BLOCKS}},
}


def write_parquet(
    view: SetView, folder: Path, kinds: Mapping[str, str], rows: Callable[[Example], Sequence[Mapping[str, Any]]]
) -> Path:
    """Writes data/<split>-00000-of-00001.parquet in `folder`: the `rows` of each example, with column `kinds`.

    Raises ConfigError if pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError("This format writes Parquet, which needs pyarrow: pip install 'mossgen[export]'.") from None

    types = _types(pa)
    features = {name: FEATURES[kind] for name, kind in kinds.items()}
    note = json.dumps({"info": {"features": features}})
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()], metadata={"huggingface": note})
    path = folder / "data" / f"{view.split}-00000-of-00001.parquet"
    path.parent.mkdir(exist_ok=True)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(view.examples), ROWS):  # only one group's pictures in memory
            group = [row for example in view.examples[start : start + ROWS] for row in rows(example)]
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    return path


def cell(example: Example) -> dict[str, Any]:
    """The picture as a value of an Image column."""
    return {"bytes": png(example), "path": example.file_name}


def with_image(example: Example) -> list[dict[str, Any]]:
    """The single row of an example in an evaluation file: the picture and the columns."""
    return [{"image": cell(example), **columns(example)}]


def _types(pa: Any) -> dict[str, Any]:
    text = pa.string()
    image = pa.struct([("bytes", pa.binary()), ("path", text)])
    blocks = pa.list_(pa.struct([("type", text), ("text", text)]))
    return {
        "text": text,
        "texts": pa.list_(text),
        "flag": pa.bool_(),
        "image": image,
        "images": pa.list_(image),
        "messages": pa.list_(pa.struct([("role", text), ("content", blocks)])),
    }
