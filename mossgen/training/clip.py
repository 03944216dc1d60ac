"""Trains the image side of the embedder: `python -m mossgen.training clip --work FOLDER`.

The text side is MiniLM as it is (its sentence geometry finds paraphrases); pictures are mapped into its space, and into
the layout's, where texts are zero (see tower.py). Frozen are the first five stages of EfficientNet-Lite0, whose outputs
are kept in the work folder; trained are first the layout, a linear map of those, and then the words: the rest of the
trunk and the attention pool. At the end the assembled model is measured on a style of art it was not trained on, and
its thresholds are written (`python -m mossgen.training.evaluate clip` does this alone).

Words have three losses: each picture finds its caption among others (softmax, as CLIP), and the bare names of the
objects in it among those of all objects; a picture and a caption fit or do not, one object swapped (sigmoid, as SigLIP:
thresholds need scores that mean the same for every caption). The layout has two: each picture finds its near-duplicate
among other pictures (softmax), and two pictures are near-duplicates or merely of one caption (sigmoid).
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
from torch import Tensor, nn
from torch.nn import functional

from mossgen.embedded.art import fetch
from mossgen.embedded.tower import LAYOUT, MIDDLE, SIDE, WORDS, Tower, grid
from mossgen.models import weights as models
from mossgen.training import CLIP_WEIGHTS as WEIGHTS
from mossgen.training import parallel
from mossgen.training.data_clip import Studio, describe

TRAIN_STYLES = (
    "fluent-emoji-flat", "fluent-emoji", "fluent-emoji-3d", "fluent-emoji-high-contrast", "twemoji", "emojione",
    "emojione-monotone", "fxemoji", "streamline-emojis", "game-icons",
)  # fmt: skip
VIEWS = 3  # of a caption: a picture, a near-duplicate of it, and another picture
SWAPS = 4  # wrong captions of each, one object swapped
BATCH, BANK = 24, 256  # captions a worker and step, and other captions to tell them from, beside all bare objects
MIXED_STYLES = 0.5  # of the batches
ALONE = 10  # steps of a worker between two averagings (local SGD): on a busy machine, waiting costs more than it gives
HEAD_RATE, TRUNK_RATE = 6e-4, 4e-4
LAYOUT_STEPS, LAYOUT_BATCH, LAYOUT_RATE, LAYOUT_DECAY = 1500, 64, 1e-3, 0.1
SHARPNESS = 20.0  # inverse temperature of the softmax losses: MiniLM's captions lie close together


def main(arguments: Sequence[str]) -> None:
    """The command line of this part."""
    parser = argparse.ArgumentParser(prog="python -m mossgen.training clip", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the art, kept features and checkpoint")
    parser.add_argument("--each", type=int, default=3, help="captions of each object alone")
    parser.add_argument("--mixed", type=int, default=3000, help="captions of two or three objects")
    parser.add_argument("--minutes", type=float, default=25, help="training time in all, earlier runs counted")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--start", type=Path, help="model.safetensors of an earlier training, to go on from")
    given = parser.parse_args(arguments)
    fetch(given.work / "art", TRAIN_STYLES)
    parallel.launch(work, given.workers, given.work, given)
    from mossgen.training.clip_figures import evaluate

    print(json.dumps(evaluate(given.work), indent=1))


def work(rank: int, given: argparse.Namespace) -> None:
    """One worker: draws its own pictures, then trains on them with the others."""
    features = prepare(given.work, given.each, -(-given.mixed // given.workers), rank)
    run = Run(given.work / "clip.pt", given.start)
    if rank == 0 and run.steps == 0:
        lay_out(run.tower, features["maps"])
    tower = train(features, run, 60 * given.minutes, rank)
    if rank == 0:
        save(tower)


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
    tower = build()
    maps = []
    start = time.monotonic()
    for number, scene in enumerate(scenes):
        first, other = studio.picture(scene, 0), studio.picture(scene, 1)
        views = torch.stack([pixels(p) for p in (first, studio.worn(first), studio.worn(other))])
        maps.append(early(tower, views).half().contiguous())
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
        last = torch.from_numpy(encoder.features(texts)[:, -WORDS:])
        return functional.normalize(last, dim=-1)

    return encode


def build() -> Tower:
    """The tower with ImageNet weights in its trunk and fresh ones elsewhere."""
    tower = Tower()
    weights = load_file(models.path("efficientnet-lite0") / "model.safetensors")
    tower.trunk.load_state_dict({k: v for k, v in weights.items() if not k.startswith("classifier")})
    return tower.eval()  # batch norms keep their ImageNet statistics


def pixels(picture: Any) -> Tensor:
    """[3, side, side] in [-1, 1], resized as open_clip's preprocessing does it."""
    from PIL import Image

    small = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 127.5 - 1


@torch.inference_mode()
def early(tower: Tower, images: Tensor) -> Tensor:
    """The output of the frozen stages."""
    with parallel.half():
        return tower.middle(images.contiguous(memory_format=torch.channels_last))


