"""Measures the embedded models that make and read pictures: `python -m mossgen.training.evaluate --work FOLDER`.

Art is fetched into FOLDER/art. Thresholds and figures of the embedder are written beside its weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mossgen.models import weights
from mossgen.training import clip_figures, picture_figures

PARTS = ("pictures", "clip")


def main(argv: list[str] | None = None) -> None:
    """Print the figures as JSON, part by part."""
    parser = argparse.ArgumentParser(prog="python -m mossgen.training.evaluate", description=__doc__)
    parser.add_argument("part", nargs="*", default=[], help=f"which of {' and '.join(PARTS)}; both unless given")
    parser.add_argument("--work", type=Path, required=True, help="folder for the art, and for contact sheets")
    parser.add_argument("--model", type=Path, help="an assembled text-to-image folder instead of the package's")
    parser.add_argument("--templates", type=Path, help="only objects that the templates in this folder name")
    parser.add_argument("--objects", type=int, default=250, help="tested: a fixed random choice of this many")
    parser.add_argument("--pairs", type=int, default=100, help="of objects, in each of two kinds of place")
    parser.add_argument("--sheets", action="store_true", help="write contact sheets to FOLDER")
    parser.add_argument("--photographs", type=Path, help="a set with descriptions, such as MOSSBench's folder")
    given = parser.parse_args(argv)
    parts = given.part or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"{unknown.pop()!r} is no part: use {' or '.join(PARTS)}")
    if "pictures" in parts:
        folder = given.model or weights.path("t2i")
        found = picture_figures.evaluate(given.work, folder, given.templates, given.objects, given.pairs, given.sheets)
        print(json.dumps({"pictures": found}, indent=1))
    if "clip" in parts:
        print(json.dumps({"clip": clip_figures.evaluate(given.work, given.photographs)}, indent=1))


if __name__ == "__main__":
    main()
