"""Reports how near each item of a set is to reference sets and to other items, so that contamination is measured."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.core.progress import SILENT, Progress
from mossgen.duplicates.embedding import ready_embedder
from mossgen.duplicates.index import Deduplicator
from mossgen.duplicates.nearness import BLOCK, Near, nearest, nearest_others, worst
from mossgen.duplicates.vectors import Vectors, concatenate, embed_set
from mossgen.errors import ConfigError, StoreError
from mossgen.files.disk import write_whole
from mossgen.plugins.protocols import CHANNELS
from mossgen.sets.dataset import Dataset
from mossgen.sets.open import open_set

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder

SUFFIXES = (".csv", ".json")  # allowed for a written report


@dataclass(frozen=True)
class ItemReport:
    """One item of a report: its nearest item, and whether it is kept when near-duplicates are removed.

    `nearest` is its nearest reference (its nearest other item if there are no references), in the channel closest to
    its threshold. The fields below it give the same for each channel; None means that it could not be compared.
    `duplicate_of` is the reference, or the earlier kept item, that it is a near-duplicate of.
    """

    id: str
    kept: bool
    nearest: str | None
    score: float | None
    channel: str | None
    duplicate_of: str | None
    duplicate_channel: str | None
    text_nearest: str | None
    text_score: float | None
    image_nearest: str | None
    image_score: float | None
    pair_nearest: str | None
    pair_score: float | None


@dataclass(frozen=True)
class DedupReport:
    """The report on a set: its items in order, and what they were compared with.

    `references` gives the sizes of the reference sets by name. `over` counts by channel the items that are
    near-duplicates of a reference (of another item if there are no references). `without_picture` counts the items and
    references without a picture, which are compared by their questions only. `problems` says by SET/ID what is wrong
    with records; those without a question are not compared.
    """

    set: str
    references: Mapping[str, int]
    embedder: str
    thresholds: Mapping[str, float]
    over: Mapping[str, int]
    without_picture: int
    problems: Mapping[str, str]
    items: Sequence[ItemReport]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return asdict(self)

    def to_csv(self) -> str:
        """The items as CSV, one row each."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, fieldnames=[field.name for field in fields(ItemReport)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, self.items))
        return stream.getvalue()


def dedup(
    set: str | Path | Dataset,
    against: str | Path | Dataset | Sequence[str | Path | Dataset] = (),
    *,
    out: str | Path | None = None,
    options: Mapping[str, Any] = {},
    progress: Progress = SILENT,
) -> DedupReport:
    """Reports the near-duplicates in a set, and how near every item is to the sets in `against`.

    A set is a path, the name of an imported set, or an opened set. `out` also writes the report: all of it to a .json
    file, the items to a .csv file. `options` change the embedder, as in {"open_clip.text": 0.8}. No item is removed
    from the set. Each item says whether a run would keep it, with references first and then the items in order.

    Raises ConfigError if a set or a picture cannot be read, MissingModel or BackendError from the embedder, and
    StoreError if `out` cannot be written.

    >>> mossgen.dedup("generated/negated_harm-0").items[0].kept
    True
    """
    file = Path(out) if out is not None else None
    if file is not None and file.suffix not in SUFFIXES:
        raise ConfigError(f"`out` {file}: give a name that ends in {' or '.join(SUFFIXES)}.")
    references = [against] if isinstance(against, str | Path | Dataset) else against
    own, *others = map(open_set, (set, *references))
    where = str(set.path if isinstance(set, Dataset) else set)
    report = _report(where, own, others, ready_embedder(options, progress), progress)
    if file is not None:
        _write(file, report)
    return report


def _report(where: str, own: Dataset, others: Sequence[Dataset], embedder: Embedder, progress: Progress) -> DedupReport:
    odd = {f"{one.name}/{key}": why for one in (own, *others) for key, why in one.problems.items()}
    progress.say(f"embedding {len(own.asking)} items")
    items, *theirs = [_embedded(one, embedder, progress, odd) for one in (own, *others)]
    references = concatenate(theirs) if theirs else None
    near, blockers = compare(items, references, embedder.thresholds)
    return DedupReport(
        set=where,
        references={other.name: len(other.asking) for other in others},
        embedder=embedder.name,
        thresholds={channel: round(float(embedder.thresholds[channel]), 4) for channel in CHANNELS},
        over={channel: sum(channel in found and found[channel].over for found in near) for channel in CHANNELS},
        without_picture=sum(int((~vectors.pictured()).sum()) for vectors in (items, *theirs)),
        problems=odd,
        items=[_item(*found) for found in zip(items.labels, near, blockers, strict=True)],
    )


def _embedded(found: Dataset, embedder: Embedder, progress: Progress, odd: dict[str, str]) -> Vectors:
    unreadable: dict[str, str] = {}
    vectors = embed_set(found, embedder, progress, unreadable)
    odd |= {f"{found.name}/{key}": why for key, why in unreadable.items()}
    return vectors


def compare(
    items: Vectors, references: Vectors | None, thresholds: Mapping[str, float]
) -> tuple[list[dict[str, Near]], list[Near | None]]:
    """For each item: its nearest reference by channel, and what it duplicates (None if it is kept).

    Without references, the nearest is another item. Items are compared with the references first, then in their order.
    """
    if references is None:
        near = nearest_others(items, thresholds)
        blockers: list[Near | None] = [None] * len(items)
        # an item that is near to no other is kept, and has no near-duplicates
        undecided = [row for row, found in enumerate(near) if any(n.over for n in found.values())]
    else:
        near = nearest(items, references, thresholds)
        blockers = [worst(n for n in found.values() if n.over) for found in near]
        undecided = [row for row, blocker in enumerate(blockers) if blocker is None]
    kept = Deduplicator(items.texts.shape[1], thresholds)
    for start in range(0, len(undecided), BLOCK):
        rows = undecided[start : start + BLOCK]
        for row, blocker in zip(rows, kept.greedy(items.part(rows)), strict=True):
            blockers[row] = blocker
    return near, blockers


def _item(label: str, near: Mapping[str, Near], blocker: Near | None) -> ItemReport:
    closest = worst(near.values())
    by_channel: dict[str, Any] = {f"{c}_nearest": near[c].label if c in near else None for c in CHANNELS}
    by_channel |= {f"{c}_score": round(near[c].score, 4) if c in near else None for c in CHANNELS}
    return ItemReport(
        id=label.partition("/")[2],
        kept=blocker is None,
        nearest=closest.label if closest else None,
        score=round(closest.score, 4) if closest else None,
        channel=closest.channel if closest else None,
        duplicate_of=blocker.label if blocker else None,
        duplicate_channel=blocker.channel if blocker else None,
        **by_channel,
    )


def _write(file: Path, report: DedupReport) -> None:
    if file.suffix == ".csv":
        text = report.to_csv()
    else:
        text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n"
    try:
        write_whole(file, text.encode("utf-8"))
    except OSError as error:
        raise StoreError(f"{file}: cannot be written ({error.strerror}): choose another `out`.") from None
