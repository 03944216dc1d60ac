"""Landscapes, skies and plain grounds: each function gives the body of a 128x128 SVG, other details each time."""

from __future__ import annotations

import numpy as np

from mossgen.embedded.scenery_parts import (
    Painter,
    Rng,
    bench,
    clouds,
    ground,
    hills,
    line,
    mix,
    pick,
    poly,
    rect,
    ring,
    round_,
    sky,
    stars,
    tree,
)


def park(r: Rng) -> str:
    """Lawn, round trees, a path and a bench."""
    body = sky(r) + clouds(r, 2) + hills(r, 64, "#7fbf63", 5) + ground(r, 72, pick(r, "#86c95c", "#77bd58"))
    body += poly([(56, 72), (70, 72), (102, 128), (44, 128)], pick(r, "#e3cfa2", "#d8c8b0"))
    body += "".join(tree(r, x, 76 + int(r.integers(0, 6)), int(r.integers(16, 22))) for x in (14, 108, 34)) + bench(
        84, 76
    )
    return body


def garden(r: Rng) -> str:
    """A picket fence, flower beds and a lawn."""
    body = sky(r) + clouds(r, 1) + tree(r, 20, 60, 20) + tree(r, 108, 60, 18)
    body += "".join(rect(1 + 10 * i, 44, 7, 30, pick(r, "#fbf7ee", "#f1ebdc"), 2, "#d3c7ae") for i in range(13)) + rect(
        0, 52, 128, 3, "#e3d8c2"
    )
    body += ground(r, 74, pick(r, "#79c255", "#8ccf62"))
    return body + "".join(
        round_(
            float(r.uniform(2, 126)),
            float(r.uniform(70, 84)),
            2.8,
            pick(r, "#e8505b", "#f9c846", "#ff8fb8", "#b07ad9", "#ffffff"),
        )
        for _ in range(26)
    )


def farm_field(r: Rng) -> str:
    """Furrows running to a red barn."""
    body = sky(r) + clouds(r, 2) + hills(r, 60, "#a8cf72", 5)
    body += (
        rect(86, 38, 26, 24, "#b5362c")
        + poly([(83, 40), (99, 26), (115, 40)], "#8c2a22")
        + rect(95, 48, 8, 14, "#f4e6d0")
    )
    soil, crop = pick(r, "#b98a4e", "#a3713c"), pick(r, "#8cbf3f", "#e3c44a", "#6fae3f")
    body += rect(0, 62, 128, 66, soil)
    return body + "".join(
        poly(
            [(64 + (i - 4) * 12, 62), (69 + (i - 4) * 12, 62), (78 + (i - 4) * 34, 128), (62 + (i - 4) * 34, 128)], crop
        )
        for i in range(9)
    )


def forest(r: Rng) -> str:
    """Dense dark trees on mossy ground."""
    body = rect(0, 0, 128, 128, pick(r, "#a9cfa0", "#86b58c", "#cfe3b0"))
    for far in (True, False):
        for x in range(4 if far else -4, 130, 17 if far else 26):
            shade = pick(r, "#4d8a5a", "#5b9a60") if far else pick(r, "#2f6b43", "#3a7a4a", "#27593a")
            y, h = (78, 58) if far else (92, 82)
            body += poly([(x - 11, y), (x + 11, y), (x + int(r.integers(-2, 3)), y - h)], shade) + rect(
                x - 2, y, 4, 8, "#5a3f28"
            )
    return body + ground(r, 90, pick(r, "#5f8f4a", "#6f8f4f"))


def beach(r: Rng) -> str:
    """Sand, sea, a sun and a parasol."""
    body = (
        sky(r)
        + round_(float(int(r.integers(84, 112))), 18, 9, "#ffdf5e")
        + rect(0, 46, 128, 34, pick(r, "#2fa3d6", "#38b8c9"))
    )
    body += "".join(rect(float(r.uniform(0, 110)), float(r.uniform(50, 72)), 14, 1.4, "#bfeaf5", 1) for _ in range(8))
    body += '<path d="M0 78 Q16 72 32 78 T64 78 T96 78 T128 78 V128 H0 Z" fill="#f6efd8"/>'
    sand = pick(r, "#f2d796", "#eccb84")
    body += f'<path d="M0 83 Q16 77 32 83 T64 83 T96 83 T128 83 V128 H0 Z" fill="{sand}"/>'
    return (
        body
        + rect(19, 46, 2, 46, "#b98a5e")
        + f'<path d="M2 50 A18 16 0 0 1 38 50 Z" fill="{pick(r, "#e8505b", "#f08a4b", "#3fa7d6")}"/>'
    )


