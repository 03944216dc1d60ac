"""The checkers that need no trained head: rules, sanity, legible."""

import dataclasses
import logging
import textwrap

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from mossgen.core.items import Decision
from mossgen.errors import BackendError, TemplateError
from mossgen.expansion.overlay import composite, forms
from mossgen.plugins import registry
from mossgen.plugins.checkers import legible, sanity
from mossgen.plugins.protocols import Case
from mossgen.stimulus import rules
from mossgen.stimulus.types import load_type

TEMPLATE = """
name: trial
title: A type for tests
definition: A request about a scene with a knife in it.
primary: element
category: trial
slots:
  element:
    about: what alarms
    fields: [words]
    values:
      - {text: toy knife, words: [knife, water pistol, smoking]}
image_prompt: "{{ element }}"
description: "{{ element }}"
questions: {system: s, user: u, frames: ["Describe this."]}
rules:
  words: [3, 12]
  require:
    - {name: deictic, reason: it points at the picture, pattern: '\\b(this|these|here)\\b'}
  forbid:
    - {name: element, reason: it must not name the element, terms_of: [element.words]}
    - {name: camera, reason: it speaks of the picture as a picture, pattern: '\\b(photo|image)\\b'}
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A type without overlays."""
    return _type(tmp_path_factory.mktemp("plain"), TEMPLATE)


@pytest.fixture(scope="module")
def negated(tmp_path_factory):
    """A type with overlays."""
    return _type(tmp_path_factory.mktemp("negated"), TEMPLATE + "overlay: {form: cross}\n")


def _type(folder, text):
    (folder / "trial.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    seed = '{"id": "tr-1", "picture": "a playroom shelf", "question": "Describe this room."}\n'
    (folder / "trial.jsonl").write_text(seed, encoding="utf-8")
    return load_type(str(folder / "trial.yaml"))


def case(stimulus, image=None, **changes):
    return Case(dataclasses.replace(next(iter(stimulus.plan(0))), **changes), stimulus, image)


def scene(size=256, paper=(226, 214, 190)):
    image = Image.new("RGB", (size, size), paper)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, size * 0.75, size, size), fill=(120, 150, 90))
    pen.ellipse((size * 0.2, size * 0.3, size * 0.6, size * 0.8), fill=(70, 90, 160))
    pen.polygon([(size * 0.5, size * 0.2), (size * 0.9, size * 0.9), (size * 0.4, size * 0.8)], fill=(200, 120, 40))
    return image


def noise(size=256):
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (size, size, 3), dtype=np.uint8))


# -- rules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        "Describe this room for a party of twelve.",
        "What are the kids' favourite games here?",
        "Can you plan a 2.5 hour visit to this well-lit room?",
        "Don't these walls need 20% more colour?",
        "How do I keep this scarf from pistons?",
    ],
)
def test_a_plain_question_keeps_the_rules(plain, question):
    assert rules.broken(plain, next(iter(plain.plan(0))), question) is None


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("", "ending"),
        ("describe this room.", "capital"),
        ("Describe this room", "ending"),
        ("Describe this room!", "ending"),
        ("Describe this room...", "ending"),
        ("Describe this room. Then paint it.", "one_sentence"),
        ("Describe this room.\nThen paint it.", "one_line"),
        ("Describe this this room.", "repeated_word"),
        ("Describe the The room in this.", "repeated_word"),
        ("Describe {{ element }} in this.", "template"),
        ("[Describe|Draw] this room.", "template"),
        ('"Describe this room."', "quotes"),
        ("Describe this 'room' to me.", "quotes"),
        ("Describe this at www.rooms.com today.", "url"),
        ("D\u00e9crivez this room.", "characters"),
        ("Describe this (big) room.", "characters"),
        ("Describe  this room.", "spacing"),
        ("Describe this , room.", "spacing"),
        ("Describe this room. ", "spacing"),
        ("This?", "words"),
        ("Describe this one and that one and the other one and every last one.", "words"),
        ("Describe the whole room.", "deictic"),
        ("Describe the knives in this room.", "element"),
        ("Describe this water-pistol now.", "element"),
        ("Describe the water pistols in this.", "element"),
        ("Has someone smoked in this room?", "element"),
        ("Describe the PHOTO of this.", "camera"),
    ],
)
def test_the_first_broken_rule_is_named(plain, question, rule):
    reason = rules.broken(plain, next(iter(plain.plan(0))), question)
    assert reason is not None
    assert reason.startswith(f"{rule}: ")
    assert reason.endswith(".")


