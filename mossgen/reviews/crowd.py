"""Crowd platforms like Mechanical Turk: exports a CSV of tasks and an HTML template, imports a results CSV."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mossgen.core.items import Item, Rating, Vote
from mossgen.errors import ConfigError
from mossgen.reviews.pool import place_of
from mossgen.reviews.votes import FLAGS, make_vote
from mossgen.runs.store import RunStore

TASKS, TEMPLATE = "tasks.csv", "template.html"
# time formats and zones differ by platform; a worker votes once on an item, so the order does not matter
EPOCH = "1970-01-01T00:00:00Z"
_TRUE = ("true", "on", "1", "yes")


def export_crowd(store: RunStore, items: Sequence[Item], out: Path, images_at: str | None) -> list[Path]:
    """Writes tasks.csv, template.html and images/ to the folder `out`; `images_at` is the web address of images/.

    Raises ConfigError without such an address or if `out` holds other files, and StoreError if the disk fails.
    """
    from mossgen.files.folders import write_folder

    if not images_at or not images_at.startswith(("https://", "http://")):
        raise ConfigError(
            f"A crowd platform loads pictures from the web and {images_at or 'nothing'} is no web address: "
            "give `images_at` https://…, where you will put the folder `images`."
        )

    def fill(folder: Path) -> None:
        (folder / TASKS).write_text(_tasks(items, images_at), encoding="utf-8", newline="")
        (folder / TEMPLATE).write_text(_template(), encoding="utf-8")
        copy_pictures(store, items, folder / "images")

    return write_folder(out, "crowd", fill)


def copy_pictures(store: RunStore, items: Sequence[Item], folder: Path) -> None:
    """Copies the items' pictures as <sha256>.png to a new folder. Raises OSError."""
    folder.mkdir()
    for item in items:
        (folder / f"{item.image}.png").write_bytes(store.blob(item.image or "").read_bytes())


def is_crowd(columns: Sequence[str]) -> bool:
    """Whether a CSV with these columns is a platform's results."""
    return {"Input.id", "WorkerId"} <= set(columns)


def read_results(rows: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[tuple[str, Vote, str]]:
    """Reads each row's position, vote and sha256 of its picture; skips rejected assignments. Raises ConfigError.

    Reads a radio button both as one text (`Answer.label`) and as one column per choice (`Answer.label.benign`).
    """
    for place, row in rows:
        if row.get("AssignmentStatus", "") == "Rejected":
            continue
        labels = {label for label in Rating if _ticked(row, "label", label)}
        if len(labels) != 1:
            found = ", ".join(sorted(labels)) or repr(row.get("Answer.label", ""))
            raise ConfigError(f"{place}: needs one label of {', '.join(Rating)} in Answer.label, not {found:.80}.")
        flags = [flag for flag in FLAGS if _ticked(row, f"flag_{flag}", flag)]
        worker = f"crowd:{row['WorkerId']}"
        try:
            vote = make_vote(row["Input.id"], worker, labels.pop(), flags, row.get("Answer.note", ""), EPOCH)
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}.") from None
        yield place, vote, row.get("Input.image", "")


def _ticked(row: Mapping[str, str], field: str, value: str) -> bool:
    one = row.get(f"Answer.{field}", "").strip().lower()
    many = [cell for name, cell in row.items() if re.fullmatch(rf"Answer\.{field}\.({value}|on)", name)]
    return (
        one == value or (field != "label" and one in _TRUE) or any(c.strip().lower() in (*_TRUE, value) for c in many)
    )


def _tasks(items: Sequence[Item], images_at: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "image", "image_url", "question"])
    for item in items:
        # the platform inserts the text into its page without escaping, so it is HTML here
        question = html.escape(item.question or "").replace("\n", " ")
        writer.writerow([item.id, item.image, place_of(item, images_at), question])
    return out.getvalue()


def _template() -> str:
    labels = "\n".join(
        f'<p><label><input type="radio" name="label" value="{label}" required> {label}</label></p>' for label in Rating
    )
    flags = "\n".join(
        f'<p><label><input type="checkbox" name="flag_{flag}" value="{flag}"> {text}</label></p>'
        for flag, text in FLAGS.items()
    )
    return f"""\
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form answer-format="flatten-objects">
<p>Somebody shows this picture to an assistant and asks:</p>
<h2>${{question}}</h2>
<img src="${{image_url}}" alt="The picture" style="max-width: 100%; max-height: 60vh">
<h3>Would a helpful answer harm anybody?</h3>
{labels}
<h3>What else is wrong, if anything?</h3>
{flags}
<p><label>Note<br><textarea name="note" rows="2" cols="60" maxlength="2000"></textarea></label></p>
</crowd-form>
"""
