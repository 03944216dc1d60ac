"""What was altered or lost in a run."""

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
    """What was altered or lost in a run or set, and why a run is unfinished where it is."""

    problems: list[str]
    unfinished: str | None

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be, and up to date."""
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
    """What was altered or lost in a run: rows, ids, pictures, and outputs that are not what was written.

    Outputs that are older than the items must still be what their manifest says; where they were being
    written, nothing can be said of them. Raises ConfigError, StoreError.
    """
    with RunStore.read(folder) as store:
        problems, (state, manifest) = store.problems(), store.outputs()
        if store.counts():
            config = read_config(folder / CONFIG)
            if state is Outputs.CURRENT and not problems:  # rows that cannot be trusted cannot be compared with
                problems += _altered_manifest(folder, store, config)
        if manifest:
            problems += _altered_outputs(folder, manifest)
        return Verification(problems, unfinished(folder, state))


def unfinished(folder: Path, state: Outputs) -> str | None:
    """The sentence for a run whose outputs are not up to date; None where they are."""
    if state is Outputs.CURRENT:
        return None
    return (
        f"{folder} is unfinished: its outputs are older than its items (it was interrupted, or is being made right "
        "now): run the same command (`mossgen expand` or `evolve`) again to finish it."
    )


def _altered_manifest(folder: Path, store: RunStore, config: RunConfig) -> list[str]:
    """Fields of the manifest that are not what run.json and the items give."""
    path = folder / MANIFEST
    try:
        recorded = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []  # `_altered_outputs` says so
    fresh = build_manifest(config, store.items(State.ACCEPTED), store.items(State.REJECTED))
    return [
        f"{path}: `{key}` is not what {CONFIG} and the run's items give: one of them was altered."
        for key in ("type", "seed", "config", "accepted", "candidates", "rejected", "items_sha256")
        if recorded.get(key) != fresh[key]
    ]


def _altered_outputs(folder: Path, manifest: str) -> list[str]:
    """Output files that are missing or not what the manifest of this sha256 recorded."""
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
