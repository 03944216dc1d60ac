"""Shops, halls and other public rooms: each function gives the body of a 128x128 SVG, other details each time."""

from __future__ import annotations

from mossgen.embedded.scenery_parts import (
    Painter,
    Rng,
    curtain,
    floor,
    line,
    mix,
    pick,
    picture,
    poly,
    rect,
    ring,
    room,
    round_,
    sky,
    tiles,
    window,
)


def museum(r: Rng) -> str:
    """Framed paintings with spotlights, columns, a rope barrier."""
    body = room(r, pick(r, "#a43f3f", "#3f5d7a", "#e9e3d6", "#56725a"), pick(r, "#c9a678", "#8f6a49"), 80)
    body += "".join(picture(r, x, 18, 28, 34, "#d4a941") for x in (14, 50, 86))
    body += "".join(poly([(x, 0), (x + 4, 0), (x + 16, 16), (x - 12, 16)], "#fff6d0", 0.35) for x in (26, 62, 98))
    body += "".join(rect(x, 70, 3, 22, "#c9a23a") for x in (16, 62, 108))
    return body + '<path d="M18 74 Q40 88 63 74 Q86 88 109 74" stroke="#8c2233" stroke-width="2.4" fill="none"/>'


def restaurant(r: Rng) -> str:
    """Set tables with white cloths under hanging lamps."""
    wall = pick(r, "#7d3b34", "#4c6152", "#d8bfa0", "#35495e")
    body = room(r, wall, pick(r, "#8f6238", "#6d4a30"), 76) + rect(0, 44, 128, 32, mix(wall, "#000000", 0.2))
    for x in (24, 64, 104):
        body += rect(x - 0.6, 0, 1.2, 14, "#222222") + poly(
            [(x - 10, 22), (x + 10, 22), (x + 4, 13), (x - 4, 13)], pick(r, "#f0b64c", "#e0785a")
        )
        body += poly([(x - 10, 22), (x + 10, 22), (x + 20, 60), (x - 20, 60)], "#ffe9a8", 0.18)
    for x in (28, 98):
        body += rect(x - 34 // 2, 62, 34, 10, "#fdfaf3", 2) + poly(
            [(x - 17, 70), (x + 17, 70), (x + 13, 92), (x - 13, 92)], "#efe9dc"
        )
        body += round_(x, 64, 5, "#ffffff") + rect(x + 8, 54, 2, 9, "#c0d8e6")
    return body


def cafe(r: Rng) -> str:
    """A chalk menu, a counter with cups, round tables."""
    body = room(r, pick(r, "#d9b48f", "#c7d2bd", "#e7d6c0"), pick(r, "#8d6748", "#a67c52"), 80)
    body += rect(12, 8, 50, 30, "#2f3a36", 2, "#8b5e3c") + "".join(
        rect(18, 14 + 6 * i, int(r.integers(14, 36)), 1.8, "#dfe8e0") for i in range(4)
    )
    awning = pick(r, "#b5483d", "#3e7a69", "#c98b2d")
    body += "".join(rect(70 + 9 * i, 6, 9, 14, awning if i % 2 else "#fbf5e6", 2) for i in range(6))
    body += (
        rect(70, 48, 58, 34, "#7b5233")
        + rect(68, 44, 60, 6, "#4e3423")
        + "".join(rect(74 + 12 * i, 35, 8, 9, "#ffffff", 3, "#c9b9a4") for i in range(4))
    )
    return body + ring(32, 84, 24, 6, "#c9976a") + rect(30, 86, 4, 24, "#5a4636")


def bakery(r: Rng) -> str:
    """Shelves of loaves and a glass counter."""
    body = room(r, pick(r, "#f6e3c0", "#f3dccb"), pick(r, "#b98a5e", "#d0c2ae"), 92)
    for row in (10, 32, 54):
        body += rect(8, row + 14, 112, 4, "#9a6536")
        for x in range(12, 110, 18):
            body += ring(x + 8, row + 9, 8, int(r.integers(4, 7)), pick(r, "#d79a4e", "#c07f3b", "#e5b566"), "#9c6226")
    return body + rect(0, 76, 128, 6, "#7a4b28") + rect(0, 82, 128, 26, pick(r, "#f0cfa0", "#e4b9a4"))


