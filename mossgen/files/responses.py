"""Responses of targets: those that `mossgen probe` writes, and those in files of others.

Each of our rows is one JSON line that is complete by itself: the question, the item, the target and its response.
Rates are also reported by the `FACTS` of items, if the set states them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mossgen.core.items import encodable
from mossgen.core.refusal import RefusalClass
from mossgen.errors import ConfigError, StoreError
from mossgen.files.disk import write_whole
from mossgen.files.tables import IDS, QUESTIONS, read_rows

FACTS = ("human", "child", "text", "form")  # in the picture: a human, a child, text; how a harm is negated
RESPONSES = "responses.jsonl"  # in the folder of a probe or of labels
COLUMNS = ("response", "completion", "answer", "prediction", "output")  # columns of a response; the first found counts
PEOPLE, EVALUATOR = "people", "evaluator"  # sources of labels: XSTest's final_label, MOSSBench's rejected
XSTEST = {
    "1_full_compliance": RefusalClass.COMPLIANCE,
    "2_full_refusal": RefusalClass.REFUSAL,
    "3_partial_refusal": RefusalClass.PARTIAL,
}
REJECTED = {"0": RefusalClass.COMPLIANCE, "1": RefusalClass.REFUSAL}
Place = tuple[str, str, int]  # target, id, sample


@dataclass(frozen=True)
class ResponseRow:
    """One response to one item. `key` is the hash of the request and its target; empty in files of others.

    `kind` is answered, empty or filtered. `expected` is what a good model does. `facts` are the known FACTS.
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
    label: str | None = None  # if the file has one; its source is `labelled_by`
    labelled_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values, without empty ones; an empty response is kept."""
        return {k: v for k, v in asdict(self).items() if k == "response" or v not in (None, "", {})}


def read_responses(file: Path) -> list[ResponseRow]:
    """The rows of a file: ours, MOSSBench's results.json, a mapping of pid to response, a JSONL or a CSV.

    Raises ConfigError for another kind of file, or if a line has no id or no response.
    """
    unreadable: list[str] = []
    values = list(_values(file, unreadable))
    if unreadable:
        raise ConfigError(f"{file}, {unreadable[0].split(':')[0]}: not valid JSON: mend or remove that line.")
    if not values:
        raise ConfigError(f"{file}: there is no response in it.")
    return [_entry(file, number, value) for number, value in enumerate(values, 1)]


def _entry(file: Path, number: int, value: Any) -> ResponseRow:
    try:
        return parse(value)
    except ValueError as error:
        raise ConfigError(f"{file}, entry {number}: {error}.") from None


def _values(file: Path, unreadable: list[str]) -> Iterator[Any]:
    """The entries of the file; entries of a mapping get their key as `pid`."""
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


def parse(value: Any) -> ResponseRow:
    """The row in a JSON value, ours or of others. Raises ValueError with the reason if it is no row."""
    if not isinstance(value, dict):
        raise ValueError(f"not an object but {type(value).__name__}: give one object a response")
    name = next((encodable(str(value[key])) for key in IDS if value.get(key) not in (None, "")), "")
    said = next((value[key] for key in COLUMNS if key in value), None)
    if not name or not isinstance(said, str | None) or (said is None and not any(key in value for key in COLUMNS)):
        missing = f"no id (wanted one of {', '.join(IDS)})" if not name else f"no response ({', '.join(COLUMNS)})"
        raise ValueError(f"it has {missing}")
    text = encodable(said or "")
    label, labelled_by = _stated(value)
    harmful = value.get("expected") == "refuse" or str(value.get("type")).startswith("contrast_")
    return ResponseRow(
        id=name,
        response=text,
        target=_text(value.get("target") or value.get("model")),
        sample=_number(value.get("sample")),
        kind=_text(value.get("kind") or ("answered" if text.strip() else "empty")),
        question=next((_text(value[key]) for key in QUESTIONS if value.get(key)), ""),
        type=_text(value.get("type")) or None,
        category=_text(value.get("category")),
        expected="refuse" if harmful else "comply",
        facts=value["facts"] if isinstance(value.get("facts"), dict) else {},
        finish=value.get("finish"),
        model=_text(value.get("model")),
        tokens_in=value.get("tokens_in"),
        tokens_out=value.get("tokens_out"),
        seconds=value.get("seconds"),
        at=_text(value.get("at")),
        image=_digest(value.get("image")),
        key=_text(value.get("key")),
        label=label,
        labelled_by=labelled_by,
    )


def _stated(value: Mapping[str, Any]) -> tuple[str | None, str]:
    """The label of a response in the file, and the source of the label."""
    said = value.get("label") or value.get("final_label")
    if said:
        return XSTEST.get(str(said), str(said)), str(value.get("labelled_by") or PEOPLE)
    rejected = REJECTED.get(str(value.get("rejected")))
    return rejected, EVALUATOR if rejected else ""


def _text(value: Any) -> str:
    """A value as valid UTF-8 text; empty if it is missing, a list or an object."""
    return "" if value is None or value is False or isinstance(value, list | dict) else encodable(str(value))


def _digest(value: Any) -> str:
    """The SHA-256 of the picture that was shown; empty for a path or the picture itself (files of others)."""
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) else ""


def _number(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def line(row: ResponseRow) -> str:
    """The row as one line of JSON, without the line end."""
    return encodable(json.dumps(row.to_dict(), ensure_ascii=False, sort_keys=True))


def natural(name: str) -> tuple[int, str]:
    """A sort key that orders numeric ids by their number."""
    return (int(name), "") if name.isdecimal() else (0, name)


# -- several files of them -----------------------------------------------------------------------------


def gather(paths: Sequence[Path]) -> list[ResponseRow]:
    """The responses in these folders and files. A row without a target gets the file's name as its target.

    Raises ConfigError if one cannot be read, or if a target has two responses to the same sample of an item.
    """
    rows = [row for path in paths for row in _numbered(_read(path))]
    places = Counter(place(row) for row in rows)
    doubled = next((where for where, count in places.items() if count > 1), None)
    if doubled:
        raise ConfigError(
            f"{doubled[0]} has two responses to item {doubled[1]} (sample {doubled[2]}): leave one file out, or rename "
            "it if it is of another target."
        )
    return rows


def recall_facts(folder: Path, rows: Sequence[ResponseRow]) -> list[ResponseRow]:
    """The rows; those without a question and facts get what the folder's responses.jsonl states."""
    file = folder / RESPONSES
    kept = {(place(row), row.response): row for row in read_responses(file)} if file.is_file() else {}
    found = []
    for row in rows:
        known = kept.get((place(row), row.response))
        found.append(known if known is not None and not row.question and not row.facts else row)
    return found


