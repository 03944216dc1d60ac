"""Drawing: the image model draws each item's prompt from the item's own seed, then the overlay is composited."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mossgen.items import Item, derived_seed
from mossgen.ports import Drawing, Imager
from mossgen.stages.overlay import composite
from mossgen.stimulus import StimulusType

if TYPE_CHECKING:
    from PIL.Image import Image


def render(items: Sequence[Item], stimulus: StimulusType, imager: Imager) -> list[tuple[Item, Image]]:
    """Each item with its finished RGB picture, in order; the overlay, where the type has one, is recorded."""
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
    return [_overlaid(item, picture, stimulus, imager) for item, picture in zip(items, pictures, strict=True)]


def _overlaid(item: Item, picture: Image, stimulus: StimulusType, imager: Imager) -> tuple[Item, Image]:
    item = item.noted(imager=imager.name)
    spec = stimulus.template.overlay
    if spec is None:
        return item, picture
    form = stimulus.render(spec.form, item)
    text = stimulus.render(spec.texts[form], item) if form in spec.texts else ""
    marked, record = composite(picture, form, text, derived_seed(item.id, "overlay"))
    return replace(item, overlay=record), marked


def to_png(image: Image) -> bytes:
    """PNG bytes: the same picture gives the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()
