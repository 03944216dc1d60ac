"""The embedded text-to-image model as a diffusers pipeline: each layer of a picture is drawn on its own, then laid out.

One latent diffusion model draws foreground objects as RGBA sprites and backgrounds as opaque scenes, each from its own
phrase (cf. LayerDiffuse, Zhang and Agrawala 2024; Text2Layer, Zhang et al. 2023). `layout` turns the prompt into
layers and boxes. So a picture of two objects shows both, where the prompt says they are.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, ImagePipelineOutput, UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from torch import Generator, Tensor
from transformers import BertModel, PreTrainedTokenizerBase

from mossgen.embedded import text
from mossgen.embedded.autoencoder import LayerAutoencoder
from mossgen.embedded.layout import SIDE, Layer, layers

LATENT_SHAPE = (32, 8, 8)
CHUNK = 48
SHADOW = 105  # of 255: how dark the shadow under a thing is


@dataclass(frozen=True)
class _Job:
    """One layer of one prompt, with its starting noise and the negative phrase of its prompt."""

    prompt: int
    layer: Layer
    noise: Tensor
    negative: str


class LayeredDiffusionPipeline(DiffusionPipeline):
    """Draws 256x256 illustrations from everyday English prompts ("a toy knife and a red apple in a kitchen")."""

    model_cpu_offload_seq = "text_encoder->unet->vae"
    text_encoder: Any
    tokenizer: Any
    unet: Any
    vae: Any
    scheduler: Any
    device: Any
    progress_bar: Any
    register_modules: Any

    def __init__(
        self,
        text_encoder: BertModel,
        tokenizer: PreTrainedTokenizerBase,
        unet: UNet2DConditionModel,
        vae: LayerAutoencoder,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.register_modules(text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, vae=vae, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str],
        negative_prompt: str | list[str] | None = None,
        num_inference_steps: int = 16,
        guidance_scale: float = 3.0,
        generator: Generator | list[Generator] | None = None,
        height: int = SIDE,
        width: int = SIDE,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Draw one picture a prompt.

        Args:
            prompt: one or several; a prompt's picture depends on its own generator, not on its neighbours.
            negative_prompt: one for all or one each; takes the empty phrase's place in the guidance.
            num_inference_steps: Euler steps.
            guidance_scale: 1 turns guidance off and halves the time.
            generator: one for all or one each; gives both the noise and the layout. CPU generators.
            height: pixels; pictures are composed at 256 and resized if it differs.
            width: pixels.
            output_type: "pil", "np" ((n, h, w, 3) in [0, 1]) or "pt" ((n, 3, h, w) in [0, 1]).
            return_dict: an ImagePipelineOutput if true, else a tuple of the images.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        jobs = self._jobs(prompts, negative_prompt, generator)
        sprites = self._draw(jobs, num_inference_steps, guidance_scale)
        pictures = [
            compose([(job.layer, sprite) for job, sprite in zip(jobs, sprites, strict=True) if job.prompt == number])
            for number in range(len(prompts))
        ]
        if (width, height) != (SIDE, SIDE):
            pictures = [picture.resize((width, height), Image.Resampling.LANCZOS) for picture in pictures]
        images = _as_output(pictures, output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def sprites(
        self, phrases: list[str], generators: list[Generator], steps: int = 16, guidance: float = 3.0
    ) -> list[Image.Image]:
        """Each phrase drawn by itself, without a layout: RGBA pictures cropped to what is seen, one generator each."""
        noises = (torch.randn(LATENT_SHAPE, generator=generator) for generator in generators)
        jobs = [
            _Job(number, Layer(phrase), noise, "")
            for number, (phrase, noise) in enumerate(zip(phrases, noises, strict=True))
        ]
        return [cut_out(pixels) for pixels in self._draw(jobs, steps, guidance)]

    def _jobs(
        self, prompts: list[str], negative: str | list[str] | None, generator: Generator | list[Generator] | None
    ) -> list[_Job]:
        """The layers of all prompts; layout and noise of each prompt come from its own generator."""
        negatives = [negative or ""] * len(prompts) if negative is None or isinstance(negative, str) else negative
        if len(negatives) != len(prompts):
            raise ValueError(f"{len(prompts)} prompts, but {len(negatives)} negative prompts")
        if isinstance(generator, Sequence) and len(generator) != len(prompts):
            raise ValueError(f"{len(prompts)} prompts, but {len(generator)} generators")
        jobs = []
        for number, words in enumerate(prompts):
            source = generator[number] if isinstance(generator, Sequence) else generator
            seed = int(torch.randint(2**31, (1,), generator=source, device=source.device if source else "cpu"))
            own = Generator().manual_seed(seed)
            for layer in layers(words, random.Random(seed)):
                jobs.append(_Job(number, layer, torch.randn(LATENT_SHAPE, generator=own), negatives[number]))
        return jobs

    def _draw(self, jobs: list[_Job], steps: int, guidance: float) -> list[NDArray[np.float32]]:
        """Denoise and decode all layers -> premultiplied RGBA arrays (128, 128, 4) in [-1, 1]."""
        phrases = sorted({job.layer.phrase for job in jobs} | {job.negative for job in jobs})
        states, means = text.encode(self.tokenizer, self.text_encoder, phrases)
        row = {phrase: number for number, phrase in enumerate(phrases)}
        drawn: list[NDArray[np.float32]] = []
        with self.progress_bar(total=-(-len(jobs) // CHUNK) * steps) as bar:
            for first in range(0, len(jobs), CHUNK):
                part = jobs[first : first + CHUNK]
                wanted = [row[job.layer.phrase] for job in part]
                unwanted = [row[job.negative] for job in part]
                z = torch.stack([job.noise for job in part]).to(self.device, self.unet.dtype)
                z = self._denoise(z, states, means, wanted, unwanted, steps, guidance, bar)
                drawn += list(self.vae.decode(z).sample.float().permute(0, 2, 3, 1).cpu().numpy())
        return drawn

    def _denoise(
        self,
        z: Tensor,
        states: Tensor,
        means: Tensor,
        wanted: list[int],
        unwanted: list[int],
        steps: int,
        guidance: float,
        bar: Any,
    ) -> Tensor:
        """Euler steps from noise (n, 32, 8, 8) to latents, guided away from the unwanted phrases."""
        rows = wanted + unwanted if guidance != 1 else wanted
        context, mean = states[rows].to(z.dtype), means[rows].to(z.dtype)
        self.scheduler.set_timesteps(steps, device=z.device)
        for t in self.scheduler.timesteps:
            x = torch.cat([z, z]) if guidance != 1 else z
            v = self.unet(x, t, context, class_labels=mean).sample
            if guidance != 1:
                good, bad = v.chunk(2)
                v = bad + guidance * (good - bad)
            z = self.scheduler.step(v, t, z).prev_sample
            bar.update()
        return z


def compose(parts: list[tuple[Layer, NDArray[np.float32]]]) -> Image.Image:
    """Alpha-composite layers in drawing order to a 256x256 RGB picture."""
    canvas = Image.new("RGB", (SIDE, SIDE), "white")
    for layer, pixels in parts:
        if layer.background:
            colours = Image.fromarray(_bytes(pixels[..., :3])).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            canvas.paste(colours.filter(ImageFilter.UnsharpMask(2, 60, 2)), (0, 0))
            continue
        sprite = fit(cut_out(pixels), layer)
        left, _, right, low = layer.box
        if layer.grounded:
            _shade(canvas, (left + right) // 2, low, sprite.width)
        canvas.paste(sprite, ((left + right - sprite.width) // 2, low - sprite.height), sprite)
    return canvas


def _shade(canvas: Image.Image, x: int, y: int, width: int) -> None:
    """A soft shadow on the ground under something `width` pixels wide that stands at (x, y)."""
    across, down = round(0.46 * width), max(3, round(0.06 * width))
    mask = Image.new("L", (2 * across + 24, 2 * down + 24))
    ImageDraw.Draw(mask).ellipse((12, 12, 12 + 2 * across, 12 + 2 * down), fill=SHADOW)
    mask = mask.filter(ImageFilter.GaussianBlur(4))
    canvas.paste((20, 20, 30), (x - mask.width // 2, y - mask.height // 2 - 1), mask)


def cut_out(pixels: NDArray[np.float32]) -> Image.Image:
    """A premultiplied RGBA array in [-1, 1] -> RGBA picture with sharpened alpha, cropped to what is seen."""
    alpha = np.clip((pixels[..., 3:] + 1) / 2, 0, 1)
    colours = np.clip(pixels[..., :3] / np.maximum(alpha, 0.05), -1, 1)
    ramp = np.clip((alpha - 0.2) / 0.6, 0, 1)
    sharp = ramp * ramp * (3 - 2 * ramp)
    picture = Image.fromarray(np.concatenate([_bytes(colours), _bytes(sharp * 2 - 1)], -1), "RGBA")
    seen = Image.fromarray(np.where(sharp[..., 0] > 0.5, 255, 0).astype(np.uint8)).getbbox()
    return picture.crop(seen) if seen else picture


def fit(sprite: Image.Image, layer: Layer) -> Image.Image:
    """Resize a sprite to fill its layer's box as far as its proportions let it."""
    scale = min((layer.box[2] - layer.box[0]) / sprite.width, (layer.box[3] - layer.box[1]) / sprite.height)
    size = max(1, round(sprite.width * scale)), max(1, round(sprite.height * scale))
    return sprite.resize(size, Image.Resampling.BICUBIC)


def _bytes(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """[-1, 1] -> 0..255."""
    return np.asarray(np.clip(np.round((values + 1) * 127.5), 0, 255), np.uint8)


def _as_output(pictures: list[Image.Image], output_type: str) -> Any:
    """PIL pictures in the form asked for."""
    if output_type == "pil":
        return pictures
    array = np.stack([np.asarray(picture, np.float32) / 255 for picture in pictures])
    if output_type == "np":
        return array
    if output_type == "pt":
        return torch.from_numpy(array).permute(0, 3, 1, 2)
    raise ValueError(f'output_type is "pil", "np" or "pt", not {output_type!r}')
