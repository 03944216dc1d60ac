"""What a run would take, before it is made: `--dry-run`."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

from mossgen.expansion.pipeline import WAVE
from mossgen.expansion.stages import CHUNK
from mossgen.models import weights
from mossgen.runs.config import RunConfig
from mossgen.runs.store import DATABASE, RunStore
from mossgen.stimulus.types import StimulusType

YIELD = 0.5  # of candidates accepted, assumed until the run itself tells
TOKENS = (600, 60)  # read and written a candidate, for endpoints that price them


def forecast(stimulus: StimulusType, config: RunConfig, wanted: int, folder: Path) -> dict[str, Any]:
    """Candidates, pictures, dollars and downloads for `wanted` accepted items, and the first of the plan.

    Where the run exists, its own yield and seconds a candidate are used; otherwise YIELD, and no seconds.
    """
    accepted = tried = 0
    seconds = 0.0
    if (folder / DATABASE).is_file():
        with RunStore.read(folder) as store:
            counts = store.counts()
            accepted = counts.get("accepted", 0) + counts.get("spare", 0)
            tried = accepted + counts.get("rejected", 0)
            seconds = sum(s for s, _ in store.spent().values())
    share = accepted / tried if accepted else YIELD
    missing = max(wanted - accepted, 0)
    candidates = math.ceil(missing / share / WAVE) * WAVE
    pictures = math.ceil(candidates / CHUNK) * CHUNK
    llm, imager = config.llm.options, config.imager.options
    usd = candidates * (TOKENS[0] * llm.get("price_in", 0) + TOKENS[1] * llm.get("price_out", 0)) / 1e6
    usd += pictures * imager.get("price", 0)
    plan = itertools.islice(stimulus.plan(config.seed), 5)
    return {
        "run": str(folder),
        "type": stimulus.name,
        "wanted": wanted,
        "accepted": accepted,
        "candidates": candidates,
        "pictures": pictures,
        "cost": round(usd, 4) if _priced(config) else None,
        "seconds": round(candidates * seconds / tried, 1) if tried else None,
        "downloads": {name: weights.size(name) for name in config.weights if not weights.ready(name)},
        "plan": [stimulus.render(stimulus.template.description, item) for item in plan],
    }


def _priced(config: RunConfig) -> bool:
    """Whether every endpoint of the run has a price; local models cost nothing."""
    llm, imager = config.llm, config.imager
    free_llm = llm.plugin != "openai" or llm.options.get("price_in", 0) + llm.options.get("price_out", 0) > 0
    return free_llm and (imager.plugin != "openai" or imager.options.get("price", 0) > 0)


def sentence(forecast: dict[str, Any]) -> str:
    """The forecast for a person."""
    size = sum(forecast["downloads"].values()) / 1e6
    known = forecast["seconds"]
    duration = f"about {known:.0f} s" if known else "time not known before a first run"
    lines = [
        f"Would try about {forecast['candidates']} candidates and draw at most {forecast['pictures']} pictures "
        f"for {forecast['wanted']} accepted items ({forecast['accepted']} are there) in {forecast['run']}.",
        f"Cost: {_dollars(forecast['cost'])}, {duration}; downloads: {f'{size:.0f} MB' if size else 'none'}.",
        "The plan begins:",
        *(f"  {text}" for text in forecast["plan"]),
    ]
    return "\n".join(lines)


def _dollars(cost: float | None) -> str:
    return "not known (set llm.price_in, llm.price_out, imager.price)" if cost is None else f"${cost:.2f}"
