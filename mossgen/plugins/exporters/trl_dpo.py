"""TRL, preference: prompt, chosen and rejected."""

from __future__ import annotations

from mossgen.plugins.exporters._format import Format, Options, Row
from mossgen.plugins.exporters._trl import prompt, reply, trl_format
from mossgen.plugins.protocols import Example

__all__ = ["Options", "build"]


def _rows(example: Example) -> list[Row]:
    return [{"prompt": prompt(example), "chosen": reply(example.chosen), "rejected": reply(example.rejected)}]


def build(options: Options) -> Format:
    """Builds the exporter."""
    kinds = dict.fromkeys(("prompt", "chosen", "rejected"), "messages")
    return trl_format("trl-dpo", "DPO", options, kinds, _rows)
