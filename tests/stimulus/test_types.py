"""Types as files: planning, rendering, and what a wrong file says."""

import itertools
import json
from pathlib import Path

import pytest

from mossgen.core.items import item_id
from mossgen.errors import TemplateError
from mossgen.stimulus.texts import MAX_TEXT, Texts, expand_alternatives
from mossgen.stimulus.types import load_type, type_names

SHIPPED = ("counterintuitive", "exaggerated_risk", "negated_harm")


def test_the_three_types_come_along() -> None:
    assert set(SHIPPED) <= set(type_names())


def test_alternatives_expand_and_tidy() -> None:
    assert expand_alternatives("[Write|Draft] it [now|].") == [
        "Write it now.",
        "Write it.",
        "Draft it now.",
        "Draft it.",
    ]


def test_plan_repeats_and_has_no_repeats(tiny: Path) -> None:
    kind = load_type(str(tiny))
    first = list(kind.plan(3))
    assert first == list(kind.plan(3))
    assert first != list(kind.plan(4))
    assert len({json.dumps(dict(i.slots)) for i in first}) == len(first) == 6 * 4 - 2  # cakes stay indoors
    assert [i.number for i in first] == list(range(len(first)))
    assert all(i.id == item_id(i.type, i.seed_id, i.slots, i.variant) for i in first)


def test_needs_are_honoured(tiny: Path) -> None:
    places = {i.slots["place"] for i in load_type(str(tiny)).plan(0) if i.slots["thing"] == "birthday cake"}
    assert places == {"kitchen", "classroom"}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_long_plan_is_spread(name: str) -> None:
    kind = load_type(name)
    items = list(itertools.islice(kind.plan(0), 200))
    assert len(items) == 200
    for slot, spec in kind.template.slots.items():
        used = {i.slots[slot] for i in items}
        assert len(used) >= min(len(spec.values), 40) * 0.8, f"{slot}: {len(used)} of {len(spec.values)} values used"
    assert all(kind.choices(i) for i in items)


@pytest.mark.parametrize("name", SHIPPED)
def test_seeds_are_many(name: str) -> None:
    seeds = load_type(name).seeds
    assert len(seeds) >= 40
    assert len({s.question for s in seeds}) == len(seeds)