def underwater(r: Rng) -> str:
    """Deep blue with light rays, bubbles, weeds and sand."""
    body = rect(0, 0, 128, 128, pick(r, "#1f6fb2", "#1a86b8", "#2360a0")) + "".join(
        poly([(x, 0), (x + 10, 0), (x + 26, 100), (x - 2, 100)], "#9fe0ff", 0.2) for x in (12, 48, 84)
    )
    body += "".join(
        ring(float(r.uniform(4, 124)), float(r.uniform(8, 90)), 2.4, 2.4, "none", "#cdeeff") for _ in range(12)
    )
    body += '<path d="M0 108 Q32 98 64 106 T128 104 V128 H0 Z" fill="#e0c98c"/>'
    return body + "".join(
        line(f"M{x} 112 q-6 -12 0 -22 q6 -10 0 -{r.integers(10, 26)}", pick(r, "#2f9a5a", "#4fb86a", "#d65a7a"), 4)
        for x in (8, 18, 106, 118)
    )


def open_sea(r: Rng) -> str:
    """Waves to the horizon."""
    body = sky(r) + clouds(r, 3) + rect(0, 52, 128, 76, pick(r, "#2b7fc1", "#2a93b8"))
    return body + "".join(
        f'<path d="M{-8 + (row % 2) * 9} {60 + 13 * row} '
        + "q8 -6 16 0 t16 0 t16 0 t16 0 t16 0 t16 0 t16 0 t16 0 t16 0"
        + '" stroke="#a8dcf2" stroke-width="2" fill="none"/>'
        for row in range(5)
    )


def river(r: Rng) -> str:
    """Water winding between green banks."""
    body = sky(r) + clouds(r, 2) + hills(r, 56, "#7fae6a", 10) + ground(r, 64, pick(r, "#7cc257", "#8cc866"))
    water = pick(r, "#4aa8dc", "#3f95cf")
    body += f'<path d="M58 64 Q48 74 66 82 T54 128 H118 Q120 100 92 84 Q74 74 70 64 Z" fill="{water}"/>'
    return (
        body
        + tree(r, 18, 78, 18)
        + tree(r, 112, 72, 14)
        + "".join(rect(float(r.uniform(66, 90)), float(r.uniform(86, 124)), 12, 1.4, "#cfeeff", 1) for _ in range(5))
    )


def mountains(r: Rng, base: int) -> str:
    """Three snow-capped peaks."""
    body = ""
    for x, h in ((24, 44), (100, 40), (62, 52)):
        top, shade = base - h + int(r.integers(-4, 5)), pick(r, "#7d8fa3", "#8b8fa8", "#71869a")
        body += poly([(x - 42, base), (x + 42, base), (x, top)], shade) + poly(
            [(x - 10, top + 12), (x - 4, top + 10), (x, top + 15), (x + 5, top + 10), (x + 10, top + 12), (x, top)],
            "#ffffff",
        )
    return body


def mountain_landscape(r: Rng) -> str:
    """Snow-capped peaks over meadows."""
    return (
        sky(r)
        + clouds(r, 2)
        + mountains(r, 74)
        + hills(r, 72, "#8fbf6a", 5)
        + ground(r, 82, pick(r, "#86c05c", "#a3c26a"))
    )


