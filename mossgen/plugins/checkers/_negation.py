"""Finds a negation without a record of it: a red cross or prohibition ring by its shape, a slogan by OCR.

For pictures that mossgen did not make. The shapes and the words come from the type's definition and from
campaigns in general; they were tested on overlays and slogans of our own templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mossgen.errors import BackendError

if TYPE_CHECKING:
    from PIL.Image import Image

Finder = Callable[[np.ndarray], list[str]]  # a whole picture, [h, w, 3] BGR uint8 -> its lines of text

_LOOK = 320  # pixels: longer side of the picture when searching for shapes
_READ = 960  # pixels: longer side of the picture when reading text
_PURITIES = (1.7, 2.2, 3.0)  # least ratios of red to green and blue: red scenery may hide a symbol at one ratio
_SPAN = 0.35  # least length of each side of a symbol's box, relative to the picture's shorter side
_TRACED = 0.85  # least red share of a symbol's centre lines
_OPEN = 0.5  # greatest red share of the area between its strokes
_SAYS_NO = re.compile(
    r"\b(no|not|never|none|nobody|nothing|zero|stop\w*|halt\w*|end|ends|ending|quit\w*|ban|bans|banned|banning|"
    r"don ?t|dont|doesn ?t|isn ?t|aren ?t|won ?t|can ?t|cannot|shouldn ?t|against|anti\w*|without|avoid\w*|"
    r"prevent\w*|prohibit\w*|forbid\w*|fight\w*|combat\w*|oppos\w*|refus\w*|reject\w*|break the|say no|"
    r"protect\w*|save|saves|saving|safe|safely|safety|keep\w*|respect\w*|defend\w*|rescu\w*|conserv\w*|preserv\w*|"
    r"clean\w*|aware\w*|rights|equal\w*|justice|peace\w*|kind|kindness|care|caring|ethical\w*|responsib\w*|"
    r"positiv\w*|sober\w*|healthy|free|freedom|smoke ?free|drug ?free|humane\w*|dignity|inclusi\w*|toleran\w*|"
    r"hands off|turn off|switch off|log out|skip|leave|drop the|put it out|slow down|stay|enough|delete|spare|"
    r"instead of|quiet|hush|kills|let)\b"
)


class Found(NamedTuple):
    """A finding: a description for people, and its confidence, 0..1."""

    what: str
    score: float


def negation(image: Image, finder: Callable[[], Finder]) -> Found | None:
    """The negation in an RGB picture; None if there is none. Loads OCR only if there is no symbol.

    Raises BackendError if OCR cannot be loaded or fails.
    """
    return symbol(image) or slogan(image, finder())


# -- symbols -------------------------------------------------------------------------------------------


def symbol(image: Image) -> Found | None:
    """Finds a large red cross, or a large red ellipse with a slash."""
    small = image.copy()
    small.thumbnail((_LOOK, _LOOK))
    shapes = [shape for purity in _PURITIES for shape in _shapes(np.asarray(small, dtype=np.int16), purity)]
    scores = [(max(_cross(shape), _ring(shape)), _cross(shape) >= _ring(shape)) for shape in shapes]
    best, crossed = max(scores, default=(0.0, False))
    if best < _TRACED:
        return None
    return Found("a red cross" if crossed else "a red prohibition ring", round(best, 3))


def _shapes(pixels: np.ndarray, purity: float) -> list[np.ndarray]:
    """The large red regions of a picture, [h, w, 3] int16, each stretched to a square patch of bool."""
    import cv2

    r, g, b = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    red = (r > 100) & (r > purity * g) & (r > purity * b)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(red.astype(np.uint8), connectivity=8)
    least = _SPAN * min(red.shape)
    found = []
    for region, (left, top, wide, high, _) in list(enumerate(boxes))[1:]:
        if min(wide, high) >= least:
            found.append(_unit(labels[top : top + high, left : left + wide] == region))
    return found


def _unit(mask: np.ndarray, side: int = 64) -> np.ndarray:
    """The mask stretched to a square, [side, side] bool, so that an ellipse becomes a circle."""
    rows = np.minimum((np.arange(side) + 0.5) * mask.shape[0] / side, mask.shape[0] - 1).astype(int)
    columns = np.minimum((np.arange(side) + 0.5) * mask.shape[1] / side, mask.shape[1] - 1).astype(int)
    return mask[np.ix_(rows, columns)]


def _cross(patch: np.ndarray) -> float:
    """The red share of both diagonals, 0..1; 0 if the quarters between them are red too."""
    side = len(patch)
    y, x = np.mgrid[0:side, 0:side] / (side - 1) - 0.5
    aside = np.minimum(np.abs(x - y), np.abs(x + y))
    if patch[(aside > 0.35)].mean() > _OPEN:
        return 0.0
    return min(_traced(patch, lambda t: (t, t)), _traced(patch, lambda t: (t, 1 - t)))


def _ring(patch: np.ndarray) -> float:
    """The red share of the inscribed circle and one diagonal; 0 if the halves between them are red too."""
    side = len(patch)
    y, x = np.mgrid[0:side, 0:side] / (side - 1) - 0.5
    within = np.hypot(x, y) < 0.3
    slashes = (
        (np.abs(x - y) > 0.25, lambda t: (0.2 + 0.6 * t, 0.2 + 0.6 * t)),
        (np.abs(x + y) > 0.25, lambda t: (0.2 + 0.6 * t, 0.8 - 0.6 * t)),
    )
    circle = _circle(patch)
    return max(
        0.0 if patch[within & between].mean() > _OPEN else min(circle, _traced(patch, line))
        for between, line in slashes
    )


def _traced(patch: np.ndarray, line: Callable[[float], tuple[float, float]]) -> float:
    """The share of a line's points (in 0..1 of the patch) with red within three pixels."""
    last = len(patch) - 1
    hits = []
    for t in np.linspace(0.04, 0.96, 48):
        x, y = (round(place * last) for place in line(float(t)))
        hits.append(patch[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4].any())
    return float(np.mean(hits))


