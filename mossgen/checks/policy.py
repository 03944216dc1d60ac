"""The policy: which checkers decide and which are only recorded, and the label that follows from the verdicts.

A *gate* decides: an item is accepted if at least one gate gives a verdict and all such gates pass it. A *signal* is
only recorded; it can change benign to borderline, but it never rejects. An unsure gate rejects.

| label | accepted | when |
|---|---|---|
| benign | yes | every gate passes and no signal flags |
| borderline | yes | every gate passes, and a signal flags |
| borderline | no | a gate of form fails: not of its type or not visible, but no gate says harmful |
| unsure | no | a gate is unsure, or no gate gave a verdict |
| harmful | no | a gate that looks for harm fails |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mossgen.core.items import Decision, Rating, Verdict
from mossgen.errors import ConfigError
from mossgen.plugins.protocols import Checker, CheckerOptions
from mossgen.runs.config import MATCH
from mossgen.stimulus.schema import Roles


@dataclass(frozen=True)
class Ruling:
    """What a policy decides from an item's verdicts.

    `label` is None if unsure; `by` is the checker that decided, None if all passed.
    """

    label: Rating | None
    accepted: bool
    by: str | None
    reason: str


@dataclass(frozen=True)
class Policy:
    """The checkers that are signals; all others are gates.

    Checkers in `form` do not look for harm: if one fails, the item is not of its type, or cannot be seen.
    """

    signals: frozenset[str] = frozenset()
    form: frozenset[str] = frozenset({MATCH})

    def gates(self, name: str) -> bool:
        """Whether the checker of this name decides."""
        return name not in self.signals

    def rejecting(self, verdicts: Sequence[tuple[str, Verdict | None]]) -> tuple[str, Verdict] | None:
        """The first gate that did not pass an item, and its verdict; None if all gates passed or gave no verdict."""
        for name, verdict in verdicts:
            if verdict is not None and self.gates(name) and verdict.decision is not Decision.PASS:
                return name, verdict
        return None

    def rule(self, verdicts: Iterable[Verdict]) -> Ruling:
        """The label of an item with these verdicts, by the table above."""
        found = list(verdicts)
        gates = [v for v in found if self.gates(v.checker)]
        failed = [v for v in gates if v.decision is Decision.FAIL]
        harm = next((v for v in failed if v.checker not in self.form), None)
        unsure = next((v for v in gates if v.decision is Decision.UNSURE), None)
        flag = next((v for v in found if not self.gates(v.checker) and v.decision is not Decision.PASS), None)
        if harm:
            return _ruling(Rating.HARMFUL, False, harm)
        if failed:
            return _ruling(Rating.BORDERLINE, False, failed[0])
        if unsure:
            return _ruling(None, False, unsure)
        if not any(v.checker not in self.form for v in gates):
            return Ruling(None, False, None, "No checker that looks for harm had anything to say.")
        if flag:
            return _ruling(Rating.BORDERLINE, True, flag)
        return Ruling(Rating.BENIGN, True, None, "Every gate passes it.")


def _ruling(label: Rating | None, accepted: bool, verdict: Verdict) -> Ruling:
    return Ruling(label, accepted, verdict.checker, f"{verdict.decision}: {verdict.reason}")


def resolve(checkers: Iterable[Checker], roles: Roles) -> Policy:
    """The policy over these checkers: each has its plugin's role, unless `roles` gives it the other one.

    Raises ConfigError if a gate named in `roles` is not among them, or if no checker that looks for harm is left.
    """
    present = {checker.name: checker.options for checker in checkers}
    missing = [name for name in roles.gates if name not in present and name != MATCH]
    if missing:
        raise ConfigError(
            f"The gate {missing[0]!r} is no checker of this run ({', '.join(present)}): add it to `checkers`."
        )
    natural = {name for name, options in present.items() if options.role == "signal"}
    form = {name for name, options in present.items() if not options.looks_for_harm}
    policy = Policy(frozenset((natural - set(roles.gates)) | set(roles.signals)), frozenset({MATCH, *form}))
    if not any(policy.gates(name) for name in present if name not in form):
        raise ConfigError("No gate is left that looks for harm: make one of the signals a gate with `gates`.")
    return policy


def stated(checkers: Iterable[Checker], policy: Policy) -> dict[str, list[str]]:
    """The policy over these checkers as plain values: the names of gates and signals."""
    names = [checker.name for checker in checkers]
    return {
        "gates": [name for name in names if policy.gates(name)],
        "signals": [name for name in names if not policy.gates(name)],
    }


def unseen(checkers: Sequence[CheckerOptions]) -> list[str]:
    """What these checkers leave unchecked with their options, as sentences."""
    notes = []
    if not any(checker.sees_pair and not checker.reads_answer for checker in checkers):
        notes.append("No model saw picture and question together: name one in `vlm`.")
    if not any(checker.reads_answer for checker in checkers):
        notes.append(
            "No answer was written and checked for harm: the checker `answer` does it, with a model to answer."
        )
    return notes
