"""Small files: read with a limit, written whole and safe from a power cut. What every module with files shares."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from mossgen.errors import MossgenError


def read_text(path: Path, most: int, error: type[MossgenError]) -> str:
    """The text of a UTF-8 file of at most `most` bytes. Raises `error` in a sentence if it is none."""
    try:
        if path.exists() and not path.is_file():
            raise error(f"{path} is no file but a folder or a device: give a file.")
        with path.open("rb") as stream:
            data = stream.read(most + 1)
        if len(data) > most:
            raise error(f"{path} is larger than {most:,} bytes, the most that is read: make it smaller or split it.")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"{path} cannot be read: {cause}.") from None


def write_whole(path: Path, data: bytes) -> None:
    """Puts `data` at `path` in one step: after a kill or a power cut the old file is there, or the new one.

    Raises OSError.
    """
    aside = path.with_name(f"{path.name}.tmp")
    aside.write_bytes(data)
    sync_file(aside)
    os.replace(aside, path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Returns when the file's content is on the disk itself. Raises OSError."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Returns when the names in the folder are on the disk itself. Raises OSError."""
    if os.name == "nt":  # Windows cannot open a folder, and keeps names by itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no such thing for folders
            raise
    finally:
        os.close(handle)
