"""The card of an export: its contents, how a tool reads it, every source and licence, and misuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mossgen.plugins.cards import card, fill
from mossgen.plugins.protocols import SetView


def render(view: SetView, purpose: str, licence: str, usage: str, configs: Mapping[str, str | list[str]]) -> str:
    """The text of README.md; `configs` maps each config to the file patterns that `datasets` opens."""
    types = sorted({example.type for example in view.examples})
    body = _body(view, purpose, licence, usage)
    return card(view.name, licence, len(view.examples), types, _configs(view, configs), body)


def _configs(view: SetView, configs: Mapping[str, str | list[str]]) -> list[dict[str, object]]:
    return [
        {
            "config_name": name,
            "default": name == "default",
            "data_files": [{"split": view.split, "path": _named(pattern, view.split)}],
        }
        for name, pattern in configs.items()
    ]


def _named(pattern: str | list[str], split: str) -> str | list[str]:
    if isinstance(pattern, list):
        return [part.replace("$SPLIT", split) for part in pattern]
    return pattern.replace("$SPLIT", split)


def _body(view: SetView, purpose: str, licence: str, usage: str) -> str:
    counts = Counter((example.type, example.expected) for example in view.examples)
    return fill(
        "export.md.jinja",
        name=view.name,
        split=view.split,
        purpose=purpose,
        licence=licence,
        usage=usage.strip(),
        types=[(kind, counts[kind, "comply"], counts[kind, "refuse"]) for kind in sorted({k for k, _ in counts})],
        sources=view.sources,
        notes=view.notes,
        evidence={"runs": [], "leaks": None, **view.evidence},
        canary=next((e.row["canary"] for e in view.examples if e.row.get("canary")), None),
    )
