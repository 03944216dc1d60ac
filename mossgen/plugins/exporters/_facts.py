"""Facts about a run for all exports, read from its items and manifest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image

from mossgen.core.items import Item
from mossgen.errors import ConfigError, StoreError
from mossgen.files import pictures
from mossgen.plugins.protocols import RunView


@dataclass(frozen=True)
class Model:
    """One model of the run, from the manifest; missing texts are empty."""

    role: str
    name: str
    licence: str
    sha256: str
    credit: str


def models(manifest: Mapping[str, Any]) -> list[Model]:
    """The manifest's `models`: role, name, licence and, where known, sha256 and credit."""
    keys = ("role", "name", "licence", "sha256", "credit")
    return [Model(*(str(entry.get(key) or "") for key in keys)) for entry in manifest.get("models") or ()]


def by_stage(rejected: Iterable[Item]) -> list[tuple[str, list[Item]]]:
    """Rejected items grouped by the stage that rejected them, the largest group first."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in rejected:
        groups[item.rejected_by or "unknown"].append(item)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def category(run: RunView, item: Item) -> str:
    """The item's category, from its template."""
    return run.type.render(run.type.template.category, item)


def picture(blobs: Path, item: Item) -> Path:
    """The path of the item's picture. Raises StoreError if it is missing."""
    path = blobs / f"{item.image}.png"
    if item.image is None or not path.is_file():
        raise StoreError(f"The picture of item {item.id} is not at {path}: run `mossgen verify` on the run.")
    return path


def read_picture(picture: Path | bytes) -> tuple[bytes, Image]:
    """The file's bytes, and the picture in RGB. Raises StoreError."""
    try:
        if isinstance(picture, bytes):
            return picture, pictures.read_picture(picture)
        raw = pictures.read_bytes(picture)
        return raw, pictures.read_picture(raw, str(picture))
    except ConfigError as error:
        raise StoreError(f"{error} Run `mossgen verify` on the run.") from None


def png_is_rgb(raw: bytes) -> bool:
    """Whether a PNG is 8-bit RGB, opaque and not rotated; bytes 24 and 25 are its depth and colour type."""
    return raw[24:26] == b"\x08\x02" and b"tRNS" not in raw[:1024] and b"eXIf" not in raw


def none_accepted(accepted: Sequence[Item]) -> str | None:
    """The sentence for an export that needs items and has none."""
    return None if accepted else "The run has no accepted item: there is nothing to export."
