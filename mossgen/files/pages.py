"""What our HTML pages share: colours and type, and the hash by which a policy admits a style or a script."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

_BASE = Path(__file__).with_name("base.css")


def styled(sheet: Path) -> str:
    """The base style followed by a page's own."""
    return _BASE.read_text(encoding="utf-8") + sheet.read_text(encoding="utf-8")


def source(text: str) -> str:
    """The content security policy's name for this very text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
