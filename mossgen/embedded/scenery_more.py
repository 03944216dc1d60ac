"""Rooms of duty, trade and risk: each function gives the body of a 128x128 SVG, other details each time."""

from __future__ import annotations

from mossgen.embedded.scenery_parts import (
    Painter,
    Rng,
    floor,
    line,
    mix,
    pick,
    poly,
    rect,
    ring,
    room,
    round_,
    tiles,
)


def bar(r: Rng) -> str:
    """Shelves of bottles under lamps, a counter with stools."""
    wall, wood = pick(r, "#4a2c3a", "#2f3f4a", "#5a3a28"), pick(r, "#8a5230", "#6d4024")
    body = room(r, wall, pick(r, "#5f4030", "#4a3a38"), 98)
    for y in (34, 58):
        for x in range(14, 112, 9):
            glass, tall = pick(r, "#5f9a4a", "#c98a3a", "#b5483d", "#8fc4d8", "#e3c36a"), float(r.uniform(12, 16))
            body += rect(x, y - tall, 6, tall, glass, 2) + rect(x + 2, y - tall - 4, 2, 5, glass)
        body += rect(8, y, 112, 3, wood)
    for x in (30, 64, 98):
        body += rect(x - 0.5, 0, 1, 8, "#1c1c22") + poly([(x - 7, 14), (x + 7, 14), (x, 5)], "#f2b84c")
    body += rect(0, 72, 128, 6, mix(wood, "#ffffff", 0.2)) + rect(0, 78, 128, 26, wood)
    for x in (22, 64, 106):
        body += rect(x - 1.5, 90, 3, 24, "#2b2b33") + rect(x - 9, 86, 18, 5, pick(r, "#a8323c", "#3f5d7a"), 2)
        body += rect(x - 7, 113, 14, 2.5, "#2b2b33", 1)
    return body


def operating_room(r: Rng) -> str:
    """Pale tiles, a big round lamp over a table with a sheet, a monitor with a heart line."""
    wall, cloth = pick(r, "#cfe6e3", "#d5e4ee", "#cfe3d2"), pick(r, "#4fa39a", "#4f8fb8", "#5fae86")
    body = tiles(0, 0, 128, 84, 16, mix(wall, "#000000", 0.08), wall) + floor(r, 84, "#a9bfc4", "plain")
    body += rect(62, 0, 4, 14, "#8d98a3") + ring(64, 20, 28, 9, "#dfe6ea", "#8d98a3")
    body += "".join(ring(x, 21, 5, 3, "#fff6c4") for x in (46, 58, 70, 82))
    body += poly([(38, 24), (90, 24), (108, 84), (20, 84)], "#fffbe0", 0.35)
    body += rect(6, 40, 26, 20, "#3a434c", 2) + rect(9, 43, 20, 14, "#12302a")
    body += line("M9 50 h6 l2 -5 l3 9 l2 -4 h7", "#5fe08a", 1.2) + rect(17, 60, 4, 34, "#7b8791")
    body += rect(10, 92, 18, 3, "#7b8791", 1) + line("M112 34 V92 M104 36 H120", "#8d98a3", 2)
    body += rect(108, 36, 8, 12, "#e9f4f8", 2) + rect(30, 76, 68, 8, "#eef3f5", 2)
    body += poly([(30, 80), (98, 80), (94, 96), (34, 96)], cloth)
    return body + rect(58, 96, 12, 12, "#8d98a3") + rect(46, 106, 36, 4, "#6f7a86", 2)


def court_room(r: Rng) -> str:
    """Panelled wood, the judge's high bench, columns, a rail."""
    wood, wall = pick(r, "#8a5a34", "#7a4a2a", "#9a6a40"), pick(r, "#e9dfc8", "#d9d2c4", "#c9d3d0")
    dark = mix(wood, "#000000", 0.25)
    body = room(r, wall, pick(r, "#a87a52", "#8c3b3b", "#b5a28a"), 88)
    body += "".join(rect(x, 0, 10, 86, "#f4efe3") + rect(x - 2, 0, 14, 5, "#dcd3bf") for x in (4, 114))
    body += rect(26, 6, 76, 56, dark) + "".join(rect(30 + 18 * i, 10, 14, 48, wood, 1) for i in range(4))
    body += line("M64 14 V30 M52 18 H76 M52 18 l-5 9 h10 Z M76 18 l-5 9 h10 Z M58 31 H70", "#e3c36a", 1.6)
    body += rect(52, 34, 24, 20, "#5a2f2a", 3) + rect(28, 48, 72, 6, mix(wood, "#ffffff", 0.2), 1)
    body += rect(31, 54, 66, 30, wood) + "".join(rect(36 + 20 * i, 58, 16, 22, dark, 1) for i in range(3))
    body += rect(8, 66, 22, 22, wood) + rect(98, 66, 22, 22, wood)
    body += rect(6, 63, 26, 4, dark, 1) + rect(96, 63, 26, 4, dark, 1)
    rail = "".join(rect(x, 94, 3, 14, dark) for x in (*range(2, 44, 8), *range(86, 128, 8)))
    return body + rail + rect(0, 91, 46, 4, wood, 1) + rect(82, 91, 46, 4, wood, 1)


