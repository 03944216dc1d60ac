"""Draws through any OpenAI-compatible images endpoint, for users with a key and no GPU."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from mossgen.errors import BackendError, ConfigError
from mossgen.files.pictures import read_picture
from mossgen.plugins.protocols import Drawing, PluginOptions

if TYPE_CHECKING:
    from PIL.Image import Image

REFUSALS = ("moderation", "safety", "content_policy", "content policy")  # words of a 400 error that refuses this prompt
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_BYTES = 40_000_000  # per picture


class Options(PluginOptions):
    """Which model draws, at which endpoint, and its price."""

    paid: ClassVar[bool] = True
    forms: ClassVar[tuple[str, ...]] = ("MODEL", "MODEL@URL")

    model: str = Field("gpt-image-1", description="the model's name at the endpoint")
    base_url: str | None = Field(None, description="the endpoint's address up to /v1; without it OpenAI's own")
    api_key_env: str = Field(
        "OPENAI_API_KEY",
        description="the environment variable that holds the key; an endpoint on this machine needs none",
    )
    size: str = Field("1024x1024", pattern=r"^\d+x\d+$", description="width and height in pixels")
    prompt_suffix: str = Field(", photograph, natural light", description="what is added to each prompt")
    max_connections: int = Field(4, ge=1, le=64, description="most requests at a time")
    max_retries: int = Field(6, ge=0, le=20, description="how often a request that failed is sent again")
    timeout: float = Field(180, gt=0, description="seconds to wait for a picture")
    price: float = Field(0.0, ge=0, description="US dollars for one picture, for budgets and forecasts")

    def estimate(self, tokens_in: int = 0, tokens_out: int = 0, pictures: int = 0) -> float | None:
        """The cost in US dollars by the given price; None if no price is given."""
        return pictures * self.price if self.price else None


class OpenAIImager:
    """A client of one images endpoint. It has no seed: a resumed run keeps old pictures and draws only the rest."""

    def __init__(self, client: Any, options: Options) -> None:
        self.name = f"openai:{options.model}"
        self.cost = 0.0
        self._client = client
        self._lock = threading.Lock()
        self._options = options

    def draw(self, drawings: Sequence[Drawing]) -> list[Image | None]:
        """One RGB picture each, in order; None for a prompt that the endpoint's moderation refuses."""
        with ThreadPoolExecutor(self._options.max_connections) as pool:
            return list(pool.map(self._one, drawings))

    def _one(self, drawing: Drawing) -> Image | None:
        import openai

        where = self._options.base_url or "the OpenAI API"
        try:
            answer = self._client.images.generate(
                model=self._options.model,
                prompt=drawing.prompt + self._options.prompt_suffix,
                size=self._options.size,
                n=1,
            )
            encoded = answer.data[0].b64_json
            if not encoded:
                raise BackendError(f"{where} sent no picture bytes for {self._options.model!r}: it must send b64_json.")
            if len(encoded) > MAX_BYTES:
                raise BackendError(f"{where} sent a picture of more than {MAX_BYTES:,} bytes: ask for a smaller size.")
            with self._lock:
                self.cost += self._options.price  # paid for, even if others fail
            return read_picture(base64.b64decode(encoded, validate=True))
        except openai.BadRequestError as error:
            if any(word in str(error).lower() for word in REFUSALS):
                return None  # only this prompt fails: the run goes on
            raise BackendError(f"{where} did not draw with {self._options.model!r}: {_short(error)}.") from error
        except openai.OpenAIError as error:
            raise BackendError(f"{where} did not draw with {self._options.model!r}: {_short(error)}.") from error
        except BackendError:
            raise
        except Exception as error:  # on invalid data the client can raise nearly any error
            raise BackendError(f"{where} sent something that is no picture ({_short(error)}).") from error


def build(options: Options) -> OpenAIImager:
    """Makes the client; sends nothing yet. Raises ConfigError if the key is missing."""
    import openai

    key = os.environ.get(options.api_key_env)
    if not key and urlsplit(options.base_url or "").hostname not in LOOPBACK:
        raise ConfigError(f"{options.api_key_env} is not set: export the key, or name another with openai.api_key_env.")
    client = openai.OpenAI(
        api_key=key or "none",
        base_url=options.base_url,
        timeout=options.timeout,
        max_retries=options.max_retries,
    )
    return OpenAIImager(client, options)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
