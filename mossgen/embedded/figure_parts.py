"""The small shapes that whole figures are put together from; each returns SVG."""

from __future__ import annotations

from mossgen.embedded.scenery_parts import Point, mix

INK, WHITE = "#2b1d1a", "#ffffff"


def stroke(path: str, width: float = 2.0, colour: str = INK) -> str:
    """A line with round ends."""
    ends = 'stroke-linecap="round" stroke-linejoin="round" fill="none"'
    return f'<path d="{path}" stroke="{colour}" stroke-width="{width:.3g}" {ends}/>'


def shape(path: str, fill: str, opacity: float = 1, edge: str = "none") -> str:
    """A filled path; where it crosses itself it is open."""
    return f'<path d="{path}" fill="{fill}" opacity="{opacity}" fill-rule="evenodd" stroke="{edge}"/>'


def dark(colour: str, share: float = 0.22) -> str:
    """A darker tone."""
    return mix(colour, "#1a1030", share)


def path_of(*points: Point) -> str:
    """The SVG path through points."""
    return "M" + " L".join(f"{x:.2f} {y:.2f}" for x, y in points)


def tube(points: tuple[Point, ...], colour: str, width: float, edge: str = "") -> str:
    """A thick line through points with round ends and a thin edge: darker, or lighter where it is black itself."""
    path = path_of(*points)
    around = edge or (dark(colour) if colour > "#38" else mix(colour, "#ffffff", 0.16))
    return stroke(path, width + 2.2, around) + stroke(path, width, colour)


def placed(body: str, at: Point, turn: float = 0.0, wide: float = 1.0, high: float | None = None) -> str:
    """A drawing put to a point, turned clockwise by degrees and scaled."""
    scale = f"scale({wide:.3f} {wide if high is None else high:.3f})"
    return f'<g transform="translate({at[0]:.2f} {at[1]:.2f}) rotate({turn:.1f}) {scale}">{body}</g>'
