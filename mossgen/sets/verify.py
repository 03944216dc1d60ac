"""Finds what was altered or lost in a run, a set with sides or an imported set, by recomputing every id and hash."""

from __future__ import annotations

from pathlib import Path

from mossgen.errors import ConfigError
from mossgen.runs.store import DATABASE
from mossgen.runs.verify import Verification, verify_run
from mossgen.sets import importing, lineage
from mossgen.sets.open import open_set
from mossgen.sets.references import REFERENCE, locate


def verify(path: Path | str) -> Verification:
    """Finds what was altered or lost at `path`. Raises ConfigError if nothing there has recorded hashes."""
    place = locate(path)
    if (place / REFERENCE).is_file():
        return Verification(importing.problems(place), None)
    if lineage.is_sided(place):
        return Verification(lineage.problems(place), None)
    if not (place / DATABASE).is_file():
        found = open_set(place)
        raise ConfigError(
            f"{place} is no set that mossgen keeps hashes of ({found.kind}), so that there is nothing to verify it by: "
            "give a run, or what `mossgen split` or `mossgen import` made."
        )
    return verify_run(place)
