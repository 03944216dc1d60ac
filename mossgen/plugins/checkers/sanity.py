"""Checks the picture: the right kind and size, neither blank, flat nor noise, with something to see.

What an overlay covers does not count: a cross over nothing is still nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from mossgen.core.items import Decision, Verdict
from mossgen.plugins.protocols import Case, CheckerOptions

if TYPE_CHECKING:
    from PIL.Image import Image

_LOOK = 256  # pixels: longer side of the picture when measured, so that thresholds fit every size
_Share = Annotated[float, Field(ge=0, le=1)]


class Options(CheckerOptions):
    """Thresholds, chosen on 40 drawn scenes (plain, blurred, overlaid; two sizes) against blank and noisy ones."""

    looks_for_harm: ClassVar[bool] = False

    side: int = Field(default=128, ge=1, description="least length of a side in pixels")
    aspect: float = Field(default=4.0, ge=1, description="most times that one side is longer than the other")
    spread: float = Field(
        default=5.0, ge=0, description="least standard deviation of grey levels 0..255 (scenes 6 to 84)"
    )
    edges: float = Field(
        default=4.0,
        ge=0,
        description="least step in grey levels that 0.2% of neighbours exceed (scenes 6 and up)",
    )
    smooth: float = Field(
        default=0.4, ge=-1, le=1, description="least correlation of neighbours (scenes 0.79 and up, noise 0)"
    )
    flat: _Share = Field(default=0.97, description="most of the picture in one of 4096 colours")
    main: _Share = Field(default=0.005, description="least of the picture in its commonest of 4096 colours")
    seen: _Share = Field(default=0.2, description="least of the picture that its overlay leaves to see")


class Measures(NamedTuple):
    """The measures of a picture; the Options of the same names explain the fields."""

    spread: float
    edges: float
    smooth: float
    flat: float
    seen: float


def build(options: Options) -> Sanity:
    """Builds the checker. Raises nothing."""
    return Sanity(options)


class Sanity:
    """Measures each picture; the verdict's score is the spread of its grey levels."""

    name = "sanity"
    cost = 0.0

    def __init__(self, options: Options) -> None:
        self.options = options

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each: fail at the first fault, unsure for an item without a picture."""
        return [self._one(case.image, case.item.overlay) for case in cases]

    def _one(self, image: Image | None, overlay: Mapping[str, Any] | None) -> Verdict:
        if image is None:
            return Verdict(self.name, Decision.UNSURE, "There is no picture to check.")
        fault = self._misshapen(image)
        if fault:
            return Verdict(self.name, Decision.FAIL, fault)
        found = measure(image, overlay)
        fault = self._fault(found)
        reason = fault or f"The picture has spread {found.spread:.0f} and edges {found.edges:.0f}."
        return Verdict(self.name, Decision.FAIL if fault else Decision.PASS, reason, round(found.spread, 2))

    def _misshapen(self, image: Image) -> str | None:
        (short, long), least = sorted(image.size), self.options
        if image.mode != "RGB":
            return f"The picture is {image.mode}, not RGB."
        if short < least.side:
            return f"The picture is {image.width}x{image.height}: its sides must have {least.side} pixels."
        if long > least.aspect * short:
            return f"The picture is {image.width}x{image.height}: it is too long for its width."
        return None

    def _fault(self, found: Measures) -> str | None:
        least = self.options
        if found.seen < least.seen:
            return f"The overlay leaves {found.seen:.0%} of the picture to see."
        if found.flat > least.flat:
            return f"The picture is blank: {found.flat:.1%} of it is one colour."
        if found.spread < least.spread:
            return f"The picture is faint: its grey levels spread by {found.spread:.1f} of 255."
        if found.smooth < least.smooth:
            return f"The picture is noise: neighbouring pixels correlate by {found.smooth:.2f}."
        if found.flat < least.main:
            return f"The picture is noise: its commonest colour covers {found.flat:.2%} of it."
        if found.edges < least.edges:
            return f"The picture shows nothing: its steepest edges are {found.edges:.1f} grey levels."
        return None


def measure(image: Image, overlay: Mapping[str, Any] | None = None) -> Measures:
    """Measures an RGB picture outside its overlay; a picture larger than _LOOK pixels is reduced to that."""
    small = image.copy()
    small.thumbnail((_LOOK, _LOOK))
    seen = np.asarray(_seen(image.size, overlay or {}).resize(small.size, resample=0)) > 0
    if not seen.any():
        return Measures(0.0, 0.0, 0.0, 1.0, 0.0)
    grey = np.asarray(small.convert("L"), dtype=np.float64)
    across, down = _pairs(grey, seen), _pairs(grey.T, seen.T)
    steps = np.concatenate([np.abs(one - other) for one, other in (across, down)])
    colours = (np.asarray(small).astype(int) // 16)[seen] @ np.array([256, 16, 1])
    return Measures(
        spread=float(grey[seen].std()),
        edges=float(np.percentile(steps, 99.8)) if len(steps) else 0.0,
        smooth=min(_correlation(*across), _correlation(*down)),
        flat=float(np.bincount(colours).max() / len(colours)),
        seen=float(seen.mean()),
    )


def _seen(size: tuple[int, int], overlay: Mapping[str, Any]) -> Image:
    """A mask (mode L) from the overlay's record: 0 under the overlay and its shadow, 255 elsewhere."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", size, 255)
    pen, shadow = ImageDraw.Draw(mask), 0.04 * min(size)
    if overlay.get("lines"):
        left, top, right, bottom = overlay["box"]
        pen.rectangle((left - shadow, top - shadow, right + shadow, bottom + shadow), fill=0)
    if overlay.get("strokes"):
        half = overlay["width"] / 2 + overlay["outline"] + shadow
        for stroke in overlay["strokes"]:
            pen.line([tuple(point) for point in stroke], fill=0, width=round(2 * half))
            for x, y in stroke:
                pen.ellipse((x - half, y - half, x + half, y + half), fill=0)
        for x, y, radius in overlay["circles"]:
            outer = radius + half
            pen.ellipse((x - outer, y - outer, x + outer, y + outer), outline=0, width=round(2 * half))
    return mask


def _pairs(grey: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbours in a row that are both visible: two vectors of equal length."""
    both = seen[:, :-1] & seen[:, 1:]
    return grey[:, :-1][both], grey[:, 1:][both]


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation; 1 if nothing varies."""
    if not len(one) or one.std() == 0 or other.std() == 0:
        return 1.0
    return float(np.corrcoef(one, other)[0, 1])
