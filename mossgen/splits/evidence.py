"""How a run was made and what was checked, as plain values for the cards of sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mossgen.core.items import Item, Rating, State
from mossgen.plugins.cards import tallies
from mossgen.reviews.report import RUN, review_report
from mossgen.runs.store import RunStore

REVISION = 12  # hex digits shown of a model's hash


def run_evidence(store: RunStore, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence of a finished run: counts, models with revision and licence, verdicts by checker, people's votes."""
    items: Sequence[Item] = store.items(State.ACCEPTED, State.REJECTED)
    return {
        **{key: manifest[key] for key in ("type", "seed", "mossgen", "candidates", "accepted", "rejected")},
        "models": [_model(entry) for entry in manifest["models"]],
        "checks": [[t.checker, t.passed, t.failed, t.unsure] for t in tallies(items)],
        "people": _people(store),
    }


def _model(entry: Mapping[str, Any]) -> dict[str, str]:
    revision = str(entry.get("revision") or "") or str(entry.get("sha256") or "")[:REVISION]
    return {"role": entry["role"], "name": entry["name"], "licence": entry.get("licence") or "", "revision": revision}


def _people(store: RunStore) -> dict[str, Any] | None:
    """How many items people decided, how far they agree, and how often each checker agrees with them."""
    if not store.votes():
        return None
    figures = review_report(store)
    agreed: dict[str, list[int]] = {}
    for row in figures["confusion"]:
        passed = row["decision"] in ("pass", "accepted")
        if row["decision"] == "unsure":
            continue
        benign, whole = row[Rating.BENIGN], sum(row[label] for label in Rating)
        counts = agreed.setdefault("the run" if row["checker"] == RUN else row["checker"], [0, 0])
        counts[0] += benign if passed else whole - benign
        counts[1] += whole
    return {
        **{key: figures[key] for key in ("items", "settled", "alpha", "labels")},
        "agreement": [[name, agree, of] for name, (agree, of) in sorted(agreed.items())],
    }
