"""The targets for training: a helpful answer and a refusal for each item, a refusal for each partner.

A language model writes helpful answers from the picture's description. They are checked, and kept in the run or beside
the set, so that each is made once. Refusals are a target model's own if there are any (refusals.py), else they come
from templates, chosen by the item's own randomness. The "rejected" answer for a harmful partner only promises to
comply: nothing harmful is ever written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mossgen.core.items import Decision, Item, State, canonical, canonical_sha256, derived_seed, rng
from mossgen.core.progress import SILENT, Progress
from mossgen.files.ledger import Kind, Ledger
from mossgen.plugins.protocols import LLM, Case, Checker, Completion, Example, Message, Prompt
from mossgen.plugins.refusal_words import refuses
from mossgen.runs.store import DATABASE
from mossgen.stimulus.texts import expand_alternatives
from mossgen.stimulus.types import untyped

FILE = "answers.jsonl"
SAMPLES = 6  # drafts of an answer; the first that passes every check is kept
TOKENS = 96  # of a draft
WORDS = (5, 80)  # of an answer
BATCH = 8  # items answered and saved at a time
EMPTY = frozenset(("this", "that", "with", "what", "could", "would", "might", "from", "have", "here", "there", "they"))
Record = dict[str, Any]

_SYSTEM = (
    "You are a helpful assistant who sees a picture. Answer the request about it directly, kindly and concretely, "
    "in one or two sentences."
)
_SHOTS = (
    (
        "A red kite lies on a sofa in a living room.",
        "How might we use this at the weekend?",
        "Take the red kite to an open field on a breezy day and let it fly high above the grass.",
    ),
    (
        "A plastic skeleton hangs over a front door with paper bats.",
        "Suggest a good caption for this.",
        "Our bony doorman says welcome, so come on in for some Halloween fun!",
    ),
)
# [a|b] are alternatives; each template is equally likely, then one of its strings
REFUSALS = (  # of a model that refuses harmless requests: train away from these
    "I'm sorry, but I can't [help|assist] with [that|this|this request].",
    "[Sorry|I apologize], but I'm [unable|not able] to [help|assist] with [that|this image].",
    "I [can't|cannot] [answer|respond to] this, [as|because] [it|the image] [may involve|appears to involve] harm.",
    "I'm not comfortable [discussing|commenting on] [this image|that]. [Is there something else I can help with?|]",
    "I [can't|won't] [provide|give] [help|content|suggestions] [related to|about] [violence|harmful things|this].",
    "As an AI, I [can't|cannot] [engage|help] with [content|requests] [like this|that could be harmful].",
)
DECLINES = (  # of a model that refuses harmful requests: train towards these
    "I can't help with that, [because|since] [someone could get hurt|it would harm people]. [Tell me what led to this|"
    "Tell me what you need], and I'll [gladly|happily] look for a safe way.",
    "I won't help [to do harm|with something that harms others]. If [you feel angry or unsafe|someone is in danger], "
    "please [talk to someone you trust|call the local emergency number].",
    "That's [something|a request] I [can't|won't] help with, as it [could hurt people|would do harm]. I'm [glad|happy] "
    "to help with [another question about the picture|something else].",
    "I'm not going to help with this: it [could cause|would cause] real harm. [I can help|Ask me] to [find|plan] "
    "something [safe|kind] instead.",
)
PROMISES = (  # of a model that agrees to do harm, without any harmful content: train away from these
    "[Sure|Of course|Certainly][, happy to help|], here is [what you asked for|how to do it].",
    "[Yes|Okay], [let's do it|I can do that for you]. [Here you go.|]",
)


@dataclass(frozen=True)
class Answers:
    """The helpful answers of a set by item id, and why some items have none."""

    texts: Mapping[str, str]
    missing: Mapping[str, str]


def targets(
    examples: Sequence[Example], answers: Mapping[str, str], seed: int = 0, refusals: Mapping[str, str] | None = None
) -> list[Example]:
    """The examples that have an answer to train on, in order, with what to train towards and away from.

    `refusals` are a target model's own, by item id; they are preferred to the templates.
    """
    own = refusals or {}
    found = []
    for example in examples:
        if example.expected == "refuse":
            chosen, rejected = _drawn(DECLINES, example, seed), _drawn(PROMISES, example, seed)
        elif example.id in answers:
            chosen, rejected = answers[example.id], own.get(example.id) or _drawn(REFUSALS, example, seed)
        else:
            continue
        found.append(replace(example, chosen=chosen, rejected=rejected))
    return found


def _drawn(frames: Sequence[str], example: Example, seed: int) -> str:
    draw = rng(example.id, f"target/{seed}")
    return draw.choice(expand_alternatives(draw.choice(frames)))


# -- helpful answers -----------------------------------------------------------------------------------


def answers_file(folder: Path) -> Path:
    """The file of answers: inside a run; beside any other set, since `mossgen split` replaces a set's folder."""
    return folder / FILE if (folder / DATABASE).is_file() else folder.with_name(f"{folder.name}-{FILE}")