class Fit(nn.Module):
    """A slope and an offset that make cosines log-odds; used in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.tensor(10.0)), nn.Parameter(torch.tensor(-5.0))

    def loss(self, yes: Tensor, no: Tensor) -> Tensor:
        """Binary cross-entropy of cosines that should be high and low."""
        high, low = (self.slope * x + self.offset for x in (yes, no))
        return functional.softplus(-high).mean() + functional.softplus(low).mean()


def lay_out(tower: Tower, maps: Tensor) -> None:
    """Trains the layout on middle maps [n, VIEWS, c, h, w], in standardised features; some seconds in all."""
    torch.manual_seed(2)
    means = torch.cat([grid(part.flatten(0, 1).float()) for part in torch.split(maps, 256)])
    centre, spread = means.mean(0), means.std(0) + 1e-3
    rows = ((means - centre) / spread).view(len(maps), VIEWS, -1)
    plain, fit = nn.Linear(rows.shape[-1], LAYOUT, bias=False), Fit()
    optimiser = torch.optim.AdamW([*plain.parameters(), *fit.parameters()], lr=LAYOUT_RATE, weight_decay=LAYOUT_DECAY)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, LAYOUT_STEPS)
    own = torch.arange(LAYOUT_BATCH)
    for _ in range(LAYOUT_STEPS):
        batch = rows[torch.randint(0, len(rows), (LAYOUT_BATCH,))]
        first, near, other = functional.normalize(plain(batch), dim=-1).unbind(1)
        loss = fit.loss((first * near).sum(-1), torch.cat([(first * other).sum(-1), (near * other).sum(-1)]))
        for one, twin in ((first, near), (near, first)):
            loss = loss + functional.cross_entropy(SHARPNESS * one @ torch.cat([twin, other]).T, own)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        tower.layout.weight.copy_(plain.weight / spread)
        tower.layout.bias.copy_(-tower.layout.weight @ centre)


class Run:
    """The tower, the optimiser of its words and its clock, and their checkpoint."""

    def __init__(self, path: Path, start: Path | None = None) -> None:
        torch.manual_seed(3)  # the same fresh head in every worker
        self.path, self.seconds, self.steps = path, 0.0, 0
        self.tower, self.fit = build(), Fit()
        if start:
            earlier = {k.removeprefix("visual.trunk."): v.float() for k, v in load_file(start).items()}
            self.tower.load_state_dict(earlier, strict=False)  # the frozen part is not in it
        trunk = self.tower.trunk
        tuned = [*trunk.blocks[MIDDLE:].parameters(), *trunk.conv_head.parameters(), *trunk.bn2.parameters()]
        fresh = [*self.tower.pool.parameters(), *self.fit.parameters()]
        self.trained = [*tuned, *fresh]
        self.tower.requires_grad_(False)
        for parameter in self.trained:
            parameter.requires_grad = True
        groups = [{"params": tuned, "lr": TRUNK_RATE}, {"params": fresh, "lr": HEAD_RATE}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.05)
        if path.is_file():
            state = torch.load(path, weights_only=True)
            self.tower.load_state_dict(state["tower"])
            self.fit.load_state_dict(state["fit"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.seconds, self.steps = state["seconds"], state["steps"]

    def save(self) -> None:
        """Write the checkpoint in one move."""
        part = self.path.with_suffix(".part")
        state = {"tower": self.tower.state_dict(), "fit": self.fit.state_dict(), "steps": self.steps}
        torch.save({**state, "optimiser": self.optimiser.state_dict(), "seconds": self.seconds}, part)
        part.rename(self.path)


def train(features: dict[str, Tensor], run: Run, seconds: float, rank: int) -> Tower:
    """The tower after `seconds` of training in all: warm-up, then a cosine down to nothing."""
    torch.manual_seed(1000 * run.steps + rank)
    last, order = time.monotonic(), torch.empty(0, dtype=torch.long)
    while run.seconds < seconds:
        if len(order) < BATCH:
            order = torch.randperm(len(features["maps"]))
        rows, order = order[:BATCH], order[BATCH:]
        share = min(1, (run.steps + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * run.seconds / seconds))
        for group, rate in zip(run.optimiser.param_groups, (TRUNK_RATE, HEAD_RATE), strict=True):
            group["lr"] = rate * share
        loss = step_loss(run.tower, run.fit, features, rows)
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
    return run.tower


def step_loss(tower: Tower, fit: Fit, features: dict[str, Tensor], rows: Tensor) -> Tensor:
    """The three losses of the words of a batch; see the top."""
    maps = varied(features["maps"][rows].float()).flatten(0, 1)
    with parallel.half():
        words = tower.words(maps.contiguous(memory_format=torch.channels_last)).float().view(len(rows), VIEWS, WORDS)
    fits = (words * features["texts"][rows][:, None]).sum(-1)
    return reading(words, features, rows) + fit.loss(fits, words @ features["wrong"][rows].transpose(1, 2))


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


def save(tower: Tower) -> None:
    """What training changed, in half precision: the rest comes from the public weights at assembly."""
    ours = ("pool.", "layout.", "trunk.conv_head.", "trunk.bn2.", *(f"trunk.blocks.{n}." for n in (5, 6)))
    state = {f"visual.trunk.{k}": v.half().contiguous() for k, v in tower.state_dict().items()
             if k.startswith(ours) and v.is_floating_point()}  # fmt: skip
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    save_file(state, WEIGHTS / "model.safetensors")
