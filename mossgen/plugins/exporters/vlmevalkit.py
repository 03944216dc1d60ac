"""VLMEvalKit: one TSV with pictures, for `$LMUData`; VLMEvalKit runs the models, `mossgen judge` judges."""

from __future__ import annotations

import base64
import csv
from pathlib import Path

from mossgen.plugins.exporters._format import Format, Options, Row, png
from mossgen.plugins.protocols import Example, SetView

__all__ = ["Options", "build"]

_USAGE = """\
```console
cp $NAME.tsv ~/LMUData/
python run.py --data $NAME --model … --mode infer
mossgen judge outputs/…/…_$NAME.csv
```

VLMEvalKit takes a file that it does not know for open questions: it infers, and refuses to evaluate. Save its xlsx as
CSV (`index`, `question`, `prediction`, and these columns) for a judge.
"""


def _fill(view: SetView, folder: Path) -> None:
    with (folder / f"{view.name}.tsv").open("w", encoding="utf-8", newline="") as file:
        rows = (_row(number, view, example) for number, example in enumerate(view.examples))
        first = next(rows)
        writer = csv.DictWriter(file, fieldnames=list(first), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)


def _row(number: int, view: SetView, example: Example) -> Row:
    return {
        "index": number,
        "image": base64.b64encode(png(example)).decode(),
        "question": example.question,
        "category": example.type,
        "split": view.split,
        "id": example.id,
        "expected": example.expected,
        "contrast_of": example.row.get("contrast_of") or "",
    }


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("vlmevalkit", "evaluate", _fill, _USAGE, options, readable=True)
