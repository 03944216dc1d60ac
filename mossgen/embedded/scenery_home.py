"""Rooms at home and where people work: each function gives the body of a 128x128 SVG, other details each time."""

from __future__ import annotations

from mossgen.embedded.scenery_parts import (
    Painter,
    Rng,
    counter,
    curtain,
    floor,
    lamp,
    mix,
    pick,
    picture,
    poly,
    rect,
    ring,
    room,
    round_,
    shelf,
    table,
    tiles,
    tree,
    window,
)


def kitchen(r: Rng) -> str:
    """Tiled wall, wall cupboards, worktop, stove and hood."""
    wall, wood = pick(r, "#f3e9d2", "#dfeef0", "#e8f0dc"), pick(r, "#c08a5a", "#7fa6a8", "#d9d4c7", "#a9745b")
    y = int(r.integers(66, 74))
    body = rect(0, 0, 128, y, wall) + tiles(0, 34, 128, y - 34, 8, mix(wall, "#ffffff", 0.5), wall)
    body += "".join(rect(x, 0, 26, 24, wood, stroke=mix(wood, "#000000", 0.25)) for x in (0, 27, 102))
    x = int(r.integers(58, 68))
    body += poly([(x, 0), (x + 26, 0), (x + 34, 28), (x - 8, 28)], "#b8bec4")
    body += counter(y, mix(wood, "#000000", 0.1), pick(r, "#6b6f76", "#efe9df", "#4c4f55"))
    body += rect(x - 4, y + 8, 34, 60, "#8d949b") + rect(x, y + 22, 26, 24, "#3c4147", 3)
    return body + "".join(round_(x + 3 + 7 * i, y + 14, 2.2, "#2c2f33") for i in range(4))


def living_room(r: Rng) -> str:
    """A sofa, a picture, a lamp and a rug."""
    wall = pick(r, "#e6d8c3", "#cfe0d4", "#d7d3e6", "#f0dcc8")
    sofa = pick(r, "#c75c4a", "#4f7f9c", "#6d8f5a", "#8b6aa5")
    body = room(r, wall, pick(r, "#b98a5e", "#a8794f", "#c9a678"), 78)
    body += picture(r, 46 + int(r.integers(-6, 7)), 12, 36, 24)
    body += rect(24, 52, 80, 26, sofa, 7) + rect(16, 60, 14, 30, mix(sofa, "#000000", 0.15), 6)
    body += rect(98, 60, 14, 30, mix(sofa, "#000000", 0.15), 6) + rect(28, 70, 72, 14, mix(sofa, "#ffffff", 0.15), 4)
    return body + lamp(8, 34, 84) + ring(64, 112, 46, 13, pick(r, "#d9b26b", "#7aa0b8", "#b96d6d"))


def bedroom(r: Rng) -> str:
    """A bed with pillows seen from the foot, a window, a bedside table."""
    wall, cover = pick(r, "#d6dff0", "#efdfe6", "#dcebdc"), pick(r, "#6c8fc7", "#c77f9a", "#75a884", "#e0b45c")
    body = room(r, wall, pick(r, "#c49a6c", "#d8c3a5"), 72) + window(r, 84, 10, 32, 32)
    body += rect(10, 36, 72, 30, "#8a5a3b", 4) + rect(12, 58, 68, 26, "#f7f5f0", 4)
    body += rect(18, 50, 26, 14, "#ffffff", 5, "#d8d8d8") + rect(48, 50, 26, 14, "#ffffff", 5, "#d8d8d8")
    body += rect(10, 68, 72, 34, cover, 5) + rect(10, 68, 72, 8, mix(cover, "#ffffff", 0.4), 3)
    return body + rect(92, 66, 24, 26, "#8a5a3b", 2) + lamp(104, 44, 66)


def bathroom(r: Rng) -> str:
    """Blue tiles, a bathtub, a mirror over a basin."""
    tone = pick(r, "#a9d6e0", "#b7dcc9", "#cfd6ea")
    body = rect(0, 0, 128, 128, tone) + tiles(0, 0, 128, 76, 12, mix(tone, "#ffffff", 0.35), tone)
    body += floor(r, 76, pick(r, "#dfe3e6", "#c3ccd2"), "tiles")
    body += rect(8, 54, 66, 32, "#ffffff", 12, "#c9d2d8") + rect(4, 52, 74, 7, "#ffffff", 3, "#c9d2d8")
    body += rect(62, 36, 4, 18, "#9aa6ad") + rect(52, 36, 14, 4, "#9aa6ad", 2)
    return (
        body
        + ring(104, 28, 14, 17, "#e8f4f8", "#8fa3ad")
        + rect(90, 56, 30, 10, "#ffffff", 5, "#c9d2d8")
        + rect(101, 66, 8, 22, "#eef2f4")
    )


