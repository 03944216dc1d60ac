"""Run in a process of its own: a run that stops when its first pictures are drawn, and says what it did by then."""

import gc
import importlib.metadata
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from mossgen.expansion.expand import expand
from mossgen.plugins.imagers.diffusers import DiffusersImager
from mossgen.plugins.protocols import Drawing


class Drawn(Exception):
    """The first pictures are there: so many."""


def main(run: str) -> None:
    """Prints how many pictures, scans of all that is installed and whole collections there were, and what is loaded."""
    scans: list[str] = []
    collections: list[bool] = []
    packages, draw = importlib.metadata.packages_distributions, DiffusersImager.draw

    def scanned() -> Mapping[str, list[str]]:
        scans.append("all")
        return packages()

    def collected(phase: str, info: Mapping[str, Any]) -> None:
        collections.append(phase == "start" and info["generation"] == 2 and "transformers" in sys.modules)

    def stopped(imager: DiffusersImager, drawings: Sequence[Drawing]) -> NoReturn:
        raise Drawn(len(draw(imager, drawings)))

    importlib.metadata.packages_distributions = scanned
    DiffusersImager.draw = stopped  # type: ignore[method-assign, assignment]
    gc.callbacks.append(collected)
    try:
        expand("negated_harm", n=4, run=run)
    except Drawn as drawn:
        print(json.dumps([drawn.args[0], len(scans), sum(collections), sorted(sys.modules)]))


if __name__ == "__main__":
    main(sys.argv[1])
