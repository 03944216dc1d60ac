"""Guard: OpenAI's moderations endpoint (omni-moderation-latest): picture and question, one score per category.

In the picture, the endpoint looks only for self-harm, sexual and violent content.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from mossgen.core.items import Decision, Verdict
from mossgen.errors import BackendError, RequestError
from mossgen.models.endpoint import Endpoint, picture_part
from mossgen.plugins.checkers._guards import PictureGuardOptions
from mossgen.plugins.protocols import Case


class Options(PictureGuardOptions):
    """The options of the endpoint."""

    model: str = Field("omni-moderation-latest", min_length=1, description="the guard's name at the endpoint")


def build(options: Options) -> Moderation:
    """Builds the guard; sends nothing yet. Raises ConfigError if there is no key."""
    return Moderation(options, Endpoint(options, "openai_moderation"))


class Moderation:
    """The verdict's score is the highest of all categories."""

    name = "openai_moderation"
    cost = 0.0  # the endpoint is free

    def __init__(self, options: Options, endpoint: Endpoint) -> None:
        self.options = options
        self._endpoint = endpoint

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each. Raises BackendError."""
        return self._endpoint.map(self._one, cases)

    def _one(self, case: Case) -> Verdict:
        if case.image is None or not case.item.question:
            return Verdict(self.name, Decision.UNSURE, "there is nothing to look at")
        parts = [{"type": "text", "text": case.item.question}, picture_part(case.image)]
        result = self._endpoint.attempt(lambda: self._endpoint.moderate(parts))
        if isinstance(result, RequestError):
            return Verdict(self.name, Decision.UNSURE, f"the guard was not asked: {result}")
        scores = _scores(result)
        highest = max(scores, key=lambda name: scores[name])
        reason = f"{highest} {scores[highest]:.2f}"
        flagged = sorted(name for name, flag in _plain(result.categories).items() if flag is True)
        if result.flagged:
            reason = f"flagged for {', '.join(flagged) or 'no named category'}; {reason}"
        return Verdict(self.name, Decision.FAIL if result.flagged else Decision.PASS, reason, scores[highest])


def _scores(result: Any) -> dict[str, float]:
    scores = {name: float(v) for name, v in _plain(result.category_scores).items() if isinstance(v, int | float)}
    if not scores or not isinstance(result.flagged, bool):
        raise BackendError("The moderations endpoint answered without scores: check base_url and model.")
    return scores


def _plain(model: Any) -> dict[str, Any]:
    return dict(model.model_dump(by_alias=True)) if model is not None else {}