def aisle_of(r: Rng, wall: str, goods: tuple[str, ...]) -> str:
    """An aisle whose shelves hold boxes in the given colours."""
    body = rect(0, 0, 128, 128, wall) + poly(
        [(0, 128), (128, 128), (76, 56), (52, 56)], pick(r, "#cfd5d9", "#dcd6c9", "#b9c6cc")
    )
    body += rect(52, 18, 24, 38, mix(wall, "#000000", 0.12)) + "".join(
        rect(56, 4 + 4 * i, 16, 1.6, "#ffffff") for i in range(3)
    )
    for side in (0, 1):
        for row in range(4):
            for k in range(5):
                x0, x1 = k / 5, (k + 0.86) / 5
                corners = []
                for x, top in ((x0, 0.08), (x1, 0.08), (x1, 0.92), (x0, 0.92)):
                    px, near = 52 * x, 1 - x
                    high, low = 18 - 24 * near, 56 + 52 * near
                    y = high + (low - high) * (row + top) / 4
                    corners.append((px if side == 0 else 128 - px, y))
                body += poly(corners, pick(r, *goods))
    return body


def aisle(r: Rng) -> str:
    """Shelves on both sides running to the back."""
    return aisle_of(
        r, pick(r, "#e8ecef", "#f2efe6"), ("#e2574c", "#f2b632", "#4a9bd8", "#5bb872", "#f08a4b", "#9a6bc2")
    )


def warehouse(r: Rng) -> str:
    """An aisle of brown boxes."""
    return aisle_of(r, pick(r, "#b9bfc4", "#a8a69e"), ("#c79a62", "#b5854c", "#d3aa74", "#a8763f"))


def toy_shop(r: Rng) -> str:
    """Shelves of balls, blocks and bears behind a bright counter."""
    gay = ("#e8505b", "#f9c846", "#3fa7d6", "#59cd90", "#b07ad9", "#f08a4b")
    body = room(r, pick(r, "#ffe3ec", "#e0f4ff", "#fff3cf"), pick(r, "#d8b384", "#cfd8e0"), 86)
    for row in (8, 32, 56):
        body += rect(4, row + 18, 120, 4, "#a8743f")
        for x in range(10, 118, 17):
            kind, colour = int(r.integers(0, 3)), pick(r, *gay)
            bear = (
                round_(x + 5, row + 12, 5, "#b07a45")
                + round_(x + 5, row + 6, 4, "#c08a55")
                + round_(x + 2, row + 3, 1.8, "#b07a45")
                + round_(x + 8, row + 3, 1.8, "#b07a45")
            )
            body += (rect(x, row + 6, 11, 12, colour, 2), round_(x + 6, row + 12, 6, colour), bear)[kind]
    return body


def gym(r: Rng) -> str:
    """Wall bars, mirrors and a rack of weights on a rubber floor."""
    body = room(r, pick(r, "#d9e1e6", "#e6dcc9"), pick(r, "#4f5a63", "#c98d4e", "#5b7c8d"), 80)
    body += rect(8, 10, 44, 66, "#b9824a") + "".join(rect(10, 14 + 8 * i, 40, 3, "#e6c08c", 1) for i in range(8))
    body += (
        rect(62, 12, 56, 36, "#cfe6ef", 1, "#9ab3bd")
        + rect(62, 64, 58, 4, "#3b4248")
        + rect(66, 68, 4, 18, "#3b4248")
        + rect(112, 68, 4, 18, "#3b4248")
    )
    return body + "".join(round_(68 + 9 * i, 60, 4.4, pick(r, "#22272b", "#c23b34", "#2d6aa3")) for i in range(6))


def stage(r: Rng) -> str:
    """Red curtains, boards and a spotlight."""
    red = pick(r, "#a8202f", "#8c1f3c", "#7b2d86")
    body = rect(0, 0, 128, 84, "#2a1a26") + poly([(60, 0), (68, 0), (106, 90), (22, 90)], "#fff3c4", 0.35)
    body += floor(r, 84, pick(r, "#b07a45", "#96643a"), "boards") + ring(64, 100, 42, 12, "#ffe9b0", opacity=0.4)
    return (
        body
        + curtain(0, 0, 26, 92, red)
        + curtain(102, 0, 26, 92, red)
        + "".join(ring(8 + 16 * i, 4, 9, 12, mix(red, "#000000", 0.12 * (i % 2))) for i in range(8))
    )


