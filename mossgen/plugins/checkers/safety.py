"""Is the question itself a harmful request? A small head of our own on MiniLM sentence embeddings.

It reads the text alone. A probability below `pass_below` passes, one from `fail_from` up fails, and one between is
unsure. The defaults are in the head's config.json, with the recall and false alarms they were chosen for. For its
quality and limits see embedded/weights/safety/MODEL_CARD.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from mossgen.core.items import Decision, Verdict
from mossgen.embedded.minilm import Encoder
from mossgen.errors import BackendError
from mossgen.models import weights as models
from mossgen.plugins.protocols import Case, CheckerOptions

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = Path(__file__).parent.parent.parent / "embedded" / "weights" / "safety"


class Options(CheckerOptions):
    """The bounds between pass, unsure and fail."""

    needs: ClassVar[Literal["text", "image"]] = "text"

    pass_below: float | None = Field(
        None, ge=0, le=1, description="the probability of harm below which a question passes; null is the head's own"
    )
    fail_from: float | None = Field(
        None, ge=0, le=1, description="the probability of harm from which on it fails; null is the head's own"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Options:
        if self.pass_below is not None and self.fail_from is not None and self.pass_below > self.fail_from:
            raise ValueError("pass_below is above fail_from")
        return self

    def needs_weights(self) -> tuple[str, ...]:
        """The encoder that the head needs; the head itself is in the package."""
        return ("minilm",)

    def model_licence(self) -> str:
        """The licence of the head and its encoder."""
        return models.licence("minilm")


class Head:
    """One hidden layer and a calibrated sigmoid, in numpy."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        try:
            self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "model.safetensors")
        except (OSError, ValueError) as error:
            raise BackendError(f"The text-safety head in {folder} cannot be read: {error}.") from error
        self._weights = {name: tensor.astype("float32") for name, tensor in weights.items()}

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """[n] calibrated probabilities of a harmful request, for [n, layers * 384] features."""
        import numpy as np

        w = self._weights
        hidden = np.maximum(features @ w["hidden.weight"].T + w["hidden.bias"], 0)
        logits = hidden @ w["out.weight"].T + w["out.bias"]
        scaled: np.ndarray = 1 / (1 + np.exp(-(self.config["slope"] * logits[:, 0] + self.config["shift"])))
        return scaled


class SafetyChecker:
    """Judges questions by the head's probability."""

    name = "safety"
    cost = 0.0

    def __init__(self, encoder: Encoder, head: Head, options: Options) -> None:
        self.options = options
        self._encoder, self._head = encoder, head
        upper = head.config["fail_from"] if options.fail_from is None else options.fail_from
        lower = head.config["pass_below"] if options.pass_below is None else options.pass_below
        # if one bound alone is given and crosses the other, the other moves with it
        self._upper = max(upper, lower) if options.fail_from is None else upper
        self._lower = min(lower, self._upper)

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """Verdicts with the probability as score; a missing or empty question is unsure."""
        texts = [(case.item.question or "").strip() for case in cases]
        asked = [text for text in texts if text]
        scores = iter(self.scores(asked) if asked else [])
        return [self._verdict(next(scores)) if text else self._nothing() for text in texts]

    def scores(self, texts: Sequence[str]) -> list[float]:
        """The probability of harm of each text. Raises BackendError."""
        try:
            features = self._encoder.features(texts)
        except RuntimeError as error:  # torch: out of memory, broken weights
            raise BackendError(f"MiniLM could not embed {len(texts)} questions: {error}.") from error
        return [float(p) for p in self._head.probabilities(features)]

    def _verdict(self, score: float) -> Verdict:
        if score < self._lower:
            return Verdict(self.name, Decision.PASS, f"harm {score:.2f}, below {self._lower:.2f}", score)
        if score < self._upper:
            reason = f"harm {score:.2f}, between {self._lower:.2f} and {self._upper:.2f}"
            return Verdict(self.name, Decision.UNSURE, reason, score)
        # NaN is in none of the ranges above
        decision = Decision.FAIL if score >= self._upper else Decision.UNSURE
        return Verdict(self.name, decision, f"harm {score:.2f}, not below {self._upper:.2f}", score)

    def _nothing(self) -> Verdict:
        return Verdict(self.name, Decision.UNSURE, "there is no question to judge")


def build(options: Options) -> SafetyChecker:
    """The checker over the embedded MiniLM (pulled on first use). Raises MissingModel or BackendError."""
    head = Head(WEIGHTS)
    return SafetyChecker(Encoder(models.path("minilm"), head.config["layers"]), head, options)
