"""One client for any OpenAI-compatible endpoint, shared by writers, judges and guards.

The client learns from refusals what an endpoint does not accept (structured output, the name of the token limit,
a seed), and keeps it in a Dialect.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from mossgen.core.items import encodable
from mossgen.errors import BackendError, ConfigError, RequestError
from mossgen.files.pictures import to_png
from mossgen.models.dialect import Dialect, EndpointOptions

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, OpenAI
    from PIL.Image import Image


T = TypeVar("T")
R = TypeVar("R")

LOCAL = ("localhost", "127.0.0.1", "::1")
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_TRIES = 50  # opening braces to try: text of nothing but braces must not take long
_HOPELESS = 5  # first requests refused in a row: then the endpoint is at fault, not the requests
_NOT_TAKEN = (400, 413, 415, 422)  # the request is at fault: its size, picture or words
_NOTHING = object()
_DECLINED = re.compile(r"content.?(policy|filter|management)|moderation|safety system|flagged", re.I)


@dataclass(frozen=True)
class Ask:
    """One call: chat messages in the API's form, the token limit, and the JSON schema wanted, if any."""

    messages: Sequence[Mapping[str, Any]]
    max_tokens: int
    seed: int | None = None
    schema: tuple[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Reply:
    """A reply: the text, and whether the model or the endpoint declined to answer (the text is then empty).

    `finish`, `model` and the tokens are what the endpoint reports, if it does.
    """

    text: str
    declined: bool = False
    finish: str | None = None
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None


class Endpoint:
    """Calls one endpoint for one model. Safe to call from threads. `role` names its options in messages."""

    def __init__(self, options: EndpointOptions, role: str) -> None:
        """Makes the client; sends nothing yet. Raises ConfigError if there is no key."""
        self.cost = 0.0
        self._options = options
        self._role = role
        self._client = _client(options, role)
        self._lock = threading.Lock()
        self._refused: int | None = 0  # requests refused before the first accepted one; None after that
        official = urlsplit(str(self._client.base_url)).hostname == "api.openai.com"
        self._dialect = Dialect(
            "json_schema" if options.structured == "auto" else options.structured,
            ("max_completion_tokens" if official else "max_tokens")
            if options.token_field == "auto"
            else options.token_field,
        )

    def map(self, one: Callable[[T], R], many: Sequence[T]) -> list[R]:
        """Applies `one` to each, at most `max_connections` at a time; results in order. Raises what `one` raises."""
        pool = ThreadPoolExecutor(self._options.max_connections)
        try:
            return list(pool.map(one, many))
        finally:
            pool.shutdown(cancel_futures=True)

    def stream(self, one: Callable[[T], R], many: Iterable[T]) -> Iterator[tuple[T, R]]:
        """Yields each input with its result from `one` as it finishes; reads `many` only when a connection is free.

        After an error, first yields what was already running (it may be paid for), then raises the first error.
        """
        pool, waiting, error = ThreadPoolExecutor(self._options.max_connections), iter(many), None
        running: dict[Future[R], T] = {}
        try:
            while True:
                while error is None and len(running) < self._options.max_connections:
                    thing = next(waiting, _NOTHING)
                    if thing is _NOTHING:
                        break
                    running[pool.submit(one, thing)] = thing  # type: ignore[arg-type, assignment]
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    of, failed = running.pop(future), future.exception()
                    error = error or failed
                    if failed is None:
                        yield of, future.result()
        finally:
            pool.shutdown(cancel_futures=True)
        if error is not None:
            raise error

    def attempt(self, call: Callable[[], R]) -> R | RequestError:
        """Returns the call's result, or the RequestError if the endpoint refuses this one request.

        Raises BackendError for any other failure, and if all of the first requests are refused.
        """
        try:
            given = call()
        except RequestError as error:
            with self._lock:
                self._refused = None if self._refused is None else self._refused + 1
                hopeless = self._refused is not None and self._refused >= _HOPELESS
            if hopeless:
                raise BackendError(f"None of the first {_HOPELESS} requests was taken: {error}") from error
            return error
        with self._lock:
            self._refused = None
        return given

    def put(self, ask: Ask) -> Reply | RequestError:
        """Runs `ask` as an `attempt`."""
        return self.attempt(lambda: self.ask(ask))

    def ask(self, ask: Ask) -> Reply:
        """Asks for one reply, in the dialect that the endpoint accepts.

        If the endpoint's own moderation refuses the request, the reply is marked as declined.
        Raises BackendError after the client's retries, RequestError if the endpoint refuses this one request.
        """
        from openai import APIError, APIStatusError

        while True:
            dialect = self._dialect
            try:
                reply = self._client.chat.completions.create(**self._request(ask, dialect))
            except APIStatusError as error:
                if error.status_code in (400, 422) and self._learn(dialect, str(error)):
                    continue
                if error.status_code in (400, 403, 422) and _DECLINED.search(str(error)):
                    return Reply("", True, "content_filter")
                raise self._kind(error)(self._trouble(error)) from error
            except (APIError, ValueError) as error:  # no connection, a time-out, or not JSON
                raise BackendError(self._trouble(error)) from error
            return self._reply(reply)

    def moderate(self, parts: Sequence[Mapping[str, Any]]) -> Any:
        """The first result of the moderations endpoint for these content parts. Raises what `ask` raises."""
        from openai import APIError, APIStatusError

        try:
            answer = self._client.moderations.create(model=self._options.model, input=list(parts))  # type: ignore[arg-type]
            return answer.results[0]
        except APIStatusError as error:
            raise self._kind(error)(self._trouble(error)) from error
        except (APIError, ValueError) as error:
            raise BackendError(self._trouble(error)) from error
        except (AttributeError, IndexError, TypeError) as error:
            raise BackendError(f"{self._where()} answered, but not with a moderation result.") from error

    @staticmethod
    def _kind(error: APIStatusError) -> type[BackendError]:
        return RequestError if error.status_code in _NOT_TAKEN else BackendError

    def _learn(self, refused: Dialect, words: str) -> bool:
        """Whether there is another dialect to try, found now or meanwhile by another thread."""
        with self._lock:
            if self._dialect != refused:
                return True
            following = refused.after(words, self._options)
            self._dialect = following or refused
            return following is not None

    def _request(self, ask: Ask, dialect: Dialect) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._options.model,
            "messages": list(ask.messages),
            dialect.token_field: ask.max_tokens + self._options.thinking_tokens,
        }
        if ask.schema and dialect.structured == "json_schema":
            schema = {"name": ask.schema[0], "strict": True, "schema": ask.schema[1]}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif ask.schema and dialect.structured == "json_object":
            request["response_format"] = {"type": "json_object"}
        optional = {
            "seed": None if ask.seed is None else ask.seed & 0x7FFFFFFF,  # some servers store it in 32 bits
            "temperature": self._options.temperature,
            "top_p": self._options.top_p,
        }
        request |= {k: v for k, v in optional.items() if v is not None and k not in dialect.without}
        return request | {"extra_body": dict(self._options.extra_body)}

    def _reply(self, reply: Any) -> Reply:
        """Reads the reply and adds its cost."""
        usage = getattr(reply, "usage", None)
        if usage:
            spent = usage.prompt_tokens * self._options.price_in + usage.completion_tokens * self._options.price_out
            with self._lock:
                self.cost += spent / 1e6
        try:
            choice = reply.choices[0]
            declined = bool(getattr(choice.message, "refusal", None)) or choice.finish_reason == "content_filter"
            return Reply(
                "" if declined else encodable(choice.message.content or ""), declined, choice.finish_reason,
                encodable(reply.model or ""),
                usage.prompt_tokens if usage else None, usage.completion_tokens if usage else None,
            )  # fmt: skip
        except (AttributeError, IndexError, TypeError) as error:
            raise BackendError(
                f"{self._where()} answered, but not with a chat completion: check that {self._role} option base_url is"
                " the address of an OpenAI-compatible API (it usually ends in /v1)."
            ) from error

    def _where(self) -> str:
        return f"{shown(str(self._client.base_url))} (model {self._options.model!r})"

    def _trouble(self, error: APIError | APIStatusError | ValueError) -> str:
        """One sentence about a failed call; it never contains the key."""
        import openai

        retried = f"after {self._options.max_retries} retries"
        key = self._options.api_key_env
        match error:
            case openai.APITimeoutError():
                return (
                    f"{self._where()} did not answer within {self._options.timeout:g} s, {retried}: raise"
                    f" {self._role} option timeout, or lower max_connections."
                )
            case openai.APIConnectionError():
                return f"{self._where()} cannot be reached, {retried}: start the server, or check base_url."
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"{self._where()} refused the key ({error.status_code}): check the environment variable {key}."
            case openai.NotFoundError():
                return f"{self._where()} is not found there (404): check {self._role} options model and base_url."
            case openai.RateLimitError():
                return (
                    f"{self._where()} is over its rate limit or quota (429), {retried}: lower max_connections, or wait."
                )
            case openai.APIStatusError():
                said = self._without_key(str(error))
                return f"{self._where()} refused the request ({error.status_code}), {retried}: {said}"
        return (
            f"{self._where()} did not answer with JSON: check that {self._role} option base_url is an"
            " OpenAI-compatible API."
        )

    def _without_key(self, text: str) -> str:
        return " ".join(text.replace(self._client.api_key, "***").split())[:300]


