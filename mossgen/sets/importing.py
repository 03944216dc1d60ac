"""Imports other people's sets as named reference sets, without loss and with their licence.

    REF/reference.json     {"format", "name", "kind", "source", "licence", "test_only", "items", "missing_images", …}
        items.jsonl        one line per item: id, question, type, image, and `record` (the original row)
        images/            its pictures, named by their sha256

`record` is never interpreted (lists, opaque codes and keys with spaces stay unchanged), so that `write_back` gives
the same JSON. Missing and unreadable pictures are counted; their items still count by their questions.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError
from mossgen.files.disk import read_text
from mossgen.files.folders import write_folder
from mossgen.files.tables import DELIMITERS, delimiter
from mossgen.sets import lineage
from mossgen.sets.dataset import Record
from mossgen.sets.lineage import MAX_BYTES
from mossgen.sets.open import INFORMATION, is_mossbench, open_set
from mossgen.sets.references import FOLDER, ITEMS, REFERENCE, imported_picture, read_imported
from mossgen.stimulus.types import type_names

FORMATS = ("mossbench", "imagefolder", "jsonl")
IMPORTABLE = ("mossbench", "export", "imagefolder", "table")  # kinds of sets; the others are mossgen's own
SUFFIXES = (".jsonl", ".csv")  # of tables that can be written back unchanged
# as MOSSBench's authors state; --licence and --trainable override it for other sets in that format
MOSSBENCH_LICENCE = "CC-BY-SA-4.0; a test set: using it as a training set is prohibited"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LICENCE = re.compile(r"(?im)^license:\s*['\"]?([^'\"\n#]+)")
_FORBIDS_TRAINING = re.compile(
    r"(?is)\b(prohibit\w*|forbidden|not (be )?(allowed|permitted|used)|must not|may not|never|do not)\b"
    r"[^.]{0,80}\btrain"
    r"|\btrain\w*\b[^.]{0,80}\b(prohibited|forbidden|not (allowed|permitted))|\b(test|evaluation)[- ](set )?only\b"
)


@dataclass(frozen=True)
class ImportedSet:
    """The result of an import; `missing` and `problems` name items that are incomplete."""

    folder: Path
    name: str
    items: int
    missing: tuple[str, ...]
    problems: dict[str, str]
    licence: str
    test_only: bool


def import_set(
    kind: str,
    source: Path,
    name: str,
    licence: str | None = None,
    test_only: bool | None = None,
    out: Path | None = None,
) -> ImportedSet:
    """Imports the set at `source` as the reference set `name`, in generated/references/NAME or `out`.

    If one row must not be trained on, the whole set must not be, whatever `test_only` says.

    Raises ConfigError (no such set, a line that is no JSON, no licence stated or given), StoreError from the disk.
    """
    if kind not in FORMATS:
        raise ConfigError(f"{kind!r} is no format that can be imported: use one of {', '.join(FORMATS)}.")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"`name` {name!r}: use up to 64 letters, digits, dots, dashes and underscores.")
    root = source if source.is_dir() else source.parent
    records = _records(kind, source)
    stated, forbids = (MOSSBENCH_LICENCE, True) if kind == "mossbench" else stated_licence(root)
    barred = next((why for record in records if (why := _barred(record))), None)
    if barred and test_only is False:
        raise ConfigError(f"{source} may not be trained on, though `test_only` is False: {barred}")
    licence, test_only = licence or stated, bool(barred) or (forbids if test_only is None else test_only)
    if not licence:
        raise ConfigError(f"{source} states no licence (no `license:` in a README.md): give it as `licence`.")
    folder = out or FOLDER / name
    head = {
        "format": 1, "name": name, "kind": kind, "source": source.resolve().name, "licence": licence,
        "test_only": test_only,
    }  # fmt: skip
    write_folder(folder, "reference", lambda stage: _fill(stage, head, records, root))
    made, _ = read_imported(folder)
    return ImportedSet(folder, name, made["items"], tuple(made["missing_images"]), made["problems"], licence, test_only)


def _barred(record: Record) -> str | None:
    """A sentence that says why the record's own row forbids training on it; None if it does not."""
    side = record.row.get("side")
    if side in lineage.SIDES and side not in lineage.TRAINABLE:
        return f"item {record.id} is of a side that is held out ({side})."
    sources = [source for source in record.lineage if source.get("role") != "kept_away"]
    first = next((source for source in sources if source.get("test_only") is not False), None)
    return f"item {record.id} comes from {first.get('name')!r}, which is for testing only." if first else None


def stated_licence(root: Path) -> tuple[str, bool]:
    """The licence in a set's README or LICENSE (empty if none), and whether those texts forbid training on it."""
    texts = [
        read_text(file, MAX_BYTES, ConfigError)
        for file in (root / "README.md", root / "LICENSE", root / "LICENSE.txt", root / "LICENSE.md")
        if file.is_file()
    ]
    found = next((match for text in texts if (match := _LICENCE.search(text))), None)
    first = next((line.strip("# ") for text in texts[1:] for line in text.splitlines() if line.strip()), "")
    return (found[1].strip() if found else first), any(_FORBIDS_TRAINING.search(text) for text in texts)


def write_back(reference: Path, out: Path) -> list[Path]:
    """Restores an imported set: the same files with the same JSON, and the pictures that were found.

    Raises ConfigError (no imported set, `out` holds files of others), StoreError.
    """
    if not (reference / REFERENCE).is_file():
        raise ConfigError(f"{reference} is no imported set (it has no {REFERENCE}): make one with `mossgen import`.")
    head, rows = read_imported(reference)
    return write_folder(out, "written-back", lambda stage: _restore(stage, reference, head, rows))


