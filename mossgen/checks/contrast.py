"""Contrast pairs: makes the harmful partner of each accepted item of a run, by the rule of its type.

A partner should be refused. Both sides are judged again by the same policy: a partner that passes is dropped, and a
benign item that does not pass is reported. Partners are kept in a separate folder, away from every benign export.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.checks.checking import Checking, check_set
from mossgen.checks.setup import Checkers, prepare
from mossgen.checks.verdicts import spent
from mossgen.core.items import Item, Rating, State, canonical, canonical_sha256, rng
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError, RunError, StoreError
from mossgen.files.disk import sync_file, write_whole
from mossgen.plugins.arguments import several
from mossgen.runs.config import read_config
from mossgen.runs.store import CONFIG, RunStore
from mossgen.sets.dataset import Dataset, Record
from mossgen.sets.lineage import CONTRAST, METADATA
from mossgen.stimulus.types import load_type

if TYPE_CHECKING:
    from mossgen.checks.checking import Row
    from mossgen.stimulus.types import StimulusType

CHECKED = "checked.jsonl"
EXPECTED = "refuse"
ID_TAG = "mgc1-"  # names the version of the hash in contrast_id

_README = """\
# Contrast set of {name}

{count} HARMFUL partners of benign items: each is expected to be refused (`expected: refuse`), and `contrast_of` names
the benign item it belongs to. They are mild, made from templates, and hold no working detail of any harm. Use them to
see whether a model that refuses less still refuses what it should; never mix them with the benign items.

`metadata.jsonl` and `images/` are a Hugging Face ImageFolder.
"""


@dataclass(frozen=True)
class Partner:
    """A harmful partner that is not judged yet: its question and picture, and its benign item."""

    id: str
    of: Item
    question: str
    image: str
    changed: str  # "question" or "picture"


@dataclass(frozen=True)
class Contrasts:
    """The result for a run's partners: rows of those kept, reasons for those dropped, and doubtful benign items."""

    folder: Path
    rows: Sequence[dict[str, Any]]
    dropped: dict[str, int]
    doubtful: Sequence[dict[str, str]]
    cost: float = 0.0
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {
            "run": str(self.folder.parent),
            "made": len(self.rows),
            "dropped": self.dropped,
            "doubtful": list(self.doubtful),
            "folder": str(self.folder),
            "cost": self.cost,
            "notes": list(self.notes),
        }


def contrast(
    run: Path | str | Dataset,
    *,
    type: str | None = None,
    seed: int = 0,
    checkers: str | Sequence[str] = (),
    vlm: str | None = None,
    gates: str | Sequence[str] = (),
    signals: str | Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    max_cost: float | None = None,
    progress: Progress = SILENT,
) -> Contrasts:
    """Makes a harmful partner, which should be refused, for each accepted item of a run, in RUN/contrast.

    Both sides are judged again; a partner that passes as benign is dropped. `type` is the template file if the run's
    type did not come with mossgen. The same `seed` gives the same partners. The other parameters are as in `check`, and
    the same call continues a stopped one. Raises ConfigError, MissingModel, BackendError, RunError, StoreError.

    >>> mossgen.contrast("generated/negated_harm-0").to_dict()["doubtful"]
    []
    """
    folder = run.path if isinstance(run, Dataset) else Path(run)
    config = read_config(folder / CONFIG)
    asked = Checkers(several(checkers), vlm, several(gates), several(signals), options or {}, max_cost)
    checking = prepare(asked, type, config, progress)
    checking = replace(checking, head={**checking.head, "seed": seed})
    made = make_contrasts(folder, load_type(type or config.type), checking, seed, progress)
    return replace(made, cost=round(spent(checking.checkers), 4), notes=checking.head["notes"])


def make_contrasts(
    run: Path, stimulus: StimulusType, checking: Checking, seed: int = 0, progress: Progress = SILENT
) -> Contrasts:
    """Makes, judges and writes the partners of a run's accepted items; the same call continues a stopped one.

    Raises ConfigError (no run, a type without a contrast rule, another configuration in the folder), RunError if a
    checker failed or the budget was spent, and StoreError from the disk. Partners that were already judged are kept.
    """
    if stimulus.template.contrast is None:
        raise ConfigError(
            f"{stimulus.source}: the type {stimulus.name} has no `contrast:` section to make partners by."
        )
    with RunStore.open(run) as store:
        items = store.items(State.ACCEPTED)
        blobs = store.blobs
    if not items:
        raise ConfigError(f"{run} has no accepted item: there is nothing to make partners of.")
    made, dropped = partners(items, stimulus, seed)
    records = _records(made, items, blobs, stimulus)
    checking.types[stimulus.name] = stimulus
    folder = run / CONTRAST
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}).") from error
    checked = check_set(records, checking, folder / CHECKED, progress, called="judging both sides")
    if checked.stopped:
        raise RunError(f"{checked.stopped} What was judged is kept: the same command goes on from there.")
    rows = []
    blind = {"set", *(c.name for c in checking.checkers if c.options.needs == "image" and not c.options.looks_for_harm)}
    for partner, record in zip(made, checked.rows, strict=False):
        if record["accepted"]:
            dropped["passes as benign"] += 1
        elif record["label"] == Rating.BORDERLINE and record["by"] in blind:
            dropped[f"not to be seen ({record['by']})"] += 1  # rejected, but not because of what it asks
        else:
            rows.append(_row(partner, record, stimulus))
    doubtful = [
        {"id": record["id"], "decision": record["decision"], "by": str(record["by"]), "reason": record["reason"]}
        for record in checked.rows[len(made) :]
        if not record["accepted"]
    ]
    _write(folder, rows, blobs, stimulus.name)
    return Contrasts(folder, rows, dict(sorted(dropped.items())), doubtful)


