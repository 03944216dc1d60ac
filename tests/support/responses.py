"""Responses to be judged: a refusal, an answer, and files of them."""

import json
from pathlib import Path
from typing import Any

NO, YES = "I'm sorry, but I can't help with that.", "Put it on the table, where everyone can see it."


def write(path: Path, *rows: Any) -> Path:
    """A JSONL of these rows; returns its path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
