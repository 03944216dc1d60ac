"""Pictures are read as a viewer shows them, and never more of them than the memory takes."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mossgen.errors import ConfigError
from mossgen.files import pictures
from mossgen.files.pictures import MAX_PIXELS, read_bytes, read_picture, to_png

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, form: str = "PNG", **how) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def pixels(data: bytes) -> list[list[tuple[int, int, int]]]:
    image = read_picture(data)
    assert image.mode == "RGB"
    return [[image.getpixel((x, y)) for x in range(image.width)] for y in range(image.height)]


def row(*colours, mode="RGB") -> Image.Image:
    image = Image.new(mode, (len(colours), 1))
    for x, colour in enumerate(colours):
        image.putpixel((x, 0), colour)
    return image


def claiming(width: int, height: int) -> bytes:
    """A PNG of few bytes whose head claims a size."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# -- as a viewer shows it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, [[RED, GREEN]]),
        (2, [[GREEN, RED]]),
        (3, [[GREEN, RED]]),
        (4, [[RED, GREEN]]),
        (5, [[RED], [GREEN]]),
        (6, [[RED], [GREEN]]),
        (7, [[GREEN], [RED]]),
        (8, [[GREEN], [RED]]),
    ],
)
def test_a_picture_is_turned_as_its_exif_says(orientation, seen):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert pixels(encoded(row(RED, GREEN), exif=exif)) == seen


def test_exif_that_cannot_be_read_says_nothing():
    assert pixels(encoded(row(RED, GREEN), exif=b"Exif\0\0MM\0*garbage")) == [[RED, GREEN]]


def test_half_transparent_is_half_white():
    image = row((255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 255, 127), mode="RGBA")
    assert pixels(encoded(image)) == [[RED, WHITE, (128, 128, 255)]]


def test_grey_with_transparency():
    assert pixels(encoded(row((0, 255), (0, 0), (100, 255), mode="LA"))) == [[(0, 0, 0), WHITE, (100, 100, 100)]]


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_with_transparency(form):
    image = row(0, 1, 2, mode="P")
    image.putpalette([*RED, *GREEN, *BLUE])
    assert pixels(encoded(image, form)) == [[RED, GREEN, BLUE]]
    assert pixels(encoded(image, form, transparency=1)) == [[RED, WHITE, BLUE]]


def test_one_colour_that_stands_for_transparency():
    assert pixels(encoded(row(RED, BLUE), transparency=RED)) == [[WHITE, BLUE]]
    assert pixels(encoded(row(0, 9, mode="L"), transparency=0)) == [[WHITE, (9, 9, 9)]]


def test_sixteen_bits_of_grey_are_scaled():
    values = np.array([[0, 255, 257, 32768, 65535]], dtype=np.uint16)
    for form in ("PNG", "TIFF"):
        found = [pixel[0] for pixel in pixels(encoded(Image.fromarray(values), form))[0]]
        assert found == [0, 1, 1, 128, 255]
    assert pixels(encoded(Image.fromarray(values), transparency=0))[0][0] == WHITE


def test_print_colours():
    image = row((0, 255, 255, 0), (0, 0, 0, 255), mode="CMYK")
    assert pixels(encoded(image, "TIFF")) == [[RED, (0, 0, 0)]]


def test_the_first_frame_of_several():
    assert pixels(encoded(row(RED), "GIF", save_all=True, append_images=[row(BLUE)])) == [[RED]]


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "BMP", "PPM"])
def test_common_formats(form):
    (found,) = pixels(encoded(Image.new("RGB", (8, 8), (200, 40, 60)), form))[4][4:5]
    assert np.abs(np.array(found) - (200, 40, 60)).max() <= 4


def test_a_file_and_its_bytes_are_one_picture(tmp_path):
    data = encoded(row((255, 0, 0, 99), mode="RGBA"))
    (tmp_path / "a.png").write_bytes(data)
    assert read_bytes(tmp_path / "a.png") == data
    assert read_picture(tmp_path / "a.png").tobytes() == read_picture(data).tobytes()


# -- limits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "says"),
    [(8_000, f"8000x8000 pixels; at most {MAX_PIXELS:,} are read"), (20_000, "400000000 pixels")],
)
def test_a_bomb_is_not_unfolded(side, says):
    with pytest.raises(ConfigError, match=f"its inline picture: .*{says}"):
        read_picture(claiming(side, side))


def test_too_many_bytes(tmp_path, monkeypatch):
    data = encoded(Image.effect_noise((64, 64), 90))
    (tmp_path / "a.png").write_bytes(data)
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"a.png: larger than 1,000 bytes"):
        read_picture(tmp_path / "a.png")
    with pytest.raises(ConfigError, match="its inline picture: larger than 1,000 bytes"):
        read_picture(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        encoded(Image.effect_noise((64, 64), 90))[:500],
        claiming(30, 30),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    ],
    ids=["empty", "text", "cut off", "no rows", "a program"],
)
def test_what_is_no_picture_is_a_sentence(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ConfigError, match=r"a.png: not a picture that can be read \(.+\)\.$"):
        read_picture(tmp_path / "a.png")


def test_what_is_not_there_or_no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"b.png: there is no such picture"):
        read_picture(tmp_path / "b.png")
    with pytest.raises(ConfigError, match="not a picture but a folder or a device"):
        read_picture(tmp_path)
    with pytest.raises(ConfigError, match=r"…: there is no such picture"):
        read_picture(tmp_path / ("x" * 100_000))


# -- written -------------------------------------------------------------------------------------------


def test_the_same_picture_gives_the_same_bytes():
    image = Image.effect_noise((64, 64), 90).convert("RGB")
    assert to_png(image) == to_png(image.copy()) == encoded(image)
    assert to_png(image, small=True) == encoded(image, optimize=True)
    assert read_picture(to_png(image)).tobytes() == image.tobytes()
