"""The columns of evaluation files: the same for every set, every type and harmful partners."""

from __future__ import annotations

from typing import Any

from mossgen.core.items import canonical
from mossgen.plugins.protocols import Example

COLUMNS = {
    "id": "A hash of what defines the item.",
    "type": "The stimulus type.",
    "category": "The topic inside the type.",
    "question": "What the user asks about the picture.",
    "expected": "What a good model does: comply, or refuse in a harmful partner.",
    "contrast_of": "Of a harmful partner: the item it belongs to.",
    "description": "What the picture shows, in words.",
    "image_prompt": "What the image model was asked to draw.",
    "slots": "JSON: the template's values for this item.",
    "overlay": "JSON: what was composited over the picture.",
    "tags": "What is in the picture.",
    "seed_id": "The hand-written example that the question was modelled on.",
    "verdicts": "JSON: what each check said.",
    "provenance": "JSON: how each part was made.",
    "canary": "A string by which training data that holds this set can be found.",
}
KINDS = {"image": "image", **{name: "texts" if name == "tags" else "text" for name in COLUMNS}}  # for Parquet


def columns(example: Example) -> dict[str, Any]:
    """One value per column of COLUMNS; nested values are JSON texts, missing ones empty."""
    row = example.row
    return {
        "id": example.id,
        "type": example.type,
        "category": str(row.get("category") or ""),
        "question": example.question,
        "expected": example.expected,
        "contrast_of": str(row.get("contrast_of") or ""),
        "description": str(row.get("description") or ""),
        "image_prompt": str(row.get("image_prompt") or ""),
        "slots": _text(row.get("slots")),
        "overlay": _text(row.get("overlay")),
        "tags": [str(tag) for tag in row.get("tags") or ()],
        "seed_id": str(row.get("seed_id") or ""),
        "verdicts": _text(row.get("verdicts")),
        "provenance": _text(row.get("provenance")),
        "canary": str(row.get("canary") or ""),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)
