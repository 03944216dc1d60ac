"""Extracts the answers from a model's text: shared by the writers, not itself a plugin."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from mossgen.core.items import encodable

_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s+")
_LABEL = re.compile(r"^[\s*_\"“]*(?:question|answer|request|assistant|user|q|a)(?:\s*\d{1,2})?\s*:[\s*_]*", re.I)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_QUOTES = '"“”«»'
_TRIES = 50  # opening brackets to try: text of nothing but brackets must not take long
_LONGEST = 300  # characters: all our questions are much shorter


def clean(line: str) -> str:
    """One answer without bullet, label (`Question:`), quotes, emphasis or extra spaces."""
    line = _LABEL.sub("", _BULLET.sub("", line)).strip("*_` \t")
    marks = sum(line.count(mark) for mark in _QUOTES)
    if marks == 1 or (marks == 2 and line[0] in _QUOTES and line[-1] in _QUOTES):
        line = line.strip(_QUOTES)
    elif len(line) > 1 and line[0] == line[-1] == "'":
        line = line[1:-1]
    return encodable(" ".join(line.split()))


def first_line(text: str) -> str:
    """The first line that is not empty, cleaned; empty if there is none."""
    return next((line for line in map(clean, text.splitlines()) if line), "")


def answers(text: str) -> list[str]:
    """The distinct answers in a model's text: from its JSON if there is any, else from its lines.

    Reads JSON in code fences, after prose or reasoning, and cut off in the middle. Empty if the text has no
    answer.
    """
    text = _FENCE.sub("", _THOUGHT.sub("", text))
    found = _from_json(text)
    if found is None:
        found = _from_cut_json(text) if '"questions"' in text else _from_lines(text)
    return [a for a in dict.fromkeys(map(clean, found)) if a and len(a) <= _LONGEST]


def _from_json(text: str) -> list[str] | None:
    decoder = json.JSONDecoder()
    for match in itertools.islice(re.finditer(r"[{\[]", text), _TRIES):
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        strings = _strings(value)
        if strings is not None:
            return strings
    return None


def _strings(value: Any) -> list[str] | None:
    """The list of strings in a JSON value: the value itself, under any key, or objects of one string each."""
    if isinstance(value, dict):
        lists = [v for v in (value.get("questions"), *value.values()) if isinstance(v, list)]
        return _strings(lists[0]) if lists else None
    if not isinstance(value, list):
        return None
    flat = [next(iter(v.values()), None) if isinstance(v, dict) else v for v in value]
    return [v for v in flat if isinstance(v, str)]


def _from_cut_json(text: str) -> list[str]:
    """The complete strings of a list that was cut off."""
    found = []
    for string in _STRING.findall(text.split('"questions"', 1)[1]):
        try:
            found.append(str(json.loads(f'"{string}"', strict=False)))
        except ValueError:  # an invalid JSON escape
            continue
    return found


def _from_lines(text: str) -> list[str]:
    """Lines that could be questions: not markup, not an introduction such as `Here are five:`."""
    lines = [line.strip() for line in text.splitlines()]
    return [s for s in lines if re.search(r"[^\W\d]{2}", s) and s[0] not in "<{[}]" and not s.endswith(":")]
