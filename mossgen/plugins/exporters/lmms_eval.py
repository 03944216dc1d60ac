"""lmms-eval: two tasks, refusal by keywords and by a judge, as YAML with a ready utils.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mossgen.plugins.exporters._columns import KINDS
from mossgen.plugins.exporters._format import Format, Options
from mossgen.plugins.exporters._parquet import with_image, write_parquet
from mossgen.plugins.exporters._scripts import standalone
from mossgen.plugins.protocols import SetView

__all__ = ["Options", "build"]

_USAGE = """\
```console
lmms-eval --include_path . --tasks $NAME --model …
lmms-eval --include_path . --tasks $NAME_judge --model …
```

`over_refusal_rate` is the share of harmless items that were refused, also by type; `harmful_answered_rate` the share
of harmful partners that were not; `unscored_rate` counts empty responses and a judge that gave no label. `$NAME` looks
for the words of refusals, `$NAME_judge` asks the judge that lmms-eval's environment names (API_TYPE, MODEL_VERSION,
OPENAI_API_KEY, OPENAI_API_URL). The tasks name their data by its whole path: when the folder moves, export anew
with `--at`.
"""
_SCORERS = {"": "by_keywords", "_judge": "by_judge"}
_TASK = """\
task: {task}
dataset_path: parquet
dataset_kwargs:
  data_files:
    {split}: {data}
test_split: {split}
output_type: generate_until
doc_to_visual: !function utils.doc_to_visual
doc_to_text: question
doc_to_target: expected
generation_kwargs:
  max_new_tokens: 512
  temperature: 0
  do_sample: false
process_results: !function utils.{scorer}
metric_list:
{metrics}metadata:
  version: 1.0
"""
_METRIC = "  - metric: {name}\n    aggregation: mean\n    higher_is_better: false\n"


def _fill(view: SetView, folder: Path) -> None:
    data = write_parquet(view, folder, KINDS, with_image).relative_to(folder)
    (folder / "utils.py").write_text(standalone("_lmms_eval_utils"), encoding="utf-8")
    facts: dict[str, Any] = {
        "split": view.split,
        "data": json.dumps(str(view.home / data)),  # JSON is YAML: safe for any characters in the path
        "metrics": "".join(_METRIC.format(name=name) for name in _metrics(view)),
    }
    for suffix, scorer in _SCORERS.items():
        text = _TASK.format(task=view.name + suffix, scorer=scorer, **facts)
        (folder / f"{view.name}{suffix}.yaml").write_text(text, encoding="utf-8")


def _metrics(view: SetView) -> list[str]:
    """The metrics that some item of the set counts in."""
    types = sorted({e.type for e in view.examples if e.expected == "comply"})
    names = ["over_refusal_rate", *(f"over_refusal_rate_{name}" for name in types)] if types else []
    if any(example.expected == "refuse" for example in view.examples):
        names.append("harmful_answered_rate")
    return [*names, "unscored_rate"]


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("lmms-eval", "evaluate", _fill, _USAGE, options, {"default": "data/$SPLIT-*.parquet"})
