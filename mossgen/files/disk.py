"""Small files: read with a limit, written whole and safe from a power cut. What every module with files shares."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from mossgen.errors import ConfigError, MossgenError, StoreError

LOCK = ".lock"  # the name of the file that says that a mossgen is writing a folder
SYNCED = 16  # files that are synced at a time
MAX_NODES = 100_000  # values and keys of a YAML file, those that aliases repeat counted each time
MAX_SCALAR = 10_000  # characters of one of them
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a template takes the one in C a tenth of the time


@contextmanager
def locked(folder: Path, file: str = "", elsewhere: str = "give another `run`") -> Iterator[None]:
    """Keeps other mossgens from writing a folder, or one file in it. `elsewhere` is what else a user can do.

    Raises ConfigError if one is writing, StoreError where the folder cannot be made or written.
    """
    import filelock

    lock = filelock.FileLock(folder / (f".{file}{LOCK}" if file else LOCK), timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise ConfigError(
            f"{folder / file} is being written by another mossgen: wait for it, or {elsewhere}."
        ) from None
    except OSError as error:
        raise StoreError(
            f"{folder / file}: cannot be written ({error.strerror}): mend the permissions, or {elsewhere}."
        ) from error
    try:
        yield
    finally:
        lock.release()


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


def read_yaml(path: Path, most: int, error: type[MossgenError]) -> Any:
    """What a YAML file of at most `most` bytes holds: plain values only, and no more than MAX_NODES of them.

    Raises `error` in a sentence, with the line where there is one.
    """
    text = read_text(path, most, error)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root:
            _count(root, {})
        return loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as cause:
        line = cause.problem_mark.line + 1 if cause.problem_mark else "?"
        raise error(f"{path}, line {line}: not valid YAML: {cause.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as cause:  # a control character, a 31st of June, a deep nest
        raise error(f"{path}: not valid YAML: {' '.join(str(cause).split())}.") from None


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes a node stands for, aliases followed. Raises yaml.MarkedYAMLError where they are too many.

    A few aliases of aliases can stand for more than any memory holds, so they are counted before they are built.
    """
    if isinstance(node, yaml.ScalarNode):
        if len(node.value) > MAX_SCALAR:
            raise _refused(node, f"a text of {len(node.value):,} characters; at most {MAX_SCALAR:,} are read")
        return 1
    if known.get(id(node)) == 0:
        raise _refused(node, "an alias contains itself")
    if id(node) not in known:
        known[id(node)] = 0  # being counted
        parts = [part for child in node.value for part in (child if isinstance(child, tuple) else (child,))]
        total = 1 + sum(_count(part, known) for part in parts)
        if total > MAX_NODES:
            raise _refused(node, f"this stands for more than {MAX_NODES:,} values, aliases written out")
        known[id(node)] = total
    return known[id(node)]


def _refused(node: yaml.Node, why: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=node.start_mark)


def write_whole(path: Path, content: bytes | str | Iterable[str]) -> None:
    """Puts `content` (text as UTF-8) at `path` in one step: after a kill or a power cut the old file is there, or the
    new one. Raises OSError; then the old one is there still.
    """
    parts = [content] if isinstance(content, bytes | str) else content
    aside = path.with_name(f"{path.name}.tmp")
    try:
        with aside.open("wb") as stream:
            stream.writelines(part if isinstance(part, bytes) else part.encode() for part in parts)
        sync_file(aside)
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sha256(path: Path) -> str:
    """The sha256 of a file, in hex digits. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync_file(path: Path) -> None:
    """Returns when the file's content is on the disk itself. Raises OSError."""
    with path.open("rb+" if os.name == "nt" else "rb") as stream:  # Windows syncs what is open for writing only
        os.fsync(stream.fileno())


def sync_tree(folder: Path) -> None:
    """Returns when everything in the folder is on the disk itself. Raises OSError."""
    paths = [path for path in folder.rglob("*") if not path.is_symlink()]
    with ThreadPoolExecutor(SYNCED) as pool:  # so that the disk takes them together: a third of the time
        list(pool.map(sync_file, (path for path in paths if path.is_file())))
    for path in (folder, *(path for path in paths if path.is_dir())):
        sync_folder(path)


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
