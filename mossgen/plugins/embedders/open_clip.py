"""Any open_clip model as the embedder: the embedded one, a name and tag, hf-hub:... or local-dir:...."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mossgen.errors import BackendError, ConfigError, MissingModel
from mossgen.models import devices, weights
from mossgen.models.devices import Device
from mossgen.plugins.protocols import CHANNELS, PluginOptions

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image

EMBEDDED = "clip"
CONFIG = "open_clip_config.json"
THRESHOLDS = (*CHANNELS, "match")
# For models without measured thresholds: cautious guesses for CLIP models of the size of ViT-B. CLIP texts are closer
# to each other than sentence embeddings, and matching pictures score low.
GUESSED = {"text": 0.95, "image": 0.95, "pair": 0.95, "match": 0.20}


def _cosine(what: str) -> Any:
    return Field(None, ge=-1, le=1, description=f"the cosine {what}, in place of the model's own threshold")


class Options(PluginOptions):
    """Which model, where it runs, and thresholds that replace its own."""

    model: str = Field(
        EMBEDDED,
        description="clip (embedded), an open_clip architecture, hf-hub:OWNER/NAME or local-dir:FOLDER",
    )
    pretrained: str | None = Field(None, description="of an architecture: the tag or the file of its weights")
    device: Device = "auto"
    batch_size: int = Field(32, ge=1, le=4096, description="pictures or texts that are embedded together")
    text: float | None = _cosine("from which on two questions are near-duplicates")
    image: float | None = _cosine("from which on two pictures are near-duplicates")
    pair: float | None = _cosine("from which on two items are near-duplicates, picture and question together")
    match: float | None = _cosine("below which a picture does not show what it should")

    def needs_weights(self) -> tuple[str, ...]:
        """The embedded model, if the options name it."""
        return weights.embedded(self.model)

    def model_licence(self) -> str:
        """The licence of an embedded model; for others, where to find it."""
        return weights.licence(self.model)


class OpenClip:
    """One open_clip model with its preprocessing, tokenizer and thresholds."""

    def __init__(self, options: Options) -> None:
        self.name = " ".join(part for part in (options.model, options.pretrained) if part)
        self._batch = options.batch_size
        spec = f"local-dir:{weights.path(EMBEDDED)}" if options.model == EMBEDDED else options.model
        self._device = devices.device(options.device)
        self._model, self._preprocess, self._tokenize = _load(spec, options.pretrained, self._device)
        self.dim = int(self.texts(["a"]).shape[1])
        own = {channel: getattr(options, channel) for channel in THRESHOLDS}
        given = {channel: value for channel, value in own.items() if value is not None}
        self.thresholds: Mapping[str, float] = {**_measured(spec), **given}

    def images(self, images: Sequence[Image]) -> np.ndarray:
        """[n, dim] unit rows of n pictures of any size. Raises BackendError."""
        import torch

        def encode(batch: Sequence[Image]) -> Any:
            pixels = torch.stack([self._preprocess(image.convert("RGB")) for image in batch])
            return self._model.encode_image(pixels.to(self._device), normalize=True)

        return self._rows(images, encode, "pictures")

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """[n, dim] unit rows of n texts, each cut to the model's context. Raises BackendError."""

        def encode(batch: Sequence[str]) -> Any:
            tokens = _unpadded(self._model, self._tokenize(list(batch)))
            return self._model.encode_text(tokens.to(self._device), normalize=True)

        return self._rows(texts, encode, "texts")

    def _rows(self, things: Sequence[Any], encode: Any, what: str) -> np.ndarray:
        import numpy as np
        import torch

        rows = []
        try:
            with torch.inference_mode():
                for start in range(0, len(things), self._batch):
                    rows.append(encode(things[start : start + self._batch]).float().cpu().numpy())
        except (RuntimeError, OSError) as error:  # torch: out of memory, a wrong shape; Pillow: a truncated picture
            raise BackendError(f"open_clip model {self.name} could not embed {len(things)} {what}: {error}.") from error
        if not rows:
            return np.zeros((0, self.dim), dtype=np.float32)
        found: np.ndarray = np.concatenate(rows).astype(np.float32)
        if not np.isfinite(found).all():
            raise BackendError(f"open_clip model {self.name} gave numbers that are not finite for {what}.")
        return found


