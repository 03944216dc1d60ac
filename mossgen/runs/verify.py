"""Finds what was altered or lost in a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.core.items import State
from mossgen.files.disk import sha256
from mossgen.runs.config import RunConfig, read_config
from mossgen.runs.outputs import MANIFEST, build_manifest
from mossgen.runs.store import CONFIG, Outputs, RunStore


@dataclass(frozen=True)
class Verification:
    """What was altered or lost in a run or set, and why a run is unfinished, if it is."""

    problems: list[str]
    unfinished: str | None

    @property
    def ok(self) -> bool:
        """Whether everything is unaltered and up to date."""
        return not self.problems and self.unfinished is None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {
            "ok": self.ok,
            "finished": not self.unfinished,
            "problems": self.problems,
            "unfinished": self.unfinished,
        }


def verify_run(folder: Path) -> Verification:
    """Finds what was altered or lost in a run: rows, ids, pictures and outputs.

    Outputs that are older than the items must still match their manifest. Outputs that were not completely written
    are not checked. Raises ConfigError, StoreError.
    """
    with RunStore.read(folder) as store:
        problems, (state, manifest) = store.problems(), store.outputs()
        if store.counts():
            config = read_config(folder / CONFIG)
            if state is Outputs.CURRENT and not problems:  # altered rows cannot be compared with
                problems += _altered_manifest(folder, store, config)
        if manifest:
            problems += _altered_outputs(folder, manifest)
        return Verification(problems, unfinished(folder, state))


def unfinished(folder: Path, state: Outputs) -> str | None:
    """A sentence that says why the outputs of a run are not up to date; None if they are."""
    if state is Outputs.CURRENT:
        return None
    return (
        f"{folder} is unfinished: its outputs are older than its items (it was interrupted, or is being made right "
        "now): run the same command (`mossgen expand` or `evolve`) again to finish it."
    )


def _altered_manifest(folder: Path, store: RunStore, config: RunConfig) -> list[str]:
    """Fields of the manifest that do not match run.json and the items."""
    path = folder / MANIFEST
    try:
        recorded = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []  # `_altered_outputs` reports it
    fresh = build_manifest(config, store.items(State.ACCEPTED), store.items(State.REJECTED))
    return [
        f"{path}: `{key}` is not what {CONFIG} and the run's items give: one of them was altered."
        for key in ("type", "seed", "config", "accepted", "candidates", "rejected", "items_sha256")
        if recorded.get(key) != fresh[key]
    ]


def _altered_outputs(folder: Path, manifest: str) -> list[str]:
    """Output files that are missing or do not match the manifest with this sha256."""
    path = folder / MANIFEST
    if not path.is_file():
        return [f"{path} is missing: run the same command (`mossgen expand` or `evolve`) again to write it."]
    if sha256(path) != manifest:
        return [f"{path} was altered: its hash is not the one that was noted when it was written."]
    found = []
    for name, digest in json.loads(path.read_bytes()).get("files", {}).items():
        file = folder / name
        if not file.is_file():
            found.append(f"{file} is missing: run the same command (`mossgen expand` or `evolve`) again to write it.")
        elif sha256(file) != digest:
            found.append(f"{file} was altered: its hash is not the manifest's.")
    return found