def police_station(r: Rng) -> str:
    """A front desk, a board of faces and maps, a barred cell door, a badge."""
    wall = pick(r, "#cfd8e3", "#d9d9cf", "#b8c9d9")
    body = room(r, wall, pick(r, "#8f98a3", "#a89a86", "#7d8a94"), 90) + rect(
        0, 44, 128, 44, mix(wall, "#2f4a78", 0.35)
    )
    body += rect(8, 10, 40, 28, "#b5854c", 1, "#7a5230")
    for x, y in ((11, 13), (24, 14), (36, 13), (13, 26), (26, 26), (37, 25)):
        body += rect(x, y, 8, 9, pick(r, "#ffffff", "#f7e9b0", "#dfe9f2")) + round_(x + 4, y + 4, 2, "#5b646e")
    body += poly([(64, 10), (76, 14), (76, 24), (64, 36), (52, 24), (52, 14)], "#2f4a78") + round_(64, 21, 6, "#e3c36a")
    body += rect(84, 12, 38, 78, "#6f7a86") + rect(88, 16, 30, 74, "#2f353d")
    body += "".join(rect(x, 16, 2.5, 74, "#a9b4bd") for x in (90, 97, 104, 111)) + rect(88, 50, 30, 4, "#a9b4bd")
    desk = pick(r, "#7a5a3a", "#3f5878", "#5f6b77")
    body += rect(4, 66, 74, 5, mix(desk, "#ffffff", 0.25), 1) + rect(8, 71, 66, 30, desk)
    body += rect(30, 76, 22, 14, mix(desk, "#000000", 0.25), 1) + rect(14, 54, 16, 12, "#2b333d", 1)
    return body + rect(54, 60, 14, 6, "#c8443e", 2) + round_(61, 59, 3, "#4a9bd8")


def factory_hall(r: Rng) -> str:
    """Iron beams, skylights, big machines, a belt that carries boxes."""
    wall, steel = pick(r, "#aeb8bf", "#b5ad9f", "#93a3ab"), pick(r, "#4f7f9a", "#5f8a5a", "#c98a3a", "#8a5a4f")
    body = rect(0, 0, 128, 128, wall) + floor(r, 86, pick(r, "#8d9096", "#9a938a"), "plain")
    body += "".join(poly([(x, 24), (x + 26, 24), (x + 26, 8)], "#e3f3fb") for x in (4, 36, 68, 100))
    body += rect(0, 26, 128, 4, "#5b646e") + line(
        "M0 34 L16 28 L32 34 L48 28 L64 34 L80 28 L96 34 L112 28 L128 34", "#5b646e", 2
    )
    body += rect(4, 46, 36, 42, steel, 2) + rect(10, 52, 14, 12, "#2b333d", 1) + round_(31, 58, 4, "#e2443e")
    body += (
        rect(14, 34, 8, 14, mix(steel, "#000000", 0.3)) + round_(31, 70, 3, "#f2c14e") + rect(10, 72, 14, 10, "#dfe6ea")
    )
    body += rect(92, 38, 30, 50, mix(steel, "#ffffff", 0.25), 14) + rect(100, 28, 4, 12, "#7b8791")
    body += line("M104 30 H128 M106 58 H60 V40", "#7b8791", 3) + round_(107, 54, 6, "#ffffff")
    body += rect(36, 78, 68, 5, "#3a3f47", 2) + "".join(round_(40 + 12 * i, 85, 3, "#6f7a86") for i in range(6))
    body += "".join(rect(44 + 18 * i, 68, 11, 10, pick(r, "#c98f52", "#b5793f")) for i in range(3))
    return body + poly([(0, 112), (128, 112), (128, 115), (0, 115)], "#f2c12e")


