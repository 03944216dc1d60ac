"""Streets, squares and other built places: each function gives the body of a 128x128 SVG, other details each time."""

from __future__ import annotations

from mossgen.embedded.scenery_parts import (
    Painter,
    Rng,
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
)


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


def ruined_street(r: Rng) -> str:
    """Broken houses, rubble, smoke far off: a street after a war or an earthquake."""
    haze = pick(r, "#c9c0b5", "#b8bcc2", "#d9c9b0")
    body = rect(0, 0, 128, 128, haze) + "".join(
        ring(x + float(r.uniform(-6, 6)), 20, 16, 9, mix(haze, "#4a4a50", 0.35), opacity=0.7) for x in (60, 72)
    )
    for x, w, top in ((0, 34, 22), (40, 26, 46), (86, 42, 18)):
        wall = pick(r, "#a89884", "#9a8f8a", "#b5a38a", "#8f8a80")
        edge = [(x + w * k / 5, top + float(r.uniform(0, 16))) for k in range(6)]
        body += poly([(x, 90), *edge, (x + w, 90)], wall)
        for wx in range(int(x) + 4, int(x + w) - 7, 11):
            for wy in (44, 60, 76):
                body += rect(wx, wy, 6, 9, pick(r, "#3a3633", "#4a433e", wall)) if wy > top + 18 else ""
    body += ground(r, 88, pick(r, "#a89a86", "#9a938a"))
    for _ in range(16):
        left, low, size = float(r.uniform(0, 124)), float(r.uniform(84, 98)), float(r.uniform(3, 8))
        heap = [(left, low), (left + size, low - size * 0.8), (left + size * 1.7, low)]
        body += poly(heap, pick(r, "#7d746a", "#8f8577", "#6a625a"))
    return body


def fairground(r: Rng) -> str:
    """A big wheel, stalls with striped roofs, flags."""
    night = r.random() < 0.35
    body = (rect(0, 0, 128, 128, "#1f2450") + stars(r, 24)) if night else sky(r) + clouds(r, 2)
    wheel = pick(r, "#e2574c", "#4a6fd0", "#ffffff")
    body += line("M64 44 L48 86 M64 44 L80 86", "#7b8791", 3) + ring(64, 44, 36, 36, "none", wheel)
    for x, y in ((36, 0), (25, 25), (0, 36), (-25, 25), (-36, 0), (-25, -25), (0, -36), (25, -25)):
        body += line(f"M64 44 l{x} {y}", wheel, 1) + rect(
            61 + x, 43 + y, 7, 7, pick(r, "#f2c14e", "#5bb872", "#e26fa0", "#4a9bd8"), 2
        )
    for x in (2, 94):
        stripe = pick(r, "#d8323f", "#3f6fc0", "#8a5fb8")
        body += rect(x + 2, 66, 28, 24, "#f3e3c3") + rect(x + 6, 72, 20, 10, "#5f4a38")
        body += "".join(rect(x + 6.4 * i, 58, 6.4, 9, stripe if i % 2 else "#ffffff", 2) for i in range(5))
    return body + rect(0, 88, 128, 40, pick(r, "#cfae7c", "#7fae5a", "#b5a58c"))


def tunnel(r: Rng) -> str:
    """A brick sewer or underpass: an arch, water in the middle, lamps."""
    wall = pick(r, "#6f5a4a", "#5f6663", "#6a5a5a")
    body = rect(0, 0, 128, 128, mix(wall, "#000000", 0.15))
    for row in range(12):
        body += rect(0, 9 * row, 128, 1, mix(wall, "#000000", 0.4))
        body += "".join(rect(x + (row % 2) * 8, 9 * row, 1, 9, mix(wall, "#000000", 0.4)) for x in range(0, 128, 16))
    body += f'<path d="M28 84 V50 Q28 18 64 18 Q100 18 100 50 V84 Z" fill="{mix(wall, "#000000", 0.45)}"/>'
    body += '<path d="M44 84 V58 Q44 36 64 36 Q84 36 84 58 V84 Z" fill="#17181c"/>'
    body += rect(0, 84, 128, 44, mix(wall, "#ffffff", 0.15)) + poly(
        [(54, 84), (74, 84), (90, 128), (38, 128)], pick(r, "#4a6b5a", "#4a5f7a")
    )
    for x in (14, 114):
        body += round_(x, 36, 12, mix(wall, "#ffd98a", 0.5)) + round_(x, 36, 4.5, "#fff0b0")
    return body


def rooftop(r: Rng) -> str:
    """A flat roof with a low wall over the city."""
    night = r.random() < 0.4
    body = (rect(0, 0, 128, 128, "#1f2748") + stars(r, 22)) if night else sky(r) + clouds(r, 2)
    body += buildings(r, 78, night, 44) + rect(0, 76, 128, 10, pick(r, "#b5654a", "#9aa0a8", "#a8947a"))
    body += rect(0, 74, 128, 4, "#d3d6d9") + rect(0, 86, 128, 42, pick(r, "#7b8086", "#8f887d"))
    body += rect(6, 62, 24, 24, "#b5bfc7", 1) + round_(18, 74, 8, "#7b8791") + round_(18, 74, 3, "#4a4f57")
    return body + line("M104 86 V40 M94 46 H114 M97 54 H111", "#4a4f57", 2)


def flooded_street(r: Rng) -> str:
    """Houses that stand in brown or grey water under rain clouds."""
    water = pick(r, "#8a7a5f", "#6f8790", "#7d8a70")
    body = rect(0, 0, 128, 128, "#a9b5bf") + "".join(
        ring(float(r.uniform(0, 128)), 8, 22, 10, "#8793a0") for _ in range(6)
    )
    for x in (2, 45, 88):
        wall, roof = pick(r, "#f3e3c3", "#e8c9b0", "#d3e0ea"), pick(r, "#b5483d", "#7a4b38", "#566a7d")
        body += rect(x + 3, 38, 32, 46, wall) + poly([(x - 2, 40), (x + 19, 20), (x + 40, 40)], roof)
        body += rect(x + 7, 46, 8, 10, "#7fa8c0") + rect(x + 23, 46, 8, 10, "#7fa8c0") + rect(x + 14, 62, 10, 22, roof)
    body += rect(0, 72, 128, 56, water)
    for _ in range(12):
        left, low = float(r.uniform(0, 112)), float(r.uniform(76, 124))
        body += line(f"M{left:.1f} {low:.1f} q4 -3 8 0 t8 0", mix(water, "#ffffff", 0.4), 1.4)
    return body


PAINTERS: dict[str, Painter] = {
    "city street": city_street,
    "night street": night_street,
    "suburban street": suburban,
    "school yard": school_yard,
    "highway": highway,
    "parking lot": parking_lot,
    "train platform": train_platform,
    "harbour": harbour,
    "market square": market_square,
    "construction site": construction_site,
    "playground": playground,
    "graveyard": graveyard,
    "camp site": camp_site,
    "ruined street": ruined_street,
    "fairground": fairground,
    "tunnel": tunnel,
    "rooftop": rooftop,
    "flooded street": flooded_street,
}