def desert(r: Rng) -> str:
    """Dunes, a hot sun and cacti."""
    body = (
        rect(0, 0, 128, 128, pick(r, "#fbe3a8", "#f7cf98", "#bfe3f2"))
        + round_(float(int(r.integers(20, 100))), 20, 10, "#ff9f43")
        + hills(r, 70, "#e3b566", 9)
    )
    body += '<path d="M0 86 Q40 66 80 84 T128 78 V128 H0 Z" fill="#eec677"/>'
    for x in (16, 110):
        body += (
            rect(x - 3, 52, 6, 34, "#4f9a4a", 3)
            + rect(x - 10, 60, 4, 12, "#4f9a4a", 2)
            + rect(x - 9, 69, 8, 4, "#4f9a4a")
            + rect(x + 6, 56, 4, 12, "#4f9a4a", 2)
            + rect(x + 2, 65, 7, 4, "#4f9a4a")
        )
    return body


def night_sky(r: Rng) -> str:
    """Stars and a moon over dark hills."""
    body = rect(0, 0, 128, 128, pick(r, "#141b44", "#1b1f4d", "#0f2342")) + stars(r, 46)
    x = float(int(r.integers(24, 104)))
    return body + round_(x, 24, 11, "#fdf3c0") + hills(r, 106, "#1d2f3f", 7) + rect(0, 118, 128, 10, "#1d2f3f")


def blue_sky(r: Rng) -> str:
    """Blue with white clouds."""
    return rect(0, 0, 128, 128, pick(r, "#7cc6f2", "#8fd0f5", "#6bb8ee")) + clouds(r, 5, 110)


def sunset_sky(r: Rng) -> str:
    """Bands from violet to orange with a low sun."""
    bands = ("#5a3f7d", "#8c4a7d", "#c75a6b", "#ee7f55", "#f9a64a", "#fdc866")
    body = "".join(rect(0, 17 * i, 128, 128 - 17 * i, c) for i, c in enumerate(bands)) + ring(
        float(int(r.integers(44, 84))), 96, 20, 20, "#fff0a8"
    )
    return body + hills(r, 102, "#4a3048", 5) + rect(0, 110, 128, 18, "#4a3048")


def storm_sky(r: Rng) -> str:
    """Dark clouds, lightning and rain."""
    body = rect(0, 0, 128, 128, pick(r, "#5a6678", "#4b5568")) + "".join(
        ring(float(r.uniform(0, 128)), float(r.uniform(2, 30)), 24, 13, pick(r, "#3b4454", "#46505f", "#2f3745"))
        for _ in range(11)
    )
    x = int(r.integers(30, 90))
    body += poly([(x, 34), (x + 9, 34), (x + 3, 52), (x + 11, 52), (x - 6, 84), (x - 1, 60), (x - 8, 60)], "#ffe45e")
    return body + "".join(
        f'<path d="M{r.integers(0, 128)} {r.integers(40, 120)} l-3 8" stroke="#a8c4dc" stroke-width="1.3"/>'
        for _ in range(40)
    )


def outer_space(r: Rng) -> str:
    """Black with stars, a planet and a nebula."""
    body = rect(0, 0, 128, 128, "#0b0a1f") + ring(30, 90, 50, 26, "#3b2a6b", opacity=0.5) + stars(r, 60)
    x, colour = float(int(r.integers(80, 108))), pick(r, "#d98a4e", "#5fb0a8", "#c75a7d")
    return body + round_(x, 28, 15, colour) + ring(x, 28, 25, 5, "none", mix(colour, "#ffffff", 0.5))


def plain(r: Rng) -> str:
    """One pale colour, or white."""
    colour = (
        "#ffffff"
        if r.random() < 0.5
        else "#" + "".join(f"{int(v):02x}" for v in np.clip(r.normal(232, 12, 3), 190, 255))
    )
    return rect(0, 0, 128, 128, colour)


def lake(r: Rng) -> str:
    """Still water before mountains and firs."""
    body = (
        sky(r)
        + mountains(r, 58)
        + rect(0, 56, 128, 8, "#4d8a5a")
        + "".join(poly([(x - 5, 62), (x + 5, 62), (x, 44)], "#2f6b43") for x in range(4, 128, 11))
    )
    body += rect(0, 62, 128, 50, pick(r, "#5ab0de", "#4a9fd0")) + "".join(
        rect(float(r.uniform(4, 108)), float(r.uniform(66, 106)), 16, 1.4, "#cfeeff", 1) for _ in range(8)
    )
    return body + '<path d="M0 112 Q40 102 80 110 T128 106 V128 H0 Z" fill="#86b95c"/>'


