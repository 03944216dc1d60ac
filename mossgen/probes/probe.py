"""`mossgen.probe`: asks target models about the items of a set, and keeps every response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.core.budget import Limits
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError
from mossgen.files.responses import RESPONSES, ResponseRow, read_responses
from mossgen.plugins import registry
from mossgen.plugins.arguments import refuse_outside, several
from mossgen.plugins.protocols import Target
from mossgen.plugins.spec import Part, target_options, target_parts
from mossgen.probes.items import askable, open_items
from mossgen.probes.probing import Probe, Sampling, TargetTally
from mossgen.sets.dataset import Dataset, Record

FOLDER = Path("generated")  # default place of a probe
READ, PICTURE, WRITTEN = 40, 800, 200  # tokens of a question, a picture, a response; used only for a forecast


@dataclass(frozen=True)
class Probed:
    """The result of a probe: its folder, the records asked about, and a tally for each target."""

    folder: Path
    records: Sequence[Record]
    tallies: Mapping[str, TargetTally]
    problems: Mapping[str, str]

    @property
    def responses(self) -> list[ResponseRow]:
        """Every response to these records, including those of earlier calls."""
        return [row for tally in self.tallies.values() for row in tally.rows]

    @property
    def missing(self) -> int:
        """How many responses are still missing; the same call asks for them again."""
        return sum(tally.missing for tally in self.tallies.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {
            "out": str(self.folder),
            "items": len(self.records),
            "targets": {name: tally.to_dict() for name, tally in self.tallies.items()},
            "problems": dict(self.problems),
        }


def probe(
    set: Path | str | Dataset,
    targets: str | Sequence[str],
    *,
    samples: int = 1,
    system: str = "",
    contrast: bool = False,
    side: str | None = None,
    type: str | None = None,
    limit: int | None = None,
    options: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    max_cost: float | None = None,
    max_time: float | None = None,
    progress: Progress = SILENT,
) -> Probed:
    """Asks target models about the items of a set, and keeps every response; the same call continues a stopped one.

    `targets` are named KIND:MODEL[@URL]. `options` such as {"target.temperature": 0.7} apply to all targets; target2.…
    to the second. With `contrast` the harmful partners are asked about too. Of a set with sides, the test side is used
    unless `side` names another. `max_cost` (US dollars) and `max_time` (seconds) apply to each target. If a target
    fails, its tally says why, and its responses so far are kept.

    Raises ConfigError, MissingModel, BackendError (a target that cannot be loaded), StoreError.

    >>> options = {"target.max_tokens": 24}
    >>> probed = mossgen.probe("generated/negated_harm-0", "transformers:smollm2", options=options)
    >>> len(probed.responses), probed.missing
    (4, 0)
    """
    refuse_outside("samples", samples, 1)
    refuse_outside("limit", limit, 1)
    refuse_outside("max_cost", max_cost, 0)
    refuse_outside("max_time", max_time, 0)
    parts = target_parts(several(targets), options or {})
    found = open_items(set, type=type, side=side, contrast=contrast)
    records = askable(found, limit)
    refuse_equal_samples(parts, samples)
    folder, tallies = _folder(found, out), {}
    with Probe(folder, found.path.resolve().name, Sampling(samples, system)) as asking:
        for part in parts:
            target = load_target(part, progress)
            tallies[target.name] = asking.ask(records, target, Limits(max_time, max_cost), progress)
    return Probed(folder, records, tallies, found.problems)


def forecast(
    set: Path | str | Dataset,
    targets: str | Sequence[str],
    *,
    samples: int = 1,
    contrast: bool = False,
    side: str | None = None,
    type: str | None = None,
    limit: int | None = None,
    options: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
) -> dict[str, Any]:
    """What `probe` would still ask of each target, in approximate tokens and US dollars."""
    names = several(targets)
    parts = target_parts(names, options or {})
    found = open_items(set, type=type, side=side, contrast=contrast)
    records, folder = askable(found, limit), _folder(found, out)
    file = folder / RESPONSES  # empty if a probe stopped before its first response
    kept = read_responses(file) if file.is_file() and file.stat().st_size else []
    ids = {record.id for record in records}
    told = {}
    for part, name in zip(parts, names, strict=True):
        done = sum(row.target == _name(part) and row.id in ids and row.sample < samples for row in kept)
        queries = len(records) * samples - done
        read, written = queries * (READ + PICTURE), queries * WRITTEN
        cost = _price(part, read, written)
        told[name] = {"queries": queries, "kept": done, "tokens_in": read, "tokens_out": written, "cost": cost}
    return {"out": str(folder), "items": len(records), "targets": told}


def load_target(part: Part, progress: Progress) -> Target:
    """Loads the target, and fetches its weights if it is embedded; raises MossgenError."""
    progress.say(f"loading {_name(part)}")
    return registry.load("targets", part.plugin, part.options, progress)


def _folder(found: Dataset, out: Path | str | None) -> Path:
    return Path(out) if out is not None else FOLDER / f"probe-{found.path.resolve().name}"


def _name(part: Part) -> str:
    return f"{part.plugin}:{part.options['model']}"


def _price(part: Part, read: int, written: int) -> float | None:
    """US dollars for these tokens; None if the target costs money but its prices are not given."""
    usd = part.parsed("targets").estimate(read, written)
    return None if usd is None else round(usd, 4)


def refuse_equal_samples(parts: Sequence[Part], samples: int) -> None:
    """Raises ConfigError if several samples are requested of a deterministic target."""
    known = zip(parts, target_options(parts), strict=True)
    fixed = next((part for part, options in known if options.repeats_itself()), None)
    if samples > 1 and fixed:
        raise ConfigError(
            f"`samples` {samples} asks {_name(fixed)} for several responses, but its temperature is 0, so that they "
            "would be the same: set the option target.temperature, such as 0.7, or leave out `samples`."
        )