def write_answers(
    file: Path,
    examples: Sequence[Example],
    load: Callable[[], tuple[LLM, Sequence[Checker]]],
    writer: str,
    progress: Progress = SILENT,
) -> Answers:
    """The answers for these examples: those kept in `file`, and new ones, which are kept at once.

    `writer` names the model; if it found no answer for an item, it is not asked again, but another model is. `load`
    makes the model and the checkers; it is called only if something must be written. Raises ConfigError (a file that
    mossgen did not make), BackendError from the model (the answers so far are kept), StoreError.
    """
    described = {e.id for e in examples if e.row.get("description")}
    asked = [example for example in examples if example.expected == "comply" and example.id in described]
    ledger = Ledger(file, KIND).read()
    standing = _standing(asked, ledger.rows.values(), writer)
    todo = [e for e in asked if e.id not in standing]
    if todo:
        llm, checkers = load()
        with ledger:
            for start in range(0, len(todo), BATCH):
                progress.count("writing answers", start, len(todo))
                ledger.add(*_write(todo[start : start + BATCH], llm, checkers, writer))
        progress.count("writing answers", len(todo), len(todo))
        standing = _standing(asked, ledger.rows.values(), writer)
    bare = [e.id for e in examples if e.expected == "comply" and e.id not in described]
    return Answers(
        {key: r["answer"] for key, r in standing.items() if r["answer"]},
        {key: r["reason"] for key, r in standing.items() if not r["answer"]}
        | dict.fromkeys(bare, "its picture has no description to answer from"),
    )


def _standing(examples: Sequence[Example], kept: Iterable[Record], writer: str) -> dict[str, Record]:
    """The record to use for each example: an answer by any writer, or the note that this writer found none."""
    by_question: dict[tuple[str, str], list[Record]] = {}
    for record in kept:
        by_question.setdefault((record["id"], record["asked"]), []).append(record)
    found = {}
    for example in examples:
        mine = by_question.get((example.id, _asked(example)), [])
        answered = [r for r in mine if r["answer"]] or [r for r in mine if r["writer"] == writer]
        if answered:
            found[example.id] = answered[0]
    return found


def _asked(example: Example) -> str:
    """A hash of what an answer is made from: it changes with the question or the description."""
    return canonical_sha256([example.question, example.row.get("description")])[:16]


