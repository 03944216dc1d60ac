"""Lineage: the source and licence of each item of a set, and the files of a set with sides.

`mossgen split` writes, and `rows` reads:

    SET/
      set.json                    {"format": 1, "name", "canary": {side: text}, "sides": {side: n}, "sources", …}
      leaks.json                  the leak report: nearest pairs across sides by channel, and how many are too near
      README.md                   front matter with which `datasets.load_dataset(SET)` opens each side separately
      train/ dev/ test/           one published side each (dev only if requested)
        metadata.jsonl            one row per item, ordered by id
        images/<id>.png
        manifest.json             the canary, the sha256 of every item and of the side
      contrast/<side>/            the harmful partners of that side's items, in the same layout

A row has the fields of the imagefolder export (file_name, id, type, category, question, description, image_prompt,
slots and overlay and provenance as JSON texts, tags, seed_id, verdicts) and five more: side, cluster, image_sha256,
canary, lineage (a list of Source as plain values). A partner's row has file_name, id, type, question, description,
verdicts, the same five, and contrast_of, expected ("refuse"), benign_question and changed. `file_name` is relative to
the row's folder.

`may_train` decides whether a row may be used for training. `TRAINABLE` names the sides that may be exported as training
data; the exporter checks it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mossgen.core.items import Item, canonical_sha256
from mossgen.errors import ConfigError
from mossgen.files.disk import read_text, sha256

HEAD = "set.json"
FORMAT = 1  # of set.json and the files beside it; increase it with any change to them
METADATA = "metadata.jsonl"
MANIFEST = "manifest.json"
LEAKS = "leaks.json"
CONTRAST = "contrast"
SIDES = ("train", "dev", "test")
TRAINABLE = ("train",)  # sides that a training export accepts without being forced
MAX_BYTES = 200_000_000  # of one metadata file
ROLES = ("item", "seed", "model", "kept_away")

Row = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One source of an item, or a set that the item was kept away from.

    `role` is one of ROLES: "item" (a set that held the item, or the item it was varied from), "seed" (an example for
    its writer), "model" (a model that made it), "kept_away" (a set that it must not be near to: no part of the item).
    `licence` is what the source states, empty if it states none. `test_only` means that the licence forbids training.
    """

    name: str
    role: str
    licence: str
    test_only: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return asdict(self)


def may_train(item_record: Mapping[str, Any]) -> str | None:
    """A sentence that says why this row may not be used for training, with item and source; None if it may.

    Fails closed: a missing or unreadable lineage, or a source without a licence, is also a reason. Ignores the row's
    side.
    """
    name = f"The item {item_record.get('id', '?')}"
    lineage = item_record.get("lineage")
    if isinstance(lineage, str):  # a table that holds nested values as JSON text
        try:
            lineage = json.loads(lineage)
        except (ValueError, RecursionError):
            lineage = None
    if not isinstance(lineage, list) or not lineage or not all(isinstance(s, Mapping) for s in lineage):
        return f"{name} has no lineage, so nothing says that it may be trained on: make the set with `mossgen split`."
    parts = [source for source in lineage if source.get("role") != "kept_away"]
    barred = next((s for s in parts if s.get("test_only") is not False), None)
    if barred is not None:
        return f"{name} comes from {barred.get('name')!r}, which is for testing only ({barred.get('licence')})."
    bare = next((s for s in parts if s.get("role") != "model" and not s.get("licence")), None)
    if bare is not None:
        mend = 'give each seed a "licence"' if bare.get("role") == "seed" else "import it again and state its licence"
        return f"{name} comes from {bare.get('name')!r}, which states no licence: {mend}."
    if not any(s.get("role") == "item" for s in parts):
        return f"{name} does not say which set it comes from, so nothing says that it may be trained on."
    return None


def sources(rows: Iterable[Mapping[str, Any]]) -> list[Source]:
    """All distinct sources of these rows, ordered by role and name, as a dataset card lists them."""
    found = {Source(**source) for row in rows for source in row.get("lineage", ())}
    return sorted(found, key=lambda s: (ROLES.index(s.role) if s.role in ROLES else len(ROLES), s.name, s.licence))


# -- reading a set with sides ----------------------------------------------------------------------------


def is_sided(folder: Path) -> bool:
    """Whether `folder` is a set that `mossgen split` made."""
    return (folder / HEAD).is_file()


def head(folder: Path) -> dict[str, Any]:
    """The content of set.json. Raises ConfigError if it is missing or cannot be read."""
    if not is_sided(folder):
        raise ConfigError(f"{folder} is no set with sides (it has no {HEAD}): make one with `mossgen split`.")
    found = read_json(folder / HEAD)
    if not isinstance(found, dict) or not isinstance(found.get("sides"), dict):
        raise ConfigError(f"{folder / HEAD} is not what `mossgen split` writes: make the set again.")
    if found.get("format") != FORMAT:
        raise ConfigError(
            f"{folder} was made by another version of mossgen ({found.get('mossgen', 'unknown')!s:.20}; its format "
            f"is {found.get('format')!s:.20}, this version's is {FORMAT}): split its runs again, or install that one."
        )
    return found


def rows(folder: Path, side: str, contrast: bool = False) -> list[Row]:
    """The items of a side, or their harmful partners, if any.

    Raises ConfigError: no such side, or a file that cannot be read.
    """
    known = head(folder)["sides"]
    if side not in known:
        raise ConfigError(f"{folder} has no side {side!r}: it has {', '.join(known)}.")
    part = part_folder(folder, side, contrast)
    if contrast and not part.is_dir():
        return []
    return read_rows(part / METADATA)


