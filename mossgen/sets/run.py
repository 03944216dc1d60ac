"""Opens a run as a set: its accepted items as records, with all that mossgen knows of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mossgen.core.items import Item, State, canonical
from mossgen.runs.config import RunConfig, read_config
from mossgen.runs.outputs import MANIFEST
from mossgen.runs.store import CONFIG, RunStore
from mossgen.runs.verify import unfinished
from mossgen.sets.dataset import Dataset, Record, join
from mossgen.sets.lineage import CONTRAST, METADATA, Row, Source, read_json, read_rows, seeds_of
from mossgen.sets.references import REFERENCE
from mossgen.sets.rows import read_row

EXPORTED = Path("imagefolder") / "data"  # its accepted items, in its folder
RUN_LICENCE = "cc-by-4.0"  # the licence of a run's items in mossgen's own exports


@dataclass(frozen=True, eq=False)
class Run(Dataset):
    """A run: a Sequence of its accepted items. `counts` gives the number of items in each state."""

    counts: Mapping[str, int] | None = None

    def fields(self) -> dict[str, Any]:
        """Its fields by name, for subclasses with more fields."""
        return {field.name: getattr(self, field.name) for field in fields(Run)}

    @cached_property
    def config(self) -> RunConfig:
        """The configuration of the run. Raises ConfigError."""
        return read_config(self.path / CONFIG)

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest of a finished run. Raises ConfigError if the run is not finished."""
        self.finished()
        found: Mapping[str, Any] = read_json(self.path / MANIFEST)
        return found

    @cached_property
    def rejected(self) -> Sequence[Record]:
        """The rejected items; `problem` names the stage or checker that rejected each, and the reason."""
        with RunStore.read(self.path) as store:
            return [
                replace(_record(n, item, {}, store, None), problem=f"{item.rejected_by}: {item.reason}")
                for n, item in enumerate(store.items(State.REJECTED))
            ]


def open_run(path: Path | str, type_name: str | None = None) -> Run:
    """Opens the run in the folder `path`, finished or not.

    `type_name` names a type that does not come with mossgen. Raises ConfigError if there is no run, StoreError if it
    cannot be read.

    >>> run = mossgen.open_run("generated/negated_harm-0")
    >>> run[0].image.size, len(run.rejected) == run.counts.get("rejected", 0)
    ((256, 256), True)
    """
    path = Path(path)
    with RunStore.read(path) as store:
        items, state, counts = store.items(State.ACCEPTED), store.outputs()[0], store.counts()
        reason = unfinished(path, state)
        rows = {} if reason else _rows(path, items)
        records = [_record(n, item, rows.get(item.id, {}), store, type_name) for n, item in enumerate(items)]
    records = join(records, _partners(path, records, type_name))
    return Run(path, path.resolve().name, "run", records, unfinished=reason, counts=counts)


def _rows(path: Path, items: Sequence[Item]) -> dict[str, Row]:
    """The rows of the run's own ImageFolder, with picture hash and lineage like rows of a set with sides."""
    if not items:  # a run without accepted items may have no outputs
        return {}
    exported = {row["id"]: row for row in read_rows(path / EXPORTED / METADATA)}
    sources = _sources(path, read_config(path / CONFIG))
    return {
        item.id: {
            **exported[item.id],
            "image_sha256": item.image,
            "lineage": [source.to_dict() for source in (*sources, *seeds_of(item))],
        }
        for item in items
    }


def _sources(path: Path, config: RunConfig) -> list[Source]:
    """The sources of the items: the run, its models, and the sets it was kept away from."""
    manifest = read_json(path / MANIFEST)
    sources = [Source(f"mossgen {config.type} seed {config.seed}", "item", RUN_LICENCE)]
    if config.evolve:  # the run whose items were varied
        sources.append(Source(f"mossgen run {config.evolve.parents}", "item", RUN_LICENCE))
    sources += [Source(str(m["name"]), "model", str(m.get("licence", ""))) for m in manifest["models"]]
    for name in config.against:
        away = Path(name)
        head = read_json(away / REFERENCE) if (away / REFERENCE).is_file() else {}
        sources.append(Source(away.name, "kept_away", head.get("licence", ""), bool(head.get("test_only", False))))
    return sources


def _record(number: int, item: Item, row: Row, store: RunStore, type_name: str | None) -> Record:
    told = {"question": item.question, "description": item.description, "type": item.type,
            "slots": canonical(dict(item.slots)), "overlay": canonical(item.overlay)}  # fmt: skip
    record = read_row({**told, **row}, number, item.id, store.blobs, type_name)
    bare = item.provenance.get("bare_image", item.image)
    return replace(
        record, row=row or None, id=item.id, picture=store.blob(item.image) if item.image else None,
        bare=store.blob(str(bare)) if bare else None, verdicts=item.verdicts, provenance=item.provenance,
        problem=None if item.question and item.image else "it has no question or no picture yet.",
    )  # fmt: skip


def _partners(path: Path, records: Sequence[Record], type_name: str | None) -> list[Record]:
    """The harmful partners of these records only: other items may have been rejected since the partners were made."""
    folder = path / CONTRAST
    origin = {record.id: record.lineage for record in records}
    rows = read_rows(folder / METADATA) if (folder / METADATA).is_file() else []
    found = [
        {**row, "lineage": origin[row["contrast_of"]], "expected": "refuse"}
        for row in rows
        if row.get("contrast_of") in origin
    ]
    return [read_row(row, number, row["id"], folder, type_name) for number, row in enumerate(found)]
