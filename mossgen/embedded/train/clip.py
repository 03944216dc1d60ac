"""Trains the image side of the embedder: `python -m mossgen.embedded.train clip --work FOLDER`.

The text side is MiniLM as it is (its sentence geometry finds paraphrases); pictures are mapped into its space, and
into INSTANCE dimensions more, where texts are zero, that tell one picture of a thing from another. Frozen are the
first five stages of EfficientNet-Lite0, whose outputs are kept in the work folder; trained are the rest and the head.
`--evaluate` measures the assembled model on a style of art it was not trained on, and writes its thresholds.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from mossgen import models
from mossgen.embedded.art import fetch
from mossgen.embedded.assemble_clip import DIM, MODEL_CONFIG, TEXT_DIM
from mossgen.embedded.train.data_clip import Studio

WEIGHTS = Path(__file__).parent.parent / "weights" / "clip"
TRAIN_STYLES = ("fluent-emoji-flat", "twemoji")
FROZEN = 5  # blocks 0-4 of the trunk stay as ImageNet training left them
VIEWS = 3  # of a caption: a picture, a near-duplicate of it, and another picture
BATCH, BANK = 32, 256  # captions a step, and other captions to tell them from
HEAD_RATE, TRUNK_RATE = 2e-3, 4e-4
SHARPNESS = 20.0  # inverse temperature of both losses: MiniLM's captions lie close together


def main(arguments: Sequence[str]) -> None:
    """The command line of this part."""
    parser = argparse.ArgumentParser(prog="python -m mossgen.embedded.train clip", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the art and the kept features")
    parser.add_argument("--each", type=int, default=2, help="captions of each object alone")
    parser.add_argument("--mixed", type=int, default=600, help="captions of two or three objects")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--resume", action="store_true", help="start from the weights that are there")
    parser.add_argument("--evaluate", action="store_true", help="only measure the weights that are there")
    parser.add_argument("--photographs", type=Path, help="JSONL of image and caption, to measure on too")
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    if not given.evaluate:
        features = prepare(given.work, given.each, given.mixed)
        save(train(features, given.epochs, given.resume))
    from mossgen.embedded.train.clip_figures import evaluate

    figures = evaluate(given.work, given.photographs)
    print(json.dumps(figures, indent=1))


def prepare(work: Path, each: int, mixed: int) -> dict[str, Tensor]:
    """{maps: [n, VIEWS, c, h, w] fp16, texts: [n, 384], wrong: [n, 384]}, drawn and embedded once."""
    kept = work / f"clip-{each}-{mixed}.safetensors"
    if kept.is_file():
        return load_file(kept)
    studio = Studio(fetch(work / "art"), TRAIN_STYLES, seed=1)
    scenes = list(studio.scenes(each, mixed))
    encoder = _text_encoder()
    texts = encoder([s.caption for s in scenes])
    wrong = encoder([s.wrong_caption for s in scenes])
    visual = build_visual()
    maps = []
    start = time.monotonic()
    for number, scene in enumerate(scenes):
        first, other = studio.picture(scene, 0), studio.picture(scene, 1)
        views = torch.stack([pixels(p) for p in (first, studio.worn(first), studio.worn(other))])
        maps.append(early(visual, views).half())
        if number % 200 == 0:
            print(f"{number}/{len(scenes)} scenes, {time.monotonic() - start:.0f} s", flush=True)
    features = {"maps": torch.stack(maps), "texts": texts, "wrong": wrong}
    save_file(features, kept)
    return features


def _text_encoder() -> Any:
    """A function of texts: [n, 384] unit rows of the pooled MiniLM states."""
    from mossgen.checkers.safety import Encoder

    encoder = Encoder(models.path("minilm"))

    def encode(texts: Sequence[str]) -> Tensor:
        last = torch.from_numpy(encoder.features(texts)[:, -TEXT_DIM:])
        return functional.normalize(last, dim=-1)

    return encode


def build_visual() -> Any:
    """The image tower as open_clip builds it, with ImageNet weights in its trunk and a fresh head."""
    from open_clip.timm_model import TimmModel

    config = MODEL_CONFIG["model_cfg"]["vision_cfg"]
    visual = TimmModel(
        config["timm_model_name"],
        embed_dim=DIM,
        image_size=config["image_size"],
        pool=config["timm_pool"],
        proj=config["timm_proj"],
    )
    weights = load_file(models.path("efficientnet-lite0") / "model.safetensors")
    visual.trunk.load_state_dict({k: v for k, v in weights.items() if not k.startswith("classifier")})
    return visual.eval()


def pixels(picture: Any) -> Tensor:
    """[3, side, side] in [-1, 1], resized as open_clip's preprocessing does it."""
    from PIL import Image

    side = MODEL_CONFIG["model_cfg"]["vision_cfg"]["image_size"]
    small = picture.resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 127.5 - 1


