"""Checks that the negation is legible: OCR reads the text, a symbol is measured in the picture's pixels.

An item of a type with overlays is harmless only because of its overlay. So the record only says where to look and
what should be there: the picture decides. An item that mossgen did not make has no record, so the whole picture is
searched.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from mossgen.core.items import Decision, Verdict
from mossgen.errors import BackendError
from mossgen.plugins.checkers import _negation
from mossgen.plugins.protocols import Case, CheckerOptions

if TYPE_CHECKING:
    from PIL.Image import Image

Reader = Callable[[Sequence[np.ndarray]], list[str]]  # pictures of one line each, [h, w, 3] BGR uint8 -> texts

_LINE = 48  # pixels: the input height of the recognition model
_ONE_LINE = {
    "Global.log_level": "critical",
    "Global.use_det": False,
    "Global.use_cls": False,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
_ALIKE = str.maketrans("il0", "11o")  # letters that look the same in many fonts, such as capital I and small l
_Share = Annotated[float, Field(ge=0, le=1)]


class Options(CheckerOptions):
    """What counts as legible."""

    reads: _Share = Field(default=0.85, description="least likeness of the letters read to the letters meant")
    word: _Share = Field(default=0.5, description="least share of each single word's letters that is read")
    inked: _Share = Field(default=0.9, description="least share of a symbol's stroke that has its colour")
    contrast: float = Field(default=3.0, ge=1, le=21, description="least WCAG contrast of stroke and surround")
    span: _Share = Field(default=0.5, description="least extent of a symbol, of the picture's shorter side")
    tolerance: int = Field(default=48, ge=0, le=255, description="how far each channel may be from the colour")


class _Record(BaseModel):
    """The fields that both kinds of overlay record; others are allowed."""

    size: tuple[int, int]


class _Lettering(_Record):
    """Lines of text: their boxes before a rotation by `angle` degrees, anticlockwise around `centre`."""

    class Line(BaseModel):
        box: tuple[float, float, float, float]

    text: str = Field(min_length=1)
    angle: float
    centre: tuple[float, float]
    lines: tuple[Line, ...] = Field(min_length=1)


class _Symbol(_Record):
    """Polylines and circles (x, y, radius), drawn with strokes of `width` and an outline beside them."""

    box: tuple[int, int, int, int]
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
    strokes: tuple[tuple[tuple[float, float], ...], ...] = Field(min_length=1)
    circles: tuple[tuple[float, float, float], ...]
    width: float = Field(gt=2)
    outline: float = Field(ge=2)


def build(options: Options) -> Legible:
    """Builds the checker; the first text it sees loads OCR. Raises nothing."""
    return Legible(options)


class Legible:
    """Reads or measures the overlay of each item; `reader` is the OCR, rapidocr by default."""

    name = "legible"
    cost = 0.0

    def __init__(self, options: Options, reader: Reader | None = None) -> None:
        self.options = options
        self._reader = reader
        self._found_by: _negation.Finder | None = None

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each: None for a type without overlays, unsure if it could not be checked.

        Raises BackendError if OCR is needed but cannot be loaded: it could then decide no item.
        """
        if self._reader is None and any((case.item.overlay or {}).get("lines") for case in cases):
            self._reader = rapidocr_reader()
        return [self._one(case) for case in cases]

    def _one(self, case: Case) -> Verdict | None:
        record = case.item.overlay
        if record is None and case.type.template.overlay is None:
            return None
        if record is None and case.image is not None and not case.item.slots:
            return self._searched(case.image)  # not made by mossgen: no record says where to look
        if record is None or case.image is None:
            return self._unsure("there is no overlay record" if record is None else "there is no picture")
        try:
            return self._measured(case.image, record)
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors()[0]["loc"])
            return self._unsure(f"the overlay record's {field}: {error.errors()[0]['msg']}")
        except BackendError as error:
            return self._unsure(str(error))

    def _searched(self, image: Image) -> Verdict:
        try:
            found = _negation.negation(image, self._finder)
        except BackendError as error:
            return self._unsure(str(error))
        if found is None:
            return Verdict(
                self.name, Decision.FAIL, "No cross, prohibition ring or slogan is found in the picture.", 0.0
            )
        return Verdict(self.name, Decision.PASS, f"The picture holds {found.what}.", found.score)

    def _finder(self) -> _negation.Finder:
        if self._found_by is None:
            self._found_by = _negation.rapidocr_finder()
        return self._found_by

    def _measured(self, image: Image, record: Mapping[str, Any]) -> Verdict:
        if record.get("form") in ("cross", "ring"):
            symbol = _Symbol.model_validate(record)
            return self._other_size(image, symbol) or self._symbol(image, symbol)
        lettering = _Lettering.model_validate(record)
        return self._other_size(image, lettering) or self._lettering(image, lettering)

    def _other_size(self, image: Image, record: _Record) -> Verdict | None:
        if image.size == record.size and image.mode == "RGB":
            return None
        return self._unsure(f"the overlay was recorded for RGB {record.size}, not {image.mode} {image.size}")

    def _unsure(self, why: str) -> Verdict:
        return Verdict(self.name, Decision.UNSURE, f"The negation could not be checked: {why}.")

    def _verdict(self, fault: str | None, said: str, score: float) -> Verdict:
        decision = Decision.FAIL if fault else Decision.PASS
        return Verdict(self.name, decision, fault or said, round(score, 3))

    def _lettering(self, image: Image, record: _Lettering) -> Verdict:
        if self._reader is None:
            return self._unsure("no OCR is loaded")
        said = " ".join(self._reader(_line_pictures(image, record)))
        ratio, missing = _likeness(record.text, said, self.options.word)
        fault = None
        if ratio < self.options.reads:
            fault = f"OCR reads {said!r} where it should say {record.text!r} (likeness {ratio:.2f})."
        elif missing:
            fault = f"OCR reads {said!r} and misses {missing!r} of {record.text!r}."
        return self._verdict(fault, f"OCR reads {said!r}.", ratio)

    def _symbol(self, image: Image, record: _Symbol) -> Verdict:
        stroke, beside = _pixels(image, record)
        if not stroke.size or not beside.size:
            return self._unsure("the recorded symbol lies outside the picture")
        colour = np.array([int(record.colour[i : i + 2], 16) for i in (1, 3, 5)])
        inked = float((np.abs(stroke - colour).max(axis=1) <= self.options.tolerance).mean())
        ratio = float(np.percentile(_contrast(np.median(stroke, axis=0), beside), 20))
        left, top, right, bottom = record.box
        span = min(right - left, bottom - top) / min(image.size)
        found = f"{inked:.0%} of the stroke is in its colour, contrast {ratio:.1f}, extent {span:.0%}"
        least = self.options
        good = inked >= least.inked and ratio >= least.contrast and span >= least.span
        fault = None if good else f"The symbol does not show: {found}."
        return self._verdict(fault, f"The symbol shows: {found}.", inked)


