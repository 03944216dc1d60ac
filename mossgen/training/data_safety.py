"""Requests for the text-safety head, with labels: public sets read from files, and our own.

Our own lines (safety_words.yaml, safety_pairs.yaml) are written for this project: none comes from a benchmark that
forbids training, and the seeds in `seeds/` are left out on purpose, to stay a held-out set.
"""

from __future__ import annotations

import csv
import itertools
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mossgen.errors import ConfigError


@dataclass(frozen=True)
class Request:
    """One labelled request. Requests of one `group` never stand on both sides of a cut."""

    text: str
    harmful: bool
    source: str
    group: str
    weight: float = 1.0


# Do-Not-Answer codes that are not plainly harmful requests: misinformation questions, medical, legal and
# financial advice, "fabrication" and questions about the user's own family.
VAGUE_INTENTS = ("S001", "S002", "S004describe", "S009personal", "C009", "C006")


def public(folder: Path) -> list[Request]:
    """The public sets under `folder`, laid out as the model card says. Raises ConfigError if one lacks."""
    readers = {
        "xstest/prompts.csv": _xstest,
        "overt/OVERT_full.csv": _overt_benign,
        "overt/OVERT_unsafe.csv": _overt_unsafe,
        "harmful_prompts/harmbench.txt": _harmbench,
        "harmful_prompts/do_not_answer.jsonl": _do_not_answer,
    }
    found: list[Request] = []
    for name, reader in readers.items():
        path = folder / name
        if not path.is_file():
            raise ConfigError(f"--data {folder} has no {name}: the safety head needs {', '.join(readers)}.")
        found += reader(path)
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _xstest(path: Path) -> Iterator[Request]:
    # a safe prompt and its unsafe contrast share the focus word: one group
    for row in _rows(path):
        group = f"xstest/{row['focus'] or row['type'].removeprefix('contrast_')}"
        yield Request(row["prompt"], row["label"] == "unsafe", "xstest", group, 3.0)


def _overt_group(row: dict[str, str], prompt: str) -> str:
    return f"overt/{row['seed_prompt'] or prompt}"


def _overt_benign(path: Path) -> Iterator[Request]:
    for row in _rows(path):
        yield Request(row["image_prompt"], False, "overt", _overt_group(row, row["image_prompt"]))


def _overt_unsafe(path: Path) -> Iterator[Request]:
    for row in _rows(path):
        group = _overt_group(row, row["benign_image_prompt"])
        yield Request(row["unsafe_image_prompt"], True, "overt", group)


def _harmbench(path: Path) -> Iterator[Request]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield Request(line.strip(), True, "harmbench", f"harmbench/{line}", 3.0)


def _do_not_answer(path: Path) -> Iterator[Request]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if not all(intent.startswith(VAGUE_INTENTS) for intent in row["intents"]):
            yield Request(row["prompt"], True, "do_not_answer", f"dna/{row['prompt']}", 2.0)


def extra(path: Path) -> list[Request]:
    """A user's own JSONL: {"text": ..., "harmful": true|false, "group": optional}. Raises ConfigError."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            text, harmful = str(row["text"]), bool(row["harmful"])
        except (ValueError, KeyError, TypeError):
            want = '{"text": ..., "harmful": true|false}'
            raise ConfigError(f"{path}, line {number}: want {want}.") from None
        found.append(Request(text, harmful, path.stem, f"{path.stem}/{row.get('group', text)}"))
    return found


# -- our own ----------------------------------------------------------------------------------------------


def words() -> dict[str, Any]:
    """The word lists of safety_words.yaml."""
    text = Path(__file__).with_name("safety_words.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def held_out() -> list[Request]:
    """Short requests of the product's kind that are never trained on: benign ones, and plainly harmful ones."""
    lists = words()["held_out"]
    return [Request(t, name == "harmful", "held_out", t) for name in lists for t in lists[name]]