def place(row: ResponseRow) -> Place:
    """The target, item id and sample of a row."""
    return row.target, row.id, row.sample


def _read(path: Path) -> list[ResponseRow]:
    file = path / RESPONSES if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        raise ConfigError(f"{path} has no {RESPONSES}: give the folder of a probe, or a file of responses.")
    return [row if row.target else replace(row, target=file.stem) for row in read_responses(file)]


def _numbered(rows: Sequence[ResponseRow]) -> Iterator[ResponseRow]:
    """Numbers the responses to each item as samples, if the file does not number them."""
    seen: Counter[Place] = Counter()
    numbered = any(row.sample for row in rows)
    for row in rows:
        yield row if numbered else replace(row, sample=seen[place(row)])
        seen[place(row)] += 1


def keep(folder: Path, rows: Sequence[ResponseRow]) -> None:
    """Writes responses into the folder of their labels. Raises ConfigError if it holds other responses; StoreError."""
    file = folder / RESPONSES
    here = {place(row) for row in rows}
    other = next((row for row in read_responses(file) if place(row) not in here), None) if file.is_file() else None
    if other:
        raise ConfigError(
            f"{folder} holds a response of {other.target} to item {other.id}, which is none of these: give another "
            "`out`."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, (f"{line(row)}\n" for row in rows))
    except OSError as error:
        raise StoreError(f"{file}: cannot be written ({error.strerror}): free space or give another `out`.") from error
