"""Pictures: read from files, bytes and data URLs, with limits; written as PNG."""

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

MAX_PIXELS = 50_000_000  # of one picture: a larger one could fill the memory
MAX_PICTURE_BYTES = 64_000_000  # of one picture file or one inline picture
LONG_NAME = 200  # characters of a picture's name in a message
# formats that are opened; none that runs other programs (EPS) or refers to other files
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO")
_ORIENTATION = 0x0112  # the EXIF tag


def to_png(image: Image, small: bool = False) -> bytes:
    """PNG bytes: the same picture and the same Pillow give the same bytes. `small` is slower and makes fewer bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6, optimize=small)
    return buffer.getvalue()


def read_bytes(path: Path) -> bytes:
    """The bytes of a picture file. Raises ConfigError if it is missing, too large or not readable."""
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
    """The picture in a file or in bytes, as RGB.

    Applies the EXIF orientation, puts transparency on white, scales 16-bit grey to 8 bits, and takes the first frame.
    `called` is the name of the bytes in errors. Raises ConfigError if the picture is missing, broken, or larger than
    MAX_PICTURE_BYTES or MAX_PIXELS.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(source, Path):
        return read_picture(read_bytes(source), shortened(str(source)))
    if len(source) > MAX_PICTURE_BYTES:
        raise ConfigError(f"{called}: larger than {MAX_PICTURE_BYTES:,} bytes.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MAX_PIXELS is the stricter limit; odd metadata is no error
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

    with suppress(Exception):  # unreadable EXIF is ignored; a broken picture fails at conversion
        if image.getexif().get(_ORIENTATION, 1) != 1:
            return ImageOps.exif_transpose(image)
    return image


def _in_rgb(image: Image) -> Image:
    """The picture as opaque RGB. 16-bit grey is scaled; Pillow's own conversion would clip it at 255."""
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
    """16-bit grey as mode L, with the transparent value as white."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.int64).clip(0, 65535)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        values[values == clear] = 65535
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def shortened(name: str) -> str:
    """Shortens a picture's name for messages: it may be the picture itself as base64."""
    return name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}…"


def is_file(path: Path) -> bool:
    """Whether a path from foreign data is a file; never raises."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a null byte
        return False


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def data_url(given: str) -> tuple[bytes | None, str | None]:
    """The bytes in a picture's base64 data URL, or a sentence that says why there are none."""
    head, comma, body = given.partition(",")
    if not comma or not head.endswith(";base64") or len(body) > MAX_PICTURE_BYTES:
        return None, f"its inline picture is no base64 data address of at most {MAX_PICTURE_BYTES:,} characters."
    try:
        return base64.b64decode(body, validate=True), None
    except (binascii.Error, ValueError) as error:
        return None, f"its inline picture is no base64 ({error})."
