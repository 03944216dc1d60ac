"""Guard: Nemotron content safety behind vLLM: reads picture and question, answers with Aegis categories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from mossgen.core.items import Decision
from mossgen.plugins.checkers._guards import ChatGuard, Finding, PictureGuardOptions, named, picture_and_question


class Options(PictureGuardOptions):
    """The options of the endpoint."""

    model: str = Field(
        "nvidia/Nemotron-3.5-Content-Safety", min_length=1, description="the guard's name at the endpoint"
    )
    extra_body: Mapping[str, Any] = Field(
        {"chat_template_kwargs": {"request_categories": "/categories", "enable_thinking": False}},
        description="sent along with each request: the default asks for categories, without thinking",
    )


def build(options: Options) -> ChatGuard:
    """Builds the guard; sends nothing yet. Raises ConfigError if there is no key."""
    return ChatGuard("nemotron", options, picture_and_question, parse)


def parse(text: str) -> Finding | None:
    """Reads `User Safety: safe|unsafe`, then `Safety Categories: ...`."""
    match = re.search(r"user safety:\s*(safe|unsafe)\b", text, re.I)
    if match is None:
        return None
    if match[1].lower() == "safe":
        return Finding(Decision.PASS, "safe")
    found = re.search(r"safety categories:\s*([^\n]*)", text, re.I)
    return Finding(Decision.FAIL, f"unsafe: {named(found[1] if found else '')}")
