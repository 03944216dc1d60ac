"""No training: measure the drawings of whole figures for the layout, and write mossgen/embedded/figure_boxes.yaml."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from mossgen.embedded import art, figures
from mossgen.embedded.figures_data import BOXES, PARTS, load

HEAD = """# Measured from the drawings by `python -m mossgen.training figure-boxes`: width and height of each cropped
# sprite in heights of a standing man, and where its hand, mouth and foot are in it (0..1 from its left and its top).
"""


def measured(character: str, pose: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Width and height of one drawing in sides of its view box, then x and y of each of PARTS in its cropped box."""
    figure = figures.draw(character, pose, rng)
    picture = art.rasterise(figure.svg, 256)
    left, top, right, low = (edge / 256 for edge in picture.getchannel("A").getbbox() or (0, 0, 256, 256))
    points = [((x - left) / (right - left), (y - top) / (low - top)) for x, y in (figure.anchors[p] for p in PARTS)]
    return np.array([right - left, low - top, *np.clip(points, 0, 1).ravel()])


def box(build: str, pose: str, man: float, draws: int = 2) -> dict[str, list[float]]:
    """The mean over all characters of a build, `draws` drawings each; `man` is the height of a standing man."""
    rng = np.random.default_rng([17, *f"{build} {pose}".encode()])
    who = [one.name for one in load().characters.values() if one.build == build]
    mean = np.mean([measured(name, pose, rng) for name in who for _ in range(draws)], 0)
    pairs = zip(("size", *PARTS), (mean[:2] / man, *mean[2:].reshape(-1, 2)), strict=True)
    return {part: [round(float(value), 2) for value in two] for part, two in pairs}


def man_height() -> float:
    """The height of a standing man in sides of the view box."""
    rng = np.random.default_rng(17)
    return float(np.mean([measured("man", "standing", rng)[1] for _ in range(20)]))


def main(argv: list[str]) -> None:
    """Write the boxes of every build in every pose."""
    argparse.ArgumentParser("figure-boxes", description=__doc__).parse_args(argv)
    man, lines = man_height(), [HEAD]
    for build in load().builds:
        lines.append(f"{build}:\n")
        for pose in load().poses:
            parts = ", ".join(f"{part}: {value}" for part, value in box(build, pose, man).items())
            lines.append(f"  {pose}: {{{parts}}}\n")
    BOXES.write_text("".join(lines), encoding="utf-8")
