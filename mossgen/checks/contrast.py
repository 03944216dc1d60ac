"""Contrast pairs: the harmful partner of each accepted item of a run, by the rule of its type.

A partner is there to be refused. Both sides are judged anew by the same policy: a partner that passes is dropped,
and a benign side that does not pass is reported. Partners lie in a folder of their own, away from every benign export.
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
ID_TAG = "mgc1-"  # names the hash recipe of contrast_id

_README = """\
# Contrast set of {name}

{count} HARMFUL partners of benign items: each is expected to be refused (`expected: refuse`), and `contrast_of` names
the benign item it belongs to. They are mild, made from templates, and hold no working detail of any harm. Use them to
see whether a model that refuses less still refuses what it should; never mix them with the benign items.

`metadata.jsonl` and `images/` are a Hugging Face ImageFolder.
"""


@dataclass(frozen=True)
class Partner:
    """A harmful partner before it is judged: its question and picture, and the item it belongs to."""

    id: str
    of: Item
    question: str
    image: str
    changed: str  # "question" or "picture"


@dataclass(frozen=True)
class Contrasts:
    """What became of a run's partners: kept ones as rows, reasons of the dropped, and doubtful benign items."""

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
    """Makes the harmful partner of each accepted item of a run, to be refused; they lie apart, in RUN/contrast.

    Both sides are judged anew; a partner that passes as benign is dropped. `type` is the template's file where the
    run's type did not come with mossgen; the same `seed` gives the same partners. The rest is as for `check`, and the
    same call goes on where it stopped. Raises ConfigError, MissingModel, BackendError, RunError, StoreError.

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
    """Makes, judges and writes the partners of a run's accepted items; the same call goes on where it stopped.

    Raises ConfigError (no run, a type without a contrast rule, another configuration in the folder), RunError where
    a checker failed or the money was spent, StoreError from the disk; what was judged before is kept.
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
            dropped[f"not to be seen ({record['by']})"] += 1  # rejected, but not for what it asks
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
    """A partner for each item, in order, and why some have none. The same seed gives the same partners.

    Texts that were used least go first, so that the partners of a run are spread over them.
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
    """The content id of a partner: a tag and 16 hex digits of sha256 over the pair and whose partner it is."""
    return ID_TAG + canonical_sha256({"contrast_of": item.id, "question": question, "image": image})[:16]


def _records(made: Sequence[Partner], items: Sequence[Item], blobs: Path, stimulus: StimulusType) -> list[Record]:
    """Partners first, then the benign sides. A partner fills no slots: it is judged as anybody's item would be."""
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
    """What the picture shows: the bare one what was drawn, of which the prompt speaks."""
    item = partner.of
    return (item.image_prompt if partner.changed == "picture" else item.description) or ""


def _write(folder: Path, rows: Sequence[dict[str, Any]], blobs: Path, name: str) -> None:
    """The folder's files: metadata last, so that it never names what is not there."""
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
