"""Small files, for all modules: read with a size limit, and written atomically, even if the power fails."""

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

LOCK = ".lock"  # the file that shows that a mossgen process is writing to a folder
SYNCED = 16  # files synced at the same time
MAX_NODES = 100_000  # values and keys of a YAML file, with aliases expanded
MAX_SCALAR = 10_000  # characters of one value or key
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader reads a template ten times as fast


@contextmanager
def locked(folder: Path, file: str = "", elsewhere: str = "give another `run`") -> Iterator[None]:
    """Prevents other mossgen processes from writing to a folder or one file in it.

    `elsewhere` tells the user what else to do. Raises ConfigError if another process is writing, StoreError if the
    folder cannot be made or written.
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
    """The text of a UTF-8 file of at most `most` bytes. Raises `error` for any other file."""
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
    """The plain values in a YAML file of at most `most` bytes and MAX_NODES nodes.

    Raises `error`, with the line number if it is known.
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
    except (yaml.YAMLError, ValueError, RecursionError) as cause:  # a control character, an invalid date, deep nesting
        raise error(f"{path}: not valid YAML: {' '.join(str(cause).split())}.") from None


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """The number of nodes in a node, with aliases expanded. Raises yaml.MarkedYAMLError if there are too many.

    Nested aliases can expand to more than fits in memory, so the nodes are counted before they are built.
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
    """Writes `content` (text as UTF-8) to `path` atomically.

    A kill or a power failure leaves either the old file or the new one. Raises OSError; the old file is then unchanged.
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
    """Syncs the file's content to the disk (fsync). Raises OSError."""
    with path.open("rb+" if os.name == "nt" else "rb") as stream:  # Windows syncs only files that are open for writing
        os.fsync(stream.fileno())


def sync_tree(folder: Path) -> None:
    """Syncs everything in the folder to the disk. Raises OSError."""
    paths = [path for path in folder.rglob("*") if not path.is_symlink()]
    with ThreadPoolExecutor(SYNCED) as pool:  # in parallel, which takes a third of the time
        list(pool.map(sync_file, (path for path in paths if path.is_file())))
    for path in (folder, *(path for path in paths if path.is_dir())):
        sync_folder(path)


def sync_folder(folder: Path) -> None:
    """Syncs the names in the folder to the disk. Raises OSError."""
    if os.name == "nt":  # Windows cannot open a folder, and does not need this
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync folders
            raise
    finally:
        os.close(handle)