BROKEN: dict[str, tuple[str, str, str | None]] = {
    "no YAML": ("name: tiny", "name: [tiny", "line"),
    "unknown field": ("title: Tiny", "title: Tiny\nsubtitle: x", "subtitle"),
    "missing field": ("title: Tiny", "", "title: Field required"),
    "primary is no slot": ("primary: thing", "primary: stuff", "'stuff' is no slot"),
    "text names a missing slot": ('category: "{{ place }}"', 'category: "{{ colour }}"', "'colour' is undefined"),
    "value lacks a field": ("{text: guitar, names: [guitar]}", "{text: guitar}", "names"),
    "value twice": ("text: sunflower", "text: guitar", "stands twice"),
    "needs a missing slot": ("needs: {place:", "needs: {room:", "missing slot 'room'"),
    "nothing fits": ("needs: {place: [indoor]}", "needs: {place: [nowhere]}", None),
    "terms_of nowhere": ("terms_of: [thing.names]", "terms_of: [thing.nouns]", "'thing.nouns' names no slot"),
    "sandbox": ('category: "{{ place }}"', 'category: "{{ place.__class__.__mro__ }}"', "unsafe"),
    "control character": ("title: Tiny", "title: Ti\0ny", "not valid YAML"),
    "date that is none": ("title: Tiny", "title: 2024-06-31", "not valid YAML"),
    "expression that fails": ('category: "{{ place }}"', 'category: "{{ place.text + 1 }}"', "category: in"),
    "index that is none": ('category: "{{ place }}"', 'category: "{{ place.tags[7] }}"', "no element 7"),
    "loop": ('category: "{{ place }}"', 'category: "{% for i in range(10**9) %}a{% endfor %}"', "`for` is not allowed"),
    "nested loop": (
        '"Picture:',
        '"{% for a in thing.names %}{% for b in thing.names %}x{% endfor %}{% endfor %}:',
        "questions.user: in",
    ),
    "repeated text": ('category: "{{ place }}"', """category: "{{ 'a' * 10**9 }}\"""", "`mul` is not allowed"),
    "formatted text": ('category: "{{ place }}"', """category: "{{ '%999999999d' % 1 }}\"""", "`mod` is not allowed"),
    "filter that grows": ('category: "{{ place }}"', 'category: "{{ place | center(10**9) }}"', "no filter 'center'"),
    "method that grows": ('category: "{{ place }}"', 'category: "{{ place.text.zfill(999999999) }}"', "`call` is not"),
    "macro": (
        'category: "{{ place }}"',
        'category: "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}"',
        "`macro` is not",
    ),
    "doubling": (
        'category: "{{ place }}"',
        'category: "{% set x = place ~ place %}{{ x }}"',
        "`assign` is not allowed",
    ),
    "joins in joins": (
        'category: "{{ place }}"',
        'category: "{{ NAMES | join(NAMES | join(NAMES | join(NAMES | join)))}}"'.replace(
            "NAMES", str(["x" * 10] * 30)
        ),
        "`| join` becomes longer",
    ),
    "too many alternatives": ("Where in the", " ".join(["[a|b|c]"] * 40) + " in the", "questions.frames[2]: '[a|b|c]"),
    "undefined where the sample does not go": (
        'category: "{{ place }}"',
        'category: "{% if place.text == 0 %}{{ colour }}{% endif %}{{ place }}"',
        "category: in",
    ),
    "no such field": ('category: "{{ place }}"', 'category: "{{ place.colour }}"', "'place' has no field 'colour'"),
    "alias bomb": (
        "title: Tiny",
        "title: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "\n".join(f"b{i}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]" for i in range(9)),
        "line 7: not valid YAML: this stands for more than",
    ),
    "alias without an end": ("title: Tiny", "title: &a [*a, *a]", "contains itself"),
    "merge bomb": (
        "title: Tiny",
        "title: &a {k: v}\n"
        + "\n".join(f"b{i}: &{chr(98 + i)} {{<<: [{', '.join(['*' + chr(97 + i)] * 20)}]}}" for i in range(9)),
        "stands for more",
    ),
    "deep nest": ("title: Tiny", "title: " + "[" * 5000, "not valid YAML"),
    "long text": ("title: Tiny", "title: " + "x" * 10_001, "line 3: not valid YAML: a text of 10,001 characters"),
    "too many slots": (
        "image_prompt:",
        "\n".join(f"  s{i}: {{about: x, values: [{{text: a}}]}}" for i in range(40)) + "\nimage_prompt:",
        "at most 16",
    ),
    "too many values": (
        "image_prompt:",
        "  more: {about: x, values: [" + ", ".join(f"{{text: v{i}}}" for i in range(5001)) + "]}\nimage_prompt:",
        "at most 5,000",
    ),
    "huge file": ("title: Tiny", "title: Tiny\n#" + "x" * 1_000_000, "larger than 1,000,000 bytes"),
    "pick of no list": ('category: "{{ place }}"', 'category: "{{ place | pick }}"', "takes one of a list"),
    "terms that are no words": ("names: [guitar]", "names: [6]", "names must be a text or texts"),
    "bad pattern": ('pattern: "\\\\bthis\\\\b"', 'pattern: "("', "rules.require.0"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_template_says_what_is_wrong(case: str, tiny: Path) -> None:
    old, new, wanted = BROKEN[case]
    text = tiny.read_text(encoding="utf-8")
    assert old in text
    tiny.write_text(text.replace(old, new, 1), encoding="utf-8")
    if wanted is None:
        assert all(i.slots["thing"] != "birthday cake" for i in load_type(str(tiny)).plan(0))
        return
    with pytest.raises(TemplateError) as caught:
        load_type(str(tiny))
    assert wanted in str(caught.value)
    assert "tiny.yaml" in str(caught.value)


FRAMES_OF = {
    "no Jinja": ("What is {{ this ?", "slots.thing: 'guitar': names: in 'What is {{ this ?'"),
    "missing slot": ("What is {{ colour }}?", "slots.thing: 'guitar': names: in 'What is {{ colour }}?': 'colour' is"),
    "too many": ("[a|b]" * 40, "slots.thing: 'guitar': names: '[a|b][a|b]"),
}


@pytest.mark.parametrize("case", FRAMES_OF)
def test_broken_frames_of_values_are_found_at_load(case: str, tiny: Path) -> None:
    frame, wanted = FRAMES_OF[case]
    text = tiny.read_text(encoding="utf-8").replace("  frames:\n", "  frames_of: [thing.names]\n  frames:\n")
    tiny.write_text(text, encoding="utf-8")
    load_type(str(tiny))
    tiny.write_text(text.replace("names: [guitar]", f"names: [guitar, {frame!r}]"), encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        load_type(str(tiny))
    assert f"tiny.yaml: {wanted}" in str(caught.value)


def test_what_texts_may_do_they_can() -> None:
    class Thing:
        text, tags, names = "red apple", ("fruit",), ["apple", "pear"]

        def has(self, words: list[str]) -> bool:
            return "fruit" in words

        def __str__(self) -> str:
            return self.text

    texts = Texts({"thing": ["names"]})
    text = "{% if thing.has(['fruit']) and not thing.names is none %}{{ thing | an }}{% else %}no{% endif %}"
    assert texts.render(text, {"thing": Thing()}, "key") == "a red apple"
    text = "{{ thing.names | join(' or ') ~ '!' }} {{ thing.names[-1] if thing.text == 'red apple' else '' | upper }}"
    assert texts.render(text, {"thing": Thing()}, "key") == "apple or pear! pear"
    text = "{{ thing.names | select('in', ['pear', 'plum']) | first | default('none') }}"
    assert texts.render(text, {"thing": Thing()}, "key") == "pear"
    assert texts.render(text.replace("pear", "nut"), {"thing": Thing()}, "key") == "none"
    assert {texts.render("{{ thing.names | pick }}", {"thing": Thing()}, str(k)) for k in range(9)} == {"apple", "pear"}


def test_a_text_that_becomes_too_long_is_cut_off() -> None:
    texts = Texts({"thing": []})
    with pytest.raises(TemplateError, match="becomes longer than 10,000"):
        texts.render("{{ thing }}" * 20, {"thing": "x" * (MAX_TEXT // 10)}, "key")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("{oops", "line 2"), ('{"id": "ty-9", "picture": "A long one."}', "line 2: question"),
     ('{"id": "ty-1", "picture": "A kite again.", "question": "What is this one?"}', "'ty-1' stands twice")],
)  # fmt: skip
def test_broken_seeds_say_where(line: str, wanted: str, tiny: Path) -> None:
    seeds = tiny.with_suffix(".jsonl")
    lines = seeds.read_text(encoding="utf-8").split("\n")
    seeds.write_text("\n".join([lines[0], line, *lines[1:]]), encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        load_type(str(tiny))
    assert wanted in str(caught.value)


def test_an_unknown_type_names_the_known() -> None:
    with pytest.raises(TemplateError, match="negated_harm"):
        load_type("nonsense")
