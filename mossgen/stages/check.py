"""Checking: every checker of a kind looks at every item; unsure is never accepted."""

from __future__ import annotations

from collections.abc import Sequence

from mossgen.errors import BackendError
from mossgen.items import Decision, Item, Verdict
from mossgen.ports import Case, Checker


def check(cases: Sequence[Case], checkers: Sequence[Checker]) -> list[Item]:
    """The items of the cases with all verdicts, in order; rejected by the first checker that did not pass it.

    Raises BackendError where a checker loses items: what it did not look at must not pass.
    """
    by_checker = [(checker, checker.check(cases)) for checker in checkers]
    for checker, verdicts in by_checker:
        if len(verdicts) != len(cases):
            raise BackendError(f"The checker {checker.name} gave {len(verdicts)} verdicts on {len(cases)} items.")
    return [_decide(case.item, [(c.name, verdicts[i]) for c, verdicts in by_checker]) for i, case in enumerate(cases)]


def _decide(item: Item, verdicts: Sequence[tuple[str, Verdict | None]]) -> Item:
    item = item.with_verdicts(tuple(v for _, v in verdicts if v is not None))
    for name, verdict in verdicts:
        if verdict is not None and verdict.decision is not Decision.PASS:
            return item.reject(name, f"{verdict.decision.value}: {verdict.reason}")
    return item
