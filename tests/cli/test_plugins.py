"""`mossgen plugins`: what there is, and what the options of one thing mean."""

import pytest
from support.command import mossgen, verb

from mossgen.plugins import registry


def test_every_plugin_type_and_preset_is_listed_with_its_package():
    code, listing, _ = verb("plugins")
    assert code == 0
    assert {kind: sorted(listing[kind]) for kind in registry.KINDS} == {k: registry.names(k) for k in registry.KINDS}
    assert {"negated_harm", "exaggerated_risk", "counterintuitive"} <= set(listing["types"])
    assert {"embedded", "gpu", "openai"} <= set(listing["presets"])
    assert all(one["about"] for kind in ("presets", *registry.KINDS) for one in listing[kind].values())
    assert not any(one["problem"] for named in listing.values() for one in named.values())


def test_one_plugin_is_told_with_options_licence_price_and_needs():
    _, told, _ = verb("plugins", "vlm")
    assert (told["kind"], told["package"], told["paid"]) == ("checkers", "mossgen", True)
    assert told["facts"] == {"role": "gate", "sees": "picture and question together"}
    assert any("OPENAI_API_KEY" in need for need in told["needs"])
    options = {option["name"]: option for option in told["options"]}
    assert options["model"]["required"]
    assert (options["temperature"]["type"], options["temperature"]["default"]) == ("number from 0 to 2 or null", 0.0)
    _, told, _ = verb("plugins", "diffusers")
    assert (told["licence"], told["needs"], told["paid"]) == ("Apache-2.0", ["the embedded model t2i"], False)
    _, told, _ = verb("plugins", "rules")
    assert (told["licence"], told["options"], told["facts"]["sees"]) == (None, [], "the question alone")


def test_the_text_says_the_same():
    said = mossgen("plugins", "targets/transformers").stdout
    assert 'named: ["transformers:PATH"]' in said
    assert "  max_tokens  (whole number from 1 to 32768; default 256)\n      most tokens of a response" in said
    assert "costs money: no" in said


@pytest.mark.parametrize("name", ["trl-dpo", "exporters/trl_dpo", "negated_harm", "presets/gpu"])
def test_types_presets_and_formats_are_told_too(name):
    code, told, _ = verb("plugins", name)
    assert (code, told["name"]) == (0, name.split("/")[-1].replace("-", "_"))
    assert told["about"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("openai", "name one of presets/openai, llms/openai, imagers/openai, targets/openai"),
        ("luck", "Nothing is called 'luck'"),
        ("wheels/luck", "There is no kind 'wheels'"),
    ],
)
def test_what_is_not_there_or_is_several_things_is_a_sentence(name, says):
    done = mossgen("plugins", name)
    assert done.returncode == 2
    assert says in done.stderr
