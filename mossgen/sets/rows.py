"""Converts one row of any set to a Record; an error in the row becomes the record's `problem`."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mossgen.core.items import Decision, Verdict, encodable
from mossgen.files.pictures import MAX_PICTURE_BYTES, data_url, is_file, shortened
from mossgen.files.tables import IDS, QUESTIONS
from mossgen.sets.dataset import Picture, Record
from mossgen.stimulus.types import type_names

MAX_QUESTION = 4_000  # characters: a longer text is not taken as a question about a picture
MOSSBENCH_TYPES = {"type 1": "exaggerated_risk", "type 2": "negated_harm", "type 3": "counterintuitive"}
MOSSBENCH_COLUMNS = ("metadata_over", "over")  # columns of the code in the copy on the Hub and in our exports
MOSSBENCH_CODES = tuple(MOSSBENCH_TYPES)  # compared by equality: a cell may hold anything
PICTURES = ("file_name", "image", "image_path")  # columns of a picture; the first found counts
PLACES = {"human": "human", "child": "child", "text": "ocr"}  # a fact, and MOSSBench's name for it
MARKED = "contrast-"  # prefix of ids from MOSSBench's data_contrast, when read together with data
_BASE64 = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")  # how PNG, JPEG, GIF and WEBP begin


def read_row(
    row: Any, number: int, name: str, folder: Path, type_name: str | None = None, bases: Sequence[Path] = ()
) -> Record:
    """The row as a record, with the default id `name` and the default type `type_name`.

    `type_name` is used if the row states no type of ours. Its picture may be in `folder` or below it. As some copies
    have other subfolders, the picture is also looked for by its bare name in `bases`.
    """
    if not isinstance(row, dict):
        return Record(id=name, number=number, type=type_name, problem="not an object.", row=row)
    question = next((encodable(str(row[key])) for key in QUESTIONS if row.get(key) not in (None, "")), "")
    picture, problem = _picture(row, folder, (folder, *bases))
    if not question.strip():
        problem = f"it has no question (wanted one of {', '.join(QUESTIONS)})."
    elif len(question) > MAX_QUESTION:
        problem = f"its question has {len(question):,} characters, more than {MAX_QUESTION:,}."
    if not name.startswith(MARKED):
        name = next((encodable(str(row[key])) for key in IDS if row.get(key) not in (None, "")), name)
    slots, overlay = _object(row.get("slots")), _object(row.get("overlay")) or None
    return Record(
        id=name, number=number, question=question[:MAX_QUESTION], type=_type(row, type_name), picture=picture,
        expected="refuse" if row.get("expected") == "refuse" or name.startswith(MARKED) else "comply",
        category=_text(row.get("category")), description=_text(row.get("description")),
        slots=slots if all(isinstance(v, str) for v in slots.values()) else {}, overlay=overlay,
        facts=_facts(row, overlay), row=row, contrast_of=_text(row.get("contrast_of")), lineage=_lineage(row),
        verdicts=_verdicts(row), provenance=_object(row.get("provenance")), problem=problem,
    )  # fmt: skip


def _text(value: Any) -> str:
    return encodable(str(value or ""))


def _type(row: Mapping[str, Any], type_name: str | None) -> str | None:
    """The row's own type if it comes with mossgen, else the given type, else the stated name.

    A stated name only groups items: it never leads to a file.
    """
    coded = next((MOSSBENCH_TYPES[code] for code in _codes(row) if code in MOSSBENCH_CODES), None)
    stated = row.get("type")
    if not isinstance(stated, str) or not stated or stated.endswith((".yaml", ".yml")):
        return coded or type_name
    return stated if stated in type_names() else coded or type_name or encodable(stated)


def _codes(row: Mapping[str, Any]) -> list[Any]:
    metadata = row.get("metadata")
    nested = str(metadata.get("over")) if isinstance(metadata, dict) else None
    return [nested, *(row.get(column) for column in MOSSBENCH_COLUMNS)]


def _object(value: Any) -> dict[str, Any]:
    """A mapping in a column, as a value or as JSON text; empty if there is none."""
    value = _loaded(value)
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any] | None:
    value = _loaded(value)
    return value if isinstance(value, list) else None


def _loaded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _lineage(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [source for source in _list(row.get("lineage")) or [] if isinstance(source, dict)]


def _verdicts(row: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts of checkers, if the row has them in our format."""
    try:
        return [
            Verdict(str(v["checker"]), Decision(v["decision"]), str(v["reason"]), v.get("score"))
            for v in _list(row.get("verdicts")) or []
        ]
    except (TypeError, KeyError, ValueError, AttributeError):
        return []


def _facts(row: Mapping[str, Any], overlay: Mapping[str, Any] | None) -> dict[str, Any]:
    """The facts, from MOSSBench's metadata (nested, or columns of its Hub copy) or from our tags and overlay."""
    metadata = row.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {key.removeprefix("metadata_"): row[key] for key in row if str(key).startswith("metadata_")}
    tags = _list(row.get("tags"))
    form = {"form": str(overlay["form"])} if overlay and overlay.get("form") else {}
    if tags is not None:
        written = bool(overlay and overlay.get("text"))
        return {fact: fact in tags or (fact == "text" and written) for fact in PLACES} | form
    return {fact: _said(metadata[name]) for fact, name in PLACES.items() if name in metadata} | form


def _said(value: Any) -> bool:
    """A flag as bool; a CSV holds it as text."""
    return value not in ("0", "0.0", "False", "false") and bool(value)


# -- pictures --------------------------------------------------------------------------------------------


def _picture(row: Mapping[str, Any], folder: Path, bases: Sequence[Path]) -> tuple[Picture, str | None]:
    """The row's picture, and the reason if it cannot be used."""
    given: Any = next((row[key] for key in PICTURES if row.get(key)), None)
    if isinstance(given, dict):  # the form of an image in `datasets`
        given = given.get("bytes") or given.get("path")
    if isinstance(given, bytes):
        too_large = len(given) > MAX_PICTURE_BYTES
        return (None, f"its picture is larger than {MAX_PICTURE_BYTES:,} bytes.") if too_large else (given, None)
    if not isinstance(given, str) or not given:
        return None, f"it names no picture (wanted one of {', '.join(PICTURES)})."
    if given.startswith("data:"):
        return data_url(given)
    if given.startswith(_BASE64) and (data := _decoded(given)):
        return data, None
    return _file(given, folder, bases)


def _decoded(given: str) -> bytes | None:
    """The picture in a base64 cell; None if the text is no picture."""
    if len(given) > MAX_PICTURE_BYTES:
        return None
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return None


def _file(given: str, folder: Path, bases: Sequence[Path]) -> tuple[Picture, str | None]:
    path = folder / given
    found = next((p for p in (path, *(base / path.name for base in bases)) if is_file(p)), path)
    # a foreign table must not read other files of this disk; links are followed, as hub caches use them
    if not Path(os.path.normpath(found)).is_relative_to(os.path.normpath(folder)):
        return None, f"its picture {shortened(given)!r} lies outside the set's folder."
    return found, None if is_file(found) else f"{shortened(str(found))}: there is no such picture."
