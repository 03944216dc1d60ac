"""Trains the image side of the embedder: `python -m mossgen.embedded.train clip --work FOLDER`.

The text side is MiniLM as it is (its sentence geometry finds paraphrases); pictures are mapped into its space, and
into INSTANCE dimensions more, where texts are zero, that tell one picture of a thing from another. Frozen are the
first five stages of EfficientNet-Lite0, whose outputs are kept in the work folder; trained are the rest and the
attention pool. At the end the assembled model is measured on a style of art it was not trained on, and its thresholds
are written (`python -m mossgen.embedded.evaluate clip` does this alone).

Five losses: each picture finds its caption among others (softmax, as CLIP), and the bare names of the objects in it
among those of all objects; a picture and a caption fit or do not, one object swapped (sigmoid, as SigLIP: thresholds
need scores that mean the same for every caption); each picture finds its near-duplicate among other pictures, by the
instance dimensions alone (softmax); two pictures are near-duplicates or merely of one caption (sigmoid). The instance
dimensions are held to a share of a vector's length: finding captions alone would shrink them to nothing.
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
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor, nn
from torch.nn import functional

from mossgen import devices, models
from mossgen.embedded.art import fetch
from mossgen.embedded.assemble_clip import DIM, MODEL_CONFIG, TEXT_DIM
from mossgen.embedded.train import parallel
from mossgen.embedded.train.data_clip import Studio, describe

WEIGHTS = Path(__file__).parent.parent / "weights" / "clip"
TRAIN_STYLES = (
    "fluent-emoji-flat", "fluent-emoji", "fluent-emoji-3d", "fluent-emoji-high-contrast", "twemoji", "emojione",
    "emojione-monotone", "fxemoji", "streamline-emojis", "game-icons",
)  # fmt: skip
FROZEN = 5  # blocks 0-4 of the trunk stay as ImageNet training left them
VIEWS = 3  # of a caption: a picture, a near-duplicate of it, and another picture
SWAPS = 4  # wrong captions of each, one object swapped
BATCH, BANK = 24, 256  # captions a worker and step, and other captions to tell them from, beside all bare objects
GRID = 3  # parts of a picture, each way, that heads of the pool look at to begin with
NEARNESS, FOCUS = 3.0, 4.0  # their directions' length in the position embedding, and their greatest attention score
SHARE = 0.5  # of a vector's squared length, for the instance dimensions
MIXED_STYLES = 0.5  # of the batches
ALONE = 10  # steps of a worker between two averagings (local SGD): on a busy machine, waiting costs more than it gives
HEAD_RATE, TRUNK_RATE = 6e-4, 4e-4
SHARPNESS = 20.0  # inverse temperature of the softmax losses: MiniLM's captions lie close together


def main(arguments: Sequence[str]) -> None:
    """The command line of this part."""
    parser = argparse.ArgumentParser(prog="python -m mossgen.embedded.train clip", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the art, kept features and checkpoint")
    parser.add_argument("--each", type=int, default=3, help="captions of each object alone")
    parser.add_argument("--mixed", type=int, default=3000, help="captions of two or three objects")
    parser.add_argument("--minutes", type=float, default=25, help="training time in all, earlier runs counted")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--start", type=Path, help="model.safetensors of an earlier training, to go on from")
    given = parser.parse_args(arguments)
    fetch(given.work / "art", TRAIN_STYLES)
    parallel.launch(work, given.workers, given.work, given)
    from mossgen.embedded.train.clip_figures import evaluate

    print(json.dumps(evaluate(given.work), indent=1))


def work(rank: int, given: argparse.Namespace) -> None:
    """One worker: draws its own pictures, then trains on them with the others."""
    features = prepare(given.work, given.each, -(-given.mixed // given.workers), rank)
    visual = train(features, Run(given.work / "clip.pt", given.start), 60 * given.minutes, rank)
    if rank == 0:
        save(visual)


def prepare(folder: Path, each: int, mixed: int, rank: int) -> dict[str, Tensor]:
    """What one worker draws and embeds once: n scenes, of m objects.

    {maps: [n, VIEWS, c, h, w] fp16, texts: [n, 384], wrong: [n, SWAPS, 384], objects: [m, 384], their bare names,
    and shown: [n, m] fp16, 1 where the scene has the object}.
    """
    kept = folder / f"clip-{each}-{mixed}-{rank}.safetensors"
    if kept.is_file():
        return load_file(kept)
    studio = Studio(folder / "art", TRAIN_STYLES, seed=1 + rank, restyle=True, swaps=SWAPS)
    scenes = list(studio.scenes(each, mixed))
    encoder = _text_encoder()
    texts = encoder([s.caption for s in scenes])
    wrong = encoder([c for s in scenes for c in s.wrong_captions]).view(len(scenes), SWAPS, -1)
    visual = build_visual()
    maps = []
    start = time.monotonic()
    for number, scene in enumerate(scenes):
        first, other = studio.picture(scene, 0), studio.picture(scene, 1)
        views = torch.stack([pixels(p) for p in (first, studio.worn(first), studio.worn(other))])
        maps.append(early(visual, views).half().contiguous())
        if number % 200 == 0 and rank == 0:
            print(f"{number}/{len(scenes)} scenes, {time.monotonic() - start:.0f} s", flush=True)
    objects = encoder([describe((o,), None) for o in studio.objects])
    shown = torch.tensor([[o in s.objects for o in studio.objects] for s in scenes]).half()
    features = {"maps": torch.stack(maps), "texts": texts, "wrong": wrong, "objects": objects, "shown": shown}
    save_file(features, kept)
    return features


def _text_encoder() -> Any:
    """A function of texts: [n, 384] unit rows of the pooled MiniLM states."""
    from mossgen.embedded.minilm import Encoder

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


@torch.no_grad()
def locate(pool: Any) -> None:
    """Makes the first GRID x GRID heads of an AttentionPool2d look at one part of the picture each, to begin with.

    What lies where is what tells two pictures of one thing apart. Fresh heads attend by content, everywhere alike, and
    did not come to look at places by themselves. So the position embedding gets a direction of its own for each part,
    which is strong near the part's middle, and the head's query and keys read that direction alone; from there, they
    learn as all others do.
    """
    rows, columns = pool.feat_size
    heads = GRID * GRID
    directions = torch.linalg.qr(
        torch.randn(pool.pos_embed.shape[1], heads, generator=torch.Generator().manual_seed(7))
    )[0]
    y, x = torch.meshgrid((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij")
    weight, bias = (t.view(3, pool.num_heads, pool.head_dim, *t.shape[1:]) for t in (pool.qkv.weight, pool.qkv.bias))
    for head in range(heads):
        middle = ((head // GRID + 0.5) / GRID, (head % GRID + 0.5) / GRID)
        near = torch.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) * GRID**2 * 2).flatten()
        pool.pos_embed[1:] += NEARNESS * near[:, None] * directions[:, head]
        weight[:2, head], bias[:2, head] = 0, 0
        weight[1, head, 0], bias[0, head, 0] = directions[:, head], FOCUS / (NEARNESS * pool.scale)


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
    with half():
        images = images.contiguous(memory_format=torch.channels_last)
        maps: Tensor = trunk.blocks[:FROZEN](trunk.bn1(trunk.conv_stem(images)))
    return maps


def late(visual: Any, maps: Tensor) -> Tensor:
    """[n, DIM] unit rows from the frozen stages' output."""
    trunk = visual.trunk
    last = trunk.bn2(trunk.conv_head(trunk.blocks[FROZEN:](maps)))
    return functional.normalize(pooled(visual.head.pool, last), dim=-1)


