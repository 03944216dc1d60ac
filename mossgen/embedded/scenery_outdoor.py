"""Outdoor and plain backgrounds: each function gives the body of a 128x128 SVG, other details each time."""

from __future__ import annotations

import numpy as np

from mossgen.embedded.scenery_parts import (
    Painter,
    Rng,
    bench,
    buildings,
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


def stadium(r: Rng) -> str:
    """Stands full of people, floodlights, a striped pitch."""
    body = sky(r) + rect(0, 26, 128, 40, "#6b7480")
    body += "".join(
        round_(
            float(r.uniform(0, 128)),
            float(r.uniform(29, 63)),
            1.5,
            pick(r, "#e8505b", "#f9c846", "#ffffff", "#3fa7d6", "#f0c8a0"),
        )
        for _ in range(150)
    )
    body += "".join(rect(x, 4, 2, 24, "#888f96") + rect(x - 7, 1, 16, 7, "#fff8d8", 1) for x in (14, 112)) + rect(
        0, 64, 128, 5, "#e8ecef"
    )
    green = pick(r, "#4aa64a", "#58b05a")
    return (
        body
        + "".join(
            poly(
                [(64 + (i - 4) * 16, 69), (64 + (i - 3) * 16, 69), (64 + (i - 3) * 30, 128), (64 + (i - 4) * 30, 128)],
                mix(green, "#ffffff", 0.12 * (i % 2)),
            )
            for i in range(8)
        )
        + ring(64, 104, 30, 10, "none", "#ffffff")
    )


def playground(r: Rng) -> str:
    """A swing, a slide and a sand pit."""
    body = sky(r) + clouds(r, 2) + hills(r, 66, "#9ccf7a", 6) + ground(r, 74, pick(r, "#8cc866", "#e3c98a"))
    frame = pick(r, "#d9483b", "#2f7fc1", "#e3a92f")
    body += line("M10 88 L22 34 L34 88 M58 34 L46 88 M58 34 L70 88 M22 34 H58", frame, 3)
    body += rect(34, 35, 1, 34, "#555555") + rect(44, 35, 1, 34, "#555555") + rect(32, 68, 15, 3, "#7a4b28")
    slide = pick(r, "#f9c846", "#3fa7d6", "#e8505b")
    return (
        body
        + rect(92, 44, 3, 44, frame)
        + rect(102, 44, 3, 44, frame)
        + poly([(90, 44), (82, 48), (66, 90), (74, 90)], slide)
        + rect(88, 40, 18, 5, frame)
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
        + round_(float(r.integers(84, 112)), 18, 9, "#ffdf5e")
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


def desert(r: Rng) -> str:
    """Dunes, a hot sun and cacti."""
    body = (
        rect(0, 0, 128, 128, pick(r, "#fbe3a8", "#f7cf98", "#bfe3f2"))
        + round_(float(r.integers(20, 100)), 20, 10, "#ff9f43")
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


def city_street(r: Rng) -> str:
    """Tall buildings, pavement and a road with a zebra crossing."""
    body = sky(r) + buildings(r, 76, False) + rect(0, 76, 128, 12, "#b9bcc0") + rect(0, 88, 128, 40, "#5f666d")
    return body + "".join(rect(6 + 22 * i, 105, 13, 4, "#f4f4ee") for i in range(6))


def night_street(r: Rng) -> str:
    """The street in the dark with lit windows and street lamps."""
    body = (
        rect(0, 0, 128, 128, "#141b38")
        + stars(r, 20)
        + buildings(r, 76, True)
        + rect(0, 76, 128, 12, "#3b4054")
        + rect(0, 88, 128, 40, "#252a38")
    )
    for x in (18, 110):
        body += (
            rect(x - 1, 44, 2.4, 44, "#6b7080")
            + round_(x, 43, 5, "#ffe28a")
            + poly([(x - 5, 44), (x + 5, 44), (x + 20, 96), (x - 20, 96)], "#ffe28a", 0.2)
        )
    return body + "".join(rect(6 + 22 * i, 106, 13, 3, "#aab0bd") for i in range(6))


def suburban(r: Rng) -> str:
    """Houses with gardens along a street."""
    body = sky(r) + clouds(r, 2) + rect(0, 62, 128, 26, "#8cc866")
    for x in (2, 46, 90):
        wall, roof = pick(r, "#f3e3c3", "#e8c9b0", "#d3e0ea", "#f0d0d0"), pick(r, "#b5483d", "#7a4b38", "#566a7d")
        body += (
            rect(x + 2, 42, 32, 34, wall)
            + poly([(x - 2, 44), (x + 18, 24), (x + 38, 44)], roof)
            + rect(x + 14, 58, 8, 18, "#7a4b28")
            + rect(x + 5, 50, 7, 8, "#9fd3ee")
            + rect(x + 24, 50, 7, 8, "#9fd3ee")
        )
    return (
        body
        + rect(0, 84, 128, 6, "#d3d0c8")
        + rect(0, 90, 128, 38, "#777d83")
        + "".join(rect(4 + 24 * i, 107, 14, 3, "#f4f4ee") for i in range(6))
    )


def school_yard(r: Rng) -> str:
    """A long school building with a clock before an asphalt yard."""
    brick = pick(r, "#c9694a", "#d9a066", "#b85c48")
    body = (
        sky(r)
        + clouds(r, 2)
        + rect(6, 34, 116, 44, brick)
        + rect(46, 22, 36, 56, mix(brick, "#ffffff", 0.12))
        + poly([(42, 24), (64, 8), (86, 24)], "#6b4a3a")
    )
    body += (
        "".join(rect(x, y, 9, 10, "#bfe3f2", 0, "#ffffff") for x in (12, 28, 90, 106) for y in (40, 58))
        + round_(64, 32, 6, "#ffffff")
        + rect(63.4, 28, 1.2, 5, "#333333")
        + rect(57, 56, 14, 22, "#5a3f28")
    )
    return (
        body
        + rect(0, 78, 128, 50, pick(r, "#a7abb0", "#c4a890"))
        + ring(40, 108, 16, 6, "none", "#f4f4ee")
        + rect(80, 98, 30, 18, "none", 0, "#f4d35e")
    )


def highway(r: Rng) -> str:
    """A road running to the horizon."""
    body = sky(r) + clouds(r, 2) + hills(r, 58, "#a3c26a", 6) + ground(r, 60, pick(r, "#93b95c", "#c9b878"))
    body += (
        poly([(54, 60), (74, 60), (136, 128), (-8, 128)], "#5c6268")
        + poly([(54, 60), (55, 60), (0, 128), (-6, 128)], "#f4f4ee")
        + poly([(73, 60), (74, 60), (134, 128), (128, 128)], "#f4f4ee")
    )
    return body + "".join(
        poly([(63.6 - k, y), (64.4 + k, y), (64.8 + k, y + h), (63.2 - k, y + h)], "#f7d154")
        for k, y, h in ((0, 64, 5), (0.4, 74, 7), (0.9, 88, 10), (1.6, 106, 14))
    )


def parking_lot(r: Rng) -> str:
    """Marked bays on asphalt, a low building, parked cars."""
    body = sky(r) + buildings(r, 52, False, 16) + rect(0, 52, 128, 76, pick(r, "#7a8087", "#6b7178"))
    body += "".join(
        poly(
            [(64 + (i - 3) * 20, 66), (65.6 + (i - 3) * 20, 66), (66 + (i - 3) * 34, 104), (63 + (i - 3) * 34, 104)],
            "#f4f4ee",
        )
        for i in range(7)
    ) + rect(0, 64, 128, 2, "#f4f4ee")
    for x in (6, 88):
        colour = pick(r, "#d9483b", "#2f7fc1", "#f0f0f0", "#333a40")
        body += (
            rect(x, 54, 32, 11, colour, 4)
            + rect(x + 6, 47, 19, 10, mix(colour, "#ffffff", 0.4), 4)
            + round_(x + 7, 65, 3.4, "#222222")
            + round_(x + 25, 65, 3.4, "#222222")
        )
    return body


def train_platform(r: Rng) -> str:
    """A platform with a yellow line, a train and a roof."""
    train = pick(r, "#d9483b", "#2f7fc1", "#3e8a6a")
    body = (
        rect(0, 0, 128, 128, pick(r, "#cfe0ea", "#e3ddd0"))
        + rect(0, 0, 128, 12, "#6b7480")
        + rect(20, 12, 4, 66, "#8d969b")
        + rect(104, 12, 4, 66, "#8d969b")
    )
    body += (
        rect(-4, 30, 136, 46, "#eef0f0", 6)
        + rect(-4, 56, 136, 12, train)
        + "".join(rect(6 + 26 * i, 36, 18, 15, "#3d5566", 2) for i in range(5))
    )
    return body + rect(0, 76, 128, 6, "#4d5358") + rect(0, 82, 128, 46, "#b7b4ae") + rect(0, 86, 128, 4, "#f4c430")


def harbour(r: Rng) -> str:
    """Boats moored at a quay, a crane."""
    body = sky(r) + clouds(r, 2) + buildings(r, 48, False, 14) + rect(0, 48, 128, 46, pick(r, "#3a86b8", "#4592b5"))
    body += rect(106, 6, 3, 44, "#d9862f") + rect(80, 8, 40, 3, "#d9862f") + rect(84, 11, 1, 16, "#444444")
    for x in (20, 62):
        hull = pick(r, "#b5362c", "#24507a", "#f0ece0")
        body += (
            poly([(x - 16, 62), (x + 18, 62), (x + 12, 74), (x - 11, 74)], hull)
            + rect(x - 0.8, 30, 1.8, 32, "#6b4a2b")
            + poly([(x + 2, 32), (x + 2, 58), (x + 15, 58)], "#fbf7ee")
        )
    return (
        body
        + rect(0, 90, 128, 38, pick(r, "#a89f92", "#b08a5e"))
        + "".join(rect(10 + 34 * i, 84, 7, 10, "#4d5358", 2) for i in range(4))
    )


def market_square(r: Rng) -> str:
    """Stalls with striped awnings on cobbles."""
    body = sky(r) + buildings(r, 58, False, 20) + rect(0, 58, 128, 70, pick(r, "#c9bfae", "#b9b4aa"))
    for x in (2, 46, 90):
        stripe = pick(r, "#d9483b", "#2f8f6a", "#2f7fc1", "#e3a92f")
        body += (
            "".join(rect(x + 6 * i, 38, 6, 13, stripe if i % 2 == 0 else "#fbf7ee", 2) for i in range(6))
            + rect(x, 50, 2, 34, "#7a5230")
            + rect(x + 34, 50, 2, 34, "#7a5230")
        )
        body += rect(x, 68, 36, 16, "#9a6b3f") + "".join(
            round_(x + 5 + 6.5 * i, 67, 3.4, pick(r, "#e8505b", "#f9a03f", "#7cbf4a", "#f4d35e")) for i in range(5)
        )
    return body


def camp_site(r: Rng) -> str:
    """A tent among firs."""
    body = (
        sky(r)
        + hills(r, 60, "#6f9f63", 8)
        + "".join(poly([(x - 10, 74), (x + 10, 74), (x, 30)], pick(r, "#2f6b43", "#3a7a4a")) for x in (8, 26, 98, 116))
        + ground(r, 72, pick(r, "#8ab55c", "#7fa357"))
    )
    tent = pick(r, "#f08a4b", "#d9483b", "#3f8fc1", "#e3b92f")
    return (
        body
        + poly([(34, 86), (62, 42), (94, 86)], tent)
        + poly([(62, 42), (94, 86), (108, 78), (74, 40)], mix(tent, "#000000", 0.25))
        + poly([(56, 86), (63, 56), (72, 86)], "#3b3028")
    )


def construction_site(r: Rng) -> str:
    """A crane, an unfinished building and striped barriers."""
    body = (
        sky(r)
        + ground(r, 78, pick(r, "#c9a266", "#b8935c"))
        + rect(20, 2, 4, 76, "#e8b021")
        + rect(6, 8, 76, 4, "#e8b021")
        + rect(70, 12, 1, 20, "#444444")
    )
    body += "".join(rect(60, 34 + 15 * i, 60, 4, "#9aa0a5") for i in range(3)) + "".join(
        rect(60 + 18 * i, 34, 4, 46, "#8a9095") for i in range(4)
    )
    for x in (2, 44, 86):
        body += rect(x, 82, 38, 8, "#f4f4ee") + "".join(
            poly([(x + 10 * i, 90), (x + 5 + 10 * i, 90), (x + 9 + 10 * i, 82), (x + 4 + 10 * i, 82)], "#f08a24")
            for i in range(3)
        )
    return body


def graveyard(r: Rng) -> str:
    """Headstones and a bare tree under a pale moon."""
    body = (
        rect(0, 0, 128, 128, pick(r, "#39406b", "#4a4a6e", "#8a93a8"))
        + round_(96, 22, 11, "#f2ecc8")
        + hills(r, 70, "#3f5a4a", 7)
        + ground(r, 78, pick(r, "#54754f", "#4d6b52"))
    )
    body += (
        '<path d="M16 84 V44 M16 60 L4 46 M16 54 L30 36 M16 46 L10 32" stroke="#2b2420" stroke-width="4" fill="none"/>'
    )
    return body + "".join(
        rect(x, y, 15, 21, pick(r, "#9aa0a5", "#8a9095", "#a8a7a0"), 6) for x, y in ((40, 64), (66, 60), (96, 66))
    )


def night_sky(r: Rng) -> str:
    """Stars and a moon over dark hills."""
    body = rect(0, 0, 128, 128, pick(r, "#141b44", "#1b1f4d", "#0f2342")) + stars(r, 46)
    x = float(r.integers(24, 104))
    return body + round_(x, 24, 11, "#fdf3c0") + hills(r, 106, "#1d2f3f", 7) + rect(0, 118, 128, 10, "#1d2f3f")


def blue_sky(r: Rng) -> str:
    """Blue with white clouds."""
    return rect(0, 0, 128, 128, pick(r, "#7cc6f2", "#8fd0f5", "#6bb8ee")) + clouds(r, 5, 110)


def sunset_sky(r: Rng) -> str:
    """Bands from violet to orange with a low sun."""
    bands = ("#5a3f7d", "#8c4a7d", "#c75a6b", "#ee7f55", "#f9a64a", "#fdc866")
    body = "".join(rect(0, 17 * i, 128, 18, c) for i, c in enumerate(bands)) + ring(
        float(r.integers(44, 84)), 96, 20, 20, "#fff0a8"
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
    x, colour = float(r.integers(80, 108)), pick(r, "#d98a4e", "#5fb0a8", "#c75a7d")
    return body + round_(x, 28, 15, colour) + ring(x, 28, 25, 5, "none", mix(colour, "#ffffff", 0.5))


def plain(r: Rng) -> str:
    """One pale colour, or white."""
    colour = (
        "#ffffff"
        if r.random() < 0.5
        else "#" + "".join(f"{int(v):02x}" for v in np.clip(r.normal(232, 12, 3), 190, 255))
    )
    return rect(0, 0, 128, 128, colour)


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


PAINTERS: dict[str, Painter] = {
    "stadium": stadium,
    "playground": playground,
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
    "city street": city_street,
    "night street": night_street,
    "suburban street": suburban,
    "highway": highway,
    "parking lot": parking_lot,
    "train platform": train_platform,
    "harbour": harbour,
    "market square": market_square,
    "camp site": camp_site,
    "construction site": construction_site,
    "graveyard": graveyard,
    "night sky": night_sky,
    "blue sky": blue_sky,
    "sunset sky": sunset_sky,
    "storm sky": storm_sky,
    "outer space": outer_space,
    "plain background": plain,
    "lake": lake,
    "snowy hill": snowy_hill,
    "school yard": school_yard,
    "studio background": studio,
    "orchard": orchard,
}