def subway_car(r: Rng) -> str:
    """The inside of an underground train: dark windows, poles, hanging straps, long seats."""
    seat, wall = pick(r, "#3f7fc0", "#c8643a", "#4fa36a", "#8a5fa8"), pick(r, "#e3e6e8", "#d9d3c4")
    body = rect(0, 0, 128, 92, wall) + floor(r, 92, pick(r, "#7b838b", "#8f877b"), "plain")
    body += rect(0, 0, 128, 8, "#f7fbfd") + rect(0, 8, 128, 3, "#b5bfc7")
    for x in (4, 46, 88):
        body += rect(x, 24, 36, 32, "#1f2733", 4) + line(f"M{x + 3} 46 h12 M{x + 18} 40 h14", "#f2d27a", 1.5)
    body += "".join(rect(x + 3, 13, 30, 8, pick(r, "#f7e9b0", "#cfe6f5", "#f5cfd6"), 1) for x in (4, 46, 88))
    body += rect(2, 62, 124, 14, seat, 4) + rect(2, 76, 124, 10, mix(seat, "#000000", 0.2), 3)
    body += "".join(rect(x, 62, 1.5, 24, mix(seat, "#000000", 0.3)) for x in (22, 43, 64, 85, 106))
    body += rect(0, 86, 128, 6, "#5b646e") + rect(0, 22, 128, 2, "#9aa5b1")
    for x in range(12, 124, 21):
        body += rect(x, 23, 1.5, 8, "#5b646e") + ring(x + 0.75, 34, 3.5, 4, "none", "#f4f4f0")
    return body + "".join(rect(x, 10, 3, 90, "#d9a92b") for x in (42, 84))


def prison_cell(r: Rng) -> str:
    """Bare stone, a barred window, a narrow bed, bars at one side."""
    wall = pick(r, "#8f949a", "#a39a8c", "#7f8a86")
    joint = mix(wall, "#000000", 0.16)
    body = rect(0, 0, 128, 88, wall) + floor(r, 88, mix(wall, "#000000", 0.3), "plain")
    for row in range(6):
        body += rect(0, 14 * (row + 1), 128, 1, joint)
        body += "".join(rect(x + (row % 2) * 14, 14 * row, 1, 14, joint) for x in range(0, 128, 28))
    body += rect(48, 14, 34, 24, "#4a4f57") + rect(51, 17, 28, 18, pick(r, "#9fd0ee", "#f7d38a", "#2a3560"))
    body += "".join(rect(54 + 7 * i, 15, 2.5, 22, "#2b2f36") for i in range(4))
    body += rect(4, 68, 48, 7, "#e3e0d6", 2) + rect(4, 63, 14, 6, "#ffffff", 3) + rect(4, 75, 48, 4, "#4a4f57")
    body += (
        rect(6, 79, 3, 14, "#4a4f57")
        + rect(47, 79, 3, 14, "#4a4f57")
        + rect(20, 66, 32, 9, pick(r, "#6f7f5a", "#7a6f8a"), 2)
    )
    body += "".join(rect(x, 0, 4, 112, "#3a3f47", 1) for x in range(92, 128, 9))
    return body + rect(88, 46, 40, 5, "#3a3f47") + rect(88, 106, 40, 5, "#3a3f47")


def boxing_gym(r: Rng) -> str:
    """A ring with ropes, a punching bag, lamps."""
    wall = pick(r, "#7a4a3f", "#4f5a66", "#8a7f70")
    body = room(r, wall, pick(r, "#5a5f66", "#6d5a4a"), 76)
    for x in (34, 90):
        body += poly([(x - 9, 12), (x + 9, 12), (x, 4)], "#3a3f47") + poly(
            [(x - 9, 12), (x + 9, 12), (x + 26, 76), (x - 26, 76)], "#fff3c4", 0.22
        )
    body += rect(111, 0, 2, 20, "#2b2b33") + rect(104, 20, 16, 40, pick(r, "#a8323c", "#2f2d3a", "#8a5230"), 6)
    canvas, first, second = pick(r, "#dfe6ea", "#cfd9e3"), "#d8323f", "#3f6fc0"
    body += poly([(22, 72), (94, 72), (118, 98), (0, 98)], canvas) + rect(0, 98, 118, 14, pick(r, "#3f6fb0", "#a8323c"))
    for y, colour in ((44, first), (54, "#ffffff"), (64, second)):
        body += line(f"M22 {y} H94", colour, 2)
    for x in (20, 92):
        body += rect(x, 40, 5, 34, "#5b646e", 1)
    return body + rect(19, 40, 7, 9, first, 2) + rect(91, 40, 7, 9, second, 2)


