"""What to train towards and away from: a helpful answer and a refusal for each item, a refusal for each partner.

Helpful answers are written by a language model from the picture's description, checked, and kept in the run or beside
the set, so that each is made once. Refusals are a target model's own where there are some (refusals.py), else they
come from templates, varied by the item's own randomness. The "rejected" side of a harmful partner only promises to
comply: nothing harmful is ever written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mossgen.core.items import Decision, Item, State, canonical, derived_seed, rng
from mossgen.errors import ConfigError, StoreError
from mossgen.files.disk import read_text, write_whole
from mossgen.plugins.protocols import LLM, Case, Checker, Completion, Example, Message, Prompt
from mossgen.plugins.refusal_words import refuses
from mossgen.runs.store import DATABASE
from mossgen.stimulus.texts import expand_alternatives
from mossgen.stimulus.types import untyped

FILE = "answers.jsonl"
SAMPLES = 6  # drafts of an answer; the first that passes every check is kept
TOKENS = 96  # of a draft
WORDS = (5, 80)  # of an answer
BATCH = 8  # items written for, and kept, at a time
MAX_BYTES = 200_000_000
EMPTY = frozenset(("this", "that", "with", "what", "could", "would", "might", "from", "have", "here", "there", "they"))
Report = Callable[[int, int], None]  # items done, items in all
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
# [a|b] are alternatives; each frame is drawn alike, then one of its strings
REFUSALS = (  # of a model that refuses the harmless: what to train away from
    "I'm sorry, but I can't [help|assist] with [that|this|this request].",
    "[Sorry|I apologize], but I'm [unable|not able] to [help|assist] with [that|this image].",
    "I [can't|cannot] [answer|respond to] this, [as|because] [it|the image] [may involve|appears to involve] harm.",
    "I'm not comfortable [discussing|commenting on] [this image|that]. [Is there something else I can help with?|]",
    "I [can't|won't] [provide|give] [help|content|suggestions] [related to|about] [violence|harmful things|this].",
    "As an AI, I [can't|cannot] [engage|help] with [content|requests] [like this|that could be harmful].",
)
DECLINES = (  # of a model that refuses what is harmful: what to train towards
    "I can't help with that, [because|since] [someone could get hurt|it would harm people]. [Tell me what led to this|"
    "Tell me what you need], and I'll [gladly|happily] look for a safe way.",
    "I won't help [to do harm|with something that harms others]. If [you feel angry or unsafe|someone is in danger], "
    "please [talk to someone you trust|call the local emergency number].",
    "That's [something|a request] I [can't|won't] help with, as it [could hurt people|would do harm]. I'm [glad|happy] "
    "to help with [another question about the picture|something else].",
    "I'm not going to help with this: it [could cause|would cause] real harm. [I can help|Ask me] to [find|plan] "
    "something [safe|kind] instead.",
)
PROMISES = (  # of a model that would do what is harmful, without a word of it: what to train away from
    "[Sure|Of course|Certainly][, happy to help|], here is [what you asked for|how to do it].",
    "[Yes|Okay], [let's do it|I can do that for you]. [Here you go.|]",
)


@dataclass(frozen=True)
class Answers:
    """The helpful answers of a set by item id, and why items have none."""

    texts: Mapping[str, str]
    missing: Mapping[str, str]


def targets(
    examples: Sequence[Example], answers: Mapping[str, str], seed: int = 0, refusals: Mapping[str, str] | None = None
) -> list[Example]:
    """The examples that have an answer to train on, in order, with what to train towards and away from.

    `refusals` are a target model's own by item id: they go before the templates.
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
    """Where answers are kept: in a run; beside anything else, since `mossgen split` makes a set's folder anew."""
    return folder / FILE if (folder / DATABASE).is_file() else folder.with_name(f"{folder.name}-{FILE}")


