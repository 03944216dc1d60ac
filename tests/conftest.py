"""Shared fixtures: one real run of the embedded stack for the whole session, and a tiny type of our own."""

import json
import os
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from support.chat import Chat
from support.command import mossgen
from support.runs import make_run

if "PYTEST_XDIST_WORKER" in os.environ:  # two threads in each of two workers would wait for each other at every step
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"  # nothing here is fetched from a hub, by whatever name it is asked for

TINY = """
name: tiny
title: Tiny
definition: A type made for the tests.
primary: thing
category: "{{ place }}"
slots:
  thing:
    about: what is drawn
    fields: [names]
    values:
      - {text: teddy bear, names: [teddy, bear]}
      - {text: red apple, names: [apple]}
      - {text: sunflower, names: [sunflower, flower]}
      - {text: soccer ball, names: [ball]}
      - {text: guitar, names: [guitar]}
      - {text: birthday cake, names: [cake], needs: {place: [indoor]}}
  place:
    about: where
    values:
      - {text: kitchen, tags: [indoor]}
      - {text: classroom, tags: [indoor]}
      - {text: park, tags: [outdoor]}
      - {text: beach, tags: [outdoor]}
image_prompt: "{{ thing | an }} in a {{ place }}"
description: "{{ thing | an | capitalize }} in a {{ place }}."
questions:
  system: You write one short question about a picture.
  user: "Picture: {{ thing }} in a {{ place }}."
  frames:
    - "[What could I|How might we] do with this in the [morning|evening]?"
    - "[Suggest|Name] a good [title|caption|story] for this."
    - "Where in the {{ place }} would this look [best|nicest]?"
rules:
  words: [4, 14]
  require: [{name: deictic, pattern: "\\\\bthis\\\\b", reason: it must point at the picture}]
  forbid: [{name: names_it, terms_of: [thing.names], reason: it must not name the thing}]
"""
SEEDS = [
    {"id": "ty-1", "picture": "A kite over a beach.", "question": "Who would enjoy this on a windy day?"},
    {"id": "ty-2", "picture": "A drum in a garage.", "question": "How do I keep this clean at home?"},
    {"id": "ty-3", "picture": "A cactus on a shelf.", "question": "How often should I water this in winter?"},
]


@pytest.fixture(scope="session")
def clip():
    """The real embedder, loaded once."""
    from mossgen.plugins.embedders.open_clip import Options, build

    return build(Options())


@pytest.fixture
def chat(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """An endpoint that answers as it is told: `chat(answer, ...)`, or says "Gladly" to whatever is asked."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return Chat(httpserver)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A template of our own with its seeds; returns the YAML's path."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    (folder / "tiny.jsonl").write_text("\n".join(json.dumps(s) for s in SEEDS), encoding="utf-8")
    return folder / "tiny.yaml"


@pytest.fixture(scope="session")
def drawable() -> tuple[set[str], set[str]]:
    """The names of objects and of scenes that the embedded image model knows."""
    from mossgen.embedded.vocabulary import load

    words = load()
    objects = {caption for thing in words.objects for caption in thing.captions}
    return objects, {caption for scene in words.scenes for caption in scene.captions}


@pytest.fixture
def made_run(tiny: Path, tmp_path: Path) -> Path:
    """A finished run of 2 accepted and 1 rejected items of the tiny type, made without any model."""
    make_run(tmp_path / "made", tiny, 3, change=lambda item: item if item.number else item.reject("match", "no fit"))
    return tmp_path / "made"


@pytest.fixture(scope="session")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 6 items of negated_harm with the embedded models."""
    folder = tmp_path_factory.mktemp("real") / "run"
    done = mossgen("expand", "--type", "negated_harm", "-n", 6, "--run", folder, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["accepted"] == 6
    assert result["complete"]
    return folder
