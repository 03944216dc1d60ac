"""Any OpenAI-compatible chat endpoint: OpenAI, vLLM, SGLang, Ollama, llama.cpp, transformers serve, proxies.

One call per prompt asks for all its answers as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from mossgen.errors import RequestError
from mossgen.models.dialect import Dialect, EndpointOptions
from mossgen.models.endpoint import Ask, Endpoint
from mossgen.plugins.llms._text import answers
from mossgen.plugins.protocols import Completion, Prompt

__all__ = ["Dialect", "OpenAILLM", "Options", "build"]

_EXAMPLES = 3  # choices of Prompt.choices shown as style examples
_OVERHEAD = 64  # tokens for the JSON around the answers
_SCHEMA = {
    "type": "object",
    "properties": {"questions": {"type": "array", "items": {"type": "string"}}},
    "required": ["questions"],
    "additionalProperties": False,
}


class Options(EndpointOptions):
    """The options of the endpoint."""


def build(options: Options) -> OpenAILLM:
    """Builds the client; sends nothing yet. Raises ConfigError if there is no key."""
    return OpenAILLM(options, Endpoint(options, "llm"))


class OpenAILLM:
    """See protocols.LLM. Asks for guided answers as free ones. Safe to call from threads."""

    guides = False

    def __init__(self, options: Options, endpoint: Endpoint) -> None:
        self.name = f"openai/{options.model}"
        self.cost = 0.0
        self._endpoint = endpoint

    def write(self, prompts: Sequence[Prompt]) -> list[list[Completion]]:
        """Up to `samples + guided` answers per prompt; none if the reply cannot be read.

        Raises BackendError after the client's retries.
        """
        try:
            return self._endpoint.map(self._answer, prompts)
        finally:
            self.cost = self._endpoint.cost

    def _answer(self, prompt: Prompt) -> list[Completion]:
        wanted = prompt.samples + prompt.guided
        if wanted == 0:
            return []
        messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
        messages[-1]["content"] += _instruction(prompt, wanted)
        limit = wanted * prompt.max_tokens + _OVERHEAD
        reply = self._endpoint.put(Ask(messages, limit, prompt.seed, ("questions", _SCHEMA)))
        if isinstance(reply, RequestError):
            return []
        return [Completion(text, None, "sampled") for text in answers(reply.text)[:wanted]]


def _instruction(prompt: Prompt, wanted: int) -> str:
    """The text added to the last message: how many answers, in which form, and a few choices as examples."""
    parts = [""]
    if prompt.choices:
        shown = Random(prompt.seed).sample(prompt.choices, min(_EXAMPLES, len(prompt.choices)))
        parts += ["Examples of the style, not to be copied:", *(f"- {choice}" for choice in shown), ""]
    parts.append(f"Write {wanted} different answers, each one line. Reply with JSON only:")
    parts.append('{"questions": [' + ", ".join(["..."] * min(wanted, 3)).replace("...", '"..."') + "]}")
    return "\n".join(parts)
