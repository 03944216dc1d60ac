"""Guard: Llama Guard 3 (vision) or 4 behind a chat endpoint: reads picture and question, answers with hazard codes."""

from __future__ import annotations

import re

from pydantic import Field

from mossgen.core.items import Decision
from mossgen.plugins.checkers._guards import (
    HAZARDS,
    ChatGuard,
    Finding,
    PictureGuardOptions,
    named,
    picture_and_question,
)


class Options(PictureGuardOptions):
    """The options of the endpoint."""

    model: str = Field("meta-llama/Llama-Guard-4-12B", min_length=1, description="the guard's name at the endpoint")


def build(options: Options) -> ChatGuard:
    """Builds the guard; sends nothing yet. Raises ConfigError if there is no key."""
    return ChatGuard("llama_guard", options, picture_and_question, parse, 24)


def parse(text: str) -> Finding | None:
    """Reads `safe`, or `unsafe` and a line of codes."""
    match = re.match(r"\s*(safe|unsafe)\b[\s:,]*([S0-9,\s]*)", text)
    if match is None:
        return None
    if match[1] == "safe":
        return Finding(Decision.PASS, "safe")
    return Finding(Decision.FAIL, f"unsafe: {named(match[2], HAZARDS)}")
