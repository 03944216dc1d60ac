"""The judge of pictures: EfficientNet-Lite0 with its ImageNet weights, which never saw a generated picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from mossgen.embedded import art, scenery
from mossgen.embedded.pipeline import cut_out
from mossgen.embedded.vocabulary import load
from mossgen.models import weights as models

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Judge:
    """Names the object whose drawing is nearest to a picture."""

    def __init__(self, art_folder: Path) -> None:
        self.model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
        weights = load_file(models.path("efficientnet-lite0") / "model.safetensors")
        self.model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("classifier.")})
        self.model.eval()
        self.objects = load().objects
        pictures, self.owner, rng = [], [], np.random.default_rng(0)
        places = list(scenery.PAINTERS)
        drawings = art.ArtSet(art_folder)
        for number, thing in enumerate(self.objects):
            icons = drawings.variants(thing)
            for icon in icons[:: max(1, len(icons) // 4)]:
                sprite = art.rasterise(icon.svg(), 128)
                grounds = [None, *(_somewhere(places, rng) for _ in range(2))]
                pictures += [on_ground(sprite, ground) for ground in grounds]
                self.owner += [number] * len(grounds)
        self.references = self.features(pictures)

    @torch.no_grad()
    def features(self, pictures: list[Image.Image]) -> Tensor:
        """Unit feature vectors (n, 1280) of RGB pictures."""
        parts = []
        for first in range(0, len(pictures), 64):
            arrays = [np.asarray(p.resize((160, 160), Image.Resampling.BICUBIC)) for p in pictures[first : first + 64]]
            x = (torch.from_numpy(np.stack(arrays)).float() / 255 - MEAN) / STD
            parts.append(self.model(x.permute(0, 3, 1, 2)))
        return torch.nn.functional.normalize(torch.cat(parts), dim=1)

    def ranks(self, pictures: list[Image.Image], wanted: list[int]) -> NDArray[np.int64]:
        """The rank (0 is best) of the wanted object among all objects, for each picture."""
        best = nearest(self.features(pictures) @ self.references.T, self.owner, len(self.objects))
        own = best.gather(1, torch.tensor(wanted)[:, None])
        return (best > own).sum(1).numpy()


def nearest(likeness: Tensor, owner: list[int], count: int) -> Tensor:
    """Likeness to each of many drawings (n, m) -> likeness to each of `count` owners, by its nearest drawing."""
    best = torch.full((len(likeness), count), -1.0)
    return best.index_reduce(1, torch.tensor(owner), likeness, "amax")


def _somewhere(places: list[str], rng: np.random.Generator) -> Image.Image:
    """A part of a drawn scene, where objects stand."""
    scene = art.rasterise(scenery.draw(places[int(rng.integers(len(places)))], rng), 256).convert("RGB")
    left = int(rng.integers(0, 128))
    return scene.crop((left, 110, left + 128, 238))


def on_ground(sprite: Image.Image, ground: Image.Image | None = None) -> Image.Image:
    """What is seen of an RGBA sprite in the middle of a square: of a ground, or the pale one of plain pictures."""
    seen = sprite.crop(sprite.getchannel("A").getbbox())
    side = round(1.1 * max(seen.size))
    square = ground.resize((side, side)) if ground else Image.new("RGB", (side, side), (238, 238, 238))
    square.paste(seen, ((side - seen.width) // 2, (side - seen.height) // 2), seen)
    return square


def seeds(seed: int, count: int) -> list[torch.Generator]:
    """One generator a picture."""
    return [torch.Generator().manual_seed(seed * 10_000 + number) for number in range(count)]


def through(pipe: Any, sprite: Image.Image) -> Image.Image:
    """What the autoencoder keeps of an RGBA sprite of 128 pixels."""
    x = torch.from_numpy(art.to_array(sprite))[None]
    with torch.no_grad():
        y = pipe.vae.decode(pipe.vae.encode(x.to(pipe.vae.dtype)).latent).sample
    return cut_out(y[0].float().permute(1, 2, 0).numpy())
