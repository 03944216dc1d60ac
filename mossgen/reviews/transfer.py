"""Imports votes from a file: all of them, or none with an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mossgen.core.items import Vote
from mossgen.errors import ConfigError
from mossgen.files import disk
from mossgen.reviews import crowd, csv_votes, label_studio
from mossgen.reviews.pool import known_name, pictured
from mossgen.runs.store import RunStore

MAX_BYTES = 200_000_000  # of one file: Label Studio's exports repeat the pictures
Read = Iterable[tuple[str, Vote, str]]


@dataclass(frozen=True)
class ImportedVotes:
    """How many votes were added, and how many existed already."""

    added: int
    known: int


def import_votes(store: RunStore, path: Path) -> ImportedVotes:
    """Adds the votes of a CSV (ours or a crowd platform's) or of a Label Studio export; importing it twice adds none.

    Raises ConfigError naming the file and line of the first error; then nothing is imported.
    """
    items = pictured(store)
    before = store.votes()
    names = list(dict.fromkeys(vote.reviewer for vote in before))
    new: dict[Vote, None] = {}
    there, known = set(before), 0
    for place, read, image in _read(path):
        item = items.get(read.item)
        if item is None:
            raise ConfigError(
                f"{place}: item {read.item!r:.80} is not in {store.folder}, so the file is of another run: "
                "nothing was imported."
            )
        if image and image != item.image:
            raise ConfigError(
                f"{place}: item {item.id} was voted on with another picture ({image:.12}, here {item.image:.12}), "
                "so the file is of another run: nothing was imported."
            )
        name = known_name(read.reviewer, names)
        names.append(name)
        vote = Vote(read.item, name, read.label, read.flags, read.note, read.at)
        if vote in new or vote in there:
            known += 1
        else:
            new[vote] = None
    if not new and not known:
        raise ConfigError(f"{path}: holds no votes: nothing was imported.")
    with store.transaction():
        store.add_votes(list(new))
    return ImportedVotes(len(new), known)


def _read(path: Path) -> Read:
    text = disk.read_text(path, MAX_BYTES, ConfigError)
    if path.suffix.lower() == ".json" or text.lstrip("\ufeff \r\n")[:1] in ("[", "{"):
        return label_studio.read_export(text.removeprefix("\ufeff"), str(path))
    rows = csv_votes.read_table(text, str(path))
    columns = list(rows[0][1]) if rows else []
    if crowd.is_crowd(columns):
        return crowd.read_results(rows)
    if rows and not {"item", "reviewer", "label"} <= set(columns):
        raise ConfigError(
            f"{path}: has no columns item, reviewer and label (its columns: {', '.join(columns):.200}): give a CSV "
            "that the review page saved, a crowd platform's results, or a Label Studio export."
        )
    return csv_votes.read_votes(rows)
