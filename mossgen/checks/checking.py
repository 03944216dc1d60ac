"""`mossgen check`: the checkers over a set that exists, item by item, kept as it goes.

With an output file a stopped check goes on where it was: the file's head holds what was checked with, and each
line the hash of what was checked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mossgen.checks.policy import Policy
from mossgen.checks.verdicts import spent, verdicts
from mossgen.core.budget import Budget
from mossgen.core.items import Decision, Item, Label, Verdict, canonical
from mossgen.errors import BackendError, ConfigError, StoreError, TemplateError
from mossgen.files.disk import locked
from mossgen.plugins.protocols import Case, Checker
from mossgen.sets.dataset import Record
from mossgen.sets.lineage import MAX_BYTES
from mossgen.stimulus.types import StimulusType, known_type, untyped

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH = 8  # items checked, and kept, at a time
Row = dict[str, Any]
Report = Callable[[int, int], None]  # items done, items in all


@dataclass
class Checking:
    """What a set is checked with; `head` says it in plain values, for the output file. `budget` may end it early."""

    checkers: Sequence[Checker]
    policy: Policy
    head: Mapping[str, Any]
    types: dict[str, StimulusType] = field(default_factory=dict)
    budget: Budget = field(default=Budget(0))

    def type_of(self, record: Record) -> StimulusType:
        """The record's type, loaded once; one without rules where the set does not say, or says an unknown one."""
        name = record.type or ""
        if name not in self.types:
            self.types[name] = known_type(name)
        return self.types[name]

    def used_up(self) -> str | None:
        """Why no more may be checked, in a sentence; None where it may."""
        usd = spent(self.checkers)
        return f"The money was spent (${usd:.4f})." if self.budget.used_up(0, usd) else None


@dataclass(frozen=True)
class Checked:
    """A row of each record, in order, up to where the check stopped; `stopped` says why, None where it is whole."""

    rows: list[Row]
    stopped: str | None = None


def check_set(
    records: Sequence[Record], checking: Checking, out: Path | None = None, report: Report = lambda done, of: None
) -> Checked:
    """Checks the records, batch by batch. With `out`, what is there already is not checked again.

    A checker that fails, or a budget that is used up, stops it; what was checked stays. Raises ConfigError where
    `out` is of another check, StoreError where it cannot be written.
    """
    rows: list[Row] = []
    with _kept(out, checking.head) as (done, keep):
        for start in range(0, len(records), BATCH):
            report(start, len(records))
            batch = [(record, _digest(record)) for record in records[start : start + BATCH]]
            fresh = [record for record, digest in batch if (record.number, digest) not in done]
            if fresh and (stopped := checking.used_up()):
                return Checked(rows, stopped)
            try:
                made = {row["number"]: row for row in _check(fresh, checking)}
            except BackendError as error:
                return Checked(rows, str(error))
            for record, digest in batch:
                row = done.get((record.number, digest)) or {**made[record.number], "digest": digest}
                rows.append(row)
                if record.number in made:
                    keep(row)
        report(len(records), len(records))
    return Checked(rows)


def _check(records: Sequence[Record], checking: Checking) -> Iterator[Row]:
    """Records that cannot be read are unsure, with the reason; the others go to the checkers together."""
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
    """The record for the checkers. Slots and an overlay count only where they are this type's own."""
    item = record.item()
    try:
        own = set(item.slots) == set(stimulus.template.slots) and bool(stimulus.values(item))
    except TemplateError:
        own = False
    if not own:
        item = Item(item.id, item.number, stimulus.name, "", {}, 0, item.state, question=item.question)
    return Case(item, stimulus, image)


def _blind(case: Case, checking: Checking) -> list[Verdict]:
    """Without a type, only a gate that sees picture and question together can tell what the pair comes to."""
    sighted = any(getattr(c, "sees_pairs", False) and checking.policy.gates(c.name) for c in checking.checkers)
    if case.type.name != untyped().name or sighted:
        return []
    reason = "The set does not say of which type the item is: give --type, or a --judge that sees the pair."
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
        "label": str(ruling.label or Label.BORDERLINE),
        "accepted": ruling.accepted,
        "by": ruling.by,
        "reason": ruling.reason,
        "verdicts": [
            {"checker": v.checker, "decision": v.decision.value, "score": v.score, "reason": v.reason} for v in said
        ],
    }


def _digest(record: Record) -> str:
    """What was checked: the words and the picture's bytes, or why there are none."""
    try:
        picture = hashlib.sha256(record.picture_bytes()).hexdigest()
    except ConfigError as error:
        picture = str(error)
    what = [record.id, record.type, record.question, dict(record.slots), record.overlay, record.problem, picture]
    return hashlib.sha256(canonical(what).encode()).hexdigest()


# -- the output file -----------------------------------------------------------------------------------


@contextmanager
def _kept(
    out: Path | None, head: Mapping[str, Any]
) -> Iterator[tuple[dict[tuple[int, str], Row], Callable[[Row], None]]]:
    """What an output file holds already, and how to add to it; without a file nothing is kept."""
    if out is None:
        yield {}, lambda record: None
        return
    with locked(out.parent, out.name, "--out"):
        done = _resume(out, head)
        try:
            fresh = out.with_name(f".{out.name}.mossgen-new")
            fresh.write_text("".join(canonical(r) + "\n" for r in ({"checked_with": head}, *done.values())), "utf-8")
            os.replace(fresh, out)  # without a line that was cut off, and without what has changed since
            with out.open("a", encoding="utf-8") as stream:
                yield done, lambda record: _append(stream, record)
        except OSError as error:
            raise StoreError(
                f"{out}: cannot be written ({error.strerror}); what was checked before is kept: "
                "free space or mend the permissions, then run the same command again."
            ) from error


def _append(stream: TextIO, record: Row) -> None:
    stream.write(canonical(record) + "\n")
    stream.flush()


def _resume(out: Path, head: Mapping[str, Any]) -> dict[tuple[int, str], Row]:
    if not out.exists():
        return {}
    lines = _lines(out)
    before = lines[0].get("checked_with") if lines else None
    if before is None:
        raise ConfigError(f"{out} was not written by `mossgen check`: move it away, or give another --out.")
    if before != json.loads(canonical(head)):
        raise ConfigError(f"{out} was checked with other checkers, options, type or policy: give another --out.")
    return {(line["number"], line["digest"]): line for line in lines[1:]}


def _lines(out: Path) -> list[Row]:
    """The file's objects. A last line that a crash cut off is left out. Raises ConfigError."""
    try:
        if out.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{out} is larger than {MAX_BYTES:,} bytes: it is no output of `mossgen check`.")
        texts = out.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{out} cannot be read: {error}.") from None
    found: list[Row] = []
    for number, text in enumerate(texts[:-1], 1):  # what follows the last line end was cut off
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or (found and not {"number", "digest"} <= set(line)):
            raise ConfigError(f"{out}, line {number}: not written by `mossgen check`: give another --out.")
        found.append(line)
    return found