def pooled(pool: Any, maps: Tensor) -> Tensor:
    """What timm's AttentionPool2d `pool` gives for maps [n, c, h, w], in a third of the time.

    Only its first token is read. So its query is brought to the tokens through the keys' weights, and the values'
    weights are applied to what it gathers: neither keys nor values of all tokens are ever made. A bias on the keys
    would change all scores alike, and nothing.
    """
    tokens = maps.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1)
    tokens = tokens + resample_abs_pos_embed(pool.pos_embed[None], list(maps.shape[2:]), num_prefix_tokens=1)
    query, keys, values = pool.qkv.weight.view(3, pool.num_heads, pool.head_dim, -1)
    bias = pool.qkv.bias.view(3, pool.num_heads, pool.head_dim)
    asked = torch.einsum("nc,hdc->nhd", tokens[:, 0], query) + bias[0]
    scores = torch.einsum("nhc,ntc->nht", torch.einsum("nhd,hdc->nhc", asked, keys), tokens)
    gathered = torch.einsum("nht,ntc->nhc", (scores * pool.scale).softmax(-1), tokens)
    out: Tensor = pool.proj((torch.einsum("nhc,hdc->nhd", gathered, values) + bias[2]).flatten(1))
    return out


def half() -> Any:
    """bf16 arithmetic where this processor has it; elsewhere it would be emulated, twenty times slower than fp32."""
    dtype = devices.dtype("auto", "cpu")
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16)


