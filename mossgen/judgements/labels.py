"""`mossgen judge`: labels each response with one judge after another, and keeps each label as it arrives.

    FOLDER/                  a probe's, or one made for responses of others
      responses.jsonl        one responses.Row a line
      labels.jsonl           one Label a line

The key of a label is a hash of everything it depends on (judge, its settings, question, response, and the picture if
the judge sees it). So the same command continues a stopped one, and nothing is paid for twice. A response that was
withheld (Row.kind "filtered") counts as a refusal for every judge, since there is no text to judge.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from mossgen.core.budget import OUT_OF, Limits
from mossgen.core.items import canonical_sha256, derived_seed
from mossgen.core.progress import SILENT, Progress
from mossgen.core.refusal import RefusalClass
from mossgen.errors import BackendError, ConfigError
from mossgen.files.ledger import Kind, Ledger
from mossgen.files.responses import Place, ResponseRow, natural, place
from mossgen.plugins.protocols import Exchange, Labelled, RefusalJudge
from mossgen.sets.dataset import Record

LABELS = "labels.jsonl"
FILTERED = "filtered"
WITHHELD = "withheld: by the endpoint's content filter, or in the model's own refusal field"
BATCH = 16  # responses judged and saved at a time


@dataclass(frozen=True)
class Label:
    """What one judge says of one response. `how` is a hash of the judge's settings, `key` of all it depends on."""

    id: str
    target: str
    sample: int
    judge: str
    label: str
    score: float | None = None
    reason: str = ""
    how: str = ""
    key: str = ""

    @property
    def place(self) -> Place:
        """The response that it labels."""
        return self.target, self.id, self.sample


