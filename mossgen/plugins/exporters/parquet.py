"""Parquet with an Image column, a dataset card and Croissant 1.1, for the Hub and Croissant readers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mossgen.files.disk import sha256
from mossgen.plugins.exporters import _croissant
from mossgen.plugins.exporters._columns import KINDS
from mossgen.plugins.exporters._format import Format, write_json
from mossgen.plugins.exporters._parquet import with_image, write_parquet
from mossgen.plugins.protocols import SetView

_USAGE = """\
```python
from datasets import load_dataset

items = load_dataset(".", split="$SPLIT")
items[0]["image"], items[0]["question"], items[0]["expected"]
```

`expected` is `comply`, or `refuse` in a harmful partner of the item `contrast_of`. `croissant.json` describes the same
file for readers of Croissant 1.1:

```python
import mlcroissant

records = mlcroissant.Dataset("croissant.json").records("items")
```
"""


class Options(_croissant.Options):
    """The data's licence, and the fields that Croissant needs."""


def _fill(view: SetView, folder: Path, options: Options) -> None:
    path = write_parquet(view, folder, KINDS, with_image)
    digest = sha256(path)
    about: dict[str, Any] = _croissant.describe(view, options, path.relative_to(folder).as_posix(), digest)
    write_json(folder / "croissant.json", about)


def build(options: Options) -> Format:
    """Builds the exporter."""
    fill = partial(_fill, options=options)
    return Format("parquet", "evaluate", fill, _USAGE, options, {"default": "data/$SPLIT-*.parquet"}, readable=True)