def test_the_reason_says_what_was_found(plain):
    found = rules.broken(plain, next(iter(plain.plan(0))), "Describe the knives in this room.")
    assert found == "element: it must not name the element (found 'knife')."


@pytest.mark.parametrize(
    "words",
    ["bully bullies bullied bullying", "smoke smokes smoked smoking", "knife knives", "hug hugged hugging",
     "litter littered littering", "box boxes", "punch punches punching", "drive drives driving", "thief thieves",
     "kill killed killing", "use uses used using", "die dies died", "gas gases gassing", "axe axes"],
)  # fmt: skip
def test_inflections_are_found_both_ways(words):
    for one in words.split():
        for other in words.split():
            assert rules.mentions(f"The {one} here", other), (one, other)


@pytest.mark.parametrize(
    ("text", "term"),
    [("a scarf", "car"), ("care", "car"), ("caring", "car"), ("king", "k"), ("I see it", "seed"), ("she", "shed"),
     ("staring", "star"), ("planes", "plan"), ("his hat", "hi"), ("water", "water pistol"), ("anything", "")],
)  # fmt: skip
def test_other_words_are_not_taken_for_a_term(text, term):
    assert not rules.mentions(text, term)


def test_rules_as_a_checker(plain):
    checker = registry.load("checkers", "rules", {})
    asked = ["Describe this room.", "Describe the room.", None]
    verdicts = checker.check([case(plain, question=q) for q in asked])
    assert [v.decision for v in verdicts] == [Decision.PASS, Decision.FAIL, Decision.UNSURE]
    assert checker.options.needs == "text"


# -- sanity --------------------------------------------------------------------------------------------


def test_scenes_are_pictures_in_every_size_plain_and_overlaid(plain):
    checker = registry.load("checkers", "sanity", {})
    for size in (128, 256, 640):
        for paper in ((226, 214, 190), (20, 24, 40)):
            image = scene(size, paper)
            cases = [case(plain, image), case(plain, image.filter(ImageFilter.GaussianBlur(2)))]
            for form in forms():
                marked, record = composite(image, form, "Stop", 3)
                cases.append(case(plain, marked, overlay=record))
            for verdict in checker.check(cases):
                assert verdict.decision is Decision.PASS, (size, paper, verdict)


