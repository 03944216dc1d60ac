"""The dataset card of a run: front matter by huggingface_hub, the text from card.md.jinja."""

from __future__ import annotations

from mossgen.plugins import cards
from mossgen.plugins.cards import card, cell, fill
from mossgen.plugins.exporters import _facts
from mossgen.plugins.protocols import RunView

_CONFIGS = [
    {
        "config_name": "default",
        "default": True,
        "data_files": [{"split": "train", "path": ["data/metadata.jsonl", "data/images/*.png"]}],
    }
]


def render(run: RunView, licence: str) -> str:
    """The text of README.md for `run`; `licence` is the data's own, as the Hub writes it."""
    title = f"{run.type.template.title} (mossgen)"
    return card(title, licence, len(run.accepted), [run.type.name], _CONFIGS, _body(run, licence))


def _body(run: RunView, licence: str) -> str:
    template = run.type.template
    return fill(
        "card.md.jinja",
        licence=licence,
        template={"title": template.title, "definition": cell(template.definition)},
        type_name=run.type.name,
        version=run.manifest.get("mossgen", "an unknown version"),
        seed=run.manifest.get("seed", "unknown"),
        accepted=len(run.accepted),
        candidates=run.manifest.get("candidates", len(run.accepted) + len(run.rejected)),
        rejected=[(stage, len(items), items[0].reason) for stage, items in _facts.by_stage(run.rejected)],
        models=_facts.models(run.manifest),
        tallies=cards.tallies((*run.accepted, *run.rejected)),
    )