def _client(options: EndpointOptions, role: str) -> OpenAI:
    from openai import OpenAI

    key = os.environ.get(options.api_key_env) or ("none" if is_local(options.base_url) else None)
    if not key:
        raise ConfigError(
            f"No key for {shown(options.base_url)}: set the environment variable {options.api_key_env}, or name"
            f" another one with {role} option api_key_env."
        )
    return OpenAI(api_key=key, base_url=options.base_url, timeout=options.timeout, max_retries=options.max_retries)


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in a model's text, also in a code fence or after prose or reasoning; None if none."""
    text = without_thought(text)
    decoder = json.JSONDecoder()
    for match in itertools.islice(re.finditer(r"\{", text), _TRIES):
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return json.loads(encodable(json.dumps(value, ensure_ascii=False)))  # type: ignore[no-any-return]
    return None


def without_thought(text: str) -> str:
    """A model's text without the reasoning before it."""
    return _THOUGHT.sub("", text)


def is_local(base_url: str | None) -> bool:
    """Whether an endpoint is on this machine; it then needs no key."""
    return urlsplit(base_url or "").hostname in LOCAL


def picture_part(image: Image) -> dict[str, Any]:
    """A picture as a content part of a message: PNG, inline."""
    url = f"data:image/png;base64,{base64.b64encode(to_png(image)).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def shown(url: str | None) -> str:
    """The address without user, password or query, safe to show."""
    parts = urlsplit(url or "https://api.openai.com/v1")
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