def build(options: Options) -> OpenClip:
    """Builds the embedder. Raises ConfigError, MissingModel or BackendError."""
    return OpenClip(options)


def _load(spec: str, pretrained: str | None, device: str) -> tuple[Any, Any, Any]:
    """Loads (model, preprocessing, tokenizer) and translates the errors of open_clip."""
    import open_clip

    import mossgen.embedded.tower  # noqa: F401 -- the embedded model's image tower: timm finds it by name

    folder = Path(spec.removeprefix("local-dir:")) if spec.startswith("local-dir:") else None
    schema = folder is not None or spec.startswith("hf-hub:")
    if schema and pretrained:
        raise ConfigError(f"Option embedder.pretrained = {pretrained!r}: {spec} brings its own weights: leave it out.")
    if not schema:
        _known(open_clip, spec, pretrained)
    try:
        model, preprocess = open_clip.create_model_from_pretrained(
            spec, pretrained=pretrained, device=device, return_transform=True, **_rooted(folder)
        )
        tokenizer = open_clip.get_tokenizer(spec)
    # FileNotFoundError and the hub's errors are OSErrors; open_clip raises RuntimeError for missing weights
    except (OSError, ValueError, RuntimeError, KeyError, AssertionError) as error:
        raise MissingModel(f"open_clip model {spec} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    return model.eval(), preprocess, tokenizer


def _unpadded(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Token ids [n, context] without the last columns that are padding in every text.

    Only for text towers of transformers, which mask padding. Most texts are several times shorter than the context.
    """
    pad = getattr(getattr(getattr(model, "text", None), "config", None), "pad_token_id", None)
    if pad is None:
        return tokens
    reached = (tokens != pad).any(0).nonzero()
    return tokens[:, : int(reached.max()) + 1] if len(reached) else tokens


def _known(open_clip: Any, name: str, pretrained: str | None) -> None:
    if name not in open_clip.list_models():
        raise ConfigError(
            f"Option embedder.model = {name!r}: open_clip has no such architecture: use {EMBEDDED!r}, one of"
            " open_clip.list_models(), hf-hub:owner/name or local-dir:folder."
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained is None or (pretrained not in tags and not Path(pretrained).is_file()):
        raise ConfigError(
            f"Option embedder.pretrained = {pretrained!r}: {name} has the tags {', '.join(tags) or '(none)'};"
            " a weights file is allowed too."
        )


def _rooted(folder: Path | None) -> dict[str, Any]:
    """For a local folder with the text tower `.`, a text_cfg with the folder's path instead.

    open_clip passes hf_model_name unchanged to transformers, which would look in the current folder.
    """
    if folder is None or not (folder / CONFIG).is_file():
        return {}
    try:
        text = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    except (ValueError, KeyError) as error:
        raise MissingModel(f"{folder / CONFIG} is no open_clip configuration: {error}.") from error
    return {"text_cfg": {**text, "hf_model_name": str(folder)}} if text.get("hf_model_name") == "." else {}


def _measured(spec: str) -> dict[str, float]:
    """The thresholds in a local model's thresholds.json, or the guessed ones."""
    file = Path(spec.removeprefix("local-dir:")) / "thresholds.json"
    if not spec.startswith("local-dir:") or not file.is_file():
        return dict(GUESSED)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return {channel: float(values[channel]) for channel in THRESHOLDS}
    except (ValueError, KeyError, TypeError) as error:
        raise MissingModel(f"{file} has no number for each of {', '.join(THRESHOLDS)}: {error}.") from error