def snowy_hill(r: Rng) -> str:
    """White slopes, firs and falling snow."""
    body = rect(0, 0, 128, 128, pick(r, "#bcd8ee", "#cfdde8")) + hills(r, 62, "#e3eef6", 10)
    body += "".join(
        poly([(x - 9, y), (x + 9, y), (x, y - 30)], "#3a6b5a")
        + poly([(x - 5, y - 16), (x + 5, y - 16), (x, y - 30)], "#ffffff")
        for x, y in ((14, 76), (34, 70), (106, 74))
    )
    body += '<path d="M0 84 Q40 64 84 78 T128 76 V128 H0 Z" fill="#fafdff"/>'
    return body + "".join(round_(float(r.uniform(0, 128)), float(r.uniform(0, 100)), 1.6, "#ffffff") for _ in range(34))


def studio(r: Rng) -> str:
    """A backdrop that runs into the floor, with a soft spot of light."""
    tone = pick(r, "#9fb8c9", "#c9b6a3", "#b3a8c9", "#a3c2ac")
    body = rect(0, 0, 128, 128, tone) + rect(0, 88, 128, 40, mix(tone, "#000000", 0.12))
    return (
        body
        + ring(64, 50, 50, 42, mix(tone, "#ffffff", 0.45), opacity=0.6)
        + ring(64, 106, 52, 13, mix(tone, "#ffffff", 0.2))
    )


def orchard(r: Rng) -> str:
    """Rows of fruit trees."""
    body = sky(r) + clouds(r, 1) + hills(r, 60, "#93c266", 5) + ground(r, 66, "#86c25c")
    for x, y, size in ((20, 72, 13), (64, 72, 13), (108, 72, 13), (4, 92, 20), (124, 92, 20)):
        body += tree(r, x, y, size) + "".join(
            round_(
                x + float(r.uniform(-size, size)) * 0.7,
                y - size * 1.2 + float(r.uniform(-size, size)) * 0.6,
                1.9,
                "#e0332f",
            )
            for _ in range(6)
        )
    return body


def acacia(x: float, y: float, size: float) -> str:
    """A flat-topped tree of the savanna standing at (x, y)."""
    trunk = line(f"M{x} {y} L{x} {y - size} M{x} {y - size * 0.6} L{x - size * 0.5} {y - size * 1.1}", "#6d4a2c", 3)
    crown = ring(x, y - size * 1.15, size, size * 0.22, "#6f8a3a") + ring(x, y - size * 1.3, size * 0.7, 4, "#839e48")
    return trunk + crown


def savanna(r: Rng) -> str:
    """Dry grass, flat-topped trees, a low sun or a far mountain."""
    tone = pick(r, "#f9d38a", "#f7b878", "#a8dcf5")
    body = rect(0, 0, 128, 128, tone) + round_(float(r.uniform(30, 98)), 40, 13, "#fff0b0")
    body += hills(r, 58, "#b59a6a", 7) + ground(r, 66, pick(r, "#d9b45a", "#cfa84e", "#c9b566"))
    body += acacia(float(r.uniform(14, 34)), 74, 24) + acacia(float(r.uniform(92, 114)), 70, 17)
    for _ in range(14):
        x, y = float(r.uniform(2, 124)), float(r.uniform(78, 126))
        body += line(f"M{x:.1f} {y:.1f} l-3 -6 M{x:.1f} {y:.1f} v-7 M{x:.1f} {y:.1f} l3 -6", "#a8862f", 1.2)
    return body


def landfill(r: Rng) -> str:
    """Hills of rubbish under a grey sky with gulls."""
    body = rect(0, 0, 128, 128, pick(r, "#b9c3c9", "#c9c3b0", "#a8bccb")) + hills(r, 62, "#8f8a6f", 10)
    body += f'<path d="M0 88 Q20 40 52 60 T128 52 V90 H0 Z" fill="{pick(r, "#7d7460", "#857a66")}"/>'
    for _ in range(60):
        x = float(r.uniform(2, 122))
        y = float(r.uniform(66, 92))
        bit = pick(r, "#e2e2da", "#4a9bd8", "#d8573e", "#f2c14e", "#5a8a5e", "#3a3f47", "#b5854c", "#cfd8de")
        body += rect(x, y, float(r.uniform(2, 7)), float(r.uniform(2, 5)), bit, 1)
    body += rect(0, 92, 128, 36, pick(r, "#9a8a6a", "#8f8470"))
    for _ in range(5):
        x, y = float(r.uniform(10, 112)), float(r.uniform(10, 40))
        body += line(f"M{x:.1f} {y:.1f} q4 -5 7 0 q3 -5 7 0", "#ffffff", 1.6)
    return body


