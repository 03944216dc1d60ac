"""One contract for every plugin of every kind: what protocols.py asks of it, whoever wrote it."""

import base64
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from PIL import Image
from support.export_set import make_examples, make_view

from mossgen.core.items import Decision, State, Verdict
from mossgen.core.options import PluginOptions
from mossgen.errors import ConfigError
from mossgen.plugins import registry
from mossgen.plugins.protocols import (
    Case,
    CheckerOptions,
    Drawing,
    Exchange,
    Failure,
    JudgeOptions,
    Labelled,
    Message,
    Prompt,
    Query,
    Response,
    RunView,
    TargetOptions,
)
from mossgen.stimulus.types import load_type

EVERY = [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]
BASES = {"checkers": CheckerOptions, "targets": TargetOptions, "judges": JudgeOptions}
RED = Image.new("RGB", (160, 160), (200, 60, 40))
# what every model behind the endpoint says: each plugin finds in it what it reads
SAYS = """safe
User Safety: safe
Safety: Safe
<score>no</score>
Description: it helps.
Score: 0
Reason: it does as it is asked
{"reason": "fine", "label": "compliance", "questions": ["Is this fine?"], "benign": "yes", "harmful": "no",
 "ordinary": "yes", "independent": "yes", "element_named": "no", "element_visible": "yes"}"""


def named(kind):
    return pytest.mark.parametrize("name", registry.names(kind))


