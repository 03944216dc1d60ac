"""Guard: Qwen3Guard-Gen behind a chat endpoint: the question alone; controversial is unsure."""

from __future__ import annotations

import re

from pydantic import Field

from mossgen.core.items import Decision
from mossgen.plugins.checkers._guards import ChatGuard, Finding, TextGuardOptions, named, question_alone

_DECISIONS = {"safe": Decision.PASS, "unsafe": Decision.FAIL, "controversial": Decision.UNSURE}


class Options(TextGuardOptions):
    """The options of the endpoint."""

    model: str = Field("Qwen/Qwen3Guard-Gen-4B", min_length=1, description="the guard's name at the endpoint")


def build(options: Options) -> ChatGuard:
    """Builds the guard; sends nothing yet. Raises ConfigError if there is no key."""
    return ChatGuard("qwen3guard", options, question_alone, parse)


def parse(text: str) -> Finding | None:
    """Reads `Safety: Safe|Unsafe|Controversial`, then `Categories: ...`."""
    match = re.search(r"safety:\s*(safe|unsafe|controversial)\b", text, re.I)
    if match is None:
        return None
    said = match[1].lower()
    found = re.search(r"categories:\s*([^\n]*)", text, re.I)
    return Finding(_DECISIONS[said], said if said == "safe" else f"{said}: {named(found[1] if found else '')}")
