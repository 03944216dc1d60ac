"""What trains the embedded models: `python -m mossgen.training PART`."""

from __future__ import annotations

from pathlib import Path

CLIP_WEIGHTS = (
    Path(__file__).parent.parent / "embedded" / "weights" / "clip"
)  # what `clip` trains and `evaluate` measures
