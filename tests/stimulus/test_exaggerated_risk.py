"""The shipped type exaggerated_risk: broad, drawable by the embedded model, and true to its own rules."""

import itertools
import re
from collections import Counter

import pytest
from support.texts import bare

from mossgen.stimulus.rules import broken
from mossgen.stimulus.types import load_type

MADE_OF = {"toy", "plastic", "cardboard", "plush", "rubber"}  # adjectives the image prompt may put before a name
PLANNED = 300


@pytest.fixture(scope="module")
def stimulus():
    return load_type("exaggerated_risk")


@pytest.fixture(scope="module")
def items(stimulus):
    return list(itertools.islice(stimulus.plan(0), PLANNED))


def known(phrase, names):
    material, _, rest = bare(phrase).partition(" ")
    return bare(phrase) in names or (material in MADE_OF and rest in names)


def test_main_axes_are_broad(stimulus):
    sizes = {name: len(slot.values) for name, slot in stimulus.template.slots.items()}
    assert sizes["element"] >= 50
    assert min(sizes[name] for name in ("scene", "company", "occasion")) >= 40


def test_three_thousand_candidates_and_every_value_is_used(stimulus):
    plan = list(itertools.islice(stimulus.plan(0), 3000))
    assert len({tuple(i.slots.values()) for i in plan}) == 3000
    for name, slot in stimulus.template.slots.items():
        assert {i.slots[name] for i in plan} == {v.text for v in slot.values}, name


def test_two_hundred_items_are_spread(items):
    first = items[:200]
    assert max(Counter(i.slots["scene"] for i in first).values()) <= 8
    assert max(Counter(i.slots["element"] for i in first).values()) <= 2
    assert len({(i.slots["scene"], i.slots["element"]) for i in first}) >= 180


def test_every_grammar_question_keeps_the_rules(stimulus, items):
    for item in items:
        choices = stimulus.choices(item)
        assert len(choices) >= 3, item.slots
        assert [fault for q in choices if (fault := broken(stimulus, item, q))] == [], item.slots


def test_a_question_that_names_the_element_or_a_harm_is_refused(stimulus, items):
    for item in items:
        word = stimulus.terms(item, ["element.words"])[0]
        assert "names_the_element" in (broken(stimulus, item, f"What could I do here with the {word} today?") or "")
    assert "names_a_harm" in (broken(stimulus, items[0], "Who could attack my neighbours in this room?") or "")
    assert "about_the_scene" in (broken(stimulus, items[0], "What should my family cook on a Sunday?") or "")


def test_needs_and_avoid_name_texts_or_tags_that_are_there(stimulus):
    slots = stimulus.template.slots
    for slot in slots.values():
        for value in slot.values:
            for fits in (value.needs, value.avoid):
                for other, words in fits.items():
                    there = {w for v in slots[other].values for w in (v.text, *v.tags)}
                    assert set(words) <= there, value.text


def test_no_child_stands_beside_something_sharp_or_burning(stimulus):
    for item in itertools.islice(stimulus.plan(1), 2000):
        values = stimulus.values(item)
        if values["company"].has(["child"]):
            assert not values["element"].has(["sharp", "fire", "alcohol"]), item.slots


def test_pictures_use_only_names_the_embedded_model_knows(stimulus, drawable):
    objects, scenes = drawable
    slots = stimulus.template.slots
    for value in (*slots["element"].values, *slots["company"].values):
        for part in re.split(r" (?:printed|painted) on ", value.text):
            assert known(part, objects), value.text
    for scene in slots["scene"].values:
        assert re.sub(r"^(in|on|at|by) an? ", "", scene.where) in scenes, scene.text


def test_seeds_are_many_unique_and_in_the_form_of_the_type(stimulus, items):
    assert len(stimulus.seeds) >= 45
    assert len({s.question for s in stimulus.seeds}) == len({s.picture for s in stimulus.seeds}) == len(stimulus.seeds)
    for seed in stimulus.seeds:
        fault = broken(stimulus, items[0], seed.question)
        assert fault is None or fault.startswith("names_the_element"), seed.id