class Scales(nn.Module):
    """The slopes and offsets of the two sigmoid losses; used in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([10.0, 10.0]))
        self.offset = nn.Parameter(torch.tensor([-5.0, -7.0]))

    def loss(self, which: int, yes: Tensor, no: Tensor) -> Tensor:
        """Binary cross-entropy of cosines that should be high and low."""
        high, low = (self.slope[which] * x + self.offset[which] for x in (yes, no))
        return functional.softplus(-high).mean() + functional.softplus(low).mean()


class Run:
    """The tower, its optimiser and clock, and their checkpoint; batch norms keep their ImageNet statistics."""

    def __init__(self, path: Path, start: Path | None = None) -> None:
        torch.manual_seed(3)  # the same fresh head in every worker
        self.path, self.seconds, self.steps = path, 0.0, 0
        self.visual, self.scales = build_visual(), Scales()
        locate(self.visual.head.pool)
        if start:
            earlier = {k.removeprefix("visual."): v.float() for k, v in load_file(start).items()}
            self.visual.load_state_dict(earlier, strict=False)  # the frozen part is not in it
        for parameter in self.visual.parameters():
            parameter.requires_grad = False
        trunk = self.visual.trunk
        tuned = [*trunk.blocks[FROZEN:].parameters(), *trunk.conv_head.parameters(), *trunk.bn2.parameters()]
        fresh = [*self.visual.head.parameters(), *self.scales.parameters()]
        self.trained = [*tuned, *fresh]
        for parameter in self.trained:
            parameter.requires_grad = True
        groups = [{"params": tuned, "lr": TRUNK_RATE}, {"params": fresh, "lr": HEAD_RATE}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.05)
        if path.is_file():
            state = torch.load(path, weights_only=True)
            self.visual.load_state_dict(state["visual"])
            self.scales.load_state_dict(state["scales"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.seconds, self.steps = state["seconds"], state["steps"]

    def save(self) -> None:
        """Write the checkpoint in one move."""
        part = self.path.with_suffix(".part")
        state = {"visual": self.visual.state_dict(), "scales": self.scales.state_dict(), "steps": self.steps}
        torch.save({**state, "optimiser": self.optimiser.state_dict(), "seconds": self.seconds}, part)
        part.rename(self.path)


def train(features: dict[str, Tensor], run: Run, seconds: float, rank: int) -> Any:
    """The image tower after `seconds` of training in all: warm-up, then a cosine down to nothing."""
    torch.manual_seed(1000 * run.steps + rank)
    last, order = time.monotonic(), torch.empty(0, dtype=torch.long)
    while run.seconds < seconds:
        if len(order) < BATCH:
            order = torch.randperm(len(features["maps"]))
        rows, order = order[:BATCH], order[BATCH:]
        share = min(1, (run.steps + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * run.seconds / seconds))
        for group, rate in zip(run.optimiser.param_groups, (TRUNK_RATE, HEAD_RATE), strict=True):
            group["lr"] = rate * share
        loss = step_loss(run.visual, run.scales, features, rows)
        run.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.trained, 2.0)
        run.optimiser.step()
        run.steps += 1
        if run.steps % ALONE == 0:
            parallel.average_weights(run.trained)
            run.seconds, last = parallel.agreed(run.seconds + time.monotonic() - last), time.monotonic()
        if rank == 0 and run.steps % 50 == 0:
            print(f"step {run.steps}, loss {loss.item():.3f}, {run.seconds:.0f} s", flush=True)
        if rank == 0 and run.steps % 200 == 0:
            run.save()
    if rank == 0:
        run.save()
    return run.visual.eval()


def step_loss(visual: Any, scales: Scales, features: dict[str, Tensor], rows: Tensor) -> Tensor:
    """The five losses of a batch; see the top."""
    maps = varied(features["maps"][rows].float()).flatten(0, 1)
    with half():
        vectors = late(visual, maps.contiguous(memory_format=torch.channels_last)).float().view(len(rows), VIEWS, DIM)
    instances = vectors[..., TEXT_DIM:]
    held = ((instances**2).sum(-1) - SHARE) ** 2
    first, near, other = functional.normalize(instances, dim=-1).unbind(1)
    own = torch.arange(len(rows))
    found = functional.cross_entropy(SHARPNESS * first @ torch.cat([near, other]).T, own)
    found = found + functional.cross_entropy(SHARPNESS * near @ torch.cat([first, other]).T, own)
    texts, wrong = features["texts"][rows], features["wrong"][rows]
    words = vectors[..., :TEXT_DIM]
    fitting = scales.loss(0, (words * texts[:, None]).sum(-1), words @ wrong.transpose(1, 2))
    first, near, other = vectors.unbind(1)
    unlike = torch.cat([(first * other).sum(-1), (near * other).sum(-1)])
    alike = scales.loss(1, (first * near).sum(-1), unlike)
    return reading(functional.normalize(words, dim=-1), features, rows) + fitting + found + alike + 10 * held.mean()


def varied(maps: Tensor) -> Tensor:
    """Maps [n, VIEWS, c, h, w] of the frozen stages, mirrored, or with the statistics of another scene mixed in.

    MixStyle (Zhou et al., 2021): the means and deviations of early maps hold much of what is style. The views of a
    scene are changed alike: how they resemble each other stays.
    """
    if torch.rand(()) < 0.5:
        maps = maps.flip(-1)
    if torch.rand(()) < MIXED_STYLES:
        dims = (1, 3, 4)
        mean, deviation = maps.mean(dims, keepdim=True), maps.std(dims, keepdim=True) + 1e-4
        part = torch.distributions.Beta(0.3, 0.3).sample((len(maps), 1, 1, 1, 1))
        order = torch.randperm(len(maps))
        mixed = [part * x + (1 - part) * x[order] for x in (mean, deviation)]
        maps = (maps - mean) / deviation * mixed[1] + mixed[0]
    return maps


def reading(words: Tensor, features: dict[str, Tensor], rows: Tensor) -> Tensor:
    """How well unit vectors [n, VIEWS, 384] find their captions, and the objects shown."""
    shown, objects = features["shown"][rows].float(), features["objects"]
    names = SHARPNESS * words @ objects.T
    naming = -(functional.log_softmax(names, -1) * (shown / shown.sum(1, keepdim=True))[:, None]).sum(-1).mean()
    others = torch.randint(0, len(features["texts"]), (BANK,))
    wrong = features["wrong"][rows].flatten(0, 1)
    captions = torch.cat([features["texts"][rows], wrong, features["texts"][others]])
    # neither a caption that came into the bank a second time nor the bare name of what is shown is a wrong one
    own = torch.zeros(len(rows), (1 + SWAPS) * len(rows), dtype=torch.bool)
    right = torch.cat([own, rows[:, None] == others, shown > 0], 1)
    logits = torch.cat([SHARPNESS * words @ captions.T, names], -1).masked_fill(right[:, None], -1e4)
    target = torch.arange(len(rows)).repeat_interleave(VIEWS)
    return functional.cross_entropy(logits.flatten(0, 1), target) + 0.5 * naming


def save(visual: Any) -> None:
    """What training changed, in half precision: the rest comes from the public weights at assembly."""
    ours = ("head.", "trunk.conv_head.", "trunk.bn2.", *(f"trunk.blocks.{n}." for n in (5, 6)))
    state = {f"visual.{k}": v.half().contiguous() for k, v in visual.state_dict().items()
             if k.startswith(ours) and v.is_floating_point()}  # fmt: skip
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    save_file(state, WEIGHTS / "model.safetensors")
