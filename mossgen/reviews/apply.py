"""Applies people's votes to a run: rejects items settled as not benign, with the reason and all evidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mossgen.core.items import Decision, Item, Rating, State, Verdict
from mossgen.reviews.pool import PEOPLE
from mossgen.reviews.votes import FLAGS, REVIEWERS, Status, VoteResult, rule, rulings
from mossgen.runs.store import RunStore

if TYPE_CHECKING:
    from mossgen.stimulus.types import StimulusType


@dataclass(frozen=True)
class Applied:
    """What applying the votes changed: ids rejected now, ids accepted again, and how many items are accepted."""

    rejected: tuple[str, ...]
    restored: tuple[str, ...]
    accepted: int


def settled_benign(store: RunStore, reviewers: int = REVIEWERS) -> frozenset[str]:
    """The ids of the items that people settled as benign; if only reviewed items count, no others do."""
    ruled = rulings(store.votes(), reviewers)
    return frozenset(key for key, ruling in ruled.items() if ruling.label is Rating.BENIGN)


def apply_votes(store: RunStore, reviewers: int = REVIEWERS, only_reviewed: bool = False) -> Applied:
    """Sets which items are accepted after people's votes; the same votes always give the same items.

    Items settled as not benign are rejected; with `only_reviewed`, unsettled items are too. An item that only people
    rejected is accepted again if their votes no longer reject it. What a machine rejected is never accepted here.
    """
    ruled = rulings(store.votes(), reviewers)
    changed: list[Item] = []
    rejected: list[str] = []
    restored: list[str] = []
    theirs = [i for i in store.items(State.ACCEPTED, State.REJECTED) if i.rejected_by in (None, PEOPLE)]
    for item in theirs:
        after = _ruled(item, ruled.get(item.id, rule((), reviewers)), reviewers, only_reviewed)
        if after != item:
            changed.append(after)
        if after.state is not item.state:
            (rejected if after.state is State.REJECTED else restored).append(item.id)
    with store.transaction():
        store.put(changed)
    return Applied(tuple(rejected), tuple(restored), store.counts().get(State.ACCEPTED, 0))


def apply_to_run(
    folder: Path, stimulus: StimulusType | None = None, reviewers: int = REVIEWERS, only_reviewed: bool = False
) -> Applied:
    """Applies the votes of a run and rewrites its outputs, under its lock.

    `stimulus` is the run's type if that is not one that comes with mossgen. Raises ConfigError, TemplateError,
    StoreError.
    """
    from mossgen.runs.config import read_config
    from mossgen.runs.outputs import write_outputs
    from mossgen.runs.store import CONFIG
    from mossgen.stimulus.types import load_type

    with RunStore.change(folder) as store:
        config = read_config(folder / CONFIG)
        kind = stimulus or load_type(config.type)
        applied = apply_votes(store, reviewers, only_reviewed)
        write_outputs(store, kind, config)
    return applied


def _ruled(item: Item, ruling: VoteResult, reviewers: int, only_reviewed: bool) -> Item:
    """The item after the ruling: accepted, or rejected by people; their verdict replaces an earlier one."""
    machine = tuple(verdict for verdict in item.verdicts if verdict.checker != PEOPLE)
    bare = replace(item, verdicts=machine, state=State.ACCEPTED, rejected_by=None, reason=None)
    if ruling.status is Status.OPEN:
        votes = f"{len(ruling.votes)} of {reviewers} votes"
        return bare.reject(PEOPLE, f"unsure: not yet settled by people ({votes})") if only_reviewed else bare
    verdict = _verdict(ruling)
    bare = bare.with_verdicts((verdict,))
    if verdict.decision is Decision.FAIL or (only_reviewed and verdict.decision is Decision.UNSURE):
        return bare.reject(PEOPLE, f"{verdict.decision}: {verdict.reason}")
    return bare


def _verdict(ruling: VoteResult) -> Verdict:
    """People's verdict: its score is the share of benign votes, its reason what most of them also ticked."""
    decisions = {Rating.BENIGN: Decision.PASS, None: Decision.UNSURE}
    decision = decisions.get(ruling.label, Decision.FAIL)
    counts = Counter(flag for vote in ruling.votes for flag in vote.flags)
    ticked = [f"{flag.replace('_', ' ')} ({counts[flag]})" for flag in FLAGS if counts[flag]]
    reason = ruling.sentence() + (f"; ticked: {', '.join(ticked)}" if ticked else "")
    benign = sum(vote.label is Rating.BENIGN for vote in ruling.votes)
    return Verdict(PEOPLE, decision, reason, round(benign / len(ruling.votes), 4))
