"""Draws through any OpenAI-compatible images endpoint, for users with a key and no GPU."""

from __future__ import annotations

import base64
import io
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from mossgen.errors import BackendError, ConfigError
from mossgen.plugins.protocols import Drawing

if TYPE_CHECKING:
    from PIL.Image import Image

REFUSALS = ("moderation", "safety", "content_policy", "content policy")  # in a 400 that means: not this prompt
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_BYTES = 40_000_000  # of one picture
MAX_PIXELS = 50_000_000  # of one picture: few bytes can unfold to more than the memory holds


class Options(BaseModel):
    """`price` is what one picture costs in US dollars: it feeds --max-cost and --dry-run."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = "gpt-image-1"
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    size: str = Field(default="1024x1024", pattern=r"^\d+x\d+$")
    prompt_suffix: str = ", photograph, natural light"
    max_connections: int = Field(default=4, ge=1, le=64)
    max_retries: int = Field(default=6, ge=0, le=20)
    timeout: float = Field(default=180, gt=0)
    price: float = Field(default=0.0, ge=0)


class OpenAIImager:
    """A client of one images endpoint. It takes no seed: a resumed run keeps what was drawn, and draws anew else."""

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
        from PIL import Image

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
                self.cost += self._options.price  # paid for, whatever becomes of the others
            with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise BackendError(
                        f"{where} sent a picture of {image.width}x{image.height}: ask for a smaller size."
                    )
                return image.convert("RGB")
        except openai.BadRequestError as error:
            if any(word in str(error).lower() for word in REFUSALS):
                return None  # of this prompt alone: the run goes on
            raise BackendError(f"{where} did not draw with {self._options.model!r}: {_short(error)}.") from error
        except openai.OpenAIError as error:
            raise BackendError(f"{where} did not draw with {self._options.model!r}: {_short(error)}.") from error
        except BackendError:
            raise
        except Exception as error:  # garbage makes the client and Pillow raise nearly anything
            raise BackendError(f"{where} sent something that is no picture ({_short(error)}).") from error


def build(options: Options) -> OpenAIImager:
    """Makes the client; nothing is sent yet. Raises ConfigError where the key is missing."""
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
