"""mossgen audit: test items, near-copies of them, and canaries in somebody's training data.

Reads JSONL, JSON, CSV and Parquet of any shape: every text in a row, however deep, and every picture that is there
as bytes, as a data address, or as a file below the training file's folder (or a folder named for it). A hit is, in
the order of certainty: the item's id, its picture's bytes, its question word by word, or a cosine at or above the
embedder's threshold for near-duplicates, of the text, of the picture, or of both.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mossgen.duplicates.nearness import Vectors, embed_reference, scores
from mossgen.errors import ConfigError
from mossgen.files.pictures import MAX_PICTURE_BYTES, data_url, inline_picture
from mossgen.files.tables import read_rows
from mossgen.plugins.spec import load_embedder
from mossgen.sets import lineage
from mossgen.sets.references import Pair, Reference, locate, read_reference

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder
    from mossgen.plugins.spec import Part

BATCH = 64  # rows embedded at a time
SHORTEST, LONGEST = 3, 60  # words of a text that may be a copy of a question
MAX_DEPTH = 20  # of a row's nesting
HELD_OUT = ("test", "dev")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Hit:
    """A row of the training data (counted from 1) that holds an item, how, and the score where it is a likeness."""

    row: int
    item: str
    how: str
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        score = None if self.score is None else round(self.score, 4)
        return {"row": self.row, "item": self.item, "how": self.how, "score": score}


@dataclass
class Audit:
    """What was found: hits, canaries by side, how many rows and pictures were read, and what could not be."""

    hits: list[Hit] = field(default_factory=list)
    canaries: dict[str, int] = field(default_factory=dict)  # side: the first row it is in
    rows: int = 0
    pictures: int = 0
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    """What one row holds: its texts, the bytes of its pictures, and pictures that could not be read."""

    number: int
    texts: tuple[str, ...]
    pictures: tuple[bytes, ...]


def audit(
    file: Path,
    against: Path,
    embedder: Part | None,
    sides: Sequence[str] = HELD_OUT,
    images: Sequence[Path] = (),
    report: Report = lambda done, of: None,
) -> Audit:
    """Looks for the items of `against` (of these sides, where it has sides) in the training data.

    Without an embedder only what is exactly the same is found. `images` are folders that picture files may lie in,
    beside the training file's own. Raises ConfigError, or BackendError from the embedder.
    """
    reference, marks = _protected(locate(against), sides)
    found = Audit()
    exact = _Exact(reference)
    near = _Likeness(reference, load_embedder(embedder)) if embedder else None
    roots = [root.resolve() for root in (file.parent, *images)]
    rows = (_row(number, value, roots, found) for number, value in enumerate(read_rows(file, found.unreadable), 1))
    while batch := list(itertools.islice(rows, BATCH)):
        for row in batch:
            _canaries(row, marks, found)
        certain = {(row.number, key): Hit(row.number, key, how) for row in batch for key, how in exact.of(row)}
        likely = near.of(batch, found) if near else []
        found.hits += certain.values()
        found.hits += [hit for hit in likely if (hit.row, hit.item) not in certain]
        found.rows += len(batch)
        report(found.rows, 0)
    if not found.rows:
        raise ConfigError(f"{file}: there is no row in it that could be looked at.")
    return found


def _protected(against: Path, sides: Sequence[str]) -> tuple[Reference, dict[str, str]]:
    """The items that should not be found, and the canaries (the part that is unique) with their sides."""
    if not lineage.is_sided(against):
        return read_reference(against), {}
    top = lineage.head(against)
    pairs = []
    for side in (side for side in sides if side in top["sides"]):
        for contrast in (False, True):
            part = lineage.part_folder(against, side, contrast)
            for row in lineage.rows(against, side, contrast):
                pairs.append(Pair(row["id"], row["question"], lineage.picture(part, row)))
    if not pairs:
        raise ConfigError(f"{against} has none of the sides {', '.join(sides)}: it has {', '.join(top['sides'])}.")
    marks = {match[0]: side for side in sides if (match := _UUID.search(str(top["canary"].get(side))))}
    return Reference(against.resolve().name, pairs), marks


# -- rows ----------------------------------------------------------------------------------------------


def _row(number: int, value: Any, roots: Sequence[Path], found: Audit) -> _Row:
    """Every text and picture in a row."""
    texts: list[str] = []
    pictures: list[bytes] = []
    for leaf in _leaves(value, 0):
        if isinstance(leaf, bytes):
            pictures.append(leaf)
        elif leaf.startswith("data:image/"):
            data, problem = data_url(leaf)
            pictures += [data] if isinstance(data, bytes) else []
            found.unreadable += [f"row {number}: {problem}"] if problem else []
        elif leaf.lower().endswith(PICTURES) and len(leaf) < 1000:
            data = _file(leaf, roots)
            pictures += [data] if data is not None else []
            found.unreadable += [] if data is not None else [f"row {number}: the picture {leaf!r} is not there."]
            texts.append(leaf)  # an id may stand in the name
        else:
            texts.append(leaf)
    found.pictures += len(pictures)
    return _Row(number, tuple(texts), tuple(pictures))


def _leaves(value: Any, depth: int) -> Iterator[str | bytes]:
    """Every text and bytes in a value: of what is nested, keys too."""
    if isinstance(value, str) and depth < MAX_DEPTH and value[:1] in ("{", "["):  # a cell of a CSV may hold JSON
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            yield value
            return
    if isinstance(value, str | bytes):
        yield value
    elif depth < MAX_DEPTH and isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _leaves(inner, depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, depth + 1)


def _file(name: str, roots: Sequence[Path]) -> bytes | None:
    """The picture's bytes, if it lies below one of the roots: a table must not make us open any file of this disk."""
    for root in roots:
        try:
            path = (root / name.removeprefix("file://")).resolve()
            if path.is_relative_to(root) and path.is_file() and path.stat().st_size <= MAX_PICTURE_BYTES:
                return path.read_bytes()
        except (OSError, ValueError):  # a name too long, or with a null byte in it
            continue
    return None


