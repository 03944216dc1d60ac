"""Runs every checker on every item; the policy's gates decide, and an unsure item is never accepted."""

from __future__ import annotations

from collections.abc import Sequence

from mossgen.checks.policy import Policy
from mossgen.core.items import Item, Verdict
from mossgen.errors import BackendError
from mossgen.plugins.protocols import Case, Checker


def check(cases: Sequence[Case], checkers: Sequence[Checker], policy: Policy = Policy()) -> list[Item]:  # noqa: B008
    """The items of the cases with all verdicts, in order; the first gate that does not pass an item rejects it.

    Raises BackendError if a checker loses items: an unchecked item must not pass.
    """
    found = verdicts(cases, checkers)
    return [_decide(case.item, seen, policy) for case, seen in zip(cases, found, strict=True)]


def verdicts(cases: Sequence[Case], checkers: Sequence[Checker]) -> list[list[tuple[str, Verdict | None]]]:
    """The verdicts of all checkers on each case; raises BackendError if a checker loses items."""
    by_checker = [(checker, checker.check(cases)) for checker in checkers]
    for checker, given in by_checker:
        if len(given) != len(cases):
            raise BackendError(f"The checker {checker.name} gave {len(given)} verdicts on {len(cases)} items.")
    return [[(checker.name, given[i]) for checker, given in by_checker] for i in range(len(cases))]


def spent(checkers: Sequence[Checker]) -> float:
    """US dollars that these checkers have spent, as far as they know."""
    return float(sum(checker.cost for checker in checkers))


def _decide(item: Item, found: Sequence[tuple[str, Verdict | None]], policy: Policy) -> Item:
    item = item.with_verdicts(tuple(v for _, v in found if v is not None))
    rejecting = policy.rejecting(found)
    if rejecting is None:
        return item
    name, verdict = rejecting
    return item.reject(name, f"{verdict.decision.value}: {verdict.reason}")