def cinema(r: Rng) -> str:
    """A bright screen in the dark over rows of red seats."""
    body = rect(0, 0, 128, 128, "#241d2b") + rect(16, 8, 96, 50, pick(r, "#dfeaf5", "#f3eeda", "#bfe0e8"), 1, "#0f0c13")
    for row, y in enumerate((70, 88, 108)):
        body += "".join(
            rect(-6 + (row % 2) * 9 + 18 * i, y, 15, 18, mix("#b02a35", "#000000", 0.3 - 0.12 * row), 5)
            for i in range(8)
        )
    return body


def party_room(r: Rng) -> str:
    """Bunting, balloons and confetti."""
    body = room(r, pick(r, "#fbe3ef", "#e3f0fb", "#fdf1cf"), pick(r, "#c9a06c", "#b8c9d9"), 84)
    gay = ("#e8505b", "#f9c846", "#3fa7d6", "#59cd90", "#b07ad9")
    body += "".join(
        poly([(4 + 15 * i, 6 + (i % 3)), (17 + 15 * i, 6 + (i % 3)), (10 + 15 * i, 20)], pick(r, *gay))
        for i in range(8)
    )
    for x in (14, 30, 98, 114):
        y = int(r.integers(32, 46))
        body += rect(x - 0.4, y, 0.9, 34, "#999999") + ring(x, y, 8, 10, pick(r, *gay))
    return body + "".join(
        rect(float(r.uniform(4, 124)), float(r.uniform(24, 120)), 2.4, 2.4, pick(r, *gay)) for _ in range(26)
    )


def barber_shop(r: Rng) -> str:
    """Mirrors over a shelf, a barber's chair and a checked floor."""
    body = room(r, pick(r, "#d6e4ea", "#f0e2d0"), "#e8e8e8", 82) + floor(r, 82, "#3b4248", "tiles")
    body += "".join(rect(x, 10, 30, 40, "#d9f0f7", 3, "#8a5c33") for x in (8, 48, 88)) + rect(0, 54, 128, 4, "#8a5c33")
    body += "".join(rect(8 + 11 * i, 46, 4, 8, pick(r, "#e8505b", "#3fa7d6", "#59cd90"), 1) for i in range(11))
    return (
        body + rect(50, 60, 28, 24, "#a8202f", 5) + rect(46, 78, 36, 8, "#8c1b28", 3) + rect(61, 86, 6, 14, "#9aa5ad")
    )


def train_carriage(r: Rng) -> str:
    """Seats either side, windows, hand rails."""
    seat = pick(r, "#3f6fa8", "#3e8a6a", "#a8433f")
    body = rect(0, 0, 128, 128, "#dfe3e4") + rect(0, 84, 128, 44, "#8d969b") + rect(0, 8, 128, 3, "#e0b23a")
    body += "".join(window(r, x, 18, 34, 28) for x in (5, 47, 89))
    return body + "".join(
        rect(x, 56, 17, 34, seat, 5) + rect(x, 82, 17, 10, mix(seat, "#000000", 0.2), 3)
        for x in (2, 22, 46, 66, 90, 110)
    )


def swimming_pool(r: Rng) -> str:
    """Blue water with lanes, a tiled edge."""
    water = pick(r, "#3fb0e0", "#35c2cf", "#4aa0e6")
    body = (
        rect(0, 0, 128, 40, pick(r, "#dff1f5", "#f2ead6"))
        + rect(0, 32, 128, 10, "#f6f6f2")
        + tiles(0, 34, 128, 8, 6, "#bfe0ea", "#f6f6f2")
        + rect(0, 42, 128, 86, water)
    )
    body += window(r, 12, 4, 44, 22) + window(r, 72, 4, 44, 22)
    for x in (34, 64, 94):
        far = 64 + (x - 64) * 0.6
        body += poly(
            [(far, 42), (far + 1.4, 42), (x + (x - 64) * 0.6 + 3, 128), (x + (x - 64) * 0.6, 128)],
            pick(r, "#e8505b", "#f4d35e"),
        )
    return body + "".join(
        line(f"M{r.integers(0, 110)} {r.integers(52, 124)} q5 -4 10 0 t10 0", "#d8f4ff", 1.5) for _ in range(9)
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


PAINTERS: dict[str, Painter] = {
    "museum": museum,
    "restaurant": restaurant,
    "cafe": cafe,
    "bakery": bakery,
    "supermarket aisle": aisle,
    "warehouse": warehouse,
    "toy shop": toy_shop,
    "gym": gym,
    "theatre stage": stage,
    "cinema": cinema,
    "party room": party_room,
    "barber shop": barber_shop,
    "train carriage": train_carriage,
    "swimming pool": swimming_pool,
    "stadium": stadium,
}
