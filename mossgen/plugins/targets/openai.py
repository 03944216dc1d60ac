"""Any OpenAI-compatible chat endpoint, hosted or local, with or without vision."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from mossgen.errors import BackendError, RequestError
from mossgen.models.dialect import EndpointOptions
from mossgen.models.endpoint import Ask, Endpoint, Reply, picture_part
from mossgen.plugins.protocols import Failure, Query, Response, TargetOptions
from mossgen.plugins.targets._seen import MAX_SIDE, in_words, scaled

_HOW = {"max_connections", "timeout", "max_retries", "price_in", "price_out", "api_key_env", "structured"}
_HOPELESS = 5  # first requests refused in a row: then the endpoint is at fault, not the requests


class Options(EndpointOptions, TargetOptions):
    """The options of the endpoint, the token limit of a response, and what the model sees."""

    temperature: float | None = Field(0.0, ge=0, le=2, description="how random the answers are; null leaves it out")
    max_tokens: int = Field(512, ge=1, le=32768, description="most tokens of a response")
    sees: Literal["picture", "description"] = Field(
        "picture", description="what is shown: the picture, or its description to a model that cannot see"
    )
    max_side: int = Field(
        MAX_SIDE, ge=32, le=16384, description="most pixels of a side; a larger picture is sent scaled down"
    )

    def repeats_itself(self) -> bool:
        """Yes, at temperature 0."""
        return self.temperature == 0


def build(options: Options) -> OpenAITarget:
    """Builds the client; sends nothing yet. Raises ConfigError if there is no key."""
    return OpenAITarget(options, Endpoint(options, "target"))


class OpenAITarget:
    """See protocols.Target. Asks `max_connections` queries at a time."""

    def __init__(self, options: Options, endpoint: Endpoint) -> None:
        self.name = f"openai:{options.model}"
        self.settings: Mapping[str, Any] = options.model_dump(mode="json", exclude=_HOW)
        self.cost = 0.0
        self.sees = options.sees == "picture"
        self._options = options
        self._endpoint = endpoint

    def respond(self, queries: Iterable[Query]) -> Iterator[tuple[Query, Response | Failure]]:
        """See protocols.Target. If the endpoint refuses a request, that query gets a Failure."""
        refused: list[str] | None = []
        for query, came in self._endpoint.stream(self._one, queries):
            self.cost = self._endpoint.cost
            yield query, came
            if isinstance(came, Response):
                refused = None
            elif refused is not None and len(refused := [*refused, came.reason]) >= _HOPELESS:
                raise BackendError(f"None of the first {_HOPELESS} requests was taken: {refused[-1]}")

    def _one(self, query: Query) -> Response | Failure:
        started = time.monotonic()
        try:
            reply = self._endpoint.ask(Ask(self._messages(query), self._options.max_tokens, query.seed))
        except RequestError as error:
            return Failure(str(error))
        return _response(reply, time.monotonic() - started)

    def _messages(self, query: Query) -> list[dict[str, Any]]:
        content: Any = query.question if self.sees else in_words(query)
        if self.sees and query.picture is not None:
            picture = scaled(query.picture(), self._options.max_side)
            content = [picture_part(picture), {"type": "text", "text": query.question}]
        system = [{"role": "system", "content": query.system}] if query.system else []
        return [*system, {"role": "user", "content": content}]


def _response(reply: Reply, seconds: float) -> Response:
    kind: Literal["answered", "empty", "filtered"] = "answered" if reply.text.strip() else "empty"
    return Response(
        reply.text, "filtered" if reply.declined else kind, reply.finish, reply.model, reply.tokens_in,
        reply.tokens_out, round(seconds, 3),
    )  # fmt: skip
