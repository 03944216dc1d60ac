"""What a run would take, before it is made: `mossgen expand --dry-run`."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from mossgen.expansion.pipeline import WAVE
from mossgen.expansion.settings import Given
from mossgen.expansion.setup import prepare
from mossgen.expansion.stages import CHUNK
from mossgen.models import weights
from mossgen.runs.config import RunConfig
from mossgen.runs.store import DATABASE, RunStore
from mossgen.stimulus.types import StimulusType

YIELD = 0.5  # of candidates accepted, assumed until the run itself tells
TOKENS = (600, 60)  # read and written a candidate, for endpoints that price them
PLANNED = 5  # of the plan's candidates that are told


@dataclass(frozen=True)
class Forecast:
    """What it would take to have `wanted` accepted items, of which `accepted` are there: at most so many pictures, US
    dollars (None: a price is not known), seconds (None: no candidate was made yet), bytes to download by model.

    `plan` says in words what the first candidates of the plan show.
    """

    run: Path
    type: str
    wanted: int
    accepted: int
    candidates: int
    pictures: int
    usd: float | None
    seconds: float | None
    downloads: dict[str, int]
    plan: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `mossgen expand --dry-run --json` prints them."""
        return {
            "run": str(self.run),
            "type": self.type,
            "wanted": self.wanted,
            "accepted": self.accepted,
            "candidates": self.candidates,
            "pictures": self.pictures,
            "cost": self.usd,
            "seconds": self.seconds,
            "downloads": self.downloads,
            "plan": list(self.plan),
        }


def forecast(
    type: str | Path | StimulusType | None = None,
    n: int | None = None,
    *,
    config: str | Path | None = None,
    save_config: str | Path | None = None,
    **settings: Unpack[Given],
) -> Forecast:
    """What `expand` with these arguments would take; nothing is made.

    >>> mossgen.forecast("negated_harm", n=200).pictures >= 200
    True

    Where the run exists, its own yield and seconds a candidate are used; otherwise YIELD, and no seconds. Raises
    ConfigError or TemplateError.
    """
    setup = prepare({"type": type, "n": n, **settings}, config, save_config)
    accepted, tried, seconds = _so_far(setup.folder)
    share = accepted / tried if accepted else YIELD
    missing = max(setup.settings.n - accepted, 0)
    candidates = math.ceil(missing / share / WAVE) * WAVE
    pictures = math.ceil(candidates / CHUNK) * CHUNK
    stimulus = setup.stimulus
    return Forecast(
        run=setup.folder,
        type=stimulus.name,
        wanted=setup.settings.n,
        accepted=accepted,
        candidates=candidates,
        pictures=pictures,
        usd=_usd(setup.config, candidates, pictures),
        seconds=round(candidates * seconds / tried, 1) if tried else None,
        downloads={name: weights.size(name) for name in setup.config.weights if not weights.ready(name)},
        plan=tuple(
            stimulus.render(stimulus.template.description, item)
            for item in itertools.islice(stimulus.plan(setup.config.seed), PLANNED)
        ),
    )


def _so_far(folder: Path) -> tuple[int, int, float]:
    """Of a run that may be there: items accepted, candidates tried, seconds spent."""
    if not (folder / DATABASE).is_file():
        return 0, 0, 0.0
    with RunStore.read(folder) as store:
        counts = store.counts()
        accepted = counts.get("accepted", 0) + counts.get("spare", 0)
        return accepted, accepted + counts.get("rejected", 0), sum(s for s, _ in store.spent().values())


def _usd(config: RunConfig, candidates: int, pictures: int) -> float | None:
    """What writing and drawing cost; None where a price is not known. Local models cost nothing."""
    writing = config.llm.parsed("llms").estimate(candidates * TOKENS[0], candidates * TOKENS[1])
    drawing = config.imager.parsed("imagers").estimate(pictures=pictures)
    return None if writing is None or drawing is None else round(writing + drawing, 4)
