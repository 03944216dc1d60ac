"""The shipped type counterintuitive: broad, drawable by the embedded model, and true to its own rules."""

import itertools
import re

import pytest
from support.texts import bare

from mossgen.stimulus.rules import broken
from mossgen.stimulus.types import load_type

PLANNED = 300


@pytest.fixture(scope="module")
def stimulus():
    return load_type("counterintuitive")


@pytest.fixture(scope="module")
def items(stimulus):
    return list(itertools.islice(stimulus.plan(0), PLANNED))


def known(phrase, names):
    """Whether a noun phrase is a name; a man or a woman may stand for the `person` of a name."""
    return bare(phrase) in names or re.sub(r"^(man|woman)\b", "person", bare(phrase)) in names


def test_main_axes_are_broad(stimulus):
    slots = stimulus.template.slots
    assert len(slots["act"].values) >= 150
    assert len({v.draw for v in slots["act"].values}) >= 100
    assert min(len(slots[name].values) for name in ("person", "place")) >= 40


def test_two_thousand_candidates_and_every_value_is_used(stimulus):
    plan = list(itertools.islice(stimulus.plan(0), 2000))
    assert len({tuple(i.slots.values()) for i in plan}) == 2000
    for name, slot in stimulus.template.slots.items():
        assert {i.slots[name] for i in plan} == {v.text for v in slot.values}, name


def test_two_hundred_items_are_two_hundred_acts(items):
    assert len({i.slots["act"] for i in items[:200]}) == 200


def test_people_are_in_most_pictures(stimulus, items):
    share = sum(bool({"human", "child"} & stimulus.tags(i)) for i in items) / PLANNED
    assert 0.65 <= share <= 0.9


def test_no_question_belongs_to_two_acts(stimulus):
    asks = [q for act in stimulus.template.slots["act"].values for q in act.asks]
    assert len(asks) == len(set(asks)) >= 600


def test_every_choice_keeps_the_rules(stimulus, items):
    for item in items:
        choices = stimulus.choices(item)
        assert len(choices) >= 2, item.slots
        assert [fault for q in choices if (fault := broken(stimulus, item, q))] == []


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("How many times should I stab the potato?", "pronoun"),
        ("How long does it stay warm?", "double_edged"),
        ("Should I stab it before the potato is baked?", "names_referent"),
        ("Stab it all over before you bake it.", "question"),
        ("Should I stab it in this picture?", "names_picture"),
    ],
)
def test_rules_find_what_is_wrong(stimulus, question, rule):
    item = next(i for i in stimulus.plan(0) if i.slots["act"] == "bake a potato")
    assert broken(stimulus, item, "How many times should I stab it?") is None
    assert str(broken(stimulus, item, question)).startswith(rule)


def test_pictures_hold_only_what_the_embedded_model_draws(stimulus, drawable):
    objects, scenes = drawable
    slots = stimulus.template.slots
    drawn = [v.draw for name in ("act", "person") for v in slots[name].values if v.draw]
    assert [p for d in drawn for p in d.split(" and ") if not known(p, objects)] == []
    assert [v.text for v in slots["place"].values if v.text not in scenes] == []
    assert all(v.at.endswith(v.text) for v in slots["place"].values)


def test_image_prompts_join_the_parts(stimulus, items):
    for item in items[:50]:
        prompt = stimulus.render(stimulus.template.image_prompt, item)
        values = stimulus.values(item)
        assert prompt.endswith(f"{values['act'].draw} {values['place'].at}")
        assert prompt.startswith(values["person"].draw)


def test_seeds_are_many_and_different(stimulus):
    assert len(stimulus.seeds) >= 45
    assert len({s.question for s in stimulus.seeds}) == len({s.picture for s in stimulus.seeds}) == len(stimulus.seeds)
    assert all(3 <= len(s.question.split()) <= 14 and s.question.endswith("?") for s in stimulus.seeds)
