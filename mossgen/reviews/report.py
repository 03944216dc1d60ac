"""What people settled, how far they agree, and how the machine's verdicts compare with theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from mossgen.core.items import Item, Rating, Vote
from mossgen.reviews.pool import PEOPLE, pool
from mossgen.reviews.votes import FLAGS, REVIEWERS, Status, VoteResult, rulings
from mossgen.runs.store import RunStore

RUN = "(run)"  # in the place of a checker: the item's state


def review_report(store: RunStore, reviewers: int = REVIEWERS) -> dict[str, Any]:
    """The figures as plain JSON-able values; `text` shows them. Raises ConfigError if there is nothing to review."""
    items = {item.id: item for item in pool(store)}
    history = store.votes()
    ruled = {key: ruling for key, ruling in rulings(history, reviewers).items() if key in items}
    by = {status: [key for key, ruling in ruled.items() if ruling.status is status] for status in Status}
    settled = by[Status.SETTLED]
    return {
        "votes_wanted": reviewers,
        "items": len(items),
        "votes": sum(len(ruling.votes) for ruling in ruled.values()),
        "settled": len(settled),
        "share_settled": round(len(settled) / len(items), 4),
        "queue": len(by[Status.QUEUE]),
        "open": len(items) - len(settled) - len(by[Status.QUEUE]),
        "labels": {label: sum(ruled[key].label is label for key in settled) for label in Rating},
        "alpha": alpha(ruled.values(), "nominal"),
        "alpha_ordinal": alpha(ruled.values(), "ordinal"),
        "flags": {flag: sum(_ticked(ruling, flag) for ruling in ruled.values()) for flag in FLAGS},
        "reviewers": _reviewers(ruled.values()),
        "taken_back": sum(vote.label is None for vote in history),
        "confusion": _confusion(items, ruled, settled),
        "not_benign": [_facts(items[key], ruled[key]) for key in settled if ruled[key].label is not Rating.BENIGN],
        "queue_items": [_facts(items[key], ruled[key]) for key in by[Status.QUEUE]],
    }


def alpha(ruled: Iterable[VoteResult], level: Literal["nominal", "ordinal"]) -> float | None:
    """Krippendorff's alpha over the standing votes; None if it is undefined.

    It is undefined if no item has two votes, or if all votes are the same. `level` is nominal, or ordinal: benign,
    borderline, harmful.
    """
    import krippendorff

    counts = [[sum(vote.label is label for vote in ruling.votes) for label in Rating] for ruling in ruled]
    pairable = [row for row in counts if sum(row) > 1]
    if not pairable or sum(any(column) for column in zip(*pairable, strict=True)) < 2:
        return None
    return round(float(krippendorff.alpha(value_counts=pairable, level_of_measurement=level)), 4)


def text(figures: Mapping[str, Any]) -> str:
    """The figures as text for people."""
    labels = ", ".join(f"{count} {label}" for label, count in figures["labels"].items())
    lines = [
        f"{figures['settled']} of {figures['items']} items settled ({figures['share_settled']:.0%}): {labels}.",
        f"{figures['queue']} in the queue (people disagree), {figures['open']} with fewer than "
        f"{figures['votes_wanted']} votes; {figures['votes']} votes stand, {figures['taken_back']} were taken back.",
        "Krippendorff's alpha: " + _alpha_text(figures),
    ]
    ticked = ", ".join(f"{count} {flag.replace('_', ' ')}" for flag, count in figures["flags"].items() if count)
    lines += [f"Ticked by a majority: {ticked}."] if ticked else []
    lines += [
        f"  {p['name']}: {p['votes']} votes, {p['with_majority']} of {p['settled']} with the majority"
        for p in figures["reviewers"]
    ]
    if figures["confusion"]:
        lines += ["", f"{'machine against people':44}{''.join(f'{label:>11}' for label in Rating)}"]
    for row in figures["confusion"]:
        name = f"{row['type']} {row['checker']} {row['decision']}"
        lines.append(f"{name:44}{''.join(f'{row[label]:11}' for label in Rating)}")
    for title, key in (("Settled as not benign:", "not_benign"), ("In the queue:", "queue_items")):
        if figures[key]:
            lines += ["", title, *(f"  {fact['id']} {fact['question']} ({fact['ruling']})" for fact in figures[key])]
    return "\n".join(lines)


def _alpha_text(figures: Mapping[str, Any]) -> str:
    if figures["alpha"] is None:
        return "undefined (it needs items with two votes, and votes that are not all the same)."
    return f"{figures['alpha']:.3f} nominal, {figures['alpha_ordinal']:.3f} ordinal."


def _ticked(ruling: VoteResult, flag: str) -> bool:
    return 2 * sum(flag in vote.flags for vote in ruling.votes) > len(ruling.votes)


def _reviewers(ruled: Iterable[VoteResult]) -> list[dict[str, Any]]:
    given: Counter[str] = Counter()
    settled: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for ruling in ruled:
        for vote in ruling.votes:
            given[vote.reviewer] += 1
            settled[vote.reviewer] += ruling.label is not None
            agreed[vote.reviewer] += vote.label is ruling.label
    return [
        {"name": name, "votes": given[name], "settled": settled[name], "with_majority": agreed[name]}
        for name in sorted(given)
    ]


def _confusion(
    items: Mapping[str, Item], ruled: Mapping[str, VoteResult], settled: Sequence[str]
) -> list[dict[str, Any]]:
    """One row for each type, checker and decision: how many items people settled with each label."""
    rows: dict[tuple[str, str, str], Counter[Rating]] = {}
    for key in settled:
        item, label = items[key], ruled[key].label
        assert label is not None
        for checker, decision in _said(item):
            rows.setdefault((item.type, checker, decision), Counter())[label] += 1
    return [
        {"type": kind, "checker": checker, "decision": decision, **{label: counts[label] for label in Rating}}
        for (kind, checker, decision), counts in sorted(rows.items())
    ]


def _said(item: Item) -> list[tuple[str, str]]:
    """The machine's verdicts on an item, checker by checker; first its state without people's decisions."""
    became = "accepted" if item.rejected_by in (None, PEOPLE) else "rejected"
    return [(RUN, became), *((v.checker, str(v.decision)) for v in item.verdicts if v.checker != PEOPLE)]


def _facts(item: Item, ruling: VoteResult) -> dict[str, Any]:
    votes: list[Vote] = list(ruling.votes)
    said = [{"reviewer": v.reviewer, "label": v.label, "flags": list(v.flags), "note": v.note} for v in votes]
    return {"id": item.id, "question": item.question, "ruling": ruling.sentence(), "votes": said}
