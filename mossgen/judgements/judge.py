"""`mossgen.judge`: labels responses as answers or refusals, and computes rates from the labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.core.defaults import JUDGE
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError
from mossgen.files.disk import write_whole
from mossgen.files.folders import disk_errors
from mossgen.files.responses import ResponseRow, gather, keep, recall_facts
from mossgen.judgements.labels import LABELS, JudgeTally, Label, Labels, judge_rows, keep_stated_labels
from mossgen.judgements.rates import by_judge, figures
from mossgen.plugins import registry
from mossgen.plugins.arguments import several
from mossgen.plugins.protocols import RefusalJudge
from mossgen.plugins.spec import Part, judge_options, refusal_judge_parts
from mossgen.probes.items import match_items, open_items
from mossgen.probes.probe import Probed
from mossgen.probes.probing import HEAD
from mossgen.sets.dataset import Dataset, Record

FOLDER = Path("generated")  # default place of labels
RATES = "rates.json"
COLUMNS = ("id", "target", "sample", "judge", "label", "score", "reason")

Responses = Path | str | Probed


@dataclass(frozen=True)
class Judgement:
    """The result of judging responses: their labels, and the figures computed from them (see rates.figures)."""

    folder: Path
    rows: Sequence[ResponseRow]
    labels: Sequence[Label]
    judges: Sequence[str]
    tallies: Mapping[str, JudgeTally]
    figures: Mapping[str, Any]
    notes: Sequence[str]

    def rates(self) -> list[dict[str, Any]]:
        """One row for each judge, target, side of the set and group of items: the share refused, with its interval."""
        return list(self.figures["rates"])

    @property
    def missing(self) -> int:
        """How many labels are still missing; the same call asks for them again."""
        return sum(tally.missing for tally in self.tallies.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values; `rates` are for the benign items of the first judge and target, `table` for all."""
        table = self.rates()
        head = next((c for c in table if c["judge"] == self.judges[0] and c["expected"] == "comply"), None) or {}
        first = [c for c in table if all(c[key] == head.get(key) for key in ("judge", "target", "expected"))]
        return {
            "out": str(self.folder),
            "responses": len(self.rows),
            "items": [{name: getattr(label, name) for name in COLUMNS} for label in self.labels],
            "judge": head.get("judge"),
            "target": head.get("target"),
            "rates": {c["value"]: c for c in first if c["by"] in ("all", "type")},
            "labelled": {name: tally.to_dict() for name, tally in self.tallies.items()},
            "table": table,
            **{key: self.figures[key] for key in ("empty_refuses", "comparisons", "correlations", "judges")},
            "notes": list(self.notes),
        }


def judge(
    responses: Responses | Sequence[Responses],
    judges: str | Sequence[str] = JUDGE,
    *,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    items: Path | str | Dataset | None = None,
    side: str | None = None,
    out: Path | str | None = None,
    max_cost: float | None = None,
    empty_refuses: bool = False,
    progress: Progress = SILENT,
) -> Judgement:
    """Labels responses as compliance, partial or full refusal, and computes the rates.

    The same call continues a stopped one. `responses` are what `probe` returned, the folder of a probe, or files of
    responses from elsewhere (see responses.read_responses). `judges` are names; `model` is the openai:MODEL[@URL] for
    judges that ask an endpoint, and `options` such as {"strict.temperature": 0} are their settings. `items` is the set
    that was asked about (its `side`, if it has sides): it provides types, categories, facts and pictures. `out` is
    where labels are kept, by default the probe's folder. With `empty_refuses` a response without text counts as a
    refusal, as in MOSSBench. A judge stops when it has spent `max_cost` US dollars.

    Raises ConfigError, MissingModel, BackendError (a judge that cannot be loaded), StoreError.

    >>> judged = mossgen.judge("generated/probe-negated_harm-0", ["embedded", "keywords"])
    >>> len(judged.labels), judged.missing
    (8, 0)
    """
    parts = refusal_judge_parts(several(judges), model, options or {})
    if side is not None and items is None:
        raise ConfigError(f"`side` {side} names a side of the set in `items`: give `items` too.")
    paths = _paths(responses)
    folder, own = _folder(paths, Path(out) if out is not None else None)
    rows, records, odd = recall_facts(folder, gather(paths)), dict[str, Record](), None
    if items is not None:
        source = open_items(items, side=side)
        odd = source.odd()
        rows, records = match_items(rows, source.records)
    loaded = [load_judge(part, progress) for part in parts]
    tallies: dict[str, JudgeTally] = {}
    with Labels(folder / LABELS, rows) as labels:
        if own:
            keep(folder, rows)
        for one in loaded:
            tallies[one.name] = judge_rows(rows, one, labels, records, max_cost, progress)
        keep_stated_labels(rows, labels)
    found = list(labels.rows.values())
    told = figures(by_judge(rows, found, empty_refuses), empty_refuses)
    with disk_errors(folder / RATES):
        write_whole(folder / RATES, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    notes = [*_notes(rows, records, loaded, parts), *([odd] if odd else [])]
    return Judgement(folder, rows, found, [one.name for one in loaded], tallies, told, notes)


def load_judge(part: Part, progress: Progress) -> RefusalJudge:
    """Loads the judge, and fetches its weights if it is embedded; raises MossgenError."""
    progress.say(f"loading judge {part.plugin}")
    return registry.load("judges", part.plugin, part.options, progress)


def _paths(responses: Responses | Sequence[Responses]) -> list[Path]:
    several = [responses] if isinstance(responses, Path | str | Probed) else responses
    return [one.folder if isinstance(one, Probed) else Path(one) for one in several]


def _folder(responses: Sequence[Path], out: Path | None) -> tuple[Path, bool]:
    """Where labels are kept, and whether the responses are kept there too; raises ConfigError."""
    first = responses[0]
    if len(responses) == 1 and first.is_dir() and (out is None or out.resolve() == first.resolve()):
        return first, not (first / HEAD).is_file()
    folder = out or FOLDER / f"judge-{first.resolve().stem}"
    if (folder / HEAD).is_file():
        raise ConfigError(f"{folder} is the folder of a probe, and holds its own responses only: give another `out`.")
    return folder, True


def _notes(
    rows: Sequence[ResponseRow], items: Mapping[str, Record], judges: Sequence[RefusalJudge], parts: Sequence[Part]
) -> list[str]:
    """Notes that are needed to interpret the rates."""
    found = []
    strange = sum(row.id not in items for row in rows) if items else 0
    if strange:
        found.append(f"{strange} responses are to items that the set does not have; they keep what their file says.")
    if any(row.type is None for row in rows):
        found.append("Items of unknown type count in `all` only: give their set as `items` to know the types.")
    blind = [judge.name for judge in judges if judge.sees and not items]
    if blind:
        found.append(f"{', '.join(blind)} judged without the pictures: give the set as `items` to show them.")
    for options in judge_options(parts):
        found += [options.caution] if options.caution else []
        found += [options.trained_on] if options.trained_on and any(row.label for row in rows) else []
    return found