def _canaries(row: _Row, marks: dict[str, str], found: Audit) -> None:
    for text in row.texts:
        for mark in _UUID.findall(text.lower()) if marks else ():
            if mark in marks:
                found.canaries.setdefault(marks[mark], row.number)


# -- what is the same ----------------------------------------------------------------------------------


def _words(text: str) -> str:
    """The text's words, in lower case, each between spaces."""
    return " " + " ".join(re.findall(r"\w+", text.casefold())) + " "


class _Exact:
    """Finds ids, questions word by word, and pictures byte by byte."""

    def __init__(self, reference: Reference) -> None:
        self._ids = {pair.id for pair in reference.pairs if len(pair.id) >= 8}  # "12" says nothing
        self._questions: dict[str, str] = {}
        for pair in reference.pairs:
            self._questions.setdefault(_words(pair.question), pair.id)
        self._pictures = {
            hashlib.sha256(pair.image.read_bytes()).hexdigest(): pair.id for pair in reference.pairs if pair.image
        }

    def of(self, row: _Row) -> Iterator[tuple[str, str]]:
        """(item, how) of what the row holds; the most certain last."""
        words = [_words(text) for text in row.texts]
        for question, key in self._questions.items():
            enough = question.count(" ") > SHORTEST + 1
            if any(question == text or (enough and question in text) for text in words):
                yield key, "question"
        for data in row.pictures:
            key = self._pictures.get(hashlib.sha256(data).hexdigest(), "")
            if key:
                yield key, "picture"
        stems = {part for text in row.texts for part in re.findall(r"[\w-]{8,}", text)}
        yield from ((key, "id") for key in sorted(self._ids & stems))


# -- what is alike -------------------------------------------------------------------------------------


class _Likeness:
    """Finds near-copies by the embedder's vectors."""

    def __init__(self, reference: Reference, embedder: Embedder) -> None:
        self._embedder = embedder
        self._items = embed_reference(reference, embedder)

    def of(self, rows: Sequence[_Row], found: Audit) -> list[Hit]:
        """For each row the item that it is nearest to, where a threshold is reached."""
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
        """[rows, items]: the best score of any of a row's things; -1 where a row has none."""
        flat = [thing for row in things for thing in row]
        best = np.full((len(things), len(self._items)), -1, dtype=np.float32)
        owners = [at for at, row in enumerate(things) for _ in row]
        if flat:
            np.maximum.at(best, owners, score(flat))
        return best

    def _texts(self, texts: list[Any]) -> np.ndarray:
        vectors = self._embedder.texts(texts)
        return scores(Vectors(texts, vectors, np.full_like(vectors, np.nan)), self._items)["text"]

    def _images(self, images: list[Any]) -> np.ndarray:
        vectors = self._embedder.images(images)
        return scores(Vectors([""] * len(images), np.zeros_like(vectors), vectors), self._items)["image"]

    def _opened(self, row: _Row, found: Audit) -> list[Any]:
        opened = []
        for data in row.pictures:
            try:
                opened.append(inline_picture(data))
            except ConfigError as error:
                found.unreadable.append(f"row {row.number}: {error}")
        return opened


def _plain(text: str) -> str:
    """The text without the tag that stands for a picture."""
    return " ".join(re.sub(r"<(image|img)[^>]*>", " ", text).split())


def _may_ask(text: str) -> bool:
    return SHORTEST <= text.count(" ") + 1 <= LONGEST