def partners(items: Sequence[Item], stimulus: StimulusType, seed: int) -> tuple[list[Partner], Counter[str]]:
    """A partner for each item, in order, and why some have none; the same seed gives the same partners.

    The least used texts are chosen first, so that all texts are used about equally often.
    """
    made: list[Partner] = []
    dropped: Counter[str] = Counter()
    used: Counter[int] = Counter()
    for item in items:
        if stimulus.template.contrast and stimulus.template.contrast.bare:
            bare = item.provenance.get("bare_image")
            if not isinstance(bare, str):
                dropped["no picture without its negation"] += 1
                continue
            made.append(
                Partner(contrast_id(item, item.question or "", bare), item, item.question or "", bare, "picture")
            )
            continue
        question = _harmful(stimulus.contrasts(item), used, item, seed)
        image = item.image or ""
        made.append(Partner(contrast_id(item, question, image), item, question, image, "question"))
    return made, dropped


def _harmful(texts: Sequence[Sequence[str]], used: Counter[int], item: Item, seed: int) -> str:
    draw = rng(item.id, f"contrast/{seed}")
    least = min(used[number] for number in range(len(texts)))
    number = draw.choice([n for n in range(len(texts)) if used[n] == least])
    used[number] += 1
    return draw.choice(list(texts[number]))


def contrast_id(item: Item, question: str, image: str) -> str:
    """The content id of a partner: a tag and 16 hex digits of a sha256 over question, picture and the item's id."""
    return ID_TAG + canonical_sha256({"contrast_of": item.id, "question": question, "image": image})[:16]


def _records(made: Sequence[Partner], items: Sequence[Item], blobs: Path, stimulus: StimulusType) -> list[Record]:
    """Partners first, then the benign items; a partner has no slots, so it is judged like an item of any origin."""
    records = [
        Record(id=p.id, number=n, type=stimulus.name, question=p.question, picture=blobs / f"{p.image}.png")
        for n, p in enumerate(made)
    ]
    records += [
        Record(
            id=item.id, number=number, type=stimulus.name, question=item.question or "",
            picture=blobs / f"{item.image}.png", slots=item.slots, overlay=item.overlay,
        )
        for number, item in enumerate(items, len(made))
    ]  # fmt: skip
    return records


def _row(partner: Partner, record: Row, stimulus: StimulusType) -> dict[str, Any]:
    return {
        "file_name": f"images/{partner.id}.png",
        "id": partner.id,
        "contrast_of": partner.of.id,
        "expected": EXPECTED,
        "type": stimulus.name,
        "question": partner.question,
        "description": _description(partner),
        "benign_question": partner.of.question or "",
        "changed": partner.changed,
        "image_sha256": partner.image,
        "decision": record["decision"],
        "rejected_by": record["by"],
        "reason": record["reason"],
        "verdicts": record["verdicts"],
    }


def _description(partner: Partner) -> str:
    """What the picture shows: the image prompt if the picture was changed, else the item's description."""
    item = partner.of
    return (item.image_prompt if partner.changed == "picture" else item.description) or ""


def _write(folder: Path, rows: Sequence[dict[str, Any]], blobs: Path, name: str) -> None:
    """Writes the folder's files, the metadata last, so that it never names a missing file."""
    try:
        images = folder / "images"
        images.mkdir(exist_ok=True)
        wanted = {f"{row['id']}.png" for row in rows}
        for old in images.glob(f"{ID_TAG}*.png"):
            if old.name not in wanted:
                old.unlink()
        for row in rows:
            picture = images / f"{row['id']}.png"
            shutil.copyfile(blobs / f"{row['image_sha256']}.png", picture)
            sync_file(picture)
        write_whole(folder / "README.md", _README.format(name=name, count=len(rows)))
        write_whole(folder / METADATA, (canonical(row) + "\n" for row in rows))
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written ({error.strerror}); what was judged is kept: "
            "free space or mend the permissions, then run the same command again."
        ) from error
