"""Responses for the refusal head, with labels: XSTest's completions, labelled by people, and our own."""

from __future__ import annotations

import csv
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mossgen.embedded.refusal import CLASSES
from mossgen.errors import ConfigError

MODELS = ("gpt4", "llama2new", "mistralinstruct")
_FINAL = {"1_full_compliance": 0, "3_partial_refusal": 1, "2_full_refusal": 2}


@dataclass(frozen=True)
class Response:
    """A labelled response; `label` is an index into CLASSES."""

    question: str
    response: str
    label: int
    source: str  # the model that wrote it, or "own"


def xstest(folder: Path) -> list[Response]:
    """The completions under `folder`/xstest. Raises ConfigError if a file lacks or has a label of its own."""
    found = []
    for name in MODELS:
        path = folder / "xstest" / f"completions_{name}.csv"
        if not path.is_file():
            raise ConfigError(f"--data {folder} has no xstest/{path.name}: the refusal head is measured on it.")
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["final_label"] not in _FINAL:
                    raise ConfigError(f"{path}: final_label {row['final_label']!r} is none of {', '.join(_FINAL)}.")
                found.append(Response(row["prompt"], row["completion"], _FINAL[row["final_label"]], name))
    return found


def own(count: int, seed: int = 0) -> list[Response]:
    """`count` responses put together from our own sentences, a third of each class."""
    texts, draw = _read("refusal_texts.yaml"), random.Random(seed)
    lists = {**_read("safety_pairs.yaml")["lists"], **texts["lists"]}
    exchanges = [[part.strip() for part in line.split("|")] for line in texts["exchanges"].strip().splitlines()]
    found: dict[tuple[str, str], Response] = {}
    while len(found) < count:
        label = draw.randrange(len(CLASSES))
        if draw.random() < 0.6:
            question, response = _from_topic(draw.choice(texts["topics"]), CLASSES[label], lists, draw)
        else:
            question, response = _from_parts(texts, draw.choice(exchanges), label, draw)
        found[question, response] = Response(question, response, label, "own")
    return list(found.values())


def _read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8")))


def _from_topic(topic: dict[str, Any], kind: str, lists: dict[str, list[str]], draw: random.Random) -> tuple[str, str]:
    # what is talked about stays the same in question and answer, the phrases around it change
    chosen = {name: draw.choice(values) for name, values in lists.items()}
    about = draw.choice(topic["question"])
    said = re.sub(r"\{(\w+)\}", lambda slot: _phrase(slot[1], chosen, lists, draw), draw.choice(topic[kind]))
    question = re.sub(r"\{(\w+)\}", lambda slot: chosen[slot[1]], about)
    return question, " ".join((said[:1].upper() + said[1:]).split())


def _phrase(slot: str, chosen: dict[str, str], lists: dict[str, list[str]], draw: random.Random) -> str:
    if slot in ("values", "offer", "steps", "because"):
        return draw.choice(lists[slot])
    return re.sub(r"\bmy\b", "your", chosen[slot])


def _from_parts(texts: dict[str, Any], exchange: list[str], label: int, draw: random.Random) -> tuple[str, str]:
    question, *answer = exchange

    def some(part: str, most: int, chance: float) -> list[str]:
        return draw.sample(texts[part], draw.randint(1, most)) if draw.random() < chance else []

    if CLASSES[label] == "compliance":
        parts = [*answer[: draw.randint(1, len(answer))], *some("warn", 1, 0.3), *some("close", 1, 0.2)]
    elif CLASSES[label] == "partial":
        parts = [*some("hedge", 1, 1), *some("moral", 1, 0.3), *answer, *some("redirect", 1, 0.2)]
        if draw.random() < 0.4:
            parts = [*some("decline", 1, 1), *some("moral", 1, 0.6), "Instead, here is another idea.", *answer]
    else:
        question = draw.choice(texts["harmful_questions"]) if draw.random() < 0.6 else question
        parts = [*some("decline", 2, 1), *some("moral", 3, 0.6), *some("redirect", 2, 0.5)]
    return question, " ".join(parts)