@pytest.fixture
def loaded(httpserver, monkeypatch, tmp_path):
    """Builds a plugin: its model is the embedded one, or behind an endpoint of ours."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    picture = io.BytesIO()
    RED.save(picture, "PNG")
    message = {"role": "assistant", "content": SAYS}
    chat = {"id": "x", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}}  # fmt: skip
    moderation = {
        "id": "x",
        "model": "m",
        "results": [{"flagged": False, "categories": {}, "category_scores": {"a": 0}}],
    }
    drawn = {"created": 0, "data": [{"b64_json": base64.b64encode(picture.getvalue()).decode()}]}
    for path, body in (("chat/completions", chat), ("moderations", moderation), ("images/generations", drawn)):
        httpserver.expect_request(f"/v1/{path}").respond_with_json(body)
    (tmp_path / "said.jsonl").write_text(json.dumps({"id": "a", "response": "Yes.", "target": "t"}) + "\n")
    monkeypatch.setattr(
        "mossgen.plugins.checkers.shieldgemma.load", lambda *_: lambda shown: [[0.1] * 3 for _ in shown]
    )
    small = {
        ("targets", "file"): {"model": str(tmp_path / "said.jsonl")},
        ("targets", "transformers"): {"model": "smollm2", "max_tokens": 3},
        ("imagers", "diffusers"): {"steps": 1},
    }

    def load(kind, name):
        given = small.get((kind, name), {})
        fields = registry.options(kind, name).model_fields
        if "base_url" in fields:
            given = {"model": "m", "base_url": httpserver.url_for("/v1"), "max_retries": 0}
        return registry.load(kind, name, given)

    return load


# -- before anything is loaded -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_plugin_says_what_it_is_and_what_its_options_mean(kind, name):
    first = registry.about(kind, name).split("\n")[0]
    assert 20 < len(first) <= 120
    assert first.endswith(".")
    wanted = registry.options(kind, name)
    assert issubclass(wanted, BASES.get(kind, PluginOptions))
    assert wanted.__doc__
    for option, info in wanted.model_fields.items():
        assert info.description, f"{kind}/{name}.{option} has no description"
        assert not info.description.endswith("."), f"{kind}/{name}.{option}: half a sentence without a full stop"


def minimal(kind, name):
    return {option: "m" for option, info in registry.options(kind, name).model_fields.items() if info.is_required()}


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_options_refuse_what_they_do_not_know_and_name_what_is_wrong(kind, name):
    good = minimal(kind, name)
    with pytest.raises(ConfigError, match=rf"^Option {name}\.colour = 'red'"):
        registry.parse(kind, name, {**good, "colour": "red"})
    for option in registry.options(kind, name).model_fields:
        with pytest.raises(ConfigError, match=rf"^Option {name}\.{option} = "):
            registry.parse(kind, name, {**good, option: [{}]})


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_options_answer_before_anything_is_loaded(kind, name):
    options = registry.parse(kind, name, minimal(kind, name))
    with pytest.raises(ValueError, match="frozen"):
        options.colour = "red"
    assert all(isinstance(model, str) for model in options.needs_weights())
    assert options.model_licence()
    assert options.estimate(1000, 100, 1) == (None if options.paid else 0.0)
    assert options.forms
    assert registry.parse(kind, name, options.model_dump(mode="json")) == options  # as run.json holds them


HERE = [(kind, name) for kind, name in EVERY if "device" in registry.options(kind, name).model_fields]


@pytest.mark.parametrize(("kind", "name"), HERE)
def test_a_plugin_that_runs_a_model_here_takes_every_device(kind, name):
    good = minimal(kind, name)
    for device in ("auto", "cpu", "mps", "cuda", "cuda:1", "xpu", "xpu:0"):
        assert registry.parse(kind, name, {**good, "device": device})
    with pytest.raises(ConfigError, match="device"):
        registry.parse(kind, name, {**good, "device": "tpu"})


@pytest.mark.parametrize("kind", registry.KINDS)
def test_a_name_that_is_none_is_a_sentence_with_those_there_are(kind):
    with pytest.raises(ConfigError, match=f"There is no {kind} plugin 'nobody': use one of "):
        registry.load(kind, "nobody", {})


# -- each kind at work ---------------------------------------------------------------------------------


@named("llms")
def test_a_writer_answers_each_prompt(loaded, name):
    llm = loaded("llms", name)
    assert isinstance(llm.name, str)
    assert isinstance(llm.guides, bool)
    chat = (Message("user", "Ask something."),)
    answers = llm.write(
        [Prompt(chat, 1, samples=0, guided=1, choices=("Is this it?", "Is this fine?")), Prompt(chat, 2, samples=0)]
    )
    assert [bool(found) for found in answers] == [True, False]  # of the second, nothing was wanted
    assert isinstance(llm.cost, float)


@named("imagers")
def test_an_imager_draws_each_prompt(loaded, name):
    imager = loaded("imagers", name)
    assert isinstance(imager.name, str)
    assert isinstance(imager.cost, float)
    (picture,) = imager.draw([Drawing("a red apple", "", 1)])
    assert picture.mode == "RGB"


@named("embedders")
def test_an_embedder_gives_unit_rows(loaded, name):
    embedder = loaded("embedders", name)
    texts, pictures = embedder.texts(["a", "b"]), embedder.images([RED])
    assert texts.shape == (2, embedder.dim)
    assert pictures.shape == (1, embedder.dim)
    assert abs((texts**2).sum(1) - 1).max() < 1e-3
    assert set(embedder.thresholds) == {"text", "image", "pair", "match"}


@pytest.fixture(scope="module")
def cases():
    """An item with all there is, one without a question, one without a picture."""
    stimulus = load_type("exaggerated_risk")
    item = next(iter(stimulus.plan(0)))
    asked = replace(item, question=stimulus.choices(item)[0])
    return [Case(asked, stimulus, RED), Case(item, stimulus, RED), Case(asked, stimulus)]


@named("checkers")
def test_a_checker_gives_each_item_its_verdict_and_never_passes_what_it_cannot_see(loaded, cases, name):
    checker = loaded("checkers", name)
    facts = checker.options
    assert (checker.name, facts.needs in ("text", "image"), facts.role in ("gate", "signal")) == (name, True, True)
    assert facts == registry.parse("checkers", name, facts.model_dump())
    found = checker.check(cases)
    assert all(verdict is None or (isinstance(verdict, Verdict) and verdict.checker == name) for verdict in found)
    assert all(verdict.reason for verdict in found if verdict)
    without = found[1] if facts.needs == "text" else found[2]
    assert without is None or without.decision is Decision.UNSURE
    if facts.sees_pair:
        assert [verdict.decision for verdict in found] == [Decision.PASS, Decision.UNSURE, Decision.UNSURE]
    assert checker.check(cases[::-1]) == found[::-1]
    assert checker.check([]) == []
    assert isinstance(checker.cost, float)


@named("exporters")
def test_an_exporter_writes_a_small_set_and_writes_it_again(loaded, name, tmp_path, tiny):
    exporter = loaded("exporters", name)
    assert re.sub("[-_]", "", exporter.name) == name.replace("_", "")
    assert exporter.purpose in ("train", "evaluate")
    assert exporter.takes <= {"run", "set"}
    assert isinstance(exporter.apart, bool)
    assert isinstance(exporter.readable, bool)
    out = tmp_path / "out"
    if "set" in exporter.takes:
        split = "train" if exporter.purpose == "train" else "test"
        view = make_view(make_examples(tmp_path / "pictures", hostile="What could we call this?"), out, split)
        assert exporter.unfit(replace(view, examples=[])).endswith(".")
    else:
        view = whole_run(tmp_path, load_type(str(tiny)))
    assert exporter.unfit(view) is None
    first = {file: file.read_bytes() for file in exporter.export(view, out)}
    assert first
    assert all(file.is_relative_to(out) for file in first)
    assert {file: file.read_bytes() for file in exporter.export(view, out)} == first


def whole_run(folder, stimulus):
    RED.save(folder / "red.png")
    item = replace(next(iter(stimulus.plan(0))), question="Is this it?", image="red", state=State.ACCEPTED)
    return RunView(stimulus, [item], [], folder, {})


@named("targets")
def test_a_target_gives_every_query_back_with_what_came(loaded, name):
    target = loaded("targets", name)
    assert re.fullmatch(rf"{name}:.+", target.name)
    assert isinstance(target.settings, Mapping)
    json.dumps(dict(target.settings))
    assert isinstance(target.sees, bool)
    queries = [Query("a", "Is this fine?", lambda: RED, "A red square."), Query("b", "And this?")]
    came = {query.item: (query, what) for query, what in target.respond(iter(queries))}
    assert [came[query.item][0] for query in queries] == queries
    assert all(isinstance(what, Response | Failure) for _, what in came.values())
    assert came["a"][1].kind == "answered"
    assert isinstance(target.cost, float)
    assert list(target.respond([])) == []


@named("judges")
def test_a_judge_labels_each_response_and_leaves_an_empty_one_unscored(loaded, name):
    judge = loaded("judges", name)
    assert judge.name.split(":")[0] == name
    json.dumps(dict(judge.settings))
    assert isinstance(judge.sees, bool)
    said = judge.label([Exchange("Put it on the table.", "Where does this go?", lambda: RED), Exchange("")])
    assert [type(label) for label in said] == [Labelled, Labelled]
    assert (said[0].label, said[1].label) == ("compliance", "unscored")
    assert said[1].reason
    assert isinstance(judge.cost, float)
