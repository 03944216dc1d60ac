"""The vectors for finding near-duplicates: of each item's question, and of its picture without overlay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError
from mossgen.sets.dataset import Dataset, Record

if TYPE_CHECKING:
    from PIL.Image import Image

    from mossgen.plugins.protocols import Embedder

BATCH = 64  # pictures opened at a time


@dataclass(frozen=True)
class Vectors:
    """Unit rows of n labelled items: texts and images are float32 [n, dim]; a missing picture's row is all NaN."""

    labels: Sequence[str]
    texts: np.ndarray
    images: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: Sequence[int]) -> Vectors:
        """These rows alone, in this order."""
        picked = np.asarray(rows, dtype=np.intp)
        return Vectors([self.labels[row] for row in rows], self.texts[picked], self.images[picked])

    def between(self, start: int, end: int) -> Vectors:
        """The rows from `start` up to but not including `end`, as a view."""
        return Vectors(self.labels[start:end], self.texts[start:end], self.images[start:end])

    def pictured(self) -> np.ndarray:
        """[n] of bool: whether the item has a picture."""
        found: np.ndarray = ~np.isnan(self.images[:, 0])
        return found


def texts_only(labels: Sequence[str], texts: np.ndarray) -> Vectors:
    """Items with a question but no picture; texts is [n, dim]."""
    return Vectors(labels, texts, np.full_like(texts, np.nan))


def concatenate(parts: Sequence[Vectors]) -> Vectors:
    """All rows of all parts, in order."""
    labels = [label for part in parts for label in part.labels]
    return Vectors(labels, np.concatenate([p.texts for p in parts]), np.concatenate([p.images for p in parts]))


def embed_set(
    found: Dataset, embedder: Embedder, progress: Progress = SILENT, odd: dict[str, str] | None = None
) -> Vectors:
    """The vectors of a set's questions and pictures without overlay, labelled NAME/ID.

    Records without a question are skipped. If a picture cannot be read, it is noted in `odd` by the record's id, and
    only the question is compared; without `odd` this raises ConfigError.
    """
    records = found.asking
    labels = [f"{found.name}/{record.id}" for record in records]
    images = np.full((len(labels), embedder.dim), np.nan, dtype=np.float32)
    rows = [row for row, record in enumerate(records) if record.pictured]
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        opened = {row: image for row in batch if (image := _opened(records[row], odd)) is not None}
        if opened:
            images[list(opened)] = embedder.images(list(opened.values()))
        progress.count(f"pictures of {found.name} embedded", start + len(batch), len(rows))
    return Vectors(labels, embedder.texts([record.question for record in records]), images)


def _opened(record: Record, odd: dict[str, str] | None) -> Image | None:
    try:
        return record.open_bare()
    except ConfigError as error:
        if odd is None:
            raise
        odd[record.id] = str(error)
        return None
