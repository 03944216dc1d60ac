"""The embedded refusal head: three classes, calibrated, offline; English, and weak at partial refusals."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from mossgen import models
from mossgen.embedded.refusal import Judged, RefusalHead
from mossgen.ports import Exchange, Labelled


class Options(BaseModel):
    """None."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def build(options: Options) -> Embedded:
    """Loads the head and its encoder. Raises MissingModel or BackendError."""
    return Embedded(RefusalHead(models.path("minilm")))


class Embedded:
    """See ports.RefusalJudge and embedded/refusal.py."""

    name = "embedded"
    cost = 0.0

    def __init__(self, head: RefusalHead) -> None:
        self._head = head

    def label(self, exchanges: Sequence[Exchange]) -> list[Labelled]:
        """What each response is, in order. Raises BackendError."""
        return [_labelled(judged) for judged in self._head.classify([(e.question, e.response) for e in exchanges])]


def _labelled(judged: Judged) -> Labelled:
    if judged.label == "unscored":
        return Labelled("unscored", None, "the response is empty")
    return Labelled(judged.label, round(1 - judged.probabilities["compliance"], 4))
