"""Shared parts of our HTML pages: the base style, and hashes for the content security policy."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

_BASE = Path(__file__).with_name("base.css")


def styled(sheet: Path) -> str:
    """The base style, followed by the page's own style."""
    return _BASE.read_text(encoding="utf-8") + sheet.read_text(encoding="utf-8")


def source(text: str) -> str:
    """The hash source of this text for a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
