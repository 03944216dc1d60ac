"""Pictures: read with limits, from files and from data addresses; written as PNG."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mossgen.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image


def to_png(image: Image) -> bytes:
    """PNG bytes: the same picture gives the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


MAX_PIXELS = 50_000_000  # of one picture: beyond it Pillow could be made to fill the memory


def picture_sha256(path: Path) -> str:
    """The sha256 of a picture's file. Raises ConfigError where it cannot be read."""
    _refuse_no_file(path)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: not a picture that can be read ({error}).") from None


def _refuse_no_file(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path}: not a picture but a folder or a device.")


def read_image(path: Path) -> Image:
    """An RGB picture. Raises ConfigError if it is missing, broken or larger than MAX_PIXELS."""
    from PIL import Image

    _refuse_no_file(path)
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ConfigError(f"{path}: {image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read.")
            return image.convert("RGB")
    except ConfigError:
        raise
    except Exception as error:  # a broken file makes Pillow raise nearly anything: EOFError, struct.error, a bomb
        raise ConfigError(f"{path}: not a picture that can be read ({error}).") from None


MAX_PICTURE_BYTES = 64_000_000  # of one picture file or one inline picture
LONG_NAME = 200  # characters of a picture's name that a message shows


def shortened(name: str) -> str:
    """What a row gives as a picture's name may be the picture itself, as base64."""
    return name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}…"


def is_file(path: Path) -> bool:
    """Whether a path that somebody else's text gives is a file; no name makes it raise."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null byte in it
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


def inline_picture(data: bytes) -> Image:
    """A picture's bytes as RGB. Raises ConfigError where it cannot be read or is larger than MAX_PIXELS."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is the stricter limit
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ConfigError(
                        f"its inline picture is {image.width}x{image.height}: over {MAX_PIXELS:,} pixels."
                    )
                return image.convert("RGB")
    except ConfigError:
        raise
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        raise ConfigError(f"its inline picture cannot be read ({error}).") from None
