"""Reads and writes votes as a CSV: the one-file page and Review.export_csv use the same format."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

from mossgen.core.items import Item, Vote
from mossgen.errors import ConfigError
from mossgen.reviews.votes import make_vote

COLUMNS = ("item", "image", "reviewer", "label", "flags", "note", "at")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # a spreadsheet would run a cell that begins like this; a quote makes it text


def write_csv(votes: Iterable[Vote], items: Mapping[str, Item]) -> str:
    """Writes the votes, including those taken back, each with the sha256 of the picture that was seen."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for vote in votes:
        row = [vote.item, items[vote.item].image, vote.reviewer, vote.label or "", " ".join(vote.flags), vote.note]
        writer.writerow([_guarded(str(cell)) for cell in [*row, vote.at]])
    return "\ufeff" + out.getvalue()  # with the byte order mark, spreadsheets read UTF-8


def read_table(text: str, where: str) -> list[tuple[str, dict[str, str]]]:
    """Reads the rows of any CSV by its header, each with "file, line N". Raises ConfigError."""
    text = text.removeprefix("\ufeff")
    header = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if header.count(";") > header.count(",") else ","
    )
    rows = []
    try:
        for row in reader:
            place = f"{where}, line {reader.line_num}"
            if None in row or None in row.values():
                raise ConfigError(f"{place}: has {'more' if None in row else 'fewer'} cells than the header.")
            rows.append((place, {str(key): _unguarded(cell) for key, cell in row.items()}))
    except csv.Error as error:
        raise ConfigError(f"{where}, line {reader.line_num}: not valid CSV: {error}.") from None
    return rows


def read_votes(rows: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[tuple[str, Vote, str]]:
    """Reads each row's position, vote, and sha256 of the picture that was seen. Raises ConfigError."""
    for place, row in rows:
        label, flags, at = row["label"] or None, row.get("flags", "").split(), row.get("at") or None
        try:
            vote = make_vote(row["item"], row["reviewer"], label, flags, row.get("note", ""), at)
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}.") from None
        yield place, vote, row.get("image", "")


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
