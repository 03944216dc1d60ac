"""`mossgen.check`: checks each item of a set with checkers, and decides with the policy whether it is benign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.checks.checking import Row, check_set
from mossgen.checks.setup import Checkers, prepare
from mossgen.checks.verdicts import spent
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import RunError
from mossgen.plugins.arguments import several
from mossgen.runs.config import read_config
from mossgen.runs.store import CONFIG
from mossgen.sets.dataset import Dataset
from mossgen.sets.open import open_set


@dataclass(frozen=True)
class CheckReport:
    """The result of a check: one row for each record with its decision and verdicts, and the policy that decided.

    `stopped` says why records are missing; it is None if none are missing.
    """

    set: str
    policy: Mapping[str, Any]
    notes: Sequence[str]
    rows: Sequence[Row]
    cost: float
    stopped: str | None = None

    @property
    def accepted(self) -> int:
        """How many records are benign."""
        return sum(row["accepted"] for row in self.rows)

    @property
    def unreadable(self) -> int:
        """How many records could not be read; they count as unsure."""
        return sum(row["by"] == "set" for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {
            "set": self.set,
            "policy": self.policy,
            "notes": list(self.notes),
            "counts": dict(Counter(row["decision"] for row in self.rows)),
            "accepted": self.accepted,
            "unreadable": self.unreadable,
            "cost": self.cost,
            "stopped": self.stopped,
            "items": list(self.rows),
        }


def check(
    set: Path | str | Dataset,
    *,
    type: str | None = None,
    checkers: str | Sequence[str] = (),
    vlm: str | None = None,
    gates: str | Sequence[str] = (),
    signals: str | Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    max_cost: float | None = None,
    progress: Progress = SILENT,
) -> CheckReport:
    """Decides for every record of a set whether it is benign.

    `type` is the name or the template file of a type, for records that do not state theirs. `checkers` replace the
    default ones. `vlm` (openai:MODEL[@URL] or transformers:PATH) adds a vision-language model that sees picture and
    question. `gates` and `signals` change which checkers decide. `options` are the checkers' options, as in
    {"sanity.x": 1}. With `out`, a JSONL file, each decided record is kept. A check stops at `max_cost` US dollars or
    when a checker fails; the same call then continues it.

    Raises ConfigError, MissingModel, BackendError (a checker that cannot be loaded), StoreError, and RunError if the
    check stopped before the first record was decided.

    >>> report = mossgen.check("generated/negated_harm-0")
    >>> report.accepted == len(report.rows)
    True
    """
    found = open_set(set, type=type)
    config = read_config(found.path / CONFIG) if (found.path / CONFIG).is_file() else None
    asked = Checkers(several(checkers), vlm, several(gates), several(signals), options or {}, max_cost)
    checking = prepare(asked, type, config, progress)
    file = Path(out) if out is not None else None
    checked = check_set(found, checking, file, progress)
    stopped = checked.stopped and f"{checked.stopped} {_left(len(checked.rows), len(found), file)}"
    if stopped and not checked.rows:
        raise RunError(stopped)
    cost = round(spent(checking.checkers), 4)
    return CheckReport(str(found.path), checking.head["policy"], checking.head["notes"], checked.rows, cost, stopped)


def _left(done: int, of: int, out: Path | None) -> str:
    """Says what a stopped check has done so far, and how to continue it."""
    kept = f"they are in {out}: the same command goes on" if out else "with `out` they are kept, and the check goes on"
    return f"{done} of {of} items were checked; {kept}."
