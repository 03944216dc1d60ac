import hashlib
import itertools
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mossgen.errors import ConfigError
from mossgen.expansion.layer import STANDS_OUT, contrast
from mossgen.expansion.lettering import LETTERING, TEXT_CONTRAST
from mossgen.expansion.overlay import _SYMBOL_COLOURS, composite, forms

TEXTS = {"hashtag": "#StopBullying", "slogan": "Keep our streets clean and safe for everyone", "stamp": "No littering"}


def picture(kind: str, size: tuple[int, int] = (256, 256)) -> Image.Image:
    """A plain background with shapes on it, or noise."""
    if kind == "busy":
        noise = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        return Image.fromarray(noise)
    image = Image.new("RGB", size, {"dark": (22, 18, 30), "light": (244, 240, 228), "red": (198, 24, 36)}[kind])
    pen, (wide, high) = ImageDraw.Draw(image), size
    pen.ellipse((wide * 0.3, high * 0.3, wide * 0.7, high * 0.75), fill=(90, 120, 60))
    pen.rectangle((wide * 0.1, high * 0.6, wide * 0.5, high * 0.9), fill=(140, 100, 160))
    return image


def digest(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


@pytest.mark.parametrize("form", forms())
def test_the_same_input_gives_the_same_bytes_and_another_seed_others(form):
    image = picture("light")
    before = digest(image)
    first, record = composite(image, form, TEXTS.get(form, ""), 11)
    again, same = composite(image.copy(), form, TEXTS.get(form, ""), 11)
    assert digest(first) == digest(again)
    assert record == same
    assert digest(image) == before, "the picture given is left alone"
    assert len({digest(composite(image, form, TEXTS.get(form, ""), seed)[0]) for seed in range(6)}) == 6


@pytest.mark.parametrize("form", forms())
def test_every_overlay_lies_inside_changes_its_box_alone_and_leaves_most_to_see(form):
    sizes = [(256, 256), (128, 128), (384, 200), (200, 384)]
    for (kind, size), seed in itertools.product(itertools.product(["busy", "dark", "light", "red"], sizes), [3, 4]):
        image = picture(kind, size)
        text = "#CleanAir" if form == "hashtag" else TEXTS.get(form, "")[:28]
        marked, record = composite(image, form, text, seed)
        left, top, right, bottom = record["box"]
        where = f"{form} {kind} {size} {seed}"
        assert marked.mode == "RGB"
        assert marked.size == size
        assert 0 <= left < right <= size[0], where
        assert 0 <= top < bottom <= size[1], where
        changed = np.abs(np.asarray(marked).astype(int) - np.asarray(image)).max(axis=2)
        shadow = 4 + round(0.05 * min(size))
        outside = np.ones(changed.shape, bool)
        outside[max(0, top - shadow) : bottom + shadow, max(0, left - shadow) : right + shadow] = False
        assert not changed[outside].any(), where
        assert 0.02 < record["area"] < 0.5, where
        assert record["contrast"] >= (TEXT_CONTRAST if form in LETTERING else STANDS_OUT), where
        for line in record.get("lines", []):
            assert line["box"][0] >= 0, where
            assert line["box"][2] <= size[0], where
        assert json.loads(json.dumps(record)) == record


def test_letters_keep_a_readable_height():
    for size, least in (((256, 256), 10), ((128, 128), 7), ((512, 512), 19)):
        for seed in range(6):
            _, record = composite(picture("light", size), "slogan", "Speed kills, so slow down and arrive", seed)
            capitals = [0.70 / 0.97 * (line["box"][3] - line["box"][1]) for line in record["lines"]]
            assert min(capitals) >= least
            assert len(capitals) <= 3


def test_lines_hold_all_of_the_text_in_order():
    for form, text in (
        ("slogan", TEXTS["slogan"]),
        ("hashtag", "#StopDomesticViolenceNow"),
        ("stamp", "No smoking here"),
    ):
        for seed in range(5):
            _, record = composite(picture("dark"), form, f"  {text} ", seed)
            glue = "" if form == "hashtag" else " "
            assert glue.join(line["text"] for line in record["lines"]).lower() == text.lower()
            assert record["text"] == text


def test_every_palette_holds_its_contrast():
    for look in LETTERING.values():
        assert all(contrast(p.plate, p.ink) >= TEXT_CONTRAST for p in look.palettes)
    assert all(contrast(p.plate, p.ink) >= STANDS_OUT for p in _SYMBOL_COLOURS)


def test_contrast_is_that_of_wcag():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((255, 255, 255), (118, 118, 118)) == pytest.approx(4.54, abs=0.01)  # the known AA grey


def test_colours_and_places_vary_with_the_seed():
    records = [composite(picture("light"), "slogan", "Say no to litter", seed)[1] for seed in range(30)]
    assert len({r["beside"] for r in records}) >= 4
    assert {r["style"] for r in records} == {"band", "ribbon", "card"}
    assert len({tuple(r["box"]) for r in records}) >= 15


def test_lettering_leaves_what_is_drawn_to_be_seen():
    for busy, free in (("lower", "upper"), ("upper", "lower")):
        image = Image.new("RGB", (256, 256), "white")
        noise = Image.effect_noise((256, 100), 90).convert("RGB")
        image.paste(noise, (0, 150 if busy == "lower" else 6))
        for seed in range(10):
            top, bottom = composite(image, "stamp", "NO LITTERING", seed)[1]["box"][1::2]
            assert ((top + bottom) / 2 < 128) == (free == "upper")


@pytest.mark.parametrize(
    ("form", "text", "size", "says"),
    [
        ("sticker", "", (256, 256), "no overlay form 'sticker': use one of cross, ring, hashtag, slogan, stamp"),
        ("slogan", "  ", (256, 256), "got no text"),
        ("slogan", "Stop \u2013 now", (256, 256), "'\u2013', which the lettering font lacks"),
        ("stamp", "caf\u00e9", (256, 256), "lacks"),
        ("hashtag", "#" + "Verylongword" * 6, (256, 256), "shorten it to about"),
        ("slogan", "word " * 40, (256, 256), "at most 80"),
        ("cross", "", (64, 256), "128 to 2048 pixels, not RGB of 64x256"),
        ("ring", "", (256, 4096), "128 to 2048 pixels"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_sentence(form, text, size, says):
    with pytest.raises(ConfigError, match=r"Overlay|overlay") as caught:
        composite(Image.new("RGB", size), form, text, 1)
    assert says in str(caught.value)


def test_a_picture_that_is_not_rgb_is_refused():
    with pytest.raises(ConfigError, match="RGBA"):
        composite(Image.new("RGBA", (256, 256)), "cross", "", 1)


def test_the_largest_picture_works():
    marked, record = composite(picture("light", (2048, 1024)), "stamp", "Not OK", 2)
    assert marked.size == (2048, 1024)
    assert record["size"] == [2048, 1024]
