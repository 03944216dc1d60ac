"""Guard: Nemotron content safety behind vLLM: picture and question, answers by Aegis categories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mossgen.core.items import Decision
from mossgen.models.endpoint import Endpoint
from mossgen.plugins.checkers._guards import ChatGuard, Finding, GuardOptions, named, picture_and_question


class Options(GuardOptions):
    """The endpoint's; `extra_body` asks its chat template for categories, without thinking."""

    model: str = "nvidia/Nemotron-3.5-Content-Safety"
    extra_body: Mapping[str, Any] = {
        "chat_template_kwargs": {"request_categories": "/categories", "enable_thinking": False}
    }


def build(options: Options) -> ChatGuard:
    """The guard, which has not called yet. Raises ConfigError where there is no key."""
    return ChatGuard("nemotron", Endpoint(options, "nemotron"), picture_and_question, parse, "image")


def parse(text: str) -> Finding | None:
    """`User Safety: safe|unsafe`, then `Safety Categories: ...`."""
    match = re.search(r"user safety:\s*(safe|unsafe)\b", text, re.I)
    if match is None:
        return None
    if match[1].lower() == "safe":
        return Finding(Decision.PASS, "safe")
    found = re.search(r"safety categories:\s*([^\n]*)", text, re.I)
    return Finding(Decision.FAIL, f"unsafe: {named(found[1] if found else '')}")
