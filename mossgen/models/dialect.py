"""How requests to an endpoint are written: its options, and the fields it has refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from mossgen.core.options import PluginOptions

Structured = Literal["json_schema", "json_object", "prompt"]
TokenField = Literal["max_tokens", "max_completion_tokens"]
_LADDER: tuple[Structured, ...] = ("json_schema", "json_object", "prompt")


class EndpointOptions(PluginOptions):
    """The options of an endpoint with OpenAI's chat API."""

    paid: ClassVar[bool] = True
    forms: ClassVar[tuple[str, ...]] = ("MODEL", "MODEL@URL")

    model: str = Field(min_length=1, description="the model's name at the endpoint")
    base_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="the endpoint's address up to /v1; without it OpenAI's own, or OPENAI_BASE_URL",
    )
    api_key_env: str = Field(
        "OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="the environment variable that holds the key; an endpoint on this machine needs none",
    )
    max_connections: int = Field(8, ge=1, le=256, description="most requests at a time")
    timeout: float = Field(60, gt=0, description="seconds to wait for an answer")
    max_retries: int = Field(6, ge=0, le=20, description="how often a request that failed is sent again")
    temperature: float | None = Field(1.0, ge=0, le=2, description="how random the answers are; null leaves it out")
    top_p: float | None = Field(
        None, gt=0, le=1, description="only the likeliest tokens that add up to this probability; null leaves it out"
    )
    structured: Literal["auto", "json_schema", "json_object", "prompt"] = Field(
        "auto", description="how JSON is asked for; auto finds out what the endpoint takes"
    )
    token_field: Literal["auto", "max_tokens", "max_completion_tokens"] = Field(
        "auto", description="what the endpoint calls the limit of tokens; auto finds out"
    )
    thinking_tokens: int = Field(0, ge=0, description="tokens on top of the limit, for models that think first")
    extra_body: Mapping[str, Any] = Field(
        {}, description='sent along with each request as it is, such as {"reasoning_effort": "low"}'
    )
    price_in: float = Field(0, ge=0, description="US dollars for a million tokens read")
    price_out: float = Field(0, ge=0, description="US dollars for a million tokens written")

    def estimate(self, tokens_in: int = 0, tokens_out: int = 0, pictures: int = 0) -> float | None:
        """The cost in US dollars by the given prices; None if no price is given."""
        if not (self.price_in or self.price_out):
            return None
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


@dataclass(frozen=True)
class Dialect:
    """How requests to an endpoint are written; `without` holds the optional fields it refused."""

    structured: Structured
    token_field: TokenField
    without: frozenset[str] = frozenset()

    def after(self, refusal: str, settled: EndpointOptions) -> Dialect | None:
        """The next dialect to try after this refusal; None if the refusal names no field.

        What the user set in the options does not change.
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
