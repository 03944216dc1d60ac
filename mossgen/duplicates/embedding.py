"""The embedder for near-duplicates outside a run: the embedded one, with its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mossgen.core.defaults import PRESET
from mossgen.core.progress import Progress
from mossgen.plugins.spec import Part, by_plugin, load_embedder
from mossgen.runs.config import PRESETS

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Embedder


def ready_embedder(options: Mapping[str, Any], progress: Progress) -> Embedder:
    """Loads the embedded embedder, and fetches its weights if needed; `options` as in {"open_clip.text": 0.8}.

    Raises ConfigError, MissingModel or BackendError.
    """
    part = PRESETS[PRESET].embedder
    chosen = by_plugin(options, [part.plugin]).get(part.plugin, {})
    part = Part(plugin=part.plugin, options={**part.options, **chosen})
    progress.say("loading the embedder")
    return load_embedder(part, progress)
