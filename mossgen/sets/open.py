"""Opens the set at a path as a Dataset. Every command that reads a set uses this module.

An error in one row becomes that record's `problem`; an error in a whole file raises ConfigError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError
from mossgen.files.folders import export_format
from mossgen.files.tables import MAX_BYTES as MAX_INLINE
from mossgen.files.tables import SUFFIXES, read_lines
from mossgen.plugins import registry
from mossgen.runs.store import DATABASE
from mossgen.sets import lineage
from mossgen.sets.dataset import Dataset, Kind, Record, join, unique
from mossgen.sets.lineage import MAX_BYTES
from mossgen.sets.references import REFERENCE, locate, open_reference
from mossgen.sets.rows import MARKED, read_row
from mossgen.sets.run import open_run
from mossgen.stimulus.types import load_type, type_names

INFORMATION = Path("images_information") / "information.json"  # MOSSBench's rows, in its data and data_contrast
HARMFUL = "data_contrast"  # MOSSBench's items that should be refused
RECORD = 500  # bytes of a record without its picture and texts
SHORT = 64  # characters: no picture in VLMEvalKit's TSV is shorter
METADATA = (".jsonl", ".csv", ".parquet")  # formats of the metadata of an ImageFolder
INLINE = (".parquet", ".tsv")  # formats with pictures in the file, which may be larger
NO_SIDES = "{path} has no sides, so `side` {side} means nothing: `mossgen split` makes them."
SIDES = ("train", "dev", "validation", "test")  # as `datasets` calls the parts of an ImageFolder


def open_set(
    path: Path | str | Dataset, *, side: str | Sequence[str] | None = None, partners: bool = False,
    type: str | None = None,
) -> Dataset:  # fmt: skip
    """Opens the set at `path`, or takes a set that is already open.

    It may be a run, a set with sides, an imported set (by name or path), an export that holds rows, MOSSBench's folder,
    an ImageFolder, or a table (JSONL, JSON, CSV, TSV, Parquet). `side` selects one or more sides (default: all; each
    record names its side). With `partners`, the harmful partners follow the records. `type` is the type of records that
    do not state one, by name or by the path of its YAML. Raises ConfigError: no set, no such side, a file that cannot
    be read, no record; TemplateError.

    >>> [record.expected for record in mossgen.open_set("my-set", side="test")]
    ['comply']
    """
    wanted = None if side is None else list(dict.fromkeys([side] if isinstance(side, str) else side))
    if wanted == []:
        raise ConfigError("`side` names no side: name one, or leave it out for all of them.")
    named = load_type(type).name if type else None
    if isinstance(path, Dataset):
        found = _narrowed(path if named is None else _typed(path, named), wanted)
    else:
        found = _found(locate(path), wanted, named)
    if wanted is not None and not found.sides:
        raise ConfigError(
            f"{found.path} has no sides, so `side` {wanted[0]} means nothing: `mossgen split` makes them."
        )
    if not found.records:
        raise ConfigError(_empty(found.path, found.kind))
    if partners:
        here = {record.id for record in found}
        more = [p for p in found.partners if p.id not in here]
        more = [replace(p, number=n) for n, p in enumerate(more, len(found))]
        found = replace(found, records=[*found.records, *more])
    return found


def _narrowed(found: Dataset, sides: Sequence[str] | None) -> Dataset:
    """Only these sides of an open set. Raises ConfigError if it was opened without one of them."""
    if sides is None or not found.sides:
        return found
    there = dict.fromkeys(record.side for record in found)
    lacking = next((side for side in sides if side not in there), None)
    if lacking is not None:
        raise ConfigError(f"{found.path} as it was opened has no side {lacking!r}: it has {', '.join(there)}.")
    return replace(found, records=_of_sides(found.records, sides), side=_one(sides))


def _typed(found: Dataset, name: str) -> Dataset:
    """An open set; records get this type if they state none that comes with mossgen."""

    def typed(record: Record) -> Record:
        kind = record.type if record.type in type_names() else name
        return replace(record, type=kind, partners=[typed(partner) for partner in record.partners])

    return replace(found, records=[typed(record) for record in found])


def _empty(path: Path, kind: Kind) -> str:
    if kind == "run":
        return f"{path} has no accepted item: make some with `mossgen expand` or `evolve` first."
    return f"{path}: the set is empty."


def _found(path: Path, sides: Sequence[str] | None, type_name: str | None) -> Dataset:
    if path.is_file():
        return _tables(path, [path], "table", sides, type_name)
    if (path / REFERENCE).is_file():
        return open_reference(path, type_name)
    if lineage.is_sided(path):
        return _sided(path, sides, type_name)
    if (path / DATABASE).is_file():
        return open_run(path, type_name)
    export = export_format(path)
    if export and not _readable(export):
        raise ConfigError(
            f"{path} was exported as {export}, which does not hold the items themselves: give the run or set that it "
            "was made of."
        )
    if is_mossbench(path):
        return _mossbench(path, "export" if export else "mossbench", type_name)
    files = _files(path, export)
    if not files:
        raise ConfigError(_NOTHING.format(path=path, table=", ".join(SUFFIXES), information=INFORMATION))
    return _tables(path, files, "export" if export else "imagefolder", sides, type_name)


def _readable(export: str) -> bool:
    """Whether the exporter of this name, as a folder's marker says it, is here and holds the items themselves."""
    name = export.replace("-", "_")
    usable = name in registry.names("exporters") and name not in registry.faults("exporters")
    return usable and registry.load("exporters", name, {}).readable