def _write(examples: Sequence[Example], llm: LLM, checkers: Sequence[Checker], writer: str) -> list[Record]:
    """A record for each example: the most likely draft that passes every check, or the first reason for failure."""
    written = llm.write([_prompt(example) for example in examples])
    records = []
    for example, drafts in zip(examples, written, strict=True):
        record: Record = {"id": example.id, "asked": _asked(example), "writer": writer, "answer": None, "reason": ""}
        for draft in sorted(drafts, key=_rank):
            text = whole(draft.text)
            fault = broken(text, example) or _unsafe(text, example, checkers)
            if fault is None:
                record.update(answer=text, reason="", logprob=draft.logprob)
                break
            record["reason"] = record["reason"] or f"{text!r}: {fault}"
        else:
            record["reason"] = record["reason"] or "the model gave no answer that could be read"
        records.append(record)
    return records


def _rank(draft: Completion) -> tuple[bool, float]:
    return (draft.logprob is None, -(draft.logprob or 0.0))


def _prompt(example: Example) -> Prompt:
    messages = [Message("system", _SYSTEM)]
    for picture, question, answer in _SHOTS:
        messages += [Message("user", _request(picture, question)), Message("assistant", answer)]
    picture = str(example.row["description"])
    messages.append(Message("user", _request(picture, example.question)))
    return Prompt(tuple(messages), derived_seed(example.id, "answer"), samples=SAMPLES, max_tokens=TOKENS)


def _request(picture: str, question: str) -> str:
    return f"Picture: {picture}\nRequest: {question}"


def whole(text: str) -> str:
    """The draft up to its last complete sentence; unchanged if it has none."""
    text = " ".join(text.split())
    ends = list(re.finditer(r"[.!?][\"'”’)]*(?=\s|$)", text))
    return text[: ends[-1].end()] if ends else text


def broken(text: str, example: Example) -> str | None:
    """Why the form of a draft makes it no helpful answer, as a sentence; None if the form is good."""
    count = len(text.split())
    if not WORDS[0] <= count <= WORDS[1]:
        return f"it has {count} words, not {WORDS[0]} to {WORDS[1]}."
    if not re.search(r"[.!?][\"'”’)]*$", text):
        return "it breaks off in the middle of a sentence."
    if refuses(text):
        return "it is a refusal."
    if re.search(r"https?:|www\.|\S@\S|[<>{}|\[\]]|\b(picture|request|image):", text, re.IGNORECASE):
        return "it holds an address, markup or a part of the prompt."
    if _bare(text) == _bare(example.question) or _bare(text) in _bare(str(example.row.get("description") or "")):
        return "it repeats the request or the description."
    if text.endswith("?") and text.count("?") == len(re.findall(r"[.!?]", text)):
        return "it only asks back."
    if not _content(text) & _content(f"{example.row.get('description') or ''} {example.question}"):
        return "it shares no word with the picture or the request."
    return None


def _bare(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _content(text: str) -> set[str]:
    """The content words: those of four letters or more, without a plural's s."""
    return {word.rstrip("s") for word in re.findall(r"[a-z]{4,}", text.lower())} - EMPTY


def _unsafe(text: str, example: Example, checkers: Sequence[Checker]) -> str | None:
    """Why a text checker does not pass an answer, which is judged like any text; None if all pass."""
    item = Item(
        id=example.id,
        number=0,
        type=example.type,
        seed_id="",
        slots={},
        variant=0,
        state=State.DRAFTED,
        question=text,
    )
    for checker in checkers:
        for verdict in checker.check([Case(item, untyped())]):
            if verdict is None or verdict.decision is not Decision.PASS:
                return f"{checker.name}: {verdict.reason if verdict else 'nothing said'}"
    return None


# -- the file ------------------------------------------------------------------------------------------


def _parse(value: Any) -> Record:
    if not isinstance(value, dict) or not {"id", "asked", "writer", "answer", "reason"} <= set(value):
        raise ValueError("a field of an answer is missing")
    return value


def _place(record: Record) -> tuple[str, str, str]:
    return record["id"], record["asked"], record["writer"]


KIND = Kind(
    maker="mossgen export",
    rows="answers",
    encode=canonical,
    decode=_parse,
    place=_place,
    key=_place,
    elsewhere="copy the set to where it may be written",
)
