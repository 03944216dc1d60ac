"""Draws with any diffusers text-to-image pipeline: a preset, a hub id, or a local path.

The default, `t2i`, is mossgen's own small model: it draws illustrations, on any CPU. Presets hold
a model's intended settings and its licence; `steps` and `guidance` override them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from mossgen.errors import BackendError, MissingModel
from mossgen.models import devices, weights
from mossgen.models.devices import Device, Dtype
from mossgen.plugins.protocols import Drawing, PluginOptions

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Pipeline:
    """How to run a known model: its hub id or embedded name, settings, style words and licence."""

    model: str
    steps: int
    guidance: float
    size: int
    licence: str
    suffix: str = ""
    negative: bool = True  # whether a negative prompt helps the model


PHOTO = ", photograph, natural light"
PRESETS: Mapping[str, Pipeline] = {
    # a negative prompt does not help our model: it only pushes the colours out of range
    "t2i": Pipeline("t2i", steps=16, guidance=3.0, size=256, licence="Apache-2.0", negative=False),
    "flux-schnell": Pipeline("black-forest-labs/FLUX.1-schnell", 4, 0.0, 1024, "Apache-2.0", PHOTO),
    "sdxl": Pipeline("stabilityai/stable-diffusion-xl-base-1.0", 30, 6.0, 1024, "CreativeML Open RAIL++-M", PHOTO),
    "sdxl-turbo": Pipeline("stabilityai/sdxl-turbo", 2, 0.0, 512, "Stability AI non-commercial", PHOTO),
    "sd3.5-medium": Pipeline("stabilityai/stable-diffusion-3.5-medium", 30, 4.5, 1024, "Stability AI Community", PHOTO),
}


class Options(PluginOptions):
    """Which model draws, and how. Null uses the setting of the model's preset, or else of its pipeline."""

    forms: ClassVar[tuple[str, ...]] = ("MODEL",)

    model: str = Field(
        "t2i", description=f"{', '.join(PRESETS)}; or a hub id or folder of any diffusers pipeline with safetensors"
    )
    steps: int | None = Field(None, ge=1, le=200, description="denoising steps of a picture")
    guidance: float | None = Field(None, ge=0, le=30, description="how strictly a picture keeps to its prompt")
    size: int | None = Field(
        None, ge=64, le=2048, multiple_of=8, description="height and width in pixels, a multiple of 8"
    )
    prompt_suffix: str | None = Field(None, description="what is added to each prompt, such as words of style")
    device: Device = "auto"
    dtype: Dtype = "auto"
    batch_size: int = Field(8, ge=1, le=64, description="pictures that are drawn together")

    def needs_weights(self) -> tuple[str, ...]:
        """The embedded model, if the options name it."""
        return weights.embedded(self.model)

    def model_licence(self) -> str:
        """The licence, known for the presets only."""
        return PRESETS[self.model].licence if self.model in PRESETS else weights.licence(self.model)


class DiffusersImager:
    """A loaded pipeline. Each picture's noise comes from a CPU generator with its own seed."""

    cost = 0.0

    def __init__(self, pipeline: Any, options: Options, preset: Pipeline, settings: Mapping[str, Any]) -> None:
        self.name = f"diffusers:{options.model}"
        self._pipeline = pipeline
        self._suffix = preset.suffix if options.prompt_suffix is None else options.prompt_suffix
        self._batch_size = options.batch_size
        self._negative = preset.negative and self._takes("negative_prompt")
        self._settings = settings

    def draw(self, drawings: Sequence[Drawing]) -> list[Image | None]:
        """One RGB picture each, in order, in batches of `batch_size`. Raises BackendError."""
        pictures: list[Image | None] = []
        for start in range(0, len(drawings), self._batch_size):
            pictures += self._batch(drawings[start : start + self._batch_size])
        return pictures

    def _batch(self, drawings: Sequence[Drawing]) -> list[Image]:
        import torch

        settings = dict(self._settings)
        if self._negative and any(d.negative_prompt for d in drawings):
            settings["negative_prompt"] = [d.negative_prompt for d in drawings]
        try:
            images = self._pipeline(
                prompt=[d.prompt + self._suffix for d in drawings],
                generator=[torch.Generator("cpu").manual_seed(d.seed) for d in drawings],
                **settings,
            ).images
        except (RuntimeError, ValueError, TypeError) as error:
            advice = (
                "lower diffusers.batch_size or diffusers.size"
                if "memory" in str(error)
                else "run again with -v to see where"
            )
            raise BackendError(f"{self.name} failed to draw: {error}: {advice}.") from error
        return [image.convert("RGB") for image in images]

    def _takes(self, argument: str) -> bool:
        import inspect

        return argument in inspect.signature(self._pipeline.__call__).parameters


def build(options: Options) -> DiffusersImager:
    """Loads the pipeline. Raises MissingModel if it is neither on this machine nor on the hub."""
    preset = PRESETS.get(options.model, Pipeline(options.model, 0, -1.0, 0, "see the model's page"))
    place = weights.resolve(preset.model)
    pipeline = _load(place, options)
    size = options.size or preset.size
    settings: dict[str, Any] = {"height": size, "width": size} if size else {}
    if steps := options.steps or preset.steps:
        settings["num_inference_steps"] = steps
    guidance = preset.guidance if options.guidance is None else options.guidance
    if guidance >= 0:
        settings["guidance_scale"] = guidance
    return DiffusersImager(pipeline, options, preset, settings)


def _load(place: str, options: Options) -> Any:
    """The pipeline from a folder or the hub, on its device. Raises MissingModel."""
    import diffusers

    device = devices.device(options.device)
    # Our model has its own pipeline class, in the folder built from this package's code. No other folder or hub
    # repository may bring code.
    ours = Path(place) == weights.ready("t2i")
    try:
        pipeline: Any = diffusers.DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]
            place, dtype=devices.dtype(options.dtype, device, draws=True), use_safetensors=True, trust_remote_code=ours
        )
    except Exception as error:  # a broken folder makes torch, safetensors and diffusers can raise nearly any error
        kind = "folder" if Path(place).exists() else "model on the hub"
        raise MissingModel(
            f"diffusers cannot load {place!r} as a {kind} ({' '.join(str(error).split())[:200]}): "
            f"give a preset ({', '.join(PRESETS)}), a hub id or the path of a saved pipeline with safetensors."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)