def casino(r: Rng) -> str:
    """A row of slot machines, gold lamps, a patterned carpet, a green table."""
    body = room(r, pick(r, "#5a1f3a", "#2f2a5a", "#5f2a22"), pick(r, "#8c2233", "#3a2f6b", "#7a4a1c"), 78)
    body += "".join(round_(8 + 16 * i, 6, 3, "#ffe28a") for i in range(8))
    for x in (6, 31, 78, 103):
        case = pick(r, "#d8323f", "#3f6fc0", "#8a5fb8", "#2f9a6a")
        body += (
            rect(x, 28, 20, 52, case, 3) + rect(x + 2, 20, 16, 10, "#f2c14e", 4) + rect(x + 3, 38, 14, 12, "#ffffff", 1)
        )
        body += "".join(round_(x + 6 + 4 * i, 44, 1.6, pick(r, "#d8323f", "#f2b632", "#4fae5a")) for i in range(3))
        body += (
            rect(x + 3, 58, 14, 4, "#2b2b33", 1)
            + rect(x + 20, 42, 2, 14, "#c9d3dc")
            + round_(x + 21, 41, 2.5, "#f2c14e")
        )
    body += ring(64, 86, 36, 9, "#7a4a22") + ring(64, 84, 32, 7, "#2f8a52") + rect(60, 92, 8, 16, "#5f3a1c")
    return body + "".join(round_(8 + 16 * i, 120, 3, "#e3b95a") for i in range(8))


def pharmacy(r: Rng) -> str:
    """White shelves of boxes and bottles, a green cross, a counter."""
    green = pick(r, "#2f9a6a", "#3fae5a", "#2f8fa0")
    body = room(r, pick(r, "#f2f7f4", "#eaf3f7"), pick(r, "#cfd9dc", "#d9d2c4"), 94)
    for y in (30, 50, 70):
        body += rect(4, y, 120, 3, "#c3ccd4")
        for x in range(7, 118, 9):
            tall, colour = (
                float(r.uniform(8, 14)),
                pick(r, "#ffffff", "#7cc4e8", "#f2a65a", "#e8808c", "#8fd0a0", "#b5a0dc"),
            )
            body += rect(x, y - tall, 7, tall, colour, 1, "#b5c0c8") + rect(x + 1, y - tall / 2, 5, 2, green)
    body += rect(52, 2, 24, 24, "#ffffff", 3) + rect(60, 4, 8, 20, green) + rect(54, 10, 20, 8, green)
    return (
        body
        + rect(0, 80, 128, 6, "#ffffff")
        + rect(0, 86, 128, 22, green)
        + rect(0, 94, 128, 3, mix(green, "#ffffff", 0.5))
    )


def shooting_range(r: Rng) -> str:
    """Lanes that run to round targets on a back wall."""
    wall = pick(r, "#6f7780", "#7d7568", "#5f6b66")
    body = rect(0, 0, 128, 128, mix(wall, "#000000", 0.3)) + rect(14, 18, 100, 46, mix(wall, "#ffffff", 0.2))
    body += poly([(14, 64), (114, 64), (128, 92), (0, 92)], mix(wall, "#ffffff", 0.08))
    for x in (32, 64, 96):
        body += rect(x - 10, 26, 20, 28, "#f7f2e3") + round_(x, 40, 8.5, "#2b2f36")
        body += round_(x, 40, 5.5, "#f7f2e3") + round_(x, 40, 2.8, "#d8323f") + rect(x - 0.5, 18, 1, 8, "#2b2f36")
    for near, far in ((-2, 48), (130, 80)):
        body += poly([(near, 96), (far, 64), (far + 1.5, 64), (near + 4, 96)], "#f2c14e")
    body += "".join(rect(20 + 26 * i, 4, 14, 5, "#fff6d0", 2) for i in range(4))
    body += rect(0, 92, 128, 7, pick(r, "#a8743f", "#8d98a3")) + rect(0, 99, 128, 29, "#4a4f57")
    return body + rect(40, 70, 4, 29, "#3a3f47") + rect(84, 70, 4, 29, "#3a3f47")


