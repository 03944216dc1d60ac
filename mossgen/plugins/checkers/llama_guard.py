"""Guard: Llama Guard 3 (vision) or 4 behind a chat endpoint: picture and question, answers by hazard codes."""

from __future__ import annotations

import re

from mossgen.core.items import Decision
from mossgen.models.endpoint import Endpoint
from mossgen.plugins.checkers._guards import HAZARDS, ChatGuard, Finding, GuardOptions, named, picture_and_question


class Options(GuardOptions):
    """The endpoint's."""

    model: str = "meta-llama/Llama-Guard-4-12B"


def build(options: Options) -> ChatGuard:
    """The guard, which has not called yet. Raises ConfigError where there is no key."""
    return ChatGuard("llama_guard", Endpoint(options, "llama_guard"), picture_and_question, parse, "image", 24)


def parse(text: str) -> Finding | None:
    """`safe`, or `unsafe` and a line of codes."""
    match = re.match(r"\s*(safe|unsafe)\b[\s:,]*([S0-9,\s]*)", text)
    if match is None:
        return None
    if match[1] == "safe":
        return Finding(Decision.PASS, "safe")
    return Finding(Decision.FAIL, f"unsafe: {named(match[2], HAZARDS)}")
