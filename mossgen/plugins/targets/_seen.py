"""What a target gets: the picture, scaled to an accepted size, or a description of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mossgen.errors import ConfigError
from mossgen.plugins.protocols import Query

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_SIDE = 2048  # pixels: hosted models accept this, or scale it down themselves


def in_words(query: Query) -> str:
    """The query for a model without vision: a description of the picture, then the question.

    Raises ConfigError if the picture has no description.
    """
    if query.picture is None:
        return query.question
    if not query.description.strip():
        raise ConfigError(
            f"The picture of {query.item} has no description, and this target cannot see: give a target that can, or "
            "a set with a `description` for each item."
        )
    return f"[The picture shows: {query.description.strip()}]\n\n{query.question}"


def scaled(image: Image, most: int) -> Image:
    """The picture with no side longer than `most` pixels."""
    if max(image.size) > most:
        image = image.copy()
        image.thumbnail((most, most))
    return image
