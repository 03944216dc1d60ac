"""How near a set is to reference sets and to itself, item by item: so that "not contaminated" is a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mossgen.duplicates.nearness import CHANNELS, Near, Vectors, embed_reference, joined, nearest, scores, worst
from mossgen.sets.references import locate, read_reference

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder


def compare(
    set_: Path, against: Sequence[Path], embedder: Embedder, say: Callable[[str], None] = lambda message: None
) -> dict[str, Any]:
    """A report of every item: its nearest reference by channel (without references, its nearest other item), and
    whether it is kept when references go first and then the items in their order (a greedy choice, as in a run).

    Raises ConfigError where a set or a picture cannot be read, BackendError from the embedder.
    """
    own, *others = [read_reference(locate(path)) for path in (set_, *against)]
    say(f"embedding {len(own.pairs)} items")
    items = embed_reference(own, embedder)
    say(f"embedding {sum(len(other.pairs) for other in others)} references")
    references = joined([embed_reference(other, embedder) for other in others]) if others else None
    thresholds = embedder.thresholds
    near = _nearest_others(items, thresholds) if references is None else nearest(items, references, thresholds)
    blockers = _blockers(items, references, thresholds)
    rows = [_row(label, near[at], blockers[at], thresholds) for at, label in enumerate(items.labels)]
    pictures = [pair.image for reference in (own, *others) for pair in reference.pairs]
    return {
        "set": str(set_),
        "references": {other.name: len(other.pairs) for other in others},
        "embedder": embedder.name,
        "thresholds": {channel: round(float(thresholds[channel]), 4) for channel in CHANNELS},
        "over": {c: sum(c in found and found[c].over for found in near) for c in CHANNELS},
        "without_picture": sum(image is None for image in pictures),
        "items": rows,
    }


def csv_text(result: Mapping[str, Any]) -> str:
    """The report's items as a CSV."""
    stream = io.StringIO()
    rows = result["items"]
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _nearest_others(items: Vectors, thresholds: Mapping[str, float]) -> list[dict[str, Near]]:
    found = []
    for row in range(len(items)):
        rest = items.part([other for other in range(len(items)) if other != row])
        found += nearest(items.part([row]), rest, thresholds)
    return found


def _blockers(items: Vectors, references: Vectors | None, thresholds: Mapping[str, float]) -> list[Near | None]:
    """What each item is a near-duplicate of: a reference, or an earlier item that is kept; None where it is kept."""
    before = nearest(items, references, thresholds) if references is not None else [{} for _ in items.labels]
    kept: list[int] = []
    found: list[Near | None] = []
    for row in range(len(items)):
        near = {c: n for c, n in before[row].items() if n.over}
        if not near and kept:
            within = scores(items.part([row]), items.part(kept))
            best = {c: int(np.argmax(values[0])) for c, values in within.items()}
            near = {
                c: Near(items.labels[kept[at]], float(within[c][0, at]), c, True)
                for c, at in best.items()
                if within[c][0, at] >= thresholds[c]
            }
        found.append(worst(near, thresholds))
        if not near:
            kept.append(row)
    return found


def _row(label: str, near: Mapping[str, Near], blocker: Near | None, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """One item of the report; a channel that could not be compared is None."""
    closest = worst(near, thresholds)
    row: dict[str, Any] = {
        "id": label.partition("/")[2],
        "kept": blocker is None,
        "nearest": closest.label if closest else None,
        "score": round(closest.score, 4) if closest else None,
        "channel": closest.channel if closest else None,
        "duplicate_of": blocker.label if blocker else None,
        "duplicate_channel": blocker.channel if blocker else None,
    }
    for channel in CHANNELS:
        found = near.get(channel)
        row[f"{channel}_nearest"] = found.label if found else None
        row[f"{channel}_score"] = round(found.score, 4) if found else None
    return row