def evidence(folder: Path) -> dict[str, Any]:
    """The facts for a dataset card: how a set with sides was made, and leaks between its sides. Raises ConfigError."""
    top = head(folder)
    leaks = read_json(folder / LEAKS) if (folder / LEAKS).is_file() else None
    return {**{key: top.get(key, []) for key in ("runs", "bound")}, "embedder": top.get("embedder", ""), "leaks": leaks}


def part_folder(folder: Path, side: str, contrast: bool = False) -> Path:
    """The folder of a side's rows and pictures."""
    return folder / CONTRAST / side if contrast else folder / side


def picture(part: Path, row: Mapping[str, Any]) -> Path:
    """The path of a row's unaltered picture. Raises ConfigError if it is missing, moved or changed."""
    path = part / str(row["file_name"])
    if ".." in path.parts or not path.is_relative_to(part):  # an absolute name would also leave the folder
        raise ConfigError(f"{path}: the picture of item {row['id']} lies outside of its side's folder.")
    if not path.is_file():
        raise ConfigError(f"{path}: the picture of item {row['id']} is missing: run `mossgen verify` there.")
    if sha256(path) != row.get("image_sha256"):
        raise ConfigError(f"{path}: the picture of item {row['id']} was changed (its hash differs).")
    return path


def read_rows(file: Path) -> list[Row]:
    """The rows of a metadata file. Raises ConfigError with the line of the first invalid row."""
    found: list[Row] = []
    for number, line in enumerate(read_text(file, MAX_BYTES, ConfigError).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{file}, line {number}: not valid JSON: {error}.") from None
        if not isinstance(row, dict) or not all(isinstance(row.get(k), str) for k in ("id", "file_name", "question")):
            raise ConfigError(f"{file}, line {number}: a row needs id, file_name and question.")
        found.append(row)
    return found


def read_json(path: Path) -> Any:
    """Reads a JSON file of a set. Raises ConfigError."""
    try:
        return json.loads(read_text(path, MAX_BYTES, ConfigError).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}.") from None


# -- seals -----------------------------------------------------------------------------------------------


def seal(rows: Sequence[Row], mark: str) -> dict[str, Any]:
    """A side's manifest: its canary, a hash of every row (with its picture's hash), and a hash over all rows."""
    items = {row["id"]: canonical_sha256(row) for row in rows}
    return {"canary": mark, "count": len(items), "items": items, "sha256": canonical_sha256(items)}


def problems(folder: Path) -> list[str]:
    """Recomputes every hash of a set with sides; returns what was altered, added or lost, each as a sentence.

    Raises ConfigError if there is no set.
    """
    top = head(folder)
    known = dict(top.get("manifests", {}))
    found = [f"{folder}: the side {side} has no manifest in {HEAD}." for side in top["sides"] if side not in known]
    found += _whole(folder / LEAKS, top.get("leaks_sha256"))
    seen: dict[str, str] = {}
    for name, digest in known.items():
        side = name.removeprefix(f"{CONTRAST}/")
        if name not in (side, f"{CONTRAST}/{side}") or side not in SIDES:  # names from a file: only known ones are read
            found.append(f"{folder / HEAD}: {name!r} is no side.")
            continue
        whole = _whole(folder / name / MANIFEST, digest)
        found += whole
        if not whole:
            found += _part_problems(folder / name, side, str(top["canary"].get(side)), seen)
    return found


def _whole(path: Path, digest: object) -> list[str]:
    if not path.is_file():
        return [f"{path} is missing."]
    return [] if sha256(path) == digest else [f"{path} was altered: its hash is not the one in {HEAD}."]


def _part_problems(part: Path, side: str, mark: str, seen: dict[str, str]) -> Iterator[str]:
    """Compares the rows of a side or of its partners with their manifest, and pictures with their rows."""
    wanted = read_json(part / MANIFEST)
    try:
        found = read_rows(part / METADATA)
    except ConfigError as error:
        yield str(error)
        return
    now = seal(found, mark)["items"]
    yield from (f"{part}: item {key} was lost." for key in wanted["items"] if key not in now)
    yield from (f"{part}: item {key} was added." for key in now if key not in wanted["items"])
    yield from (f"{part}: item {k} was altered." for k, h in now.items() if wanted["items"].get(k, h) != h)
    if wanted["canary"] != mark or not all(row.get("canary") == mark for row in found):
        yield f"{part}: the canary is missing, or not the one in {HEAD}."
    for row in found:
        if seen.setdefault(row["id"], part.as_posix()) != part.as_posix() or row.get("side") != side:
            yield f"{part}: item {row['id']} is on two sides, or says that it is on another."
        try:
            picture(part, row)
        except ConfigError as error:
            yield str(error)
    named = {row["file_name"] for row in found}
    extra = [f.relative_to(part).as_posix() for f in sorted((part / "images").glob("*"))]
    yield from (f"{part / name} belongs to no item." for name in extra if name not in named)


def seeds_of(item: Item) -> list[Source]:
    """The sources of an item's seeds, and of the seeds of the item it was varied from.

    An item that does not state its seeds gets a source without a licence.
    """
    stated = item.provenance.get("seeds", [{"name": f"seeds of {item.type}", "licence": "", "test_only": False}])
    inherited = item.provenance.get("evolved", {}).get("seeds", [])
    found = [Source(s["name"], "seed", s["licence"], s["test_only"]) for s in (*stated, *inherited)]
    return list(dict.fromkeys(found))
