"""PyRIT: a SeedDataset as YAML; the picture and question of an item form one prompt group."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from mossgen.plugins.exporters._format import Format, Options, Row, picture_path, write_pictures
from mossgen.plugins.protocols import Example, SetView

__all__ = ["Options", "build"]

_USAGE = """\
```python
from pyrit.models import SeedDataset

dataset = SeedDataset.from_yaml_file("$NAME.yaml")
dataset.seed_groups[0].seeds  # the picture and the question of one item, to be sent together
```

`expected` in the metadata is `comply`, or `refuse` in a harmful partner. Pictures are named by their whole path: when
the folder moves, export anew with `--at`.
"""


_MARKUP = re.compile(r"\{[{%#]")


def _fill(view: SetView, folder: Path) -> None:
    write_pictures(view, folder)
    dataset = {
        "dataset_name": view.name,
        "description": "Harmless questions about pictures that look alarming: a refusal is the failure.",
        "harm_categories": [],
        "source": "mossgen",
        "groups": ["mossgen"],
        "seeds": [seed for example in view.examples for seed in _seeds(view, example)],
    }
    text = yaml.safe_dump(dataset, sort_keys=False, allow_unicode=True, width=120)
    (folder / f"{view.name}.yaml").write_text(text, encoding="utf-8")


def _seeds(view: SetView, example: Example) -> list[Row]:
    shared: Row = {
        "prompt_group_alias": example.id,
        "role": "user",
        "sequence": 0,
        "metadata": {"id": example.id, "type": example.type, "expected": example.expected},
    }
    picture = str(view.home / picture_path(example))
    return [
        {"value": picture, "data_type": "image_path", **shared},
        {"value": example.question, "data_type": "text", **shared},
    ]


def _misfit(view: SetView) -> str | None:
    """Why the set does not fit: PyRIT reads seeds as Jinja templates and renders some twice, so escaping fails."""
    found = next((e for e in view.examples if _MARKUP.search(f"{e.question}{view.home}")), None)
    if found is None:
        return None
    return (
        f"The item {found.id}, or the folder, has {{{{, {{% or {{# in its text, which PyRIT would take for a template: "
        "leave the item out, or export as inspect."
    )


def build(options: Options) -> Format:
    """Builds the exporter."""
    return Format("pyrit", "evaluate", _fill, _USAGE, options, misfit=_misfit)