@torch.inference_mode()
def early(visual: Any, images: Tensor) -> Tensor:
    """The output of the frozen stages."""
    trunk = visual.trunk
    maps: Tensor = trunk.blocks[:FROZEN](trunk.bn1(trunk.conv_stem(images)))
    return maps


def late(visual: Any, maps: Tensor) -> Tensor:
    """[n, DIM] unit rows from the frozen stages' output."""
    trunk = visual.trunk
    last = trunk.bn2(trunk.conv_head(trunk.blocks[FROZEN:](maps)))
    return functional.normalize(visual.head(trunk.forward_head(last, pre_logits=True)), dim=-1)


def train(features: dict[str, Tensor], epochs: float, resume: bool) -> Any:
    """The image tower after `epochs` over all captions; batch norms keep their ImageNet statistics."""
    visual = build_visual()
    if resume:
        kept = load_file(WEIGHTS / "model.safetensors")
        visual.load_state_dict({k.removeprefix("visual."): v.float() for k, v in kept.items()}, strict=False)
    tuned = [*visual.trunk.blocks[FROZEN:].parameters(), *visual.trunk.conv_head.parameters(),
             *visual.trunk.bn2.parameters()]  # fmt: skip
    for parameter in visual.parameters():
        parameter.requires_grad = False
    for parameter in (*tuned, *visual.head.parameters()):
        parameter.requires_grad = True
    optimizer = torch.optim.AdamW(
        [{"params": tuned, "lr": TRUNK_RATE}, {"params": visual.head.parameters(), "lr": HEAD_RATE}],
        weight_decay=0.02,
    )
    count = len(features["maps"])
    steps = math.ceil(epochs * count / BATCH)
    rates = [TRUNK_RATE, HEAD_RATE]
    start = time.monotonic()
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < BATCH:
            order = torch.randperm(count)
        rows, order = order[:BATCH], order[BATCH:]
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1, (step + 1) / 20) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        loss = step_loss(visual, features, rows)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step}/{steps}, loss {loss.item():.3f}, {time.monotonic() - start:.0f} s", flush=True)
    return visual.eval()


def step_loss(visual: Any, features: dict[str, Tensor], rows: Tensor) -> Tensor:
    """Each view against its caption among wrong ones; each picture's near-duplicate among other pictures."""
    maps = features["maps"][rows].float()
    vectors = late(visual, maps.flatten(0, 1)).view(len(rows), VIEWS, DIM)
    others = torch.randint(0, len(features["texts"]), (BANK,))
    bank = features["texts"][others]
    captions = torch.cat([features["texts"][rows], features["wrong"][rows], bank])
    logits = SHARPNESS * vectors.flatten(0, 1)[:, :TEXT_DIM] @ captions.T
    # a caption that came into the bank a second time is not a wrong one
    twice = torch.cat([torch.zeros(len(rows), 2 * len(rows), dtype=torch.bool), rows[:, None] == others], 1)
    logits = logits.masked_fill(twice.repeat_interleave(VIEWS, 0), -1e4)
    target = torch.arange(len(rows))
    reading = functional.cross_entropy(logits, target.repeat_interleave(VIEWS))
    pictures = torch.cat([vectors[:, 1], vectors[:, 2]])
    return reading + 0.5 * functional.cross_entropy(SHARPNESS * vectors[:, 0] @ pictures.T, target)


def save(visual: Any) -> None:
    """What training changed, in half precision: the rest comes from the public weights at assembly."""
    ours = ("head.", "trunk.conv_head.", "trunk.bn2.", *(f"trunk.blocks.{n}." for n in (5, 6)))
    state = {f"visual.{k}": v.half().contiguous() for k, v in visual.state_dict().items()
             if k.startswith(ours) and v.is_floating_point()}  # fmt: skip
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    save_file(state, WEIGHTS / "model.safetensors")
