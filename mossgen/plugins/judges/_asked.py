"""What the judges behind an endpoint share: how a response is shown to them, and what becomes of their answers.

A judge sees the picture where there is one, the question and the response, and nothing of who responded. Both texts are
material between marks that they cannot contain, since a hash of the text is in them.
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
_HEAD, _TAIL = 10_000, 2_000  # characters of a response that are shown

Form = tuple[str, Mapping[str, Any]]  # the name of a JSON schema, and the schema


class Options(EndpointOptions, JudgeOptions):
    """Those of the endpoint, the most tokens of a judgement, and whether the judge is shown pictures."""

    temperature: float | None = Field(0.0, ge=0, le=2, description="how random the answers are; null leaves it out")
    max_tokens: int = Field(400, ge=16, le=8192, description="most tokens of a judgement")
    pictures: bool = Field(True, description="whether the judge is shown the pictures, where there are any")


class AskingJudge(ABC):
    """A judge that is asked in words; a subclass says which, and reads the answer."""

    ask: str
    form: Form | None = None

    def __init__(self, kind: str, options: Options) -> None:
        """Makes the client; nothing is sent yet. Raises ConfigError where there is no key."""
        self.name = f"{kind}:{options.model}"
        self.cost = 0.0
        digest = hashlib.sha256(self.ask.encode()).hexdigest()[:16]
        self.settings: Mapping[str, Any] = {**options.model_dump(mode="json", exclude=_HOW), "ask": digest}
        self.sees = options.pictures
        self._options = options
        self._endpoint = Endpoint(options, kind)

    def label(self, exchanges: Sequence[Exchange]) -> list[Labelled]:
        """What each response is, in order. Those an endpoint that went down left unasked are `failed`.

        Raises BackendError where it answered none of them, or takes none of its requests.
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
        """The judge's answer as a label; unscored where it cannot be read."""

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
    """The label of an answer that is none."""
    return _unscored(f"the judge's answer cannot be read: {' '.join(text.split())[:120]!r}")


def _unscored(why: str) -> Labelled:
    return Labelled(RefusalClass.UNSCORED, reason=why)


def quoted(name: str, text: str) -> str:
    """The text between marks with its own hash in them, so that no text can end its own quotation."""
    mark = f"{name}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
    return f"<{mark}>\n{text}\n</{mark}>"


def shortened(text: str) -> str:
    """The text, or its start and end with a note between: a response can be longer than a judge's context."""
    left_out = len(text) - _HEAD - _TAIL
    return text if left_out <= 0 else f"{text[:_HEAD]}\n[... {left_out:,} characters left out ...]\n{text[-_TAIL:]}"
