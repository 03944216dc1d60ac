"""Atomic writing of exports: made in a temporary folder, then renamed; never over files of others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mossgen.core.items import canonical
from mossgen.errors import ConfigError, StoreError
from mossgen.files.disk import sha256, sync_folder, sync_tree, write_whole

# in the folder; lists its files with their sha256; hidden, so that no loader reads it as data
MARKER = ".mossgen-export.json"


def write_folder(out: Path, export: str, fill: Callable[[Path], None]) -> list[Path]:
    """Lets `fill` write into a new folder, which then replaces `out`; returns the files in it.

    If `fill` fails, the old `out` stays. Raises ConfigError if `out` holds files that this export did not write,
    StoreError if the disk fails.
    """
    target = out.resolve()
    stage = target.with_name(f".{target.name}.mossgen-new")
    old = target.with_name(f".{target.name}.mossgen-old")
    with disk_errors(out):
        if old.exists() and not target.exists():
            old.rename(target)  # an earlier export was stopped between its two renames
        _refuse_foreign(target, export)
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        try:
            fill(stage)
            names = _files(stage)
            marker = canonical({"export": export, "files": {name: sha256(stage / name) for name in names}}) + "\n"
            (stage / MARKER).write_text(marker, encoding="utf-8")
            sync_tree(stage)
            _swap(stage, target, old)
            sync_folder(target.parent)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return [out / name for name in names]


def write_file(path: Path, content: str, ours: str) -> None:
    """Writes `content` to `path` atomically. Replaces an old file only if its head holds the text `ours`.

    Raises ConfigError if the old file is not ours, StoreError if the disk fails.
    """
    with disk_errors(path):
        if path.exists() and ours.encode() not in path.read_bytes()[:4096]:
            raise ConfigError(f"{path} was not written by mossgen: move it away or give another folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)


def export_files(folder: Path) -> list[str]:
    """The sorted paths of the files of an export.

    Raises ConfigError if it is no export, or if a file was added, lost or altered, or is a link.
    """
    if not (folder / MARKER).is_file():
        raise ConfigError(
            f"{folder} is no export and no set with sides: `mossgen export` and `mossgen split` make them."
        )
    listed = _hashes(_note(folder / MARKER))
    here = [name for name in _files(folder) if name != MARKER]
    odd = sorted(set(here) ^ set(listed)) or [name for name in here if (folder / name).is_symlink()]
    if odd:
        raise ConfigError(f"{folder}: {odd[0]} was added, lost or is a link since this was written: export again.")
    altered = next((name for name in here if listed[name] not in ("", sha256(folder / name))), None)
    if altered:
        raise ConfigError(f"{folder}: {altered} was altered since this was written: export again.")
    return here


def export_format(folder: Path) -> str:
    """The export format named in the marker of a folder; empty if the folder is no export."""
    return str(_note(folder / MARKER).get("export") or "")


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns OSErrors into StoreErrors while `path` is written."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(
            f"{path} cannot be written ({why}): free some space or give a folder that can be written, "
            "then export again; nothing that was there before is lost."
        ) from error


def _swap(stage: Path, target: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        stage.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _refuse_foreign(target: Path, export: str) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ConfigError(f"{target} is a file: give a folder for the {export} export.")
    present = _files(target)
    listed = _listed(target / MARKER, export)
    foreign = [name for name in present if name != MARKER and name not in listed]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ConfigError(
            f"{target} holds {foreign[0]}{more}, which the {export} export did not write: "
            "move it away or give another folder."
        )


def _listed(marker: Path, export: str) -> set[str]:
    """The files that this export wrote before, from its marker; none if there is no such marker."""
    note = _note(marker)
    return set(_hashes(note)) if note.get("export") == export else set()


def _hashes(note: dict[str, Any]) -> dict[str, str]:
    """The files in a marker with their sha256. Older markers hold only names: their sha256 is empty."""
    files = note.get("files")
    if isinstance(files, list):
        return dict.fromkeys(map(str, files), "")
    return files if isinstance(files, dict) else {}


def _note(marker: Path) -> dict[str, Any]:
    try:
        note = json.loads(marker.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _files(folder: Path) -> list[str]:
    """Everything in the folder except folders, as sorted paths with forward slashes."""
    leaves = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in leaves)