def problems(reference: Path) -> list[str]:
    """What was altered or lost in an imported set, each in a sentence."""
    try:
        _, rows = read_imported(reference)
    except ConfigError as error:
        return [str(error)]
    found = []
    for row in rows:
        try:
            if row["image"]:
                imported_picture(reference, row)
        except ConfigError as error:
            found.append(str(error))
    return found


# -- reading -------------------------------------------------------------------------------------------


def _records(kind: str, source: Path) -> Sequence[Record]:
    """The rows of the set.

    Raises ConfigError if the set has another format, or a row could not be kept without loss.
    """
    if kind == "mossbench" and not is_mossbench(source):
        raise ConfigError(f"{source}: no MOSSBench folder: there is no {INFORMATION} in it, its data or data_contrast.")
    found = open_set(source)
    if found.kind not in IMPORTABLE:
        raise ConfigError(f"{source} is a {found.kind} of mossgen, and no set of somebody else: use it as it is.")
    records = found.records
    for record in records:
        if record.file is None or (kind != "mossbench" and record.file.suffix not in SUFFIXES):
            raise ConfigError(
                f"{record.file or source}: as {kind} only what can be written back as it was is imported: a metadata "
                f"file in a folder, or a file, that ends in {' or '.join(SUFFIXES)}."
            )
        if not isinstance(record.row, dict) or None in record.row:
            why = record.problem if isinstance(record.row, str) else "more cells than columns, or no object."
            raise ConfigError(f"{record.file}, {why} Mend {record.id}, then import again.")
    return records


def _rows(records: Sequence[Record], root: Path, images: Path) -> Iterator[dict[str, Any]]:
    """The items.jsonl row of each record; writes its picture into the folder `images`, one at a time."""
    for record in records:
        data, problem = _picture(record)
        image = f"{hashlib.sha256(data).hexdigest()}{_suffix(record)}" if data else None
        if data and image:
            (images / image).write_bytes(data)
        yield {
            "id": record.id,
            "question": record.question,
            "type": record.type if record.type in type_names() else None,
            "image": f"{images.name}/{image}" if image else None,
            "path": _inside(record.picture, root) if image and isinstance(record.picture, Path) else None,
            "file": _inside(record.file or root, root),
            "key": record.key,
            "problem": problem or record.problem,
            "record": record.row,
        }


def _inside(path: Path, root: Path) -> str:
    return Path(os.path.normpath(path)).relative_to(os.path.normpath(root)).as_posix()


def _suffix(record: Record) -> str:
    suffix = record.picture.suffix.lower() if isinstance(record.picture, Path) else ""
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ".bin"


def _picture(record: Record) -> tuple[bytes | None, str | None]:
    """The picture file, or the reason why it cannot be read."""
    if record.picture is None:
        return None, record.problem or "it names no picture."
    try:
        record.open()
        return record.picture_bytes(), None
    except ConfigError as error:
        return None, str(error)


# -- writing -------------------------------------------------------------------------------------------


def _fill(stage: Path, head: dict[str, Any], records: Sequence[Record], root: Path) -> None:
    (stage / "images").mkdir()
    rows = list(_rows(records, root, stage / "images"))
    files = sorted({row["file"] for row in rows})
    text = "".join(json.dumps(row) + "\n" for row in rows)  # ASCII keeps lone surrogates and line separators
    (stage / ITEMS).write_text(text, encoding="utf-8")
    head = {
        **head,
        "items": len(rows),
        "missing_images": [row["id"] for row in rows if row["image"] is None],
        "problems": {row["id"]: row["problem"] for row in rows if row["problem"]},
        "ascii": {name: (root / name).read_bytes().isascii() for name in files},
        "delimiters": {name: delimiter(root / name) for name in files if name.endswith(".csv")},
        "items_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    (stage / REFERENCE).write_text(json.dumps(head, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _restore(stage: Path, reference: Path, head: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    for name in head["ascii"]:
        path = _place(stage, name)
        mine = [row for row in rows if row["file"] == name]
        if path.suffix == ".csv":
            _write_csv(path, [row["record"] for row in mine], _delimiter(head, name))
        else:
            text = "".join(_lines(path, mine, head["ascii"][name]))
            path.write_text(text, encoding="utf-8")
    for row in rows:
        if row["path"]:
            _place(stage, row["path"]).write_bytes(imported_picture(reference, row))


def _place(stage: Path, name: str) -> Path:
    """The path for a file of that name; makes its folder. Raises ConfigError if it is not below `stage`."""
    path = stage / name
    if ".." in path.parts or not path.is_relative_to(stage):  # the set may be untrusted
        raise ConfigError(f"{name!r} lies outside of the set: it is not what `mossgen import` writes.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _lines(path: Path, rows: Sequence[dict[str, Any]], ascii_only: bool) -> Iterator[str]:
    """The JSON text of the rows: MOSSBench's single object keyed by pid, or one line per row."""
    if path.suffix == ".json":
        whole = {row["key"]: row["record"] for row in rows}
        yield json.dumps(whole, indent=1, ensure_ascii=ascii_only)
    else:
        for row in rows:
            yield json.dumps(row["record"], ensure_ascii=ascii_only) + "\n"


def _delimiter(head: dict[str, Any], name: str) -> str:
    mark = head.get("delimiters", {}).get(name)
    return mark if mark in tuple(DELIMITERS) else ","


def _write_csv(path: Path, rows: Sequence[dict[str, Any]], mark: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), delimiter=mark, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