_NOTHING = (
    "{path}: no set is there: give a run folder, a set that `mossgen split` or `mossgen import` made, MOSSBench's "
    "folder (with {information}), a folder with a metadata.jsonl, .csv or .parquet (ImageFolder), or a file ({table})."
)


# -- sets with sides -----------------------------------------------------------------------------------


def _sided(path: Path, sides: Sequence[str] | None, type_name: str | None) -> Dataset:
    """Sides of a set that `mossgen split` made, each record with its partners."""
    known = list(lineage.head(path)["sides"])
    if not set(known) <= set(lineage.SIDES):  # the names come from a file: only known paths are read
        raise ConfigError(f"{path / lineage.HEAD} is not what `mossgen split` writes: make the set again.")
    records: list[Record] = []
    for side in known if sides is None else sides:
        beside = _part(path, side, type_name, contrast=True)
        mine = join(_part(path, side, type_name), beside)
        records += [replace(record, number=number) for number, record in enumerate(mine, len(records))]
    name = str(lineage.head(path).get("name") or path.resolve().name)
    return Dataset(path, name, "split", records, sides=known, side=_one(sides))


def _part(path: Path, side: str, type_name: str | None, contrast: bool = False) -> list[Record]:
    folder = lineage.part_folder(path, side, contrast)
    file = folder / lineage.METADATA
    found = [read_row(row, n, row["id"], folder, type_name) for n, row in enumerate(lineage.rows(path, side, contrast))]
    found = unique([replace(record, id=record.row["id"], side=side, file=file) for record in found])
    return [replace(record, expected="refuse") for record in found] if contrast else found


def _one(sides: Sequence[str] | None) -> str | None:
    return sides[0] if sides is not None and len(sides) == 1 else None


# -- MOSSBench -----------------------------------------------------------------------------------------


def is_mossbench(path: Path) -> bool:
    """Whether it is MOSSBench's `data` or `data_contrast`, or the folder that holds them."""
    return any((folder / INFORMATION).is_file() for folder in (path, path / "data", path / HARMFUL))


def _mossbench(path: Path, kind: Kind, type_name: str | None) -> Dataset:
    """The items of `data` and `data_contrast`, or of the given one.

    Items of data_contrast should be refused; their ids are marked.
    """
    records: list[Record] = []
    folders = [path] if (path / INFORMATION).is_file() else [path / "data", path / HARMFUL]
    for folder in folders:
        source, mark = folder / INFORMATION, MARKED if folder.resolve().name == HARMFUL else ""
        if not source.is_file():
            continue
        data = lineage.read_json(source)
        if not isinstance(data, dict):
            raise ConfigError(f"{source}: not MOSSBench's shape: it should be an object keyed by pid.")
        for pid, row in data.items():
            record = read_row(row, len(records), mark + pid, folder, type_name, (source.parent,))
            records.append(replace(record, file=source, key=pid))
    return Dataset(path, _name(path), kind, unique(records))


def _name(path: Path) -> str:
    return path.stem if path.is_file() else path.resolve().name


# -- tables --------------------------------------------------------------------------------------------