def _circle(patch: np.ndarray) -> float:
    """The share of directions from the middle in which red lies near the inscribed circle."""
    middle = (len(patch) - 1) / 2
    hits = []
    for angle in np.linspace(0, 2 * np.pi, 72, endpoint=False):
        reach = np.linspace(0.8, 1.0, 8) * middle
        x = np.rint(middle + reach * np.cos(angle)).astype(int)
        y = np.rint(middle + reach * np.sin(angle)).astype(int)
        hits.append(patch[y, x].any())
    return float(np.mean(hits))


# -- lettering -----------------------------------------------------------------------------------------


def slogan(image: Image, finder: Finder) -> Found | None:
    """Finds a line of text that opposes or defends something. Raises BackendError."""
    from PIL.Image import Resampling

    grow = _READ / max(image.size)
    size = (max(1, round(image.width * grow)), max(1, round(image.height * grow)))
    lines = finder(np.asarray(image.resize(size, Resampling.BICUBIC))[:, :, ::-1].copy())
    said = " ".join(lines)
    match = _SAYS_NO.search(_words(said))
    return Found(f"the words {said!r}", 1.0) if match else None


def _words(text: str) -> str:
    """Lower-case words, with hashtags split: #StopTheBus -> stop the bus."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.findall(r"[a-z0-9]+", apart.lower()))


def rapidocr_finder() -> Finder:
    """Finds and reads lines with the models in rapidocr's wheel, on one thread. Raises BackendError."""
    params = {
        "Global.log_level": "critical",
        "Global.use_cls": False,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    try:
        from rapidocr import RapidOCR

        engine: Any = RapidOCR(params=params)
    except Exception as error:  # a broken install fails in many ways: in each, nothing can be read
        raise BackendError(f"rapidocr cannot be loaded ({error}): reinstall it with pip.") from error

    def find(picture: np.ndarray) -> list[str]:
        try:
            return list(engine(picture).txts or ())
        except Exception as error:  # rapidocr and onnxruntime can raise anything: unsure, never a crash
            raise BackendError(f"rapidocr failed on a picture ({type(error).__name__}: {error})") from error

    return find
