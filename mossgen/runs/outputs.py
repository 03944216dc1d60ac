"""The output files of a run: its dataset in every suitable format, its page and its manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen import __version__
from mossgen.core.items import Item, State, canonical
from mossgen.errors import StoreError
from mossgen.files import disk
from mossgen.models import weights
from mossgen.plugins import registry
from mossgen.plugins.protocols import RunView
from mossgen.plugins.spec import Part
from mossgen.runs.config import ROLES, RunConfig
from mossgen.runs.store import Outputs, RunStore

if TYPE_CHECKING:
    from mossgen.stimulus.types import StimulusType


MANIFEST = "manifest.json"
# The formats of each run, and their folders in it ("." is the run's own). This is data like a preset, so that a run has
# the same files whatever else is installed.
WRITTEN_AS = {"imagefolder": "imagefolder", "mossbench": "mossbench", "page": "."}
LIBRARIES = ("diffusers", "faiss-cpu", "open_clip_torch", "pillow", "torch", "transformers")


def write_outputs(store: RunStore, stimulus: StimulusType, config: RunConfig) -> list[Path]:
    """Writes the run's dataset in all suitable formats, its page and manifest. The same items give the same bytes."""
    store.mark_outputs(Outputs.WRITING)
    accepted, rejected = store.items(State.ACCEPTED), store.items(State.REJECTED)
    manifest = build_manifest(config, accepted, rejected)
    view = RunView(stimulus, accepted, rejected, store.blobs, manifest)
    written: list[Path] = []
    for name, folder in WRITTEN_AS.items():
        exporter = registry.load("exporters", name, {})
        if exporter.unfit(view) is None:
            written += exporter.export(view, store.folder / folder)
    manifest["files"] = {str(file.relative_to(store.folder)): disk.sha256(file) for file in sorted(written)}
    path = store.folder / MANIFEST
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    try:
        disk.write_whole(path, text.encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}): the run itself is kept.") from error
    if not accepted:
        _clear_exports(store.folder)
    store.mark_outputs(Outputs.CURRENT, disk.sha256(path))
    return [*written, path]


def _clear_exports(folder: Path) -> None:
    """Removes the exports of a run without accepted items: they would hold what people rejected."""
    from mossgen.files.folders import disk_errors, write_folder

    for name, where in WRITTEN_AS.items():
        out = folder / where
        if out != folder and out.is_dir():
            write_folder(out, name, lambda stage: None)  # refuses a folder with files of others
            with disk_errors(out):
                shutil.rmtree(out)


def build_manifest(config: RunConfig, accepted: Sequence[Item], rejected: Sequence[Item]) -> dict[str, Any]:
    """Versions, seed, models with licences and hashes, counts, and a hash over the accepted items."""
    reasons: dict[str, int] = {}
    for item in rejected:
        reasons[item.rejected_by or "?"] = reasons.get(item.rejected_by or "?", 0) + 1
    text = "\n".join(canonical(item.to_dict()) for item in accepted)
    return {
        "mossgen": __version__,
        "type": config.type,
        "seed": config.seed,
        # only names: paths of references differ between machines
        "config": {**config.model_dump(mode="json"), "against": [Path(path).name for path in config.against]},
        "models": [_model_facts(config, role) for role in ROLES],
        "libraries": {name: _version(name) for name in LIBRARIES},
        "accepted": len(accepted),
        "candidates": len(accepted) + len(rejected),
        "rejected": dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        "items_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # it was installed under another name, such as faiss-gpu
        return "unknown"


def _model_facts(config: RunConfig, role: str) -> dict[str, Any]:
    """The manifest entry of the model in a role: name, licence and, for an embedded model, its source."""
    part: Part = getattr(config, role)
    options = part.parsed(ROLES[role])
    model = str(part.options.get("model") or "")
    facts = {
        "role": role,
        "name": f"{part.plugin}:{model}" if model else part.plugin,
        "licence": options.model_licence(),
    }
    if model in options.needs_weights():
        facts |= {"sha256": config.weights[model], "credit": weights.source(model)}
    return facts