def _files(path: Path, export: str) -> list[Path]:
    """The tables of a folder: an ImageFolder's metadata, else Parquet files (as `datasets` writes), else our TSV."""
    found = (f for f in path.rglob("metadata.*") if f.suffix in METADATA and f.is_file())
    named = sorted(f for f in found if not _of_ours(f, path))
    kept = sorted(f for folder in (path, path / "data") for f in folder.glob("*.parquet"))
    return named or kept or (sorted(path.glob("*.tsv")) if export else [])


def _of_ours(file: Path, root: Path) -> bool:
    """Whether the file belongs to a run or set of ours below `root`, and so is no part of an ImageFolder."""
    between = [folder for folder in file.parents if folder.is_relative_to(root) and folder != root]
    return any((folder / head).is_file() for folder in between for head in (DATABASE, lineage.HEAD, REFERENCE))


def _tables(
    path: Path, files: Sequence[Path], kind: Kind, sides: Sequence[str] | None, type_name: str | None
) -> Dataset:
    """The rows of these files. Folders and files with the name of a side are sides, as in `datasets`."""
    root = path if path.is_dir() else path.parent
    placed = [(file, _side(file, root) if path.is_dir() else "") for file in files]
    known = list(dict.fromkeys(side for _, side in placed if side))
    unknown = next((side for side in sides or () if known and side not in known), None)
    if unknown is not None:
        raise ConfigError(f"{path} has no side {unknown!r}: it has {', '.join(known)}.")
    records: list[Record] = []
    for file, side in placed:
        records += [replace(r, side=side) for r in _rows(file, len(records), type_name)]
    records = _told_apart(records, root)  # over all sides, so that an id does not depend on the selected sides
    return Dataset(path, _name(path), kind, _of_sides(records, sides if known else None), sides=known, side=_one(sides))


def _of_sides(records: Sequence[Record], sides: Sequence[str] | None) -> list[Record]:
    """The records of these sides, one side after another; all records if `sides` is None."""
    kept = [r for side in sides for r in records if r.side == side] if sides is not None else records
    return [replace(record, number=number) for number, record in enumerate(kept)]


def _side(file: Path, root: Path) -> str:
    names = (*file.parent.relative_to(root).parts, file.stem.partition("-")[0])
    return next((name for name in names if name in SIDES), "")


def _rows(file: Path, first: int, type_name: str | None) -> list[Record]:
    most = MAX_INLINE if file.suffix in INLINE else MAX_BYTES
    if file.suffix in SUFFIXES and file.stat().st_size > most:
        raise ConfigError(f"{file} is larger than {most:,} bytes: split it.")
    records, held = [], 0
    pictures: dict[str, str] = {}
    for number, line in enumerate(read_lines(file, "strict"), first):
        name = f"row {number - first + 1}" if line.key is None else line.key
        row = _with_picture(line.value, pictures) if file.suffix == ".tsv" else line.value
        held += RECORD + _size(row)
        if held > MAX_INLINE:
            raise ConfigError(f"{file} holds more than {MAX_INLINE:,} bytes of pictures and texts: split it.")
        record = read_row(row, number, name, file.parent, type_name)
        problem = f"line {line.number}: {line.problem}." if line.problem else record.problem
        records.append(replace(record, file=file, key=line.key or "", problem=problem))
    return records


def _size(value: Any) -> int:
    """The total size of the pictures and texts in a row: a small file may hold one of them a million times."""
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str | bytes) else 0


def _with_picture(row: dict[str, Any], pictures: dict[str, str]) -> dict[str, Any]:
    """A row of VLMEvalKit's TSV with its picture: a short `image` is the index of an earlier row with it."""
    image = str(row.get("image") or "")
    if image in pictures:
        return {**row, "image": pictures[image]}
    if len(image) > SHORT:
        pictures[str(row.get("index"))] = image
    return row


def _told_apart(records: Sequence[Record], root: Path) -> list[Record]:
    """The records with unique ids: if several files have the same ids, the folder is added to each id."""
    files = {file for file in (record.file for record in records) if file}
    distinct = {(record.file, record.id) for record in records}
    if len(distinct) != len({key for _, key in distinct}) and len(files) > 1:
        places = {file: file.parent.relative_to(root).as_posix() for file in files}
        records = [replace(r, id=f"{places[r.file]}/{r.id}" if r.file else r.id) for r in records]
    return unique(records)
