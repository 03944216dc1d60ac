"""`mossgen audit`: finds test items, near-copies of them, and canaries in training data.

A hit is, from most to least certain: the item's id, its picture's bytes, its question word by word, or a cosine that
reaches the embedder's threshold for near-duplicates, of the text, the picture, or both.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mossgen.core.progress import SILENT, Progress
from mossgen.duplicates.embedding import ready_embedder
from mossgen.duplicates.nearness import BLOCK, image_scores, text_scores
from mossgen.duplicates.training_rows import TrainingRow, training_rows
from mossgen.duplicates.vectors import embed_set
from mossgen.errors import ConfigError
from mossgen.files.pictures import read_picture
from mossgen.plugins.arguments import several
from mossgen.sets import lineage
from mossgen.sets.dataset import Dataset, picture_bytes, unaltered
from mossgen.sets.open import open_set
from mossgen.sets.references import locate

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder

BATCH = 64  # rows embedded at a time
SHORTEST, LONGEST = 3, 60  # a text is compared with questions only if it has this many words
ENOUGH = 4  # a question of at least this many words is also searched for inside longer texts
HELD_OUT = ("test", "dev")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Hit:
    """A row of the training data (counted from 1) that holds an item, how, and the score if it is a near-copy."""

    row: int
    item: str
    how: str
    score: float | None = None


@dataclass
class AuditReport:
    """The result of an audit of `file`.

    It has the hits; for each side whose canary was found, the first row with it; how many rows and pictures were read;
    and what could not be read.
    """

    file: str
    rows: int = 0
    pictures: int = 0
    hits: list[Hit] = field(default_factory=list)
    canaries: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether no item and no canary was found."""
        return not self.hits and not self.canaries

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        hits = [{**asdict(hit), "score": None if hit.score is None else round(hit.score, 4)} for hit in self.hits]
        return {
            "file": self.file,
            "rows": self.rows,
            "pictures": self.pictures,
            "hits": hits,
            "canary": bool(self.canaries),
            "canaries": self.canaries,
            "unreadable": self.unreadable,
        }


def audit(
    file: str | Path,
    against: str | Path | Dataset,
    *,
    sides: str | Sequence[str] = HELD_OUT,
    images: Sequence[str | Path] = (),
    exact: bool = False,
    progress: Progress = SILENT,
) -> AuditReport:
    """Looks for the items of a set in training data (JSONL, JSON, CSV or Parquet, of any structure).

    `against` is a run, an imported set, or a set with sides, as a path or opened; `sides` selects which sides to look
    for. `images` are more folders to look for pictures in, besides the training file's own. With `exact` no model is
    loaded, and only exact copies are found. Raises ConfigError, and MissingModel or BackendError from the embedder.

    >>> mossgen.audit("my-set/test/metadata.jsonl", "my-set", exact=True).canaries
    {'test': 1}
    """
    reference, marks = _protected(against, several(sides))
    found = AuditReport(str(file))
    same = _Exact(reference)
    odd = dict(reference.problems)
    near = None if exact else _Likeness(reference, ready_embedder({}, progress), odd)
    found.unreadable += [f"{reference.name}/{key}: {why}" for key, why in odd.items()]
    rows = training_rows(Path(file), [Path(folder) for folder in images], found.unreadable)
    while batch := list(itertools.islice(rows, BATCH)):
        for row in batch:
            found.pictures += len(row.pictures)
            _canaries(row, marks, found)
        certain = {(row.number, key): Hit(row.number, key, how) for row in batch for key, how in same.of(row)}
        likely = near.of(batch, found) if near else []
        found.hits += certain.values()
        found.hits += [hit for hit in likely if (hit.row, hit.item) not in certain]
        found.rows += len(batch)
        progress.count("rows looked at", found.rows, 0)
    if not found.rows:
        raise ConfigError(f"{file}: there is no row in it that could be looked at.")
    return found


def _protected(given: str | Path | Dataset, sides: Sequence[str]) -> tuple[Dataset, dict[str, str]]:
    """The items to look for, and the unique part of each canary with its side."""
    against = given.path if isinstance(given, Dataset) else locate(given)
    if not lineage.is_sided(against):
        return open_set(given), {}
    top = lineage.head(against)
    there = [side for side in sides if side in top["sides"]]
    if not there:
        raise ConfigError(f"{against} has none of the sides {', '.join(sides)}: it has {', '.join(top['sides'])}.")
    marks = {match[0]: side for side in sides if (match := _UUID.search(str(top["canary"].get(side))))}
    found = open_set(against, side=there, partners=True)
    for record in found:
        unaltered(record, record.row)
    return found, marks


def _canaries(row: TrainingRow, marks: dict[str, str], found: AuditReport) -> None:
    for text in row.texts:
        for mark in _UUID.findall(text.lower()) if marks else ():
            if mark in marks:
                found.canaries.setdefault(marks[mark], row.number)


# -- exact copies -----------------------------------------------------------------------------------------