def dining_room(r: Rng) -> str:
    """A laid table under a hanging lamp."""
    body = room(r, pick(r, "#efe0c8", "#d9e2d0", "#e8cfc0"), pick(r, "#9c6b43", "#b98a5e"), 74)
    body += picture(r, 10, 16, 26, 22) + window(r, 88, 12, 30, 34)
    body += rect(63, 0, 2, 18, "#555555") + poly(
        [(52, 28), (76, 28), (69, 16), (59, 16)], pick(r, "#d9534f", "#3d6d8a", "#e0a030")
    )
    body += "".join(rect(x, 48, 16, 40, "#7a4a2b", 3) for x in (20, 56, 92))
    return body + table(76, pick(r, "#c98d55", "#f4f1ea", "#a86e42"))


def playroom(r: Rng) -> str:
    """Bright wall, toy blocks, a colourful rug."""
    gay = ("#e8505b", "#f9c846", "#3fa7d6", "#59cd90", "#b07ad9", "#f08a4b")
    body = room(r, pick(r, "#fdf0c8", "#d8f0e6", "#e3e6fb"), "#d8b384", 78) + window(r, 82, 10, 32, 30)
    body += rect(8, 28, 52, 50, "#f7f3ea", 2, "#c9bfa8") + "".join(
        rect(12 + 16 * i, 33 + 22 * j, 13, 16, pick(r, *gay), 2) for i in range(3) for j in range(2)
    )
    for x, y in ((84, 62), (98, 62), (91, 48)):
        body += rect(x, y, 14, 14, pick(r, *gay), 2)
    return (
        body
        + ring(64, 108, 54, 16, pick(r, *gay))
        + ring(64, 108, 38, 11, pick(r, *gay))
        + ring(64, 108, 20, 6, pick(r, *gay))
    )


def hallway(r: Rng) -> str:
    """A corridor in perspective with doors or lockers."""
    wall, door = pick(r, "#e9dfc6", "#d3e0e6", "#dfe6d3"), pick(r, "#3f78a8", "#b5533c", "#5a8a5e", "#8a5c33")
    body = rect(0, 0, 128, 128, wall) + poly([(0, 0), (128, 0), (82, 34), (46, 34)], mix(wall, "#ffffff", 0.6))
    body += poly([(0, 128), (128, 128), (82, 70), (46, 70)], pick(r, "#b7b2a6", "#98a6ae", "#c9a678")) + rect(
        46, 34, 36, 36, mix(wall, "#000000", 0.12)
    )
    body += rect(56, 44, 16, 26, door)
    for near, far in ((4, 18), (24, 34), (38, 43)):
        edge = [
            (x, y)
            for x, y in (
                (near, 4 + near * 0.72 + 16),
                (far, 4 + far * 0.72 + 14),
                (far, 127 - far * 1.24),
                (near, 127 - near * 1.24),
            )
        ]
        body += poly(edge, door) + poly([(128 - x, y) for x, y in edge], door)
    return body


def garage(r: Rng) -> str:
    """A roller door, shelves and tyres."""
    body = (
        room(r, pick(r, "#c4c8cc", "#d0c8b8"), pick(r, "#8b8f92", "#9a958c"), 84)
        + rect(36, 10, 84, 74, "#e8e8e4", 1, "#9aa0a5")
        + "".join(rect(36, 18 + 11 * i, 84, 1.6, "#b7bcc0") for i in range(6))
    )
    body += "".join(
        rect(2, 22 + 20 * i, 30, 3, "#7a5230")
        + rect(5, 11 + 20 * i, 9, 11, pick(r, "#d9483b", "#2f7fc1", "#e3a92f"), 1)
        + rect(18, 13 + 20 * i, 10, 9, "#8a9095", 1)
        for i in range(2)
    )
    return body + "".join(round_(16, y, 10, "#2b2f33") + round_(16, y, 4.6, "#9aa0a5") for y in (92, 76))


