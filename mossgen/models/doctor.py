"""What works on this machine: the checks behind `mossgen doctor`."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mossgen.models import weights

PACKAGES = (
    "torch",
    "torchvision",
    "transformers",
    "diffusers",
    "open_clip_torch",
    "faiss-cpu",
    "rapidocr",
    "openai",
)
KEYS = ("OPENAI_API_KEY", "HF_TOKEN")
ROOM = 2_000_000_000  # bytes: enough for the embedded weights and a run of a few hundred items


def diagnose() -> list[dict[str, Any]]:
    """Returns {what, ok, needed, found} for each check. Says whether keys exist, never shows them."""
    return [_python(), *(_package(name) for name in PACKAGES), _device(), _cache(), *_weights(), *_keys()]


def _check(what: str, ok: bool, found: str, needed: bool = True) -> dict[str, Any]:
    return {"what": what, "ok": ok, "needed": needed, "found": found}


def _python() -> dict[str, Any]:
    return _check("Python", sys.version_info >= (3, 11), sys.version.split()[0])


def _package(name: str) -> dict[str, Any]:
    try:
        return _check(name, True, version(name))
    except PackageNotFoundError:
        return _check(name, False, "missing: run `pip install mossgen` again")


def _device() -> dict[str, Any]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library that torch loads is missing
        return _check("device", False, f"torch cannot be imported ({error}): run `pip install mossgen` again")
    if torch.cuda.is_available():
        return _check("device", True, f"CUDA: {torch.cuda.get_device_name(0)}")
    found = "Apple GPU" if torch.backends.mps.is_available() else f"CPU, {os.cpu_count()} cores"
    return _check("device", True, f"{found}: right for the embedded preset")


def _cache() -> dict[str, Any]:
    folder = weights.cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return _check("cache", False, f"{folder}: {error.strerror}: set MOSSGEN_CACHE to a folder of yours")
    writable = os.access(folder, os.W_OK)
    return _check("cache", writable and free >= ROOM, f"{folder}, {free / 1e9:.0f} GB free")


def _weights() -> list[dict[str, Any]]:
    return [
        _check(f"weights {m.name}", weights.ready(m.name) is not None,
               str(weights.ready(m.name) or "not pulled yet: fetched on first use"), needed=False)
        for m in weights.catalogue()
    ]  # fmt: skip


def _keys() -> list[dict[str, Any]]:
    there = {key: bool(os.environ.get(key)) for key in KEYS}
    return [_check(key, ok, "set" if ok else "not set", needed=False) for key, ok in there.items()]
