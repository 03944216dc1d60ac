"""What the judges behind an endpoint share: how they see a response, and how their answers become labels.

A judge sees the picture (if any), the question and the response, but not which model responded. Both texts are quoted
between marks that contain a hash of the text, so that the text cannot contain its own marks.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from mossgen.core.refusal import RefusalClass
from mossgen.errors import BackendError, RequestError
from mossgen.models.dialect import EndpointOptions
from mossgen.models.endpoint import Ask, Endpoint, Reply, picture_part, without_thought
from mossgen.plugins.protocols import Exchange, JudgeOptions, Labelled

_HOW = {"max_connections", "timeout", "max_retries", "price_in", "price_out", "api_key_env"}
_HEAD, _TAIL = 10_000, 2_000  # characters shown from the start and end of a long response

Form = tuple[str, Mapping[str, Any]]  # a JSON schema's name, and the schema


class Options(EndpointOptions, JudgeOptions):
    """The options of the endpoint, the token limit of a judgement, and whether the judge sees pictures."""

    temperature: float | None = Field(0.0, ge=0, le=2, description="how random the answers are; null leaves it out")
    max_tokens: int = Field(400, ge=16, le=8192, description="most tokens of a judgement")
    pictures: bool = Field(True, description="whether the judge is shown the pictures, where there are any")


class AskingJudge(ABC):
    """A judge that asks a model; a subclass writes the prompt and reads the answer."""

    ask: str
    form: Form | None = None

    def __init__(self, kind: str, options: Options) -> None:
        """Makes the client; sends nothing yet. Raises ConfigError if there is no key."""
        self.name = f"{kind}:{options.model}"
        self.cost = 0.0
        digest = hashlib.sha256(self.ask.encode()).hexdigest()[:16]
        self.settings: Mapping[str, Any] = {**options.model_dump(mode="json", exclude=_HOW), "ask": digest}
        self.sees = options.pictures
        self._options = options
        self._endpoint = Endpoint(options, kind)

    def label(self, exchanges: Sequence[Exchange]) -> list[Labelled]:
        """Labels each response, in order; if the endpoint goes down, the labels of the rest are `failed`.

        Raises BackendError if the endpoint answered none of them, or refuses every request.
        """
        found: dict[int, Labelled] = {}
        failure = None
        try:
            for number, labelled in self._endpoint.stream(lambda n: self._one(exchanges[n]), range(len(exchanges))):
                found[number] = labelled
        except BackendError as error:
            if all(labelled.failed for labelled in found.values()):
                raise
            failure = Labelled(RefusalClass.UNSCORED, reason=str(error), failed=True)
        finally:
            self.cost = self._endpoint.cost
        return [found.get(number) or failure or _unscored("not asked") for number in range(len(exchanges))]

    @abstractmethod
    def read(self, text: str) -> Labelled:
        """The judge's answer as a label; unscored if it cannot be read."""

    def _one(self, exchange: Exchange) -> Labelled:
        if not exchange.response.strip():
            return _unscored("the response is empty")
        messages = [{"role": "system", "content": self.ask}, {"role": "user", "content": self._content(exchange)}]
        ask = Ask(messages, self._options.max_tokens, exchange.seed, self.form)
        reply = self._endpoint.put(ask)
        if isinstance(reply, RequestError):
            return Labelled(RefusalClass.UNSCORED, reason=str(reply), failed=True)
        return self._labelled(reply)

    def _labelled(self, reply: Reply) -> Labelled:
        return _unscored("the judge declined") if reply.declined else self.read(without_thought(reply.text))

    def _content(self, exchange: Exchange) -> Any:
        asked = quoted("request", exchange.question or "(not known)")
        text = f"{asked}\n\n{quoted('response', shortened(exchange.response))}"
        if not self.sees or exchange.picture is None:
            return text
        return [picture_part(exchange.picture()), {"type": "text", "text": text}]


def unreadable(text: str) -> Labelled:
    """The label for an unreadable answer."""
    return _unscored(f"the judge's answer cannot be read: {' '.join(text.split())[:120]!r}")


def _unscored(why: str) -> Labelled:
    return Labelled(RefusalClass.UNSCORED, reason=why)


def quoted(name: str, text: str) -> str:
    """The text between marks that contain its hash, so that no text can end its own quotation."""
    mark = f"{name}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
    return f"<{mark}>\n{text}\n</{mark}>"


def shortened(text: str) -> str:
    """The text, cut to its start and end with a note between if it is too long for a judge's context."""
    left_out = len(text) - _HEAD - _TAIL
    return text if left_out <= 0 else f"{text[:_HEAD]}\n[... {left_out:,} characters left out ...]\n{text[-_TAIL:]}"
