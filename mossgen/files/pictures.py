"""Pictures: read as a viewer shows them, with limits, from files, bytes and data addresses; written as PNG."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mossgen.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000  # of one picture: beyond it Pillow could be made to fill the memory
MAX_PICTURE_BYTES = 64_000_000  # of one picture file or one inline picture
LONG_NAME = 200  # characters of a picture's name that a message shows
# what is opened; not what runs other programs (EPS) or refers to other files
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO")
_ORIENTATION = 0x0112  # the EXIF tag


def to_png(image: Image, small: bool = False) -> bytes:
    """PNG bytes: the same picture gives the same bytes, with the same Pillow. `small` takes time for fewer bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6, optimize=small)
    return buffer.getvalue()


def read_bytes(path: Path) -> bytes:
    """A picture's file. Raises ConfigError where there is none, it is too large, or it cannot be read."""
    name = shortened(str(path))
    if not is_file(path):
        why = "not a picture but a folder or a device" if _is_there(path) else "there is no such picture"
        raise ConfigError(f"{name}: {why}.")
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{name}: not a picture that can be read ({error.strerror or error}).") from None
    if len(data) > MAX_PICTURE_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_PICTURE_BYTES:,} bytes.")
    return data


def read_picture(source: Path | bytes, called: str = "its inline picture") -> Image:
    """The picture of a file, or of its bytes, in RGB as a viewer shows it.

    Turned as its EXIF says, transparency on white, 16 bits of grey scaled to 8, the first frame of several. `called` is
    what an error calls bytes. Raises ConfigError where it is missing, broken, or larger than MAX_PICTURE_BYTES or
    MAX_PIXELS.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(source, Path):
        return read_picture(read_bytes(source), shortened(str(source)))
    if len(source) > MAX_PICTURE_BYTES:
        raise ConfigError(f"{called}: larger than {MAX_PICTURE_BYTES:,} bytes.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MAX_PIXELS is the stricter limit; odd metadata is no fault of the picture
            with Image.open(io.BytesIO(source), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ConfigError(
                        f"{called}: {image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read."
                    )
                return _in_rgb(_turned(image))
    except ConfigError:
        raise
    except Exception as error:  # a broken file makes Pillow raise nearly anything: EOFError, struct.error, a bomb
        why = "it is in no format that is read" if isinstance(error, UnidentifiedImageError) else error
        raise ConfigError(f"{called}: not a picture that can be read ({why}).") from None


def _turned(image: Image) -> Image:
    from PIL import ImageOps

    with suppress(Exception):  # EXIF that cannot be read says nothing; a broken picture is found when it is converted
        if image.getexif().get(_ORIENTATION, 1) != 1:
            return ImageOps.exif_transpose(image)
    return image


def _in_rgb(image: Image) -> Image:
    """The picture in RGB, opaque. 16 bits of grey are scaled, which Pillow's own conversion cuts off at 255."""
    from PIL import Image

    if image.mode.startswith("I"):
        return _in_eight_bits(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    paper = Image.new("RGBA", seen.size, "white")
    paper.alpha_composite(seen)
    return paper.convert("RGB")


def _in_eight_bits(image: Image) -> Image:
    """Grey of 16 bits as L, the value that stands for transparency as white."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.int64).clip(0, 65535)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        values[values == clear] = 65535
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def shortened(name: str) -> str:
    """What a row gives as a picture's name may be the picture itself, as base64."""
    return name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}…"


def is_file(path: Path) -> bool:
    """Whether a path that somebody else's text gives is a file; no name makes it raise."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null byte in it
        return False


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def data_url(given: str) -> tuple[bytes | None, str | None]:
    """The bytes of a picture's base64 data address, or the sentence that says why there are none."""
    head, comma, body = given.partition(",")
    if not comma or not head.endswith(";base64") or len(body) > MAX_PICTURE_BYTES:
        return None, f"its inline picture is no base64 data address of at most {MAX_PICTURE_BYTES:,} characters."
    try:
        return base64.b64decode(body, validate=True), None
    except (binascii.Error, ValueError) as error:
        return None, f"its inline picture is no base64 ({error})."