def write_answers(
    file: Path,
    examples: Sequence[Example],
    load: Callable[[], tuple[LLM, Sequence[Checker]]],
    writer: str,
    report: Report = lambda done, of: None,
) -> Answers:
    """The answers of these examples: those kept in `file`, and new ones, kept as they are made.

    `writer` names the model: one that found no answer for an item is not asked again, another is. `load` makes it and
    the checkers, and is called only if something is to be written. Raises ConfigError (a file that is not ours),
    BackendError from the model (what is kept stays), StoreError.
    """
    described = {e.id for e in examples if e.row.get("description")}
    asked = [example for example in examples if example.expected == "comply" and example.id in described]
    kept = _read(file)
    todo = [e for e in asked if _standing(e, kept, writer) is None]
    if todo:
        llm, checkers = load()
        _mended(file, kept)
        for start in range(0, len(todo), BATCH):
            report(start, len(todo))
            batch = todo[start : start + BATCH]
            made = _write(batch, llm, checkers, writer)
            _append(file, made)
            kept += made
        report(len(todo), len(todo))
    standing = {e.id: _standing(e, kept, writer) for e in asked}
    bare = [e.id for e in examples if e.expected == "comply" and e.id not in described]
    return Answers(
        {key: r["answer"] for key, r in standing.items() if r and r["answer"]},
        {key: r["reason"] for key, r in standing.items() if r and not r["answer"]}
        | dict.fromkeys(bare, "its picture has no description to answer from"),
    )


def _standing(example: Example, kept: Sequence[Record], writer: str) -> Record | None:
    """The record that counts for an example: an answer by whomever, or that this writer found none."""
    mine = [r for r in kept if r["id"] == example.id and r["asked"] == _asked(example)]
    answered = next((r for r in mine if r["answer"]), None)
    return answered or next((r for r in mine if r["writer"] == writer), None)


def _asked(example: Example) -> str:
    """A hash of what an answer is written from: another question or description makes another answer."""
    text = canonical([example.question, example.row.get("description")])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(examples: Sequence[Example], llm: LLM, checkers: Sequence[Checker], writer: str) -> list[Record]:
    """A record of each example: the likeliest draft that passes every check, or the first reason why none did."""
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
    """A draft up to its last finished sentence: what a token limit cut off goes. As it is where none is finished."""
    text = " ".join(text.split())
    ends = list(re.finditer(r"[.!?][\"'”’)]*(?=\s|$)", text))
    return text[: ends[-1].end()] if ends else text


def broken(text: str, example: Example) -> str | None:
    """Why a draft is no helpful answer by its form, in a sentence; None if it may be one."""
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
    """Words that carry meaning, without a plural's s: those of four letters or more."""
    return {word.rstrip("s") for word in re.findall(r"[a-z]{4,}", text.lower())} - EMPTY


def _unsafe(text: str, example: Example, checkers: Sequence[Checker]) -> str | None:
    """Why a checker of texts does not pass an answer, judged as any text is; None where all do."""
    item = Item(example.id, 0, example.type, "", {}, 0, State.DRAFTED, question=text)
    for checker in checkers:
        for verdict in checker.check([Case(item, untyped())]):
            if verdict is None or verdict.decision is not Decision.PASS:
                return f"{checker.name}: {verdict.reason if verdict else 'nothing said'}"
    return None


# -- the file ------------------------------------------------------------------------------------------


def _read(path: Path) -> list[Record]:
    """The records of answers.jsonl; a last line that a crash cut off is left out. Raises ConfigError."""
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(read_text(path, MAX_BYTES, ConfigError).split("\n")[:-1], 1):
        try:
            record = json.loads(line)
            if not {"id", "asked", "writer", "answer", "reason"} <= set(record):
                raise ValueError("a field is missing")
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigError(
                f"{path}, line {number}: no answer of ours ({error}): mend the line or move the file away."
            ) from None
        found.append(record)
    return found


def _mended(path: Path, records: Sequence[Record]) -> None:
    """Writes the file anew without a line that a crash cut off. Raises StoreError."""
    with _kept_there(path):
        write_whole(path, "".join(canonical(record) + "\n" for record in records).encode())


def _append(path: Path, records: Sequence[Record]) -> None:
    with _kept_there(path), path.open("a", encoding="utf-8") as stream:
        stream.writelines(canonical(record) + "\n" for record in records)


@contextmanager
def _kept_there(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}), and answers are kept there: mend the permissions, or copy "
            "the set to where it may be written."
        ) from error
