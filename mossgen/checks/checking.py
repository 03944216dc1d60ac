"""`mossgen check`: runs the checkers over an existing set, batch by batch, and keeps each result.

With an output file, a stopped check can be continued. The head of the file states the checkers and settings; each line
holds the hash of what was checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.checks.policy import Policy
from mossgen.checks.verdicts import spent, verdicts
from mossgen.core.budget import UNLIMITED, Limits
from mossgen.core.items import Decision, Item, Rating, Verdict, canonical, canonical_sha256
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import BackendError, ConfigError, TemplateError
from mossgen.files.ledger import Kind, Ledger
from mossgen.plugins.protocols import Case, Checker
from mossgen.sets.dataset import Record
from mossgen.stimulus.types import StimulusType, known_type, untyped

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH = 8  # items checked and saved at a time
Row = dict[str, Any]


@dataclass
class Checking:
    """What a set is checked with; `head` describes it in the output file, and `limits` may end the check early."""

    checkers: Sequence[Checker]
    policy: Policy
    head: Mapping[str, Any]
    types: dict[str, StimulusType] = field(default_factory=dict)
    limits: Limits = UNLIMITED

    def type_of(self, record: Record) -> StimulusType:
        """The record's type, loaded once; a type without rules if the set states none or an unknown one."""
        name = record.type or ""
        if name not in self.types:
            self.types[name] = known_type(name)
        return self.types[name]

    def used_up(self) -> str | None:
        """Why the check must stop, as a sentence; None if it may continue."""
        usd = spent(self.checkers)
        return f"The money was spent (${usd:.4f})." if self.limits.used_up(0, usd) else None


@dataclass(frozen=True)
class Checked:
    """One row for each record, in order, until the check stopped; `stopped` says why, None if it is complete."""

    rows: list[Row]
    stopped: str | None = None


def check_set(
    records: Sequence[Record],
    checking: Checking,
    out: Path | None = None,
    progress: Progress = SILENT,
    called: str = "checking",
) -> Checked:
    """Checks the records, batch by batch; records already in `out` are not checked again.

    It stops when a checker fails or a limit is reached, and keeps the results so far. `called` is the name of the job
    in the progress display. Raises ConfigError if `out` belongs to another check, StoreError if it cannot be written.
    """
    rows: list[Row] = []
    ledger = None if out is None else Ledger(out, KIND, {"checked_with": dict(checking.head)})
    with ledger or nullcontext():
        for start in range(0, len(records), BATCH):
            progress.count(called, start, len(records))
            batch = [(record, _digest(record)) for record in records[start : start + BATCH]]
            kept = [ledger.find((record.number, digest)) if ledger else None for record, digest in batch]
            fresh = [record for (record, _), row in zip(batch, kept, strict=True) if row is None]
            if fresh and (stopped := checking.used_up()):
                return Checked(rows, stopped)
            try:
                made = {row["number"]: row for row in _check(fresh, checking)}
            except BackendError as error:
                return Checked(rows, str(error))
            new = {number: {**made[number], "digest": d} for (r, d) in batch if (number := r.number) in made}
            rows += [row or new[record.number] for (record, _), row in zip(batch, kept, strict=True)]
            if ledger:
                ledger.add(*new.values())
        progress.count(called, len(records), len(records))
    return Checked(rows)


def _check(records: Sequence[Record], checking: Checking) -> Iterator[Row]:
    """Checks all readable records together; a record that cannot be read is unsure, with the reason."""
    pictures: dict[int, Image] = {}
    for record in records:
        try:
            if record.problem:
                raise ConfigError(record.problem)
            pictures[record.number] = record.image
        except ConfigError as error:
            yield _row(record, [Verdict("set", Decision.UNSURE, str(error))], checking.policy)
    readable = [record for record in records if record.number in pictures]
    cases = [_case(record, checking.type_of(record), pictures[record.number]) for record in readable]
    found = verdicts(cases, checking.checkers) if cases else []
    for record, case, named in zip(readable, cases, found, strict=True):
        said = [verdict for _, verdict in named if verdict is not None]
        yield _row(record, said + _blind(case, checking), checking.policy)


def _case(record: Record, stimulus: StimulusType, image: Image) -> Case:
    """The record as a case for the checkers; slots and overlay are used only if they belong to this type."""
    item = record.item()
    try:
        own = set(item.slots) == set(stimulus.template.slots) and bool(stimulus.values(item))
    except TemplateError:
        own = False
    if not own:
        item = Item(
            id=item.id,
            number=item.number,
            type=stimulus.name,
            seed_id="",
            slots={},
            variant=0,
            state=item.state,
            question=item.question,
        )
    return Case(item, stimulus, image)


def _blind(case: Case, checking: Checking) -> list[Verdict]:
    """An unsure verdict if the type is unknown and no gate sees picture and question together; else nothing."""
    sighted = any(c.options.sees_pair and checking.policy.gates(c.name) for c in checking.checkers)
    if case.type.name != untyped().name or sighted:
        return []
    reason = "The set does not say of which type the item is: give `type`, or a `vlm` that sees the pair."
    return [Verdict("type", Decision.UNSURE, reason)]


def _row(record: Record, said: Sequence[Verdict], policy: Policy) -> Row:
    ruling = policy.rule(said)
    return {
        "id": record.id,
        "number": record.number,
        "type": record.type,
        "question": record.question,
        "image": record.picture.name if isinstance(record.picture, Path) else None,
        "decision": str(ruling.label or Decision.UNSURE),
        "label": str(ruling.label or Rating.BORDERLINE),
        "accepted": ruling.accepted,
        "by": ruling.by,
        "reason": ruling.reason,
        "verdicts": [
            {"checker": v.checker, "decision": v.decision.value, "score": v.score, "reason": v.reason} for v in said
        ],
    }


def _digest(record: Record) -> str:
    """A hash of what was checked: the texts and the picture's bytes, or why they are missing."""
    try:
        picture = hashlib.sha256(record.picture_bytes()).hexdigest()
    except ConfigError as error:
        picture = str(error)
    what = [record.id, record.type, record.question, dict(record.slots), record.overlay, record.problem, picture]
    return canonical_sha256(what)


# -- the output file -----------------------------------------------------------------------------------


def _parse(value: Any) -> Row:
    if not isinstance(value, dict) or type(value.get("number")) is not int or not isinstance(value.get("digest"), str):
        raise ValueError("it has no number and no digest of an item")
    return value


KIND = Kind(
    maker="mossgen check",
    rows="checks",
    encode=canonical,
    decode=_parse,
    place=lambda row: (row["number"], row["digest"]),
    key=lambda row: (row["number"], row["digest"]),
    order=lambda rows: sorted(rows, key=lambda row: row["number"]),
)
