"""TRL, unpaired preference: single answers, each labelled as wanted or not."""

from __future__ import annotations

from mossgen.plugins.exporters._format import Format, Options, Row
from mossgen.plugins.exporters._trl import prompt, reply, trl_format
from mossgen.plugins.protocols import Example

__all__ = ["Options", "build"]


def _rows(example: Example) -> list[Row]:
    labelled = ((example.chosen, True), (example.rejected, False))
    return [{"prompt": prompt(example), "completion": reply(text), "label": label} for text, label in labelled]


def build(options: Options) -> Format:
    """Builds the exporter."""
    return trl_format(
        "trl-kto", "KTO", options, {"prompt": "messages", "completion": "messages", "label": "flag"}, _rows
    )