def circus_ring(r: Rng) -> str:
    """A striped tent, strings of lamps, a sandy ring with a low wall."""
    first, second = pick(r, "#d8323f", "#3f6fc0", "#8a3fa8"), pick(r, "#fff3d6", "#ffe08a")
    body = rect(0, 0, 128, 128, first)
    body += "".join(poly([(64, -10), (-40 + 32 * i, 84), (-24 + 32 * i, 84)], second) for i in range(7))
    body += rect(0, 66, 128, 20, mix(first, "#000000", 0.45))
    body += "".join(
        round_(4 + 8 * i, 70 + 4 * (i % 2), 3, pick(r, "#c98f62", "#f2c49b", "#8a5a3a", "#3a2a22")) for i in range(16)
    )
    body += rect(0, 82, 128, 46, "#b5793f") + ring(64, 106, 66, 22, "#d8b06a")
    body += "".join(rect(16 * i, 80, 16, 8, second if i % 2 else first) for i in range(8))
    body += line("M0 20 Q32 44 64 20 T128 20", "#4a2a2a", 1.2)
    return body + "".join(round_(6 + 16.5 * i, 26 + 4 * (i % 2), 2.6, "#fff6b0") for i in range(8))


def airport_hall(r: Rng) -> str:
    """Tall windows with an airplane outside, a departure board, rows of seats."""
    body = rect(0, 0, 128, 128, pick(r, "#e3e8ec", "#e8e3d9")) + rect(0, 20, 128, 56, "#a8dcf5")
    body += (
        rect(0, 64, 128, 12, "#9aa3a8")
        + ring(70, 56, 30, 6, "#ffffff")
        + poly([(92, 54), (104, 38), (100, 56)], "#d8443e")
    )
    body += poly([(62, 57), (84, 57), (60, 70)], "#c9d3dc") + "".join(
        rect(48 + 6 * i, 53, 3, 2.5, "#4f7fa0") for i in range(6)
    )
    body += "".join(rect(x, 20, 3, 56, "#f4f7f9") for x in range(0, 128, 25)) + rect(0, 46, 128, 2, "#f4f7f9")
    body += rect(28, 2, 72, 16, "#23282f", 2)
    body += "".join(rect(32, 5 + 4 * i, int(r.integers(20, 44)), 1.8, "#f2c14e") for i in range(3))
    body += floor(r, 76, pick(r, "#c9ced3", "#b8c3c9", "#d3c9b8"), "tiles")
    colour = pick(r, "#3f5f8a", "#3a3f47", "#2f7a7a")
    body += "".join(
        rect(x, 76, 14, 12, colour, 3) + rect(x, 86, 14, 5, mix(colour, "#000000", 0.3), 2) for x in (4, 20, 94, 110)
    )
    return body + rect(4, 90, 30, 2, "#7b8791") + rect(94, 90, 30, 2, "#7b8791")


def bank(r: Rng) -> str:
    """Counters behind glass, a round vault door, columns."""
    wall = pick(r, "#e6dfcd", "#d5dde0", "#cfd6c9")
    body = room(r, wall, pick(r, "#a8b0b5", "#b59a78"), 88)
    body += "".join(rect(x, 0, 9, 86, "#f7f3e8") + rect(x - 2, 0, 13, 6, "#d9d0ba") for x in (2, 76))
    steel = pick(r, "#7b8791", "#8f8a7a")
    body += round_(106, 48, 22, mix(steel, "#000000", 0.3)) + round_(106, 48, 18, steel) + round_(106, 48, 5, "#dfe6ea")
    body += line("M106 36 V60 M94 48 H118 M97.500 39.500 L114.500 56.500 M97.500 56.500 L114.500 39.500", "#dfe6ea", 2)
    wood = pick(r, "#8a5a34", "#4f6b62", "#3f5878")
    body += rect(12, 26, 62, 38, "#cfe6ef") + "".join(rect(x, 26, 2.5, 38, "#d3a94a") for x in (12, 32, 52, 72))
    body += rect(12, 22, 63, 5, "#d3a94a") + rect(10, 62, 66, 5, mix(wood, "#ffffff", 0.3)) + rect(12, 67, 62, 26, wood)
    return body + "".join(rect(16 + 20 * i, 71, 14, 16, mix(wood, "#000000", 0.2), 1) for i in range(3))


