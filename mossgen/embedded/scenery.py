"""Procedural backgrounds for training the embedded text-to-image model: our own art, drawn as random SVG.

Each scene name has one painter that takes a random generator. They are calm in the lower part, where foreground
objects will stand.
"""

from __future__ import annotations

from mossgen.embedded import scenery_home, scenery_more, scenery_nature, scenery_public, scenery_town
from mossgen.embedded.scenery_parts import Rng

INDOORS = scenery_home.PAINTERS | scenery_public.PAINTERS | scenery_more.PAINTERS
PAINTERS = INDOORS | scenery_nature.PAINTERS | scenery_town.PAINTERS


def draw(name: str, rng: Rng) -> str:
    """A random drawing of a scene as an SVG document of 128x128 units."""
    body = PAINTERS[name](rng)
    if rng.random() < 0.5:
        body = f'<g transform="translate(128 0) scale(-1 1)">{body}</g>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">{body}</svg>'