def _words(text: str) -> str:
    """The text's words, in lower case, each between spaces."""
    return " " + " ".join(re.findall(r"\w+", text.casefold())) + " "


class _Exact:
    """Finds ids, questions word by word, and pictures byte by byte."""

    def __init__(self, reference: Dataset) -> None:
        self._ids = {record.id for record in reference if len(record.id) >= 8}  # an id like "12" would match by chance
        self._questions = _Questions((record.question, record.id) for record in reference.asking)
        self._pictures = {
            hashlib.sha256(picture_bytes(picture)).hexdigest(): record.id
            for record in reference.asking
            for picture in ((record.picture, record.bare) if record.pictured else ())
            if picture is not None
        }

    def of(self, row: TrainingRow) -> Iterator[tuple[str, str]]:
        """(item, how) for each item that the row holds; the most certain last."""
        yield from ((key, "question") for key in self._questions.held_by(row.texts))
        for data in row.pictures:
            key = self._pictures.get(hashlib.sha256(data).hexdigest(), "")
            if key:
                yield key, "picture"
        stems = {part for text in row.texts for part in re.findall(r"[\w-]{8,}", text)}
        yield from ((key, "id") for key in sorted(self._ids & stems))


class _Questions:
    """Finds questions word by word inside texts; a short question must be the whole text."""

    def __init__(self, questions: Iterable[tuple[str, str]]) -> None:
        self._ids: dict[str, str] = {}  # by the question's words
        self._by_start: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for question, key in questions:
            words = _words(question)
            if words not in self._ids and len(words.split()) >= ENOUGH:
                self._by_start[tuple(words.split()[:ENOUGH])].append(words)
            self._ids.setdefault(words, key)
        self._order = {words: place for place, words in enumerate(self._ids)}

    def held_by(self, texts: Iterable[str]) -> list[str]:
        """The ids of the questions that any of the texts contains, in the order of the questions."""
        found = set()
        for text in map(_words, texts):
            found |= {text} & self._ids.keys()
            words = text.split()
            for place in range(len(words) - ENOUGH + 1):
                starting = self._by_start.get(tuple(words[place : place + ENOUGH]), ())
                found.update(question for question in starting if question in text)
        return [self._ids[question] for question in sorted(found, key=self._order.__getitem__)]


# -- near-copies ------------------------------------------------------------------------------------------


class _Likeness:
    """Finds near-copies by the embedder's vectors."""

    def __init__(self, reference: Dataset, embedder: Embedder, odd: dict[str, str]) -> None:
        self._embedder = embedder
        self._items = embed_set(reference, embedder, odd=odd)

    def of(self, rows: Sequence[TrainingRow], found: AuditReport) -> list[Hit]:
        """For each row its nearest item, if a threshold is reached."""
        texts = self._best([[t for t in map(_plain, r.texts) if _may_ask(t)] for r in rows], self._texts)
        images = self._best([self._opened(row, found) for row in rows], self._images)
        hits = []
        for at, row in enumerate(rows):
            by = {"text": texts[at], "image": images[at], "pair": (texts[at] + images[at]) / 2}
            best = max(
                ((float(s.max()) - self._embedder.thresholds[c], c, int(s.argmax())) for c, s in by.items()),
            )
            if best[0] >= 0:
                channel, item = best[1], best[2]
                hits.append(Hit(row.number, self._label(item), f"near by {channel}", float(by[channel][item])))
        return hits

    def _label(self, item: int) -> str:
        return self._items.labels[item].partition("/")[2]

    def _best(self, things: Sequence[Sequence[Any]], score: Callable[[list[Any]], np.ndarray]) -> np.ndarray:
        """[rows, items]: the best score over a row's texts or pictures; -1 if it has none."""
        flat = [thing for row in things for thing in row]
        best = np.full((len(things), len(self._items)), -1, dtype=np.float32)
        owners = [at for at, row in enumerate(things) for _ in row]
        for start in range(0, len(flat), BLOCK):  # a row may hold any number of texts or pictures
            np.maximum.at(best, owners[start : start + BLOCK], score(flat[start : start + BLOCK]))
        return best

    def _texts(self, texts: list[Any]) -> np.ndarray:
        return text_scores(self._embedder.texts(texts), self._items)

    def _images(self, images: list[Any]) -> np.ndarray:
        return image_scores(self._embedder.images(images), self._items)

    def _opened(self, row: TrainingRow, found: AuditReport) -> list[Any]:
        opened = []
        for data in row.pictures:
            try:
                opened.append(read_picture(data))
            except ConfigError as error:
                found.unreadable.append(f"row {row.number}: {error}")
        return opened


def _plain(text: str) -> str:
    """The text without the placeholder tag for a picture."""
    return " ".join(re.sub(r"<(image|img)[^>]*>", " ", text).split())


def _may_ask(text: str) -> bool:
    return SHORTEST <= text.count(" ") + 1 <= LONGEST
