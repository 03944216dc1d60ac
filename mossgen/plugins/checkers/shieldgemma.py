"""Guard: ShieldGemma 2, run locally by transformers: the picture alone, one probability per policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mossgen.core.items import Decision, Verdict
from mossgen.errors import BackendError, MissingModel
from mossgen.models import devices
from mossgen.models.devices import Device
from mossgen.plugins.protocols import Case, CheckerOptions

if TYPE_CHECKING:
    from PIL.Image import Image

POLICIES = ("dangerous", "sexual", "violence")  # built into the model
Score = Callable[[Sequence["Image"]], list[list[float]]]  # pictures -> P(violates) by policy


class Options(CheckerOptions):
    """Which model, where it runs, and the probability from which it flags."""

    role: ClassVar[Literal["gate", "signal"]] = "signal"

    model: str = Field(
        "google/shieldgemma-2-4b-it",
        min_length=1,
        description="a folder or hub id (the default is gated: accept Gemma's terms on the hub first)",
    )
    device: Device = "auto"
    flags_from: float = Field(0.5, ge=0, le=1, description="the probability of a policy's breach that is flagged")


def build(options: Options) -> ShieldGemma:
    """Loads the guard. Raises MissingModel or BackendError."""
    return ShieldGemma(options, load(options.model, options.device))


class ShieldGemma:
    """The verdict's score is the highest probability of the three policies."""

    name = "shieldgemma"
    cost = 0.0

    def __init__(self, options: Options, score: Score) -> None:
        self.options = options
        self._score = score

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each; unsure without a picture. Raises BackendError."""
        pictures = [case.image for case in cases if case.image is not None]
        scored = iter(self._score(pictures) if pictures else [])
        return [self._verdict(None if case.image is None else next(scored)) for case in cases]

    def _verdict(self, row: Sequence[float] | None) -> Verdict:
        if row is None:
            return Verdict(self.name, Decision.UNSURE, "there is no picture to look at")
        highest = max(row)
        reason = f"{POLICIES[list(row).index(highest)]} {highest:.2f}"
        good = highest < self.options.flags_from  # NaN does not pass
        return Verdict(self.name, Decision.PASS if good else Decision.FAIL, reason, round(highest, 4))


def load(model: str, device: str) -> Score:
    """Loads the model as a function of pictures. Raises ConfigError, MissingModel or BackendError."""
    import transformers

    library: Any = transformers  # transformers' classes are not typed
    where = devices.device(device)
    try:
        processor = library.AutoProcessor.from_pretrained(model)
        network = library.ShieldGemma2ForImageClassification.from_pretrained(
            model, dtype=devices.dtype("auto", where), use_safetensors=True
        )
        network = network.eval().to(where)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise MissingModel(
            f"shieldgemma.model {model!r} cannot be loaded ({devices.reason(error)}): give a folder or a hub id."
        ) from error
    except Exception as error:  # transformers, safetensors and torch can raise nearly any error
        raise BackendError(f"shieldgemma.model {model!r} cannot be loaded: {devices.reason(error)}.") from error
    return partial(_probabilities, processor, network)


def _probabilities(processor: Any, network: Any, pictures: Sequence[Image]) -> list[list[float]]:
    """For each picture, the probability that it violates each of POLICIES. Raises BackendError."""
    import torch

    try:
        # the answer is read at the last token, so shorter requests are padded on the left
        inputs = processor(
            images=list(pictures), policies=list(POLICIES), return_tensors="pt", padding=True, padding_side="left"
        ).to(network.device, dtype=network.dtype)
        with torch.inference_mode():
            yes = network(**inputs).probabilities[:, 0].float().cpu()
        return [[float(p) for p in row] for row in yes.reshape(len(pictures), len(POLICIES))]
    except Exception as error:  # out of memory, a picture the processor rejects
        raise BackendError(f"ShieldGemma failed on {len(pictures)} pictures: {devices.reason(error)}.") from error
