"""The image model draws each item's prompt with the item's own seed, then the overlay is composited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mossgen.core.items import Item, derived_seed
from mossgen.errors import ConfigError
from mossgen.expansion.overlay import composite
from mossgen.plugins.protocols import Drawing, Imager
from mossgen.stimulus.types import StimulusType

if TYPE_CHECKING:
    from PIL.Image import Image


class Rendered(NamedTuple):
    """An item with its picture as drawn and as finished (the same object where there is no overlay)."""

    item: Item
    bare: Image
    picture: Image


def render(items: Sequence[Item], stimulus: StimulusType, imager: Imager) -> list[Rendered | Item]:
    """Draws each item's RGB picture, in order; adds the overlay, if the type has one, and records it.

    An item that the image model refuses to draw is returned rejected, without a picture. An item whose overlay cannot
    be set is rejected and keeps its bare picture.
    """
    template = stimulus.template
    drawings = [
        Drawing(
            item.image_prompt or "",
            stimulus.render(template.negative_prompt, item),
            derived_seed(item.id, "draw"),
        )
        for item in items
    ]
    pictures = imager.draw(drawings)
    return [overlaid(item, picture, stimulus, imager.name) for item, picture in zip(items, pictures, strict=True)]


def overlaid(item: Item, bare: Image | None, stimulus: StimulusType, imager: str) -> Rendered | Item:
    """Composites the overlay of the item on its bare picture by this imager; see `render`."""
    item = item.with_provenance(imager=imager)
    if bare is None:
        return item.reject("render", f"{imager} refused to draw {item.image_prompt!r}")
    spec = stimulus.template.overlay
    if spec is None:
        return Rendered(item, bare, bare)
    form = stimulus.render(spec.form, item)
    text = stimulus.render(spec.texts[form], item) if form in spec.texts else ""
    try:
        marked, record = composite(bare, form, text, derived_seed(item.id, "overlay"))
    except ConfigError as error:  # text that cannot be set is this item's fault, not the run's
        return Rendered(item.reject("overlay", str(error)), bare, bare)
    return Rendered(replace(item, overlay=record), bare, marked)
