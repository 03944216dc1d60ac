"""Checks that the question is one plain English sentence and follows the rules of its stimulus type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from mossgen.core.items import Decision, Verdict
from mossgen.plugins.protocols import Case, CheckerOptions
from mossgen.stimulus.rules import broken, outside


class Options(CheckerOptions):
    """No options: the template has the rules."""

    needs: ClassVar[Literal["text", "image"]] = "text"
    looks_for_harm: ClassVar[bool] = False


def build(options: Options) -> Rules:
    """Builds the checker. Raises nothing."""
    return Rules(options)


class Rules:
    """Applies `broken` as a checker, before any picture is paid for."""

    name = "rules"
    cost = 0.0

    def __init__(self, options: Options) -> None:
        self.options = options

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each: fail with the first rule broken, unsure for an item without a question."""
        return [self._one(case) for case in cases]

    def _one(self, case: Case) -> Verdict | None:
        if case.item.question is None:
            return Verdict(self.name, Decision.UNSURE, "There is no question to check.")
        if not case.item.slots:
            return self._foreign(case, case.item.question)
        fault = broken(case.type, case.item, case.item.question)
        if fault:
            return Verdict(self.name, Decision.FAIL, fault)
        return Verdict(self.name, Decision.PASS, "The question keeps every rule of its type.")

    def _foreign(self, case: Case, question: str) -> Verdict | None:
        """Checks an item that mossgen did not make: it fills no slots, so only the type's own test applies."""
        rules = case.type.template.foreign
        if rules is None:
            return None
        fault = outside(case.type, case.item, question, rules)
        if fault:
            return Verdict(self.name, Decision.FAIL, fault)
        return Verdict(self.name, Decision.PASS, "The question keeps the definition of its type.")
