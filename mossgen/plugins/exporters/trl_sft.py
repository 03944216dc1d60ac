"""TRL, supervised: prompt and completion, so that training uses only the answer."""

from __future__ import annotations

from mossgen.plugins.exporters._format import Format, Options, Row
from mossgen.plugins.exporters._trl import prompt, reply, trl_format
from mossgen.plugins.protocols import Example

__all__ = ["Options", "build"]


def _rows(example: Example) -> list[Row]:
    return [{"prompt": prompt(example), "completion": reply(example.chosen)}]


def build(options: Options) -> Format:
    """Builds the exporter."""
    return trl_format("trl-sft", "SFT", options, {"prompt": "messages", "completion": "messages"}, _rows)
