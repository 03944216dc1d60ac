"""The dataset card of a run: front matter by huggingface_hub, the text from card.md.jinja."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mossgen.core.items import Decision, Item

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
TAGS = ("synthetic", "oversensitivity", "over-refusal", "safety", "multimodal", "mossgen")


def card(
    name: str, licence: str, count: int, types: Sequence[str], configs: Sequence[Mapping[str, object]], body: str
) -> str:
    """A README.md for the Hub: front matter for `count` items of these types, then the body."""
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
    """Fills a Markdown template from this folder."""
    environment = Environment(
        undefined=StrictUndefined,
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(cell=cell, **values)


def size_category(count: int) -> str:
    """The Hub's size category."""
    return next((name for limit, name in _SIZES if count < limit), "n>1M")


def cell(text: object) -> str:
    """The text made safe for a Markdown table cell: one line, no bar, no markup."""
    line = " ".join(str(text or "").split())
    for mark, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|")):
        line = line.replace(mark, safe)
    return line


@dataclass(frozen=True)
class CheckerTally:
    """How often one checker passed, failed or was unsure, over all items it saw."""

    checker: str
    passed: int
    failed: int
    unsure: int


def tallies(items: Iterable[Item]) -> list[CheckerTally]:
    """One CheckerTally per checker, sorted by name."""
    counts = Counter((v.checker, v.decision) for item in items for v in item.verdicts)
    return [
        CheckerTally(name, *(counts[name, d] for d in (Decision.PASS, Decision.FAIL, Decision.UNSURE)))
        for name in sorted({checker for checker, _ in counts})
    ]
