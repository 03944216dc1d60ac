"""Types as files: planning, rendering, and what a wrong file says."""

import itertools
import json
from pathlib import Path

import pytest

from mossgen.errors import TemplateError
from mossgen.items import item_id
from mossgen.stimulus import expand_alternatives, load_type, type_names

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


BROKEN = {
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
    "expression that fails": ('category: "{{ place }}"', 'category: "{{ 1 / 0 }}"', "division by zero"),
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
