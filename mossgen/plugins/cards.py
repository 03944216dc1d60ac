"""The dataset card of a run: front matter by huggingface_hub, the text from card.md.jinja beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mossgen.plugins.exporters import _facts
from mossgen.plugins.protocols import RunView

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
TAGS = ("synthetic", "oversensitivity", "over-refusal", "safety", "multimodal", "mossgen")
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


def card(
    name: str, licence: str, count: int, types: Sequence[str], configs: Sequence[Mapping[str, object]], body: str
) -> str:
    """A README.md as the Hub reads it: front matter for `count` items of these types, then the body."""
    from huggingface_hub import DatasetCard, DatasetCardData

    data = DatasetCardData(
        pretty_name=name,
        license=licence,
        language=["en"],
        task_categories=["visual-question-answering", "image-text-to-text"],
        size_categories=size_category(count),
        annotations_creators=["machine-generated"],
        source_datasets=["original"],
        tags=[*TAGS, *types],
        **({"configs": list(configs)} if configs else {}),  # type: ignore[arg-type]
    )
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def fill(name: str, /, **values: object) -> str:
    """The text of a Markdown template beside this file."""
    environment = Environment(
        undefined=StrictUndefined,
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(cell=cell, **values)


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
        tallies=_facts.tallies((*run.accepted, *run.rejected)),
    )


def size_category(count: int) -> str:
    """The Hub's name for a size."""
    return next((name for limit, name in _SIZES if count < limit), "n>1M")


def cell(text: object) -> str:
    """A text that may stand in a Markdown table: one line, no bar that ends the cell, no markup."""
    line = " ".join(str(text or "").split())
    for mark, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|")):
        line = line.replace(mark, safe)
    return line