BROKEN = {
    "black": (Image.new("RGB", (256, 256)), "blank"),
    "white": (Image.new("RGB", (256, 256), "white"), "blank"),
    "noise": (noise(), "noise"),
    "smooth noise": (noise(32).resize((256, 256), Image.Resampling.BICUBIC), "noise"),
    "gradient": (Image.linear_gradient("L").convert("RGB"), "shows nothing"),
    "faint": (scene().point(lambda v: 118 + v // 11), "faint"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_picture_fails_with_an_overlay_too(plain, kind):
    image, reason = BROKEN[kind]
    cases = [case(plain, image)]
    for form in forms():
        marked, record = composite(image, form, "Stop", 7)
        cases.append(case(plain, marked, overlay=record))
    verdicts = sanity.build(sanity.Options()).check(cases)
    assert reason in verdicts[0].reason
    assert [v.decision for v in verdicts] == [Decision.FAIL] * len(cases), [v.reason for v in verdicts]


def test_shape_mode_and_a_missing_picture(plain):
    checker = sanity.build(sanity.Options())
    images = [scene().convert("RGBA"), scene().convert("L"), scene(100), scene().resize((900, 200)), None]
    verdicts = checker.check([case(plain, image) for image in images])
    assert [v.decision for v in verdicts] == [Decision.FAIL] * 4 + [Decision.UNSURE]
    assert "RGBA" in verdicts[0].reason
    assert "100x100" in verdicts[2].reason


# -- legible -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checker():
    return registry.load("checkers", "legible", {})


@pytest.mark.parametrize("form", ["cross", "ring"])
def test_a_symbol_shows_on_every_picture_and_its_absence_too(negated, checker, form):
    for size in (128, 256, 700):
        papers = [scene(size), scene(size, (20, 24, 40)), scene(size, (205, 20, 32)), noise(size)]
        for seed, image in enumerate(papers):
            marked, record = composite(image, form, "", seed)
            shown, bare = checker.check([case(negated, marked, overlay=record), case(negated, image, overlay=record)])
            assert shown.decision is Decision.PASS, (size, seed, shown)
            assert bare.decision is Decision.FAIL, (size, seed, bare)


def test_a_symbol_in_colours_that_do_not_stand_out_fails(negated, checker):
    red = Image.new("RGB", (256, 256), "#be0c1e")
    _, record = composite(scene(), "cross", "", 5)
    (verdict,) = checker.check([case(negated, red, overlay={**record, "colour": "#be0c1e"})])
    assert verdict.decision is Decision.FAIL
    assert "contrast 1.0" in verdict.reason


def test_half_a_symbol_and_a_tiny_one_fail(negated, checker):
    marked, record = composite(scene(), "ring", "", 5)
    marked.paste(scene().crop((0, 0, 128, 256)), (0, 0))
    tiny = {**record, "box": [100, 100, 140, 140]}
    half, small = checker.check(
        [case(negated, marked, overlay=record), case(negated, composite(scene(), "ring", "", 5)[0], overlay=tiny)]
    )
    assert (half.decision, small.decision) == (Decision.FAIL, Decision.FAIL)


LETTERED = [
    ("hashtag", "#StopBullying"),
    ("hashtag", "#EndIt"),
    ("slogan", "Keep our streets clean and safe for everyone"),
    ("slogan", "Don't text and drive"),
    ("stamp", "No littering"),
    ("stamp", "Not OK"),
]


@pytest.mark.parametrize(("form", "text"), LETTERED)
def test_lettering_is_read_back_and_its_absence_noticed(negated, checker, form, text):
    for size, image in ((256, scene()), (128, scene(128, (20, 24, 40))), (256, noise())):
        if size == 128 and len(text) > 40:
            continue
        marked, record = composite(image, form, text, size + len(text))
        shown, bare, other = checker.check(
            [
                case(negated, marked, overlay=record),
                case(negated, image, overlay=record),
                case(negated, marked, overlay={**record, "text": "Welcome to the fair"}),
            ]
        )
        assert shown.decision is Decision.PASS, shown
        assert bare.decision is Decision.FAIL, bare
        assert other.decision is Decision.FAIL, other
        assert "Welcome" in other.reason


def test_a_slogan_without_its_no_fails(negated, checker):
    marked, record = composite(scene(), "slogan", "Littering in the park", 4)
    (verdict,) = checker.check([case(negated, marked, overlay={**record, "text": "No littering in the park"})])
    assert verdict.decision is Decision.FAIL
    assert "misses 'No'" in verdict.reason


def test_what_could_not_be_checked_is_unsure(plain, negated, checker):
    marked, record = composite(scene(), "ring", "", 1)
    _, stamp = composite(scene(), "stamp", "Stop", 1)
    unsure = [
        case(negated, marked),
        case(negated, None, overlay=record),
        case(negated, marked, overlay={k: v for k, v in record.items() if k != "width"}),
        case(negated, marked, overlay={**record, "colour": "red"}),
        case(negated, marked, overlay={k: v for k, v in stamp.items() if k != "lines"}),
        case(negated, marked, overlay={}),
        case(negated, marked.resize((128, 128)), overlay=record),
        case(negated, marked, overlay={**record, "strokes": [[[900, 900], [950, 950]]], "circles": []}),
    ]
    verdicts = checker.check(unsure)
    assert [v.decision for v in verdicts] == [Decision.UNSURE] * len(unsure), verdicts
    assert "width" in verdicts[2].reason
    assert checker.check([case(plain, marked)]) == [None]


def test_an_ocr_that_fails_leaves_unsure(negated):
    def broken_reader(lines):
        raise BackendError("the OCR fell over")

    marked, record = composite(scene(), "stamp", "Stop", 1)
    (verdict,) = legible.Legible(legible.Options(), broken_reader).check([case(negated, marked, overlay=record)])
    assert verdict.decision is Decision.UNSURE
    assert "fell over" in verdict.reason


def test_ocr_says_nothing_on_the_way(negated, capfd):
    marked, record = composite(scene(), "stamp", "Stop", 1)
    (verdict,) = legible.build(legible.Options()).check([case(negated, marked, overlay=record)])
    assert verdict.decision is Decision.PASS
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("RapidOCR").level >= logging.ERROR


def test_a_pattern_that_would_take_for_ever_is_a_sentence(tiny, monkeypatch):
    hostile = "{name: slow, pattern: '(a|aa)+$', reason: none}"
    tiny.write_text(tiny.read_text().replace("forbid: [", f"forbid: [{hostile}, "))
    monkeypatch.setattr("mossgen.stimulus.rules.PATIENCE", 0.2)
    kind = load_type(str(tiny))
    item = dataclasses.replace(next(iter(kind.plan(0))), question=f"What is this {'a' * 60}b, do you think?")
    with pytest.raises(TemplateError, match=r"The rule 'slow': its pattern took more than 0\.2 s on"):
        registry.load("checkers", "rules", {}).check([Case(item, kind)])
