"""How an endpoint wants to be asked: its options, and what it turned out not to take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Structured = Literal["json_schema", "json_object", "prompt"]
TokenField = Literal["max_tokens", "max_completion_tokens"]
_LADDER: tuple[Structured, ...] = ("json_schema", "json_object", "prompt")


class EndpointOptions(BaseModel):
    """What the user may set.

    `base_url` is the endpoint up to /v1; without it OpenAI's own (or OPENAI_BASE_URL). The key is read from the
    environment variable `api_key_env` and nowhere else; an endpoint on this machine needs none. `timeout` is in
    seconds, prices in US dollars per million tokens. `thinking_tokens` widens the token limit for models that
    think before they write; `extra_body` is sent along as it is (`{"reasoning_effort": "low"}`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field(min_length=1)
    base_url: str | None = Field(None, pattern=r"^https?://[^\s]+$")
    api_key_env: str = Field("OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    max_connections: int = Field(8, ge=1, le=256)
    timeout: float = Field(60, gt=0)
    max_retries: int = Field(6, ge=0, le=20)
    temperature: float | None = Field(1.0, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    structured: Literal["auto", "json_schema", "json_object", "prompt"] = "auto"
    token_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    thinking_tokens: int = Field(0, ge=0)
    extra_body: Mapping[str, Any] = {}
    price_in: float = Field(0, ge=0)
    price_out: float = Field(0, ge=0)


@dataclass(frozen=True)
class Dialect:
    """How an endpoint wants to be asked; `without` are optional fields it refused."""

    structured: Structured
    token_field: TokenField
    without: frozenset[str] = frozenset()

    def after(self, refusal: str, settled: EndpointOptions) -> Dialect | None:
        """The next thing to try when a request was refused in these words; None where no field is named.

        What the user has settled in the options is not changed.
        """
        words = refusal.lower()
        flipped = "token_field" in self.without
        if re.search("max_(completion_)?tokens", words) and settled.token_field == "auto" and not flipped:
            other: TokenField = "max_tokens" if self.token_field != "max_tokens" else "max_completion_tokens"
            return replace(self, token_field=other, without=self.without | {"token_field"})
        may_step_down = settled.structured == "auto" and self.structured != "prompt"
        if may_step_down and re.search("response_format|json_schema|json_object|structured|schema", words):
            return replace(self, structured=_LADDER[_LADDER.index(self.structured) + 1])
        refused = {f for f in ("seed", "temperature", "top_p") if f in words} - self.without
        return replace(self, without=self.without | refused) if refused else None