def workshop(r: Rng) -> str:
    """A pegboard of tools over a workbench."""
    body = room(r, pick(r, "#c9c3b4", "#b8c2c4"), pick(r, "#8f8f8c", "#a39a8c"), 84) + rect(
        10, 8, 108, 44, pick(r, "#c89a63", "#b98a56"), 2
    )
    for x in range(18, 112, 13):
        handle = pick(r, "#d4473b", "#2f6fa3", "#e3a92f", "#4a4f55")
        body += rect(x, 14, 4, int(r.integers(14, 24)), "#7d868c", 1) + rect(
            x - 1, int(r.integers(28, 34)), 6, 14, handle, 2
        )
    return (
        body
        + rect(4, 64, 120, 8, "#8a5c33", 1)
        + rect(10, 72, 8, 34, "#6c4526")
        + rect(110, 72, 8, 34, "#6c4526")
        + rect(18, 86, 92, 4, "#7a5230")
    )


def office(r: Rng) -> str:
    """A big window with blinds, a desk with a computer, a filing cabinet."""
    body = room(r, pick(r, "#dfe5ea", "#e9e6dc"), pick(r, "#8795a1", "#a7a196", "#6f8796"), 80)
    body += window(r, 36, 8, 60, 36) + "".join(rect(36, 10 + 5 * i, 60, 1.4, "#ffffff") for i in range(5))
    body += rect(6, 40, 24, 44, "#9aa5ad", 2) + "".join(rect(9, 44 + 13 * i, 18, 9, "#b9c3ca", 1) for i in range(3))
    body += (
        rect(40, 66, 82, 6, pick(r, "#b98350", "#d9c8a8"))
        + rect(44, 72, 5, 30, "#6b6f76")
        + rect(112, 72, 5, 30, "#6b6f76")
    )
    return (
        body
        + rect(76, 44, 28, 18, "#2b3036", 2)
        + rect(78, 46, 24, 14, pick(r, "#5aa3d6", "#7cc4a3"))
        + rect(87, 62, 6, 5, "#2b3036")
    )


def waiting_room(r: Rng) -> str:
    """A row of chairs along a wall, a clock and a plant."""
    chair = pick(r, "#3f8fc1", "#59a87a", "#c75c4a")
    body = (
        room(r, pick(r, "#e3ece6", "#eee6d6", "#dfe6f0"), pick(r, "#b7b2a6", "#a7b5bd"), 82)
        + round_(64, 20, 10, "#ffffff")
        + rect(63.3, 13, 1.5, 8, "#333333")
        + rect(64, 19.4, 6, 1.5, "#333333")
    )
    body += "".join(
        rect(x, 46, 20, 20, chair, 4)
        + rect(x, 64, 20, 7, mix(chair, "#000000", 0.2), 3)
        + rect(x + 2, 71, 2, 17, "#6b7178")
        + rect(x + 16, 71, 2, 17, "#6b7178")
        for x in (6, 30, 54, 78)
    )
    return body + tree(r, 114, 84, 11) + rect(108, 82, 13, 12, "#b5633c", 2)


def classroom(r: Rng) -> str:
    """A blackboard and rows of desks."""
    body = room(r, pick(r, "#f2e6c9", "#dfe9ef", "#e9e4d4"), pick(r, "#c9a16b", "#b7b2a6"), 76)
    board = pick(r, "#2f6b4f", "#2d5b4a", "#35434a")
    body += rect(18, 10, 92, 46, "#a8743f", 2) + rect(21, 13, 86, 40, board)
    for i in range(3):
        body += rect(28, 20 + 9 * i, int(r.integers(24, 66)), 2, "#e8efe9", 1)
    desk = pick(r, "#d6a45e", "#c98f4e")
    for x in (6, 50, 94):
        body += rect(x, 78, 30, 6, desk, 1) + rect(x + 2, 84, 3, 18, "#77706a") + rect(x + 25, 84, 3, 18, "#77706a")
    return body


def library(r: Rng) -> str:
    """Tall shelves full of books."""
    wood = pick(r, "#7b4a2a", "#94603a", "#5f3f2a")
    body = rect(0, 0, 128, 84, mix(wood, "#000000", 0.35))
    for column in (0, 44, 88):
        for row in range(3):
            body += shelf(r, column, 2 + 28 * row, 40, 25, wood)
    return body + floor(r, 84, pick(r, "#b5533c", "#a98258", "#6e7f8d"), "plain")


