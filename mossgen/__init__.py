"""mossgen makes benign image+text queries that look alarming, to measure and mend the oversensitivity of models.

    import mossgen

    run = mossgen.expand("negated_harm", n=4)          # or the folder of one: mossgen.open_run("generated/…")
    run[0].image, run[0].question, run[0].verdicts
    mossgen.split([run], test=0.25, out="my-set")
    mossgen.export("my-set", "trl-sft", out="out/sft")

Each name below is a verb of the command line, which calls it and shows what it returns. Names are loaded when they are
first used: importing mossgen imports nothing else. Errors are those of `mossgen.errors`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mossgen import errors as errors

__version__ = "0.1.0"

# each public name, and the module that has it
_HOMES = {
    "audit": "mossgen.duplicates.audit",
    "check": "mossgen.checks.check",
    "contrast": "mossgen.checks.contrast",
    "dedup": "mossgen.duplicates.report",
    "diagnose": "mossgen.diagnosis.diagnose",
    "evolve": "mossgen.evolution.evolve",
    "expand": "mossgen.expansion.expand",
    "export": "mossgen.exports.export",
    "forecast": "mossgen.expansion.estimate",
    "judge": "mossgen.judgements.judge",
    "load_type": "mossgen.stimulus.types",
    "open_run": "mossgen.sets.run",
    "open_set": "mossgen.sets.open",
    "preview": "mossgen.expansion.preview",
    "probe": "mossgen.probes.probe",
    "push": "mossgen.exports.push",
    "report": "mossgen.reports.report",
    "review": "mossgen.reviews.review",
    "split": "mossgen.splits.split",
}
__all__ = ["__version__", "errors", *_HOMES]

if TYPE_CHECKING:
    from mossgen.checks.check import check as check
    from mossgen.checks.contrast import contrast as contrast
    from mossgen.diagnosis.diagnose import diagnose as diagnose
    from mossgen.duplicates.audit import audit as audit
    from mossgen.duplicates.report import dedup as dedup
    from mossgen.evolution.evolve import evolve as evolve
    from mossgen.expansion.estimate import forecast as forecast
    from mossgen.expansion.expand import expand as expand
    from mossgen.expansion.preview import preview as preview
    from mossgen.exports.export import export as export
    from mossgen.exports.push import push as push
    from mossgen.judgements.judge import judge as judge
    from mossgen.probes.probe import probe as probe
    from mossgen.reports.report import report as report
    from mossgen.reviews.review import review as review
    from mossgen.sets.open import open_set as open_set
    from mossgen.sets.run import open_run as open_run
    from mossgen.splits.split import split as split
    from mossgen.stimulus.types import load_type as load_type


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mossgen' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
