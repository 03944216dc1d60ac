"""Estimates what a run would take before it is made: `mossgen expand --dry-run`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from mossgen.expansion.pipeline import WAVE
from mossgen.expansion.settings import Given
from mossgen.expansion.setup import prepare
from mossgen.expansion.stages import CHUNK
from mossgen.models import weights
from mossgen.plugins.spec import checker_options
from mossgen.runs.config import RunConfig
from mossgen.runs.store import DATABASE, RunStore
from mossgen.stimulus.types import StimulusType

YIELD = 0.5  # share of candidates accepted; assumed until the run has its own
TOKENS = (600, 60)  # tokens read and written per candidate, for endpoints with a price
PICTURE = 800  # more tokens read if a picture is shown
PLANNED = 5  # candidates of the plan that are described


@dataclass(frozen=True)
class Forecast:
    """An estimate of what it would take to have `wanted` accepted items.

    `accepted` items exist already. `candidates`, `pictures`, `usd` and `seconds` are upper bounds. `usd` is None if a
    price is not known, `seconds` is None if no candidate was made yet. `downloads` are the bytes to download by model.
    `unpriced` are the options that would set the unknown prices. `plan` describes the first candidates of the plan.
    """

    run: Path
    type: str
    wanted: int
    accepted: int
    candidates: int
    pictures: int
    usd: float | None
    unpriced: tuple[str, ...]
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
            "unpriced": list(self.unpriced),
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
    """Estimates what `expand` with these arguments would take; makes nothing.

    >>> mossgen.forecast("negated_harm", n=200).pictures >= 200
    True

    If the run exists, its own yield and seconds per candidate are used; otherwise YIELD, and no seconds. Raises
    ConfigError or TemplateError.
    """
    setup = prepare({"type": type, "n": n, **settings}, config, save_config)
    accepted, tried, seconds = _so_far(setup.folder)
    share = accepted / tried if accepted else YIELD
    missing = max(setup.settings.n - accepted, 0)
    candidates = math.ceil(missing / share / WAVE) * WAVE
    pictures = math.ceil(candidates / CHUNK) * CHUNK
    stimulus, costs = setup.stimulus, _costs(setup.config, candidates, pictures)
    return Forecast(
        run=setup.folder,
        type=stimulus.name,
        wanted=setup.settings.n,
        accepted=accepted,
        candidates=candidates,
        pictures=pictures,
        usd=_sum([usd for _, usd in costs]),
        unpriced=tuple(name for part, usd in costs if usd is None for name in part),
        seconds=round(candidates * seconds / tried, 1) if tried else None,
        downloads={name: weights.size(name) for name in setup.config.weights if not weights.ready(name)},
        plan=tuple(
            stimulus.render(stimulus.template.description, item)
            for item in itertools.islice(stimulus.plan(setup.config.seed), PLANNED)
        ),
    )


def _so_far(folder: Path) -> tuple[int, int, float]:
    """The items accepted, candidates tried and seconds spent by a run that may exist."""
    if not (folder / DATABASE).is_file():
        return 0, 0, 0.0
    with RunStore.read(folder) as store:
        counts = store.counts()
        accepted = counts.get("accepted", 0) + counts.get("spare", 0)
        return accepted, accepted + counts.get("rejected", 0), sum(s for s, _ in store.spent().values())


def _costs(config: RunConfig, candidates: int, pictures: int) -> list[tuple[tuple[str, ...], float | None]]:
    """By plugin: the options that set its prices, and its cost in US dollars (None if the prices are not set).

    Every candidate is written, drawn and checked by every checker. Local models cost nothing.
    """
    read, written = (candidates * tokens for tokens in TOKENS)
    parts = [
        ("llm", config.llm.parsed("llms"), (read, written, 0)),
        ("imager", config.imager.parsed("imagers"), (0, 0, pictures)),
        ("embedder", config.embedder.parsed("embedders"), (read, 0, 0)),
    ]
    for part, options in zip(config.checkers, checker_options(config.checkers), strict=True):
        shown = 0 if options.needs == "text" else candidates * PICTURE
        parts.append((part.plugin, options, (read + shown, written, 0)))
    return [
        (tuple(f"{name}.{field}" for field in type(options).model_fields if field.startswith("price")),
         options.estimate(*work))
        for name, options, work in parts
    ]  # fmt: skip


def _sum(costs: Sequence[float | None]) -> float | None:
    known = [usd for usd in costs if usd is not None]
    return round(sum(known), 4) if len(known) == len(costs) else None