# -- lettering -----------------------------------------------------------------------------------------


def _line_pictures(image: Image, record: _Lettering) -> list[np.ndarray]:
    """Each line upright, with a margin, at the input height of the recognition model: [48, w, 3] BGR uint8."""
    from PIL.Image import Resampling

    upright = image.rotate(-record.angle, Resampling.BICUBIC, center=record.centre) if record.angle else image
    pictures = []
    for line in record.lines:
        left, top, right, bottom = line.box
        margin = 0.15 * (bottom - top)
        part = upright.crop(
            (round(left - 2 * margin), round(top - margin), round(right + 2 * margin), round(bottom + margin))
        )
        wide = max(1, round(part.width * _LINE / part.height))
        pictures.append(np.asarray(part.resize((wide, _LINE), Resampling.LANCZOS))[:, :, ::-1].copy())
    return pictures


def _likeness(meant: str, said: str, least: float) -> tuple[float, str | None]:
    """The similarity of letters and digits, 0..1, and the first word of which less than `least` was read.

    Single words count because one word can reverse the meaning: NO LITTERING and LITTERING are 0.9 similar.
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", re.sub(r"[^A-Za-z0-9 ]", "", meant))
    letters, read = (re.sub(r"[^a-z0-9]", "", text.lower()).translate(_ALIKE) for text in ("".join(words), said))
    matcher = difflib.SequenceMatcher(None, letters, read, autojunk=False)
    matched = {block.a + i for block in matcher.get_matching_blocks() for i in range(block.size)}
    start = 0
    for word in words:
        if sum(i in matched for i in range(start, start + len(word))) < least * len(word):
            return matcher.ratio(), word
        start += len(word)
    return matcher.ratio(), None


def rapidocr_reader() -> Reader:
    """Reads single lines with the recognition model in rapidocr's wheel, on one thread. Raises BackendError.

    The positions of the lines are known, so the slow detection step of OCR is not needed.
    """
    try:
        from rapidocr import RapidOCR

        engine: Any = RapidOCR(params=_ONE_LINE)
    except Exception as error:  # a broken install fails in many ways: in each, nothing can be read
        raise BackendError(f"rapidocr cannot be loaded ({error}): reinstall it with pip.") from error

    def read(lines: Sequence[np.ndarray]) -> list[str]:
        try:
            return [" ".join(engine(line).txts or ()) for line in lines]
        except Exception as error:  # rapidocr and onnxruntime can raise anything: unsure, never a crash
            raise BackendError(f"rapidocr failed on a line of text ({type(error).__name__}: {error})") from error

    return read


# -- symbols -------------------------------------------------------------------------------------------


def _pixels(image: Image, record: _Symbol) -> tuple[np.ndarray, np.ndarray]:
    """The pixels well inside the stroke, and those of its outline, each [n, 3] float."""
    pixels = np.asarray(image, dtype=np.float64)
    x, y = np.meshgrid(np.arange(image.width) + 0.5, np.arange(image.height) + 0.5)
    distance = np.full(x.shape, np.inf)
    for stroke in record.strokes:
        for a, b in itertools.pairwise(stroke):
            distance = np.minimum(distance, _from_segment(x, y, a, b))
    for cx, cy, radius in record.circles:
        distance = np.minimum(distance, np.abs(np.hypot(x - cx, y - cy) - radius))
    edge = record.width / 2
    beside = (distance > edge + 0.7) & (distance < edge + record.outline - 0.7)
    return pixels[distance < edge - 1], pixels[beside]


def _from_segment(x: np.ndarray, y: np.ndarray, a: tuple[float, float], b: tuple[float, float]) -> np.ndarray:
    """The distance of each point to the segment from a to b."""
    along = np.subtract(b, a)
    t = ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(float(along @ along), 1e-9)
    t = np.clip(t, 0, 1)
    return np.asarray(np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1]))


def _contrast(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """WCAG 2.2 contrast ratio of sRGB colours 0..255, [..., 3]."""
    luminance = []
    for colours in (one, other):
        share = colours / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        luminance.append(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return np.asarray((np.maximum(*luminance) + 0.05) / (np.minimum(*luminance) + 0.05))
