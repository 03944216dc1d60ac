"""The preset and the judge that are used if none is named."""

from __future__ import annotations

PRESET = "embedded"  # needs no key, no GPU and no hub
JUDGE = "embedded"  # works offline
