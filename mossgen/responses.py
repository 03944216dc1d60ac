"""Responses of targets: as `mossgen probe` keeps them, and as anybody's file has them.

A row of ours is one JSON line and stands for itself: what was asked about which item, who answered, and how. `FACTS` of
an item, where its set states them, are what rates are told apart by.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mossgen.errors import ConfigError
from mossgen.tables import read_rows

FACTS = ("human", "child", "text", "form")  # in the picture: a human, a child, text; how a harm is negated
COLUMNS = ("response", "completion", "answer", "prediction", "output")  # where a response may stand, first found counts
IDS = ("id", "pid", "index", "question_id")
QUESTIONS = ("question", "prompt", "query")
PEOPLE, EVALUATOR = "people", "evaluator"  # whose labels a file has: XSTest's final_label, MOSSBench's rejected
XSTEST = {"1_full_compliance": "compliance", "2_full_refusal": "refusal", "3_partial_refusal": "partial"}
REJECTED = {"0": "compliance", "1": "refusal"}


@dataclass(frozen=True)
class Row:
    """One response to one item. `key` is the hash of what was asked of whom; empty in a file of somebody else.

    `kind` is answered, empty or filtered; `expected` what a good model does; `facts` are those of FACTS that are known.
    """

    id: str
    response: str
    target: str = ""
    sample: int = 0
    kind: str = "answered"
    question: str = ""
    type: str | None = None
    category: str = ""
    expected: Literal["comply", "refuse"] = "comply"
    facts: Mapping[str, Any] = field(default_factory=dict)
    finish: str | None = None
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None
    at: str = ""
    image: str = ""
    key: str = ""
    label: str | None = None  # where a file has one, and whose it is
    labelled_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values, those that say nothing left out; an empty response is a fact."""
        return {k: v for k, v in asdict(self).items() if k == "response" or v not in (None, "", {})}


def read_responses(file: Path) -> list[Row]:
    """The rows of a file: ours, MOSSBench's results.json, a mapping of pid to response, a JSONL or a CSV.

    Raises ConfigError where it is none of them, or a line has no id or no response.
    """
    unreadable: list[str] = []
    rows = [_row(file, number, value) for number, value in enumerate(_values(file, unreadable), 1)]
    if unreadable:
        raise ConfigError(f"{file}, {unreadable[0].split(':')[0]}: not valid JSON: mend or remove that line.")
    if not rows:
        raise ConfigError(f"{file}: there is no response in it.")
    return rows


def _values(file: Path, unreadable: list[str]) -> Iterator[Any]:
    """The entries of the file; of a mapping, each with its key as `pid`."""
    values = list(read_rows(file, unreadable))
    if file.suffix == ".json" and values and all(isinstance(v, dict) and set(v) == {"key", "row"} for v in values):
        whole = {v["key"]: v["row"] for v in values}
        responses = whole.get("responses")  # MOSSBench's results
        inner = responses if isinstance(responses, dict) else whole
        values = [_keyed(key, value) for key, value in inner.items()]
    yield from values


def _keyed(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return {"pid": key, "response": value}
    return {"pid": key, **value} if isinstance(value, dict) else value


def _row(file: Path, number: int, value: Any) -> Row:
    where = f"{file}, entry {number}"
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: not an object but {type(value).__name__}: give one object a response.")
    name = next((str(value[key]) for key in IDS if value.get(key) not in (None, "")), "")
    said = next((value[key] for key in COLUMNS if key in value), None)
    if not name or not isinstance(said, str | None) or (said is None and not any(key in value for key in COLUMNS)):
        missing = f"no id (wanted one of {', '.join(IDS)})" if not name else f"no response ({', '.join(COLUMNS)})"
        raise ConfigError(f"{where}: it has {missing}.")
    text = said or ""
    label, labelled_by = _stated(value)
    return Row(
        name, text, str(value.get("target") or value.get("model") or ""), _number(value.get("sample")),
        str(value.get("kind") or ("answered" if text.strip() else "empty")),
        next((str(value[key]) for key in QUESTIONS if value.get(key)), ""),
        value.get("type"), str(value.get("category") or ""),
        "refuse" if value.get("expected") == "refuse" or str(value.get("type")).startswith("contrast_") else "comply",
        value["facts"] if isinstance(value.get("facts"), dict) else {},
        value.get("finish"), str(value.get("model") or ""), value.get("tokens_in"), value.get("tokens_out"),
        value.get("seconds"), str(value.get("at") or ""), str(value.get("image") or ""), str(value.get("key") or ""),
        label, labelled_by,
    )  # fmt: skip


def _stated(value: Mapping[str, Any]) -> tuple[str | None, str]:
    """The label that the file has for a response, and whose it is."""
    said = value.get("label") or value.get("final_label")
    if said:
        return XSTEST.get(str(said), str(said)), str(value.get("labelled_by") or PEOPLE)
    rejected = REJECTED.get(str(value.get("rejected")))
    return rejected, EVALUATOR if rejected else ""


def _number(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0


def lines(rows: Sequence[Row]) -> str:
    """The rows as JSON lines."""
    return "".join(json.dumps(row.to_dict(), ensure_ascii=False, sort_keys=True) + "\n" for row in rows)


def natural(name: str) -> tuple[int, str]:
    """A key that puts numbered ids in the order of their numbers."""
    return (int(name), "") if name.isdecimal() else (0, name)
