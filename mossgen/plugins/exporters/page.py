"""A page to browse: index.html, one file that needs neither the network nor JavaScript.

It shows accepted items with question, picture, evidence and lineage, then rejected items by the stage that rejected
them. All texts are escaped; a content security policy allows only the page's own style and script.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image
from pydantic import Field

from mossgen.core.items import ID_TAG, Item, canonical
from mossgen.files.folders import write_file
from mossgen.files.pages import source, styled
from mossgen.plugins.exporters import _facts
from mossgen.plugins.protocols import PluginOptions, RunView

SIDE = 512  # pixels: larger pictures are scaled down for the page
_OVERLAY = ("form", "text", "box")  # shown fields of the overlay's record; the ImageFolder has them all
_ID = re.compile(rf"\b{re.escape(ID_TAG)}[0-9a-f]{{16}}\b")
GENERATOR = '<meta name="generator" content="mossgen">'  # in the head of our pages: other pages are never replaced


class Options(PluginOptions):
    """How much is shown; the page says how much is left out."""

    accepted: int = Field(500, ge=1, description="most accepted items on the page")
    rejected: int = Field(12, ge=0, description="most rejected items of each stage on the page")


@dataclass(frozen=True)
class Picture:
    """A picture in the page: a data URI and its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Plate:
    """One item as the page shows it. `lineage` and `slots` are pairs of a name and a text."""

    item: Item
    category: str
    picture: Picture | None
    slots: Sequence[tuple[str, str]]
    lineage: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """What one stage rejected: some of the items, and the total."""

    stage: str
    count: int
    plates: Sequence[Plate]


class Page:
    """Exports as the module describes."""

    name = "page"
    purpose = "evaluate"
    takes = frozenset({"run"})
    apart = False
    readable = False

    def __init__(self, options: Options) -> None:
        self._options = options

    def unfit(self, run: RunView) -> str | None:
        """Always None: any run can be shown, even one that accepted nothing."""
        return None

    def export(self, run: RunView, out: Path) -> list[Path]:
        """Writes index.html into `out`. Raises ConfigError if there is a page that is not ours, or StoreError."""
        path = out / "index.html"
        write_file(path, self.render(run), ours=GENERATOR)
        return [path]

    def render(self, run: RunView) -> str:
        """The page's HTML."""
        folder = Path(__file__).parent
        style = styled(folder / "page.css")
        script = (folder / "page.js").read_text(encoding="utf-8")
        environment = Environment(
            autoescape=True,
            undefined=StrictUndefined,
            loader=FileSystemLoader(folder),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        shown = run.accepted[: self._options.accepted]
        return environment.get_template("page.html.jinja").render(
            generator=Markup(GENERATOR),
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            type=run.type.template,
            figures=_figures(run),
            models=_facts.models(run.manifest),
            plates=[_plate(run, item, _must_have(run, item)) for item in shown],
            left_out=len(run.accepted) - len(shown),
            categories=sorted({_facts.category(run, item) for item in shown}),
            groups=[self._group(run, stage, items) for stage, items in _facts.by_stage(run.rejected)],
            linked=partial(linked, ids={item.id for item in shown}),
        )

    def _group(self, run: RunView, stage: str, items: Sequence[Item]) -> Group:
        shown = items[: self._options.rejected]
        return Group(stage, len(items), [_plate(run, item, _may_have(run, item)) for item in shown])


def build(options: Options) -> Page:
    """Builds the exporter."""
    return Page(options)


def inline(path: Path) -> Picture:
    """The picture at `path` for the page: unchanged, or as WebP of at most SIDE pixels. Raises StoreError."""
    raw, image = _facts.read_picture(path)
    if max(image.size) <= SIDE:
        return Picture(_uri("png", raw), *image.size)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=88)
    return Picture(_uri("webp", buffer.getvalue()), *image.size)


def linked(text: str, ids: Container[str]) -> Markup:
    """The text, escaped, with each of `ids` in it as a link to that item on the page."""

    def link(found: re.Match[str]) -> str:
        name = found.group()
        return f'<a href="#{name}">{name}</a>' if name in ids else name

    return Markup(_ID.sub(link, str(escape(text))))


def _uri(kind: str, raw: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"


def _must_have(run: RunView, item: Item) -> Picture:
    return inline(_facts.picture(run.blobs, item))


def _may_have(run: RunView, item: Item) -> Picture | None:
    """The item's picture, if any: many items are rejected before one is drawn."""
    path = run.blobs / f"{item.image}.png"
    return inline(path) if item.image and path.is_file() else None


def _plate(run: RunView, item: Item, picture: Picture | None) -> Plate:
    slots = [(name.replace("_", " "), text) for name, text in item.slots.items()]
    return Plate(item, _facts.category(run, item), picture, slots, _lineage(run, item))


def _lineage(run: RunView, item: Item) -> list[tuple[str, str]]:
    seed = next((seed for seed in run.type.seeds if seed.id == item.seed_id), None)
    facts: dict[str, Any] = {
        "id": item.id,
        "modelled on": f"{seed.id}: {seed.question}" if seed else item.seed_id,
        "drawn from": item.image_prompt,
        "overlay": _text({key: value for key, value in (item.overlay or {}).items() if key in _OVERLAY}),
        "picture, sha256": item.image,
        **{key.replace("_", " "): _text(value) for key, value in sorted(item.provenance.items())},
    }
    return [(name, str(value)) for name, value in facts.items() if value]


def _text(value: object) -> str:
    """A fact as text: mappings as `key: value` pairs, other values that are not text as JSON."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_text(part)}" for key, part in value.items() if part is not None)
    return value if isinstance(value, str) else "" if value is None else canonical(value)


def _figures(run: RunView) -> list[tuple[str, str]]:
    candidates = run.manifest.get("candidates", len(run.accepted) + len(run.rejected))
    figures = [
        ("accepted", f"{len(run.accepted):,}"),
        ("candidates", f"{candidates:,}"),
        ("rejected", f"{len(run.rejected):,}"),
    ]
    stated = [("seed", "seed"), ("mossgen", "mossgen")]
    return figures + [(label, str(run.manifest[key])) for label, key in stated if key in run.manifest]


def _policy(style: str, script: str) -> str:
    """The content security policy: allows embedded pictures, this style and this script only."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {source(style)}; script-src {source(script)}"
    )