def basement(r: Rng) -> str:
    """Bare walls, a lamp on a wire, pipes, stairs, boxes on a shelf."""
    wall = pick(r, "#8f8a80", "#7d8085", "#998b7a")
    body = rect(0, 0, 128, 90, wall) + floor(r, 90, mix(wall, "#000000", 0.3), "plain")
    body += rect(0, 8, 128, 4, "#6f7780") + rect(0, 16, 128, 3, "#a86a4a") + rect(104, 16, 3, 74, "#a86a4a")
    body += rect(63.5, 0, 1, 26, "#2b2b30") + poly([(58, 30), (70, 30), (96, 90), (32, 90)], "#ffefb0", 0.22)
    body += round_(64, 29, 5, "#fff0a0")
    steps = "".join(rect(6 * i, 36 + 9 * i, 10, 54 - 9 * i, mix(wall, "#000000", 0.35 - 0.03 * i)) for i in range(6))
    body += steps + rect(74, 50, 28, 2, "#7a5230") + rect(74, 70, 28, 2, "#7a5230") + rect(74, 40, 2, 50, "#7a5230")
    for x, y in ((77, 42), (88, 40), (78, 60), (90, 62)):
        body += rect(x, y, 10, (50 if y < 50 else 70) - y, pick(r, "#c98f52", "#b5793f", "#5f7a8a"), 1)
    return body


def butcher_shop(r: Rng) -> str:
    """White tiles, sausages and hams on a rail, a glass counter."""
    wall = pick(r, "#f4f4f0", "#eef3f5")
    body = tiles(0, 0, 128, 88, 12, "#d3dade", wall) + floor(r, 88, pick(r, "#b5684f", "#9aa3a8"), "tiles")
    body += rect(4, 12, 120, 3, "#8d98a3")
    for x in range(12, 124, 16):
        body += line(f"M{x} 14 v4", "#5b646e", 1.2)
        if r.random() < 0.5:
            body += ring(x, 29, 5.5, 10, pick(r, "#c8705a", "#b5584a")) + rect(x - 3, 18, 6, 4, "#f3e3d0", 2)
        else:
            body += "".join(ring(x, 22 + 8 * i, 2.8, 4, pick(r, "#a84a3a", "#c86a52")) for i in range(3))
    trim = pick(r, "#b5303a", "#3f5f8a", "#2f7a5a")
    body += rect(0, 58, 128, 24, "#dcebf2") + "".join(
        ring(12 + 17 * i, 75, 6.5, 4, pick(r, "#d8605a", "#e8a09a", "#b5443e")) for i in range(7)
    )
    return body + rect(0, 55, 128, 4, "#8d98a3") + rect(0, 80, 128, 28, trim) + rect(0, 80, 128, 3, "#ffffff")


def church_interior(r: Rng) -> str:
    """Arches, a coloured window, an altar with candles, pews."""
    wall = pick(r, "#e3d9c3", "#d3d0c9", "#cfc3b0")
    body = room(r, wall, pick(r, "#a8927a", "#9a8a80"), 84)
    body += f'<path d="M44 62 V30 Q44 8 64 8 Q84 8 84 30 V62 Z" fill="{mix(wall, "#000000", 0.25)}"/>'
    for x in range(48, 80, 8):
        for y in range(18, 56, 9):
            body += rect(x, y, 7, 8, pick(r, "#d8573e", "#3f7fc0", "#f2c14e", "#5aa86a", "#8a5fb8"), 1)
    for x in (4, 24, 94, 114):
        body += rect(x, 0, 9, 84, mix(wall, "#ffffff", 0.45)) + rect(x - 2, 78, 13, 6, mix(wall, "#ffffff", 0.2))
    body += rect(46, 68, 36, 18, "#f7f3e8") + rect(44, 65, 40, 4, "#8a5a34", 1)
    for x in (50, 76):
        body += rect(x, 57, 2.5, 8, "#fff8e0") + ring(x + 1.2, 54.5, 1.6, 2.6, "#f7a02e")
    wood = pick(r, "#8a5a34", "#6d4a30")
    pews = "".join(rect(x, 90 + 10 * i, 34, 7, mix(wood, "#000000", 0.12 * i), 1) for i in range(3) for x in (4, 90))
    return body + poly([(56, 86), (72, 86), (82, 128), (46, 128)], pick(r, "#a8323c", "#3f5f8a")) + pews


PAINTERS: dict[str, Painter] = {
    "bar": bar,
    "operating room": operating_room,
    "court room": court_room,
    "police station": police_station,
    "factory hall": factory_hall,
    "subway car": subway_car,
    "prison cell": prison_cell,
    "boxing gym": boxing_gym,
    "casino": casino,
    "pharmacy": pharmacy,
    "shooting range": shooting_range,
    "circus ring": circus_ring,
    "airport hall": airport_hall,
    "bank": bank,
    "basement": basement,
    "butcher's shop": butcher_shop,
    "church interior": church_interior,
}
