"""What the guards share: the client and the form of the verdict. Each guard's file has its prompt and parser.

Guards are signals: they flag alarming pictures, and mossgen makes such pictures. `--gate NAME` makes one a gate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from mossgen.core.items import Decision, Verdict
from mossgen.errors import RequestError
from mossgen.models.dialect import EndpointOptions
from mossgen.models.endpoint import Ask, Endpoint, picture_part
from mossgen.plugins.protocols import Case, CheckerOptions

# the MLCommons hazard codes that Llama Guard 3 and 4 answer with
HAZARDS = {
    "S1": "violent crimes", "S2": "non-violent crimes", "S3": "sex-related crimes", "S4": "child exploitation",
    "S5": "defamation", "S6": "specialized advice", "S7": "privacy", "S8": "intellectual property",
    "S9": "indiscriminate weapons", "S10": "hate", "S11": "suicide and self-harm", "S12": "sexual content",
    "S13": "elections", "S14": "code interpreter abuse",
}  # fmt: skip


class Finding(NamedTuple):
    """What a guard's answer says; an unreadable answer gives no Finding."""

    decision: Decision
    reason: str
    score: float | None = None


class GuardOptions(EndpointOptions, CheckerOptions):
    """The options of the endpoint; a guard's answers are short and deterministic."""

    role: ClassVar[Literal["gate", "signal"]] = "signal"

    temperature: float | None = Field(0.0, ge=0, le=2, description="how random the answers are; null leaves it out")


class PictureGuardOptions(GuardOptions):
    """The options of a guard that sees picture and question together."""

    sees_pair: ClassVar[bool] = True


class TextGuardOptions(GuardOptions):
    """The options of a guard that reads the question alone."""

    needs: ClassVar[Literal["text", "image"]] = "text"


class ChatGuard:
    """A guard behind a chat endpoint: `messages` asks about a case, `parse` reads the answer."""

    def __init__(
        self,
        name: str,
        options: GuardOptions,
        messages: Callable[[Case], list[dict[str, Any]]],
        parse: Callable[[str], Finding | None],
        tokens: int = 64,
    ) -> None:
        """Makes the client; sends nothing yet. Raises ConfigError if there is no key."""
        self.name = name
        self.options = options
        self.cost = 0.0
        self._endpoint = Endpoint(options, name)
        self._messages, self._parse, self._tokens = messages, parse, tokens

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each; unsure if the guard's answer cannot be read. Raises BackendError."""
        try:
            return self._endpoint.map(self._one, cases)
        finally:
            self.cost = self._endpoint.cost

    def _one(self, case: Case) -> Verdict:
        if not case.item.question or (self.options.needs == "image" and case.image is None):
            return Verdict(self.name, Decision.UNSURE, "there is nothing to look at")
        reply = self._endpoint.put(Ask(self._messages(case), self._tokens))
        if isinstance(reply, RequestError):
            return Verdict(self.name, Decision.UNSURE, f"the guard was not asked: {reply}")
        found = None if reply.declined else self._parse(reply.text)
        if found is None:
            said = " ".join(reply.text.split())[:80]
            return Verdict(self.name, Decision.UNSURE, f"the guard's answer cannot be read: {said!r}")
        return Verdict(self.name, found.decision, found.reason, found.score)


def picture_and_question(case: Case) -> list[dict[str, Any]]:
    """One user turn with the picture and the question; the server's chat template does the rest."""
    assert case.image is not None
    parts = [picture_part(case.image), {"type": "text", "text": case.item.question}]
    return [{"role": "user", "content": parts}]


def question_alone(case: Case) -> list[dict[str, Any]]:
    """One user turn with the question."""
    return [{"role": "user", "content": case.item.question}]


def named(what: str, codes: Mapping[str, str] = {}) -> str:
    """The category names, cleaned up."""
    words = [codes.get(part.strip(), part.strip()) for part in re.split(r"[,\n]", what) if part.strip()]
    return ", ".join(words) or "no category named"
