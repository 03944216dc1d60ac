"""Any local chat model that transformers loads: with vision, or with descriptions instead of pictures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from mossgen.errors import BackendError
from mossgen.models import weights
from mossgen.models.chat import LocalChat, load
from mossgen.models.devices import Device, Dtype
from mossgen.plugins.protocols import Failure, Query, Response, TargetOptions
from mossgen.plugins.targets._seen import MAX_SIDE, in_words, scaled


class Options(TargetOptions):
    """Which model, where it runs, and how it answers."""

    forms: ClassVar[tuple[str, ...]] = ("PATH",)

    model: str = Field(
        min_length=1,
        description="a folder, a hub id of safetensors (remote code is never run), or smollm2: embedded, cannot see",
    )
    device: Device = "auto"
    dtype: Dtype = "auto"
    max_tokens: int = Field(256, ge=1, le=32768, description="most tokens of a response")
    temperature: float = Field(
        0.0, ge=0, le=5, description="0 always takes the likeliest token; above that a query's own seed decides"
    )
    max_side: int = Field(
        MAX_SIDE, ge=32, le=16384, description="most pixels of a side; a larger picture is shown scaled down"
    )

    def repeats_itself(self) -> bool:
        """Yes, at temperature 0."""
        return self.temperature == 0

    def needs_weights(self) -> tuple[str, ...]:
        """The embedded model, if the options name it."""
        return weights.embedded(self.model)

    def model_licence(self) -> str:
        """The licence of an embedded model; for others, where to find it."""
        return weights.licence(self.model)


def build(options: Options) -> TransformersTarget:
    """Loads the model. Raises ConfigError, MissingModel or BackendError."""
    return TransformersTarget(options, load("target transformers", options.model, options.device, options.dtype))


class TransformersTarget:
    """See protocols.Target. One query at a time."""

    cost = 0.0

    def __init__(self, options: Options, chat: LocalChat) -> None:
        folder = Path(options.model)
        self._model = folder.name if folder.is_dir() else options.model
        self.name = f"transformers:{self._model}"
        self.settings: Mapping[str, Any] = options.model_dump(mode="json", exclude={"device"})
        self.sees = chat.sees
        self._options = options
        self._chat = chat

    def respond(self, queries: Iterable[Query]) -> Iterator[tuple[Query, Response | Failure]]:
        """See protocols.Target."""
        for query in queries:
            yield query, self._one(query)

    def _one(self, query: Query) -> Response | Failure:
        started = time.monotonic()
        picture = None
        if self.sees and query.picture is not None:
            picture = scaled(query.picture(), self._options.max_side)
        words = query.question if self.sees else in_words(query)
        options = self._options
        try:
            said = self._chat.say(words, picture, query.system, options.max_tokens, options.temperature, query.seed)
        except BackendError as error:
            return Failure(str(error))
        seconds = round(time.monotonic() - started, 3)
        kind: Literal["answered", "empty"] = "answered" if said.text.strip() else "empty"
        return Response(said.text, kind, said.finish, self._model, said.tokens_in, said.tokens_out, seconds)
