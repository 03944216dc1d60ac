"""The small shapes that the procedural backgrounds are put together from: each returns SVG for a 128x128 view box."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

Rng = np.random.Generator
Painter = Callable[[Rng], str]
Point = tuple[float, float]


def pick(r: Rng, *values: str) -> str:
    """One of the values."""
    return values[int(r.integers(len(values)))]


def mix(first: str, second: str, share: float) -> str:
    """A colour between two "#rrggbb" colours; share 0 is the first."""
    pairs = [(int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def rect(x: float, y: float, w: float, h: float, fill: str, radius: float = 0, stroke: str = "none") -> str:
    """A rectangle, its corners rounded by `radius`."""
    place = f'x="{x:.4g}" y="{y:.4g}" width="{w:.4g}" height="{h:.4g}"'
    return f'<rect {place} rx="{radius}" fill="{fill}" stroke="{stroke}"/>'


def ring(x: float, y: float, rx: float, ry: float, fill: str, stroke: str = "none", opacity: float = 1) -> str:
    """An ellipse around (x, y)."""
    return (
        f'<ellipse cx="{x:.4g}" cy="{y:.4g}" rx="{rx:.4g}" ry="{ry:.4g}" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="1.5" opacity="{opacity}"/>'
    )


def line(path: str, stroke: str, width: float) -> str:
    """A stroke along an SVG path."""
    return f'<path d="{path}" stroke="{stroke}" stroke-width="{width}" fill="none"/>'


def round_(x: float, y: float, radius: float, fill: str) -> str:
    """A disc around (x, y)."""
    return ring(x, y, radius, radius, fill)


def poly(points: Iterable[Point], fill: str, opacity: float = 1) -> str:
    """A polygon."""
    return f'<polygon points="{" ".join(f"{x:.4g},{y:.4g}" for x, y in points)}" fill="{fill}" opacity="{opacity}"/>'


def tiles(x: float, y: float, w: float, h: float, step: float, line: str, fill: str) -> str:
    """A wall of square tiles."""
    body = rect(x, y, w, h, fill)
    body += "".join(rect(x + step * i, y, 0.8, h, line) for i in range(1, int(w / step) + 1))
    return body + "".join(rect(x, y + step * i, w, 0.8, line) for i in range(1, int(h / step) + 1))


def floor(r: Rng, y: float, colour: str, kind: str = "") -> str:
    """A floor from y down: plain, boards or tiles in perspective."""
    kind = kind or pick(r, "plain", "boards", "plain")
    body, line = rect(0, y, 128, 128 - y, colour), mix(colour, "#000000", 0.13)
    if kind == "plain":
        return body
    across = "".join(
        poly([(64 + k * 12, y), (64.7 + k * 12, y), (65.4 + k * 26, 128), (64 + k * 26, 128)], line)
        for k in range(-6, 7)
    )
    rows = (0.16, 0.4, 0.74) if kind == "tiles" else ()
    return body + across + "".join(rect(0, y + (128 - y) * part, 128, 0.9, line) for part in rows)


def room(r: Rng, wall: str, ground_colour: str, y: float) -> str:
    """A wall down to y, a skirting board, a floor."""
    y += int(r.integers(-3, 4))
    return rect(0, 0, 128, y, wall) + floor(r, y, ground_colour) + rect(0, y - 2.5, 128, 3, mix(wall, "#ffffff", 0.6))


def window(r: Rng, x: float, y: float, w: float, h: float) -> str:
    """A window onto a sky, with a cross bar."""
    frame = pick(r, "#ffffff", "#8a5c33", "#f4efe3")
    body = rect(x, y, w, h, pick(r, "#a8dcf5", "#bfe6f2", "#9fd0ee"), 1, mix(frame, "#000000", 0.15))
    body += rect(x, y + h * 0.7, w, h * 0.3, pick(r, "#8cc866", "#9ccf7a"))
    bars = rect(x + w / 2 - 1, y, 2, h, frame) + rect(x, y + h / 2 - 1, w, 2, frame)
    return body + bars + rect(x - 2, y + h, w + 4, 3, frame)


def picture(r: Rng, x: float, y: float, w: float, h: float, frame: str = "#8a5c33") -> str:
    """A framed landscape."""
    body = rect(x, y, w, h, frame, 1) + rect(x + 3, y + 3, w - 6, h - 6, pick(r, "#a8dcf5", "#f9d8a0", "#d9c6ea"))
    base = y + h - 3
    body += poly(
        [(x + 3, base), (x + w * 0.4, y + h * 0.4), (x + w - 3, base)], pick(r, "#6f9f63", "#7d8fa3", "#c98d55")
    )
    return body + round_(x + w * 0.72, y + h * 0.32, 2.6, "#ffdf5e")


def lamp(x: float, y: float, base: float) -> str:
    """A lamp on a stand from y down to base."""
    shade = poly([(x - 4, y), (x + 4, y), (x + 9, y + 14), (x - 9, y + 14)], "#f7e0a3")
    return rect(x - 1, y + 10, 2, base - y - 10, "#6b5a48") + rect(x - 6, base - 2, 12, 3, "#6b5a48", 1) + shade


def table(y: float, top: str) -> str:
    """A table across the picture, its top at y."""
    legs = rect(18, y + 8, 6, 38, mix(top, "#000000", 0.3)) + rect(104, y + 8, 6, 38, mix(top, "#000000", 0.3))
    return legs + rect(8, y, 112, 9, top, 2) + rect(8, y + 7, 112, 3, mix(top, "#000000", 0.2), 1)


def counter(y: float, front: str, top: str) -> str:
    """A kitchen counter with doors, its top at y."""
    line = mix(front, "#000000", 0.25)
    doors = "".join(
        rect(2 + 32 * i, y + 10, 28, 46, front, 1, line) + rect(26 + 32 * i, y + 26, 1.6, 8, line) for i in range(4)
    )
    return (
        rect(0, y, 128, 128 - y, front)
        + doors
        + rect(0, y, 128, 7, top)
        + rect(0, 120, 128, 8, mix(front, "#000000", 0.5))
    )


def shelf(r: Rng, x: float, y: float, w: float, h: float, wood: str) -> str:
    """A shelf of book spines."""
    body, edge = rect(x, y, w, h, mix(wood, "#000000", 0.45)), x + 2.0
    while edge < x + w - 4:
        width, height = float(r.uniform(2.6, 5)), float(r.uniform(h * 0.62, h - 4))
        spine = pick(r, "#b5483d", "#3f6fa8", "#5a8a5e", "#d9a441", "#7d5a8c", "#e3d5b8", "#4f7f85")
        body += rect(edge, y + h - 3 - height, min(width, x + w - 2 - edge), height, spine)
        edge += width + 0.5
    return body + rect(x, y + h - 3, w, 3, wood) + rect(x - 1, y, 2, h, wood) + rect(x + w - 1, y, 2, h, wood)


def curtain(x: float, y: float, w: float, h: float, colour: str) -> str:
    """A hanging curtain with folds."""
    folds = "".join(rect(x + w * (i + 0.5) / 4, y, w / 8, h, mix(colour, "#000000", 0.16)) for i in range(4))
    return rect(x, y, w, h, colour) + folds


def sky(r: Rng) -> str:
    """A day sky in two tones."""
    tone = pick(r, "#a8dcf7", "#9bd3f5", "#bfe3f2", "#8fcbf0")
    return rect(0, 0, 128, 128, tone) + rect(0, 34, 128, 60, mix(tone, "#ffffff", 0.35))


def clouds(r: Rng, count: int, below: float = 30) -> str:
    """White clouds at random places above `below`."""
    body = ""
    for _ in range(count):
        x, y, size = float(r.uniform(8, 120)), float(r.uniform(8, below)), float(r.uniform(0.7, 1.2))
        puffs = ((0, 0, 8), (-9, 3, 6), (9, 3, 6), (0, 4, 9))
        body += "".join(ring(x + a * size, y + b * size, c * size, c * 0.75 * size, "#ffffff") for a, b, c in puffs)
    return body


def stars(r: Rng, count: int) -> str:
    """White dots."""
    return "".join(
        round_(float(r.uniform(0, 128)), float(r.uniform(0, 104)), float(r.uniform(0.6, 1.5)), "#fffbe6")
        for _ in range(count)
    )


def hills(r: Rng, y: float, colour: str, height: float) -> str:
    """Rolling hills whose mean line is y."""
    a, b, c = (float(r.uniform(-height, height)) for _ in range(3))
    crest = f"M0 {y + a} C30 {y - height + b} 50 {y - height + c} 70 {y} S110 {y + b} 128 {y + c}"
    return f'<path d="{crest} V128 H0 Z" fill="{colour}"/>'


def ground(r: Rng, y: float, colour: str) -> str:
    """Flat ground with a few darker tufts."""
    dark = mix(colour, "#000000", 0.1)
    tufts = "".join(ring(float(r.uniform(0, 128)), float(r.uniform(y + 8, 126)), 7, 1.4, dark) for _ in range(7))
    return rect(0, y, 128, 128 - y, colour) + tufts


def tree(r: Rng, x: float, y: float, size: float) -> str:
    """A round tree standing at (x, y)."""
    green = pick(r, "#4f9a4a", "#5fae54", "#3f8a4a", "#74b34f")
    crown = ((0, -1.5, 1), (-0.6, -1.1, 0.7), (0.6, -1.1, 0.7))
    trunk = rect(x - size * 0.12, y - size, size * 0.24, size, "#7a5230")
    return trunk + "".join(round_(x + size * a, y + size * b, size * c * 0.8, green) for a, b, c in crown)


def bench(x: float, y: float) -> str:
    """A wooden park bench."""
    planks = "".join(rect(x, y + 5 * i, 28, 3, "#9a6536") for i in range(3))
    return (
        planks
        + rect(x + 3, y, 2.4, 20, "#555a5f")
        + rect(x + 23, y, 2.4, 20, "#555a5f")
        + rect(x - 1, y + 12, 30, 3, "#8a5a2f")
    )


def buildings(r: Rng, base: float, night: bool, tallest: float = 62) -> str:
    """A row of buildings with windows standing on y = base."""
    body, x = "", -4.0
    day = ("#c98d75", "#8fa3b5", "#d9c0a0", "#a9b0b8", "#b5a0b8", "#c7b08a")
    dark = ("#2a3150", "#333a5c", "#262b45", "#3a3550")
    while x < 128:
        w, h = float(r.integers(18, 30)), float(r.uniform(0.55, 1)) * tallest
        wall = pick(r, *(dark if night else day))
        body += rect(x, base - h, w, h, wall)
        for wx in np.arange(x + 3, x + w - 4, 6):
            for wy in np.arange(base - h + 4, base - 6, 8):
                lit = r.random() < 0.55
                pane = ("#ffdf7a" if lit else "#1b2036") if night else ("#e3f3fb" if lit else "#5f7f95")
                body += rect(float(wx), float(wy), 3.4, 4.4, pane)
        x += w + float(r.choice([0, 0, 2]))
    return body