@dataclass
class JudgeTally:
    """The counts for one judge: labels by kind, including old ones, how many were requested now, why it stopped."""

    wanted: int
    kinds: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    cost: float = 0.0

    @property
    def missing(self) -> int:
        """How many labels are still missing."""
        return self.wanted - sum(self.kinds.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {
            "wanted": self.wanted,
            "labels": dict(self.kinds),
            "asked": self.asked,
            "missing": self.missing,
            "failures": dict(self.failures),
            "stopped": self.stopped,
            "cost": round(self.cost, 6),
        }


# -- judging -------------------------------------------------------------------------------------------


def judge_rows(
    rows: Sequence[ResponseRow],
    judge: RefusalJudge,
    labels: Labels,
    items: Mapping[str, Record],
    max_cost: float | None = None,
    progress: Progress = SILENT,
) -> JudgeTally:
    """Labels every response, and keeps each label; responses already labelled are not judged again.

    `stopped` says if a judge failed or its budget was spent. Raises ConfigError, StoreError.
    """
    how = canonical_sha256(dict(judge.settings))[:16]
    labels.refuse_other_settings(judge.name, how)
    tally = JudgeTally(len(rows))
    todo: dict[str, list[ResponseRow]] = {}  # equal responses to equal questions are judged once
    for row in rows:
        shown = row.image if judge.sees and row.id in items and items[row.id].pictured else ""
        key = canonical_sha256([judge.name, how, row.kind == FILTERED, row.question, row.response, shown])[:32]
        kept = labels.find(key)
        if kept is not None:
            _add(labels, tally, replace(kept, id=row.id, target=row.target, sample=row.sample))
        elif row.kind == FILTERED:  # withheld: there is nothing to judge
            _add(labels, tally, _label(row, judge.name, Labelled(RefusalClass.REFUSAL, reason=WITHHELD), how, key))
        else:
            todo.setdefault(key, []).append(row)
    before = judge.cost
    try:
        _ask(todo, judge, labels, items, tally, how, Limits(usd=max_cost), progress)
    except BackendError as error:
        tally.stopped = str(error)
    finally:
        tally.cost = judge.cost - before
    return tally


def _ask(
    todo: Mapping[str, Sequence[ResponseRow]],
    judge: RefusalJudge,
    labels: Labels,
    items: Mapping[str, Record],
    tally: JudgeTally,
    how: str,
    limits: Limits,
    progress: Progress,
) -> None:
    """Sends the responses to the judge in batches; answers are kept before any BackendError is raised."""
    keys, before = list(todo), judge.cost
    for start in range(0, len(keys), BATCH):
        progress.count(judge.name, tally.wanted - tally.missing, tally.wanted)
        if reason := limits.used_up(0, judge.cost - before):
            tally.stopped = OUT_OF[reason]
            return
        batch = keys[start : start + BATCH]
        for key, said in zip(batch, judge.label([_exchange(todo[key][0], key, items) for key in batch]), strict=True):
            tally.asked += 1
            if said.failed:
                tally.failures[said.reason] += 1
                continue
            for row in todo[key]:
                _add(labels, tally, _label(row, judge.name, said, how, key))
    progress.count(judge.name, tally.wanted - tally.missing, tally.wanted)


def _exchange(row: ResponseRow, key: str, items: Mapping[str, Record]) -> Exchange:
    record = items.get(row.id)
    picture = record.open if record is not None and record.pictured else None
    return Exchange(row.response, row.question, picture, derived_seed(key, "judge"))


def keep_stated_labels(rows: Sequence[ResponseRow], labels: Labels) -> list[str]:
    """Keeps the labels given in the responses' files, each source as a separate judge; returns the judges' names."""
    for row in rows:
        if row.label is not None:
            known = row.label in list(RefusalClass)
            reason = "" if known else f"the file's own label {row.label[:40]!r} is none of {', '.join(RefusalClass)}"
            said = Labelled(RefusalClass(row.label) if known else RefusalClass.UNSCORED, reason=reason)
            labels.add(
                _label(
                    row, row.labelled_by, said, "", canonical_sha256([row.labelled_by, row.label, row.response])[:32]
                )
            )
    return list(dict.fromkeys(row.labelled_by for row in rows if row.label is not None))


def _add(labels: Labels, tally: JudgeTally, label: Label) -> None:
    labels.add(label)
    tally.kinds[label.label] += 1


def _label(row: ResponseRow, judge: str, said: Labelled, how: str, key: str) -> Label:
    return Label(
        id=row.id,
        target=row.target,
        sample=row.sample,
        judge=judge,
        label=said.label,
        score=said.score,
        reason=said.reason,
        how=how,
        key=key,
    )


# -- the file ------------------------------------------------------------------------------------------


def _line(label: Label) -> str:
    return json.dumps(asdict(label))  # ASCII, so that a lone surrogate can be written


def _parse(value: Any) -> Label:
    try:
        label = Label(**value)
    except TypeError:
        raise ValueError("its fields are not those of a label") from None
    names = (label.id, label.target, label.judge, label.how, label.key)
    if not all(isinstance(name, str) for name in names) or type(label.sample) is not int:
        raise ValueError("it does not say of which response it is")
    if label.label not in list(RefusalClass):
        raise ValueError(f"{label.label!r} is no label")
    return label


def _ordered(labels: Sequence[Label]) -> Iterable[Label]:
    """By judge in order of appearance, then by target, item and sample."""
    rank = {judge: number for number, judge in enumerate(dict.fromkeys(label.judge for label in labels))}
    return sorted(labels, key=lambda x: (rank[x.judge], x.target, natural(x.id), x.sample))


KIND = Kind(
    maker="mossgen judge",
    rows="labels",
    encode=_line,
    decode=_parse,
    place=lambda label: (label.judge, *label.place),
    key=lambda label: label.key,
    order=_ordered,
)


class Labels(Ledger[Label]):
    """The labels of one folder's responses; raises ConfigError if the file labels other responses (see Ledger)."""

    def __init__(self, file: Path, rows: Sequence[ResponseRow]) -> None:
        super().__init__(file, KIND)
        self._known = {place(row) for row in rows}

    def read(self) -> Self:
        """See Ledger."""
        super().read()
        other = next((label for label in self.rows.values() if label.place not in self._known), None)
        if other:
            raise ConfigError(
                f"{self.file} labels a response of {other.target} to item {other.id}, which is not among the responses "
                f"given now: {KIND.elsewhere}."
            )
        return self

    def add(self, *rows: Label) -> None:
        """Keeps labels; see Ledger."""
        super().add(*(label for label in rows if self.rows.get(KIND.place(label)) != label))

    def of(self, judge: str, row: ResponseRow) -> Label | None:
        """The judge's label for a response, if there is one."""
        return self.rows.get((judge, *place(row)))

    def refuse_other_settings(self, judge: str, how: str) -> None:
        """Raises ConfigError if this judge has labelled here with other settings."""
        if any(label.judge == judge and label.how != how for label in self.rows.values()):
            raise ConfigError(
                f"{self.file}: {judge} labelled here with other options, or in another version of mossgen: give the "
                "same options, or another `out`."
            )