def own(seed: int = 0) -> list[Request]:
    """Our own requests to train on, about 10,500: what is sampled from the lists is sampled with `seed`."""
    w = words()
    private = [frame.format(n, f) for n in w["private"] for f in w["facts"]
               for frame in ("How do I find out {}'s {}?", "What is {}'s {}?")]  # fmt: skip
    fictional = [f"What is {n}'s {f}?" for n in (*w["made_up"], *w["public"]) for f in w["facts"]]
    harmless = [
        *_fill(w["scene_asks"], w["scenes"]), *_fill(w["promotion_asks"], w["promotions"]),
        *_fill(w["learn"], w["crimes"]), *_fill(w["silly"], w["sillies"]), *_fill(w["respect"], w["groups"]),
        *_fill(w["deictic_frames"], w["verbs"]), *fictional,
    ]  # fmt: skip
    harmful = [*_fill(w["commit"], w["crimes"]), *_fill(w["hateful"], w["groups"]), *private]
    return [
        *(Request(text, False, "own", "own", 4.0) for text in w["deictic"]),
        *(Request(text, False, "own", "own") for text in harmless),
        *(Request(text, True, "own", "own") for text in harmful),
        *_pairs(w, random.Random(seed)),
        *families(random.Random(seed)),
    ]


def _fill(frames: Sequence[str], fillers: Sequence[str]) -> list[str]:
    return [frame.format(word) for frame, word in itertools.product(frames, fillers)]


def _pairs(w: dict[str, Any], draw: random.Random) -> Iterator[Request]:
    """What a verb is done to, and where, decides: a person is harm, a thing or a game is not."""
    for verb in w["verbs"]:
        for person, thing in zip(draw.sample(w["people"], 12), draw.sample(w["things"], 12), strict=True):
            how, armed = draw.choice(w["how"]), draw.choice(w["armed_asks"])
            real, play = draw.choice(("", *w["real"])), draw.choice(w["play"])
            yield Request(_with(how.format(verb, person), real), True, "own", "own")
            yield Request(how.format(verb, thing), False, "own", "own")
            if draw.random() < 0.6:
                yield Request(_with(how.format(verb, person), play), False, "own", "own")
            if draw.random() < 0.4:
                yield Request(armed.format(verb, person), True, "own", "own")
                yield Request(armed.format(verb, thing), False, "own", "own")


def _with(sentence: str, tail: str) -> str:
    return f"{sentence[:-1]} {tail}{sentence[-1]}" if tail else sentence


# -- families of minimal pairs ----------------------------------------------------------------------------


def families(draw: random.Random) -> Iterator[Request]:
    """The lines of safety_pairs.yaml: of each family as many different ones as it asks for, if it has them."""
    given = yaml.safe_load(Path(__file__).with_name("safety_pairs.yaml").read_text(encoding="utf-8"))
    for family in given["families"]:
        found: dict[str, None] = {}
        for _ in range(30 * family["n"]):
            if len(found) < family["n"]:
                found[_filled(draw.choice(family["frames"]), given["lists"], draw)] = None
        yield from (Request(text, family["harmful"], "own", "own") for text in found)


def _filled(frame: str, lists: dict[str, list[str]], draw: random.Random) -> str:
    def filler(slot: re.Match[str]) -> str:
        word = draw.choice(lists[slot[1]])
        return gerund(word) if slot[2] else word

    if frame.startswith("{image} "):  # the way of asking for a picture goes around all that follows
        frame = draw.choice(lists["image"]).format(frame.removeprefix("{image} "))
    while "{" in frame:  # fillers may hold slots
        frame = re.sub(r"\{(\w+)(:ing)?\}", filler, frame)
    return frame[0].upper() + frame[1:]


def gerund(phrase: str) -> str:
    """The phrase with its first word, a verb, in -ing: "cut a rope" to "cutting a rope"."""
    verb, _, rest = phrase.partition(" ")
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb):
        verb += verb[-1]
    elif verb.endswith("ie"):
        verb = f"{verb[:-2]}y"
    elif verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        verb = verb[:-1]
    return f"{verb}ing {rest}".strip()


# -- near copies ------------------------------------------------------------------------------------------

_FRAME_WORDS = """
a able about allowed and any are at be being best by can caught did do does easiest for from general get
go good how i if in is it me my need never not of on or should some steps t take tell that the this to want was way ways
we what when where who why with without would you
"""


def near_copies(requests: Sequence[Request], held: Sequence[Request]) -> list[bool]:
    """Which of the requests share half of their content words, or more, with one of the held-out ones."""
    kept_out = [content(r.text) for r in held]
    return [any(2 * len(words & other) >= len(words | other) > 0 for other in kept_out)
            for words in (content(r.text) for r in requests)]  # fmt: skip


def content(text: str) -> frozenset[str]:
    """Crude stems of the words that say what a request is about."""
    words = set(re.findall(r"[a-z0-9]+", text.lower())) - set(_FRAME_WORDS.split())
    return frozenset(re.sub(r"(?<=...)(ing|ed|es|s|e)$", "", word) for word in words)
