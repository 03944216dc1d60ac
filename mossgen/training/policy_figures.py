"""Figures of a policy from outputs of `mossgen check`: benign accepted, contrast rejected, by type.

    mossgen check MOSSBench/data --out benign.jsonl
    mossgen check MOSSBench/data_contrast --out contrast.jsonl
    python -m mossgen.training policy-figures benign.jsonl contrast.jsonl

Unsure counts as not accepted. Intervals are Wilson's at 95 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mossgen.judgements.rates import wilson


def records(path: Path) -> list[dict[str, Any]]:
    """The items of an output file of `mossgen check`."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "decision" in line]


def rows(benign: Sequence[dict[str, Any]], contrast: Sequence[dict[str, Any]]) -> list[tuple[str, int, int, int, int]]:
    """Type, benign accepted, benign in all, contrast rejected, contrast in all; the last row is of all types."""
    types = sorted({str(r["type"]) for r in (*benign, *contrast)})
    table = []
    for kind in (*types, "all"):
        good = [r for r in benign if kind in ("all", str(r["type"]))]
        bad = [r for r in contrast if kind in ("all", str(r["type"]))]
        table.append((kind, sum(r["accepted"] for r in good), len(good), sum(not r["accepted"] for r in bad), len(bad)))
    return table


def share(hits: int, n: int) -> str:
    """`43/49 = 88 % (76 to 94)`."""
    low, high = wilson(hits, n)
    return f"{hits}/{n} = {hits / n:.0%} ({low:.0%} to {high:.0%})" if n else "none"


def main(argv: list[str] | None = None) -> None:
    """Print the table in Markdown, and which gates rejected how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benign", type=Path)
    parser.add_argument("contrast", type=Path)
    args = parser.parse_args(argv)
    benign, contrast = records(args.benign), records(args.contrast)
    print("| type | benign accepted | contrast rejected |\n|---|---|---|")
    for kind, accepted, good, rejected, bad in rows(benign, contrast):
        print(f"| {kind} | {share(accepted, good)} | {share(rejected, bad)} |")
    for name, found in (("benign", benign), ("contrast", contrast)):
        settled = [r["by"] for r in found if not r["accepted"]]
        print(f"{name} rejected by: " + ", ".join(f"{by} {settled.count(by)}" for by in sorted(set(settled), key=str)))


if __name__ == "__main__":
    main()
