"""Converts a set to tables of other libraries, and to the small table that a notebook shows."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mossgen.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 96  # pixels of a thumbnail
SHORT = 300  # characters of a cell of the table that a notebook shows
Row = Mapping[str, Any]


def to_pandas(rows: Sequence[Row]) -> Any:
    """The rows as a pandas DataFrame. Raises ConfigError if pandas is not installed."""
    try:
        import pandas
    except ImportError:
        raise ConfigError("A DataFrame needs pandas: pip install pandas.") from None
    return pandas.DataFrame(list(rows))


def to_datasets(rows: Sequence[Row], pictures: Sequence[bytes | None]) -> Any:
    """The rows as a `datasets.Dataset` with a column `image`. Raises ConfigError if datasets is not installed."""
    try:
        import datasets
    except ImportError:
        raise ConfigError("A Dataset of the Hub's library needs datasets: pip install datasets.") from None
    cells = [None if data is None else {"bytes": data, "path": None} for data in pictures]
    whole = [{"image": cell, **row} for cell, row in zip(cells, rows, strict=True)]
    return datasets.Dataset.from_list(whole).cast_column("image", datasets.Image())


def html_table(title: str, rows: Sequence[Row], pictures: Sequence[Image | None], more: int) -> str:
    """An HTML table of the rows with thumbnails, all text escaped; says that `more` rows are not shown."""
    columns = list(rows[0]) if rows else []
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("", *columns))
    body = "".join(
        f"<tr><td>{_thumbnail(picture)}</td>{''.join(f'<td>{_cell(row[name])}</td>' for name in columns)}</tr>"
        for row, picture in zip(rows, pictures, strict=True)
    )
    rest = f"<p>and {more} more</p>" if more else ""
    return f"<p>{html.escape(title)}</p><table><tr>{head}</tr>{body}</table>{rest}"


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return html.escape(text if len(text) <= SHORT else f"{text[:SHORT]}…")


def _thumbnail(picture: Image | None) -> str:
    if picture is None:
        return ""
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