def bookshop(r: Rng) -> str:
    """A table of books before shelves."""
    body = room(r, pick(r, "#f0e3c9", "#d6e2dc"), pick(r, "#a8794f", "#8f8f8c"), 82)
    body += (
        shelf(r, 4, 6, 54, 24, "#94603a")
        + shelf(r, 70, 6, 54, 24, "#94603a")
        + shelf(r, 4, 36, 54, 24, "#94603a")
        + shelf(r, 70, 36, 54, 24, "#94603a")
    )
    gay = ("#e8505b", "#f9c846", "#3fa7d6", "#59cd90")
    return (
        body
        + rect(16, 72, 96, 6, "#7a4b28")
        + "".join(rect(22 + 18 * i, 66 - 3 * j, 14, 3, pick(r, *gay)) for i in range(5) for j in range(2))
        + rect(22, 78, 5, 26, "#5f3a20")
        + rect(101, 78, 5, 26, "#5f3a20")
    )


def poly_line(r: Rng) -> str:
    """The green trace of a monitor."""
    points = " ".join(f"{56 + 4 * i},{22 + int(r.integers(-6, 7))}" for i in range(7))
    return f'<polyline points="{points}" fill="none" stroke="#5fe08a" stroke-width="1.6"/>'


def hospital_room(r: Rng) -> str:
    """A white bed on wheels, a drip stand, a curtain and a monitor."""
    body = room(r, pick(r, "#dff1ee", "#e4eef7"), pick(r, "#c5d6d4", "#cdd3da"), 78) + curtain(
        0, 0, 26, 78, pick(r, "#8fd0c4", "#9cc3e6")
    )
    body += (
        rect(34, 56, 70, 12, "#ffffff", 4, "#b7c5cc")
        + rect(34, 44, 8, 34, "#a8b5bb", 2)
        + rect(42, 50, 20, 9, "#f3f8fb", 4, "#c5d0d6")
    )
    body += (
        rect(34, 66, 72, 7, "#8fb8d8", 2)
        + round_(42, 88, 4, "#59636a")
        + round_(98, 88, 4, "#59636a")
        + rect(40, 73, 3, 14, "#8d999f")
        + rect(97, 73, 3, 14, "#8d999f")
    )
    body += rect(114, 14, 2, 74, "#8d999f") + rect(108, 16, 10, 16, "#d8eef7", 3, "#7fa9bd")
    return body + rect(54, 12, 30, 20, "#27343b", 2) + poly_line(r)


def laboratory(r: Rng) -> str:
    """A bench with coloured flasks, shelves of bottles."""
    body = room(r, pick(r, "#e3edf2", "#e9eee4"), "#b9c4c9", 84)
    for row in (12, 36):
        body += rect(10, row + 16, 108, 3, "#8fa0a8")
        for x in range(14, 112, 12):
            body += rect(
                x,
                row + 4 + int(r.integers(0, 4)),
                7,
                12,
                pick(r, "#e2725b", "#6fb7d6", "#8ccf7e", "#e8c35a", "#b48ad0"),
                2,
            )
    body += (
        rect(0, 66, 128, 7, "#4d5b63")
        + rect(0, 73, 128, 34, "#dfe5e8")
        + "".join(rect(x, 78, 28, 22, "#cfd7db", 2) for x in (4, 36, 68, 100))
    )
    for x in (22, 100):
        body += poly([(x - 3, 48), (x + 3, 48), (x + 9, 66), (x - 9, 66)], pick(r, "#7ee0c0", "#f2a3c0", "#9fd0f5"))
    return body


PAINTERS: dict[str, Painter] = {
    "kitchen": kitchen,
    "living room": living_room,
    "bedroom": bedroom,
    "bathroom": bathroom,
    "dining room": dining_room,
    "playroom": playroom,
    "hallway": hallway,
    "garage": garage,
    "workshop": workshop,
    "office": office,
    "waiting room": waiting_room,
    "classroom": classroom,
    "library": library,
    "bookshop": bookshop,
    "hospital room": hospital_room,
    "laboratory": laboratory,
}