def cemetery(r: Rng) -> str:
    """White crosses in rows on mown grass, a bench, trees: no ghosts, by day."""
    body = sky(r) + clouds(r, 2) + hills(r, 56, "#7fae6a", 5) + ground(r, 62, pick(r, "#7cb85a", "#86c062", "#8ab868"))
    body += "".join(poly([(x - 5, 66), (x + 5, 66), (x, 34)], "#3f6f4a") for x in (8, 20, 108, 120))
    stone = pick(r, "#ffffff", "#eef0f0")
    for y, size, step in ((70, 6.0, 13), (84, 8.0, 19)):
        for x in range(6 + int(r.integers(0, 4)), 126, step):
            body += rect(x - 1, y - size, 2.4, size * 1.5, stone) + rect(
                x - size * 0.4, y - size * 0.7, size, 2.2, stone
            )
    path = pick(r, "#d9cbb0", "#cfc6b8")
    return body + poly([(60, 62), (68, 62), (92, 128), (36, 128)], path) + bench(96, 84)


def cave(r: Rng) -> str:
    """Dark rock around a bright mouth, points of stone above."""
    rock = pick(r, "#5f564f", "#4f5560", "#6a5648")
    body = rect(0, 0, 128, 128, rock) + ring(64, 62, 34, 36, pick(r, "#bfe3f2", "#f7dca0")) + hills(r, 96, rock, 4)
    body += "".join(
        poly([(x, 0), (x + 14, 0), (x + 7, float(r.uniform(14, 34)))], mix(rock, "#000000", 0.3))
        for x in range(0, 128, 13)
    )
    body += rect(0, 92, 128, 36, mix(rock, "#ffffff", 0.12))
    return body + "".join(
        poly([(x, 98), (x + 9, 82), (x + 18, 98)], mix(rock, "#000000", 0.2)) for x in (-4, 12, 98, 114)
    )


def frozen_lake(r: Rng) -> str:
    """Ice with thin cracks between snowy banks and firs."""
    body = rect(0, 0, 128, 128, pick(r, "#cfe0ee", "#dfe6ea")) + hills(r, 54, "#eef5fa", 7)
    body += "".join(
        poly([(x - 6, 60), (x + 6, 60), (x, 36)], "#3f6a5f") + poly([(x - 3, 46), (x + 3, 46), (x, 36)], "#ffffff")
        for x in (8, 22, 40, 92, 108, 120)
    )
    body += rect(0, 60, 128, 68, pick(r, "#a8d3e8", "#b5dcea")) + ring(64, 60, 80, 4, "#f7fbfd")
    for _ in range(6):
        x, y = float(r.uniform(6, 110)), float(r.uniform(72, 122))
        body += line(f"M{x:.1f} {y:.1f} l8 3 l5 -3 l8 4", "#e9f6fb", 1.3)
    return body


PAINTERS: dict[str, Painter] = {
    "park": park,
    "garden": garden,
    "farm field": farm_field,
    "forest": forest,
    "beach": beach,
    "underwater sea": underwater,
    "open sea": open_sea,
    "river": river,
    "mountain landscape": mountain_landscape,
    "desert": desert,
    "night sky": night_sky,
    "blue sky": blue_sky,
    "sunset sky": sunset_sky,
    "storm sky": storm_sky,
    "outer space": outer_space,
    "plain background": plain,
    "lake": lake,
    "snowy hill": snowy_hill,
    "studio background": studio,
    "orchard": orchard,
    "savanna": savanna,
    "landfill": landfill,
    "cemetery": cemetery,
    "cave": cave,
    "frozen lake": frozen_lake,
}
