"""Any OpenAI-compatible chat endpoint: OpenAI, vLLM, SGLang, Ollama, llama.cpp, transformers serve, proxies.

One call a prompt asks for all its answers as JSON. What an endpoint does not take (structured output, the name
of the token limit, a seed) is learned from its refusal and remembered: that is its Dialect.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from mossgen.errors import BackendError, ConfigError
from mossgen.llms._text import answers
from mossgen.ports import Completion, Prompt

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, OpenAI

Structured = Literal["json_schema", "json_object", "prompt"]
TokenField = Literal["max_tokens", "max_completion_tokens"]

_LADDER: tuple[Structured, ...] = ("json_schema", "json_object", "prompt")
_EXAMPLES = 3  # of Prompt.choices, shown for their style
_OVERHEAD = 64  # tokens for the JSON around the answers
_SCHEMA = {
    "type": "object",
    "properties": {"questions": {"type": "array", "items": {"type": "string"}}},
    "required": ["questions"],
    "additionalProperties": False,
}


class Options(BaseModel):
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


def build(options: Options) -> OpenAILLM:
    """A client, which has not called yet. Raises ConfigError where there is no key."""
    from openai import OpenAI

    local = urlsplit(options.base_url or "").hostname in ("localhost", "127.0.0.1", "::1")
    key = os.environ.get(options.api_key_env) or ("none" if local else None)
    if not key:
        raise ConfigError(
            f"No key for {_shown(options.base_url)}: set the environment variable {options.api_key_env}, or name"
            " another one with llm option api_key_env."
        )
    client = OpenAI(api_key=key, base_url=options.base_url, timeout=options.timeout, max_retries=options.max_retries)
    return OpenAILLM(options, client)


@dataclass(frozen=True)
class Dialect:
    """How an endpoint wants to be asked; `without` are optional fields it refused."""

    structured: Structured
    token_field: TokenField
    without: frozenset[str] = frozenset()

    def after(self, refusal: str, settled: Options) -> Dialect | None:
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


class OpenAILLM:
    """See ports.LLM. Writes freely only: guided answers are asked for as free ones. Safe to call from threads."""

    guides = False

    def __init__(self, options: Options, client: OpenAI) -> None:
        self.name = f"openai/{options.model}"
        self.cost = 0.0
        self._options = options
        self._client = client
        self._lock = threading.Lock()
        official = urlsplit(str(client.base_url)).hostname == "api.openai.com"
        self._dialect = Dialect(
            "json_schema" if options.structured == "auto" else options.structured,
            ("max_completion_tokens" if official else "max_tokens")
            if options.token_field == "auto"
            else options.token_field,
        )

    def write(self, prompts: Sequence[Prompt]) -> list[list[Completion]]:
        """Up to `samples + guided` answers of each prompt; none where nothing can be made of what came back.

        Raises BackendError, once the client has retried what can be retried.
        """
        pool = ThreadPoolExecutor(self._options.max_connections)
        try:
            return list(pool.map(self._answer, prompts))
        finally:
            pool.shutdown(cancel_futures=True)

    def _answer(self, prompt: Prompt) -> list[Completion]:
        wanted = prompt.samples + prompt.guided
        if wanted == 0:
            return []
        return [Completion(text, None, "sampled") for text in answers(self._ask(prompt, wanted))[:wanted]]

    def _ask(self, prompt: Prompt, wanted: int) -> str:
        """The text of one reply, asked for in the dialect that the endpoint takes."""
        from openai import APIError, APIStatusError

        while True:
            dialect = self._dialect
            try:
                reply = self._client.chat.completions.create(**self._request(prompt, wanted, dialect))
            except APIStatusError as error:
                if error.status_code in (400, 422) and self._learn(dialect, str(error)):
                    continue
                raise BackendError(self._trouble(error)) from error
            except (APIError, ValueError) as error:  # no connection, a time-out, or no JSON at all
                raise BackendError(self._trouble(error)) from error
            return self._content(reply)

    def _learn(self, refused: Dialect, words: str) -> bool:
        """Whether there is another dialect to try, found now or by another thread meanwhile."""
        with self._lock:
            if self._dialect != refused:
                return True
            following = refused.after(words, self._options)
            self._dialect = following or refused
            return following is not None

    def _request(self, prompt: Prompt, wanted: int, dialect: Dialect) -> dict[str, Any]:
        messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
        messages[-1]["content"] += _instruction(prompt, wanted)
        limit = wanted * prompt.max_tokens + _OVERHEAD + self._options.thinking_tokens
        request: dict[str, Any] = {"model": self._options.model, "messages": messages, dialect.token_field: limit}
        if dialect.structured == "json_schema":
            schema = {"name": "questions", "strict": True, "schema": _SCHEMA}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif dialect.structured == "json_object":
            request["response_format"] = {"type": "json_object"}
        optional = {
            "seed": prompt.seed & 0x7FFFFFFF,  # some servers hold it in 32 bits
            "temperature": self._options.temperature,
            "top_p": self._options.top_p,
        }
        request |= {k: v for k, v in optional.items() if v is not None and k not in dialect.without}
        return request | {"extra_body": dict(self._options.extra_body)}

    def _content(self, reply: Any) -> str:
        """The reply's text, empty where the model refused; what it cost is counted."""
        usage = getattr(reply, "usage", None)
        if usage:
            spent = usage.prompt_tokens * self._options.price_in + usage.completion_tokens * self._options.price_out
            with self._lock:
                self.cost += spent / 1e6
        try:
            return reply.choices[0].message.content or ""
        except (AttributeError, IndexError, TypeError) as error:
            raise BackendError(
                f"{self._where()} answered, but not with a chat completion: check that llm option base_url is the"
                " address of an OpenAI-compatible API (it usually ends in /v1)."
            ) from error

    def _where(self) -> str:
        return f"{_shown(str(self._client.base_url))} (model {self._options.model!r})"

    def _trouble(self, error: APIError | APIStatusError | ValueError) -> str:
        """One sentence on a failed call, which never holds the key."""
        import openai

        retried = f"after {self._options.max_retries} retries"
        key = self._options.api_key_env
        match error:
            case openai.APITimeoutError():
                return (
                    f"{self._where()} did not answer within {self._options.timeout:g} s, {retried}: raise llm option"
                    " timeout, or lower max_connections."
                )
            case openai.APIConnectionError():
                return f"{self._where()} cannot be reached, {retried}: start the server, or check base_url."
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"{self._where()} refused the key ({error.status_code}): check the environment variable {key}."
            case openai.NotFoundError():
                return f"{self._where()} is not found there (404): check llm options model and base_url."
            case openai.RateLimitError():
                return (
                    f"{self._where()} is over its rate limit or quota (429), {retried}: lower max_connections, or wait."
                )
            case openai.APIStatusError():
                said = self._without_key(str(error))
                return f"{self._where()} refused the request ({error.status_code}), {retried}: {said}"
        return f"{self._where()} did not answer with JSON: check that llm option base_url is an OpenAI-compatible API."

    def _without_key(self, text: str) -> str:
        return " ".join(text.replace(self._client.api_key, "***").split())[:300]


def _instruction(prompt: Prompt, wanted: int) -> str:
    """What is added to the last message: how many answers, in which form, and the style of a few choices."""
    parts = [""]
    if prompt.choices:
        shown = Random(prompt.seed).sample(prompt.choices, min(_EXAMPLES, len(prompt.choices)))
        parts += ["Examples of the style, not to be copied:", *(f"- {choice}" for choice in shown), ""]
    parts.append(f"Write {wanted} different answers, each one line. Reply with JSON only:")
    parts.append('{"questions": [' + ", ".join(["..."] * min(wanted, 3)).replace("...", '"..."') + "]}")
    return "\n".join(parts)


def _shown(url: str | None) -> str:
    """An address that may be shown: without any user, password or query in it."""
    parts = urlsplit(url or "https://api.openai.com/v1")
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
