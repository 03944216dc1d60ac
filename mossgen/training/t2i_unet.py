"""Train the denoiser: rectified flow on cached latents, conditioned on cached MiniLM states of short phrases."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from mossgen.embedded import art, text, vocabulary
from mossgen.embedded.autoencoder import LayerAutoencoder
from mossgen.training import parallel, t2i_data
from mossgen.training.t2i_vae import to_float

SHARES = {"objects": 0.31, "own": 0.16, "figures": 0.38, "scenes": 0.15}
DROPPED = 0.10


def build() -> Any:
    """The denoiser untrained: 8x8x32 latents, attention at 4x4, the phrase's mean added to the time embedding."""
    return UNet2DConditionModel(  # type: ignore[no-untyped-call]
        sample_size=8,
        in_channels=32,
        out_channels=32,
        block_out_channels=(192, 256),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type=None,
        attention_head_dim=4,
        cross_attention_dim=384,
        class_embed_type="projection",
        projection_class_embeddings_input_dim=384,
        resnet_time_scale_shift="scale_shift",
        time_embedding_dim=512,
    )


@dataclass(frozen=True)
class Corpus:
    """Cached training data: latents (n, 32, 8, 8), states (m, TOKENS, 384), means (m, 384), and who has which.

    `groups` are the rows of each thing, kind by kind; `likely` is how often each is drawn.
    """

    latents: Tensor
    states: Tensor
    means: Tensor
    phrases: Tensor
    groups: list[np.ndarray]
    likely: np.ndarray

    def batch(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, states and means of a random batch: things as likely as they are, then any picture of each."""
        which = rng.choice(len(self.groups), size, p=self.likely)
        rows = np.array([rng.choice(self.groups[group]) for group in which])
        phrase = self.phrases[torch.from_numpy(rows), torch.from_numpy(rng.integers(0, self.phrases.shape[1], size))]
        phrase[torch.from_numpy(rng.random(size) < DROPPED)] = 0
        return self.latents[rows].float(), self.states[phrase].float(), self.means[phrase].float()


@torch.no_grad()
def corpus(args: argparse.Namespace) -> Corpus:
    """Latents and text states of all training pictures, made once and cached in --out."""
    parts = t2i_data.parts(args)
    index: dict[str, int] = {"": 0}
    phrases = torch.tensor(
        [[index.setdefault(c, len(index)) for c in some] for part in parts.values() for some in part.captions]
    )
    latents = torch.cat([_kept(args, kind, part) for kind, part in parts.items()])
    path = args.out / f"states-{len(latents)}-{len(index)}.pt"
    if not path.exists():
        states, means = _states(args.minilm, list(index))
        torch.save({"states": states, "means": means}, path)
    data = torch.load(path, weights_only=True, mmap=True)
    groups: list[np.ndarray] = []
    likely, first = [], 0
    for kind, part in parts.items():
        rows = [first + np.flatnonzero(part.groups == group) for group in range(int(part.groups.max()) + 1)]
        share = weights(args.favour) if kind == "objects" else np.full(len(rows), 1 / len(rows))
        groups, first = groups + rows, first + len(part)
        likely.append(SHARES[kind] * share)
    return Corpus(latents, data["states"].clone(), data["means"].clone(), phrases, groups, np.concatenate(likely))


def _kept(args: argparse.Namespace, kind: str, part: t2i_data.Pictures) -> Tensor:
    """The latents of one kind of pictures, made if --out has none."""
    path = args.out / f"latents-{kind}-{len(part)}.pt"
    if not path.exists():
        torch.save(_latents(args.out / "vae", part), path)
    return torch.load(path, weights_only=True).clone()  # type: ignore[no-any-return]


def weights(favour: Path | None) -> np.ndarray:
    """How likely each emoji object is: four times as likely if a template in the folder `favour` names it."""
    of_emoji = [not thing.icon.startswith(art.OWN) for thing in vocabulary.load().objects]
    named = vocabulary.named(favour) if favour else [False] * len(of_emoji)
    likely = np.where(named, 4.0, 1.0)[of_emoji]
    return np.asarray(likely / likely.sum())


def _latents(folder: Path, pictures: t2i_data.Pictures) -> Tensor:
    """Encode pictures, 64 at a time, to half precision."""
    vae, parts = LayerAutoencoder.from_pretrained(folder), []
    with parallel.half():
        for first in range(0, len(pictures), 64):
            parts.append(vae.encode(to_float(pictures.pixels[first : first + 64])).latent.half())
    return torch.cat(parts)


def _states(folder: Path, phrases: list[str]) -> tuple[Tensor, Tensor]:
    """MiniLM states and means of all phrases, to half precision."""
    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    parts = [text.encode(tokenizer, encoder, phrases[i : i + 256]) for i in range(0, len(phrases), 256)]
    return torch.cat([p[0].half() for p in parts]), torch.cat([p[1].half() for p in parts])


def main(argv: list[str]) -> None:
    """Train until --minutes in all; goes on from the checkpoint in --out; exports EMA weights now and then."""
    parser = argparse.ArgumentParser("t2i-unet", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and caches; holds vae/")
    parser.add_argument("--art", type=Path, required=True, help="folder of the art packages (fetched if empty)")
    parser.add_argument("--minilm", type=Path, required=True, help="folder of the MiniLM text encoder")
    parser.add_argument("--export", type=Path, help="folder for the half-precision weights (unet/, vae/, scheduler/)")
    parser.add_argument("--minutes", type=float, default=65, help="training time in all, earlier runs counted")
    parser.add_argument("--export-minutes", type=float, default=12)
    parser.add_argument(
        "--workers", type=int, default=2, help="processes of one thread each: they wait less on a busy machine"
    )
    parser.add_argument("--batch", type=int, default=64, help="pictures a worker and step")
    parser.add_argument("--rate", type=float, default=8e-4)
    t2i_data.add_options(parser)
    parser.add_argument("--start", type=Path, help="folder of a denoiser to begin with instead of none")
    parser.add_argument(
        "--favour", type=Path, help="folder of YAML files: objects they name are drawn four times as often"
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(args.workers)
    data = corpus(args)
    print(
        f"{len(data.latents)} pictures, {len(data.states)} phrases, latent std {data.latents.float().std():.2f}",
        flush=True,
    )
    del data
    parallel.launch(_work, args.workers, args.out, args)


def _work(rank: int, args: argparse.Namespace) -> None:
    """One worker process: same model, its own batches."""
    train(args, corpus(args), rank)


class Run:
    """Model, average, optimiser and clock of one training run, and its checkpoint."""

    def __init__(self, path: Path, rate: float, start: Path | None) -> None:
        self.path, self.seconds, self.seen, self.steps = path, 0.0, 0, 0
        self.model, self.average = build(), build()
        if start:
            begun = UNet2DConditionModel.from_pretrained(start).float()  # type: ignore[no-untyped-call]
            self.model.load_state_dict(begun.state_dict())
        self.average.load_state_dict(self.model.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True
        )
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.seconds, self.seen, self.steps = state["seconds"], state["seen"], state["steps"]

    def save(self) -> None:
        """Write the checkpoint in one move."""
        part = self.path.with_suffix(".part")
        models = {"model": self.model.state_dict(), "average": self.average.state_dict()}
        clock = {"seconds": self.seconds, "seen": self.seen, "steps": self.steps}
        torch.save({**models, **clock, "optimiser": self.optimiser.state_dict()}, part)
        part.rename(self.path)

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average towards the model; quicker at first."""
        decay = min(0.999, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)


def loss_of(model: Any, z: Tensor, states: Tensor, means: Tensor) -> Tensor:
    """Squared error of the velocity (noise - latents) at logit-normal times, in half precision where it is safe."""
    t = torch.sigmoid(torch.randn(len(z)))
    noise = torch.randn_like(z)
    mixed = torch.lerp(z, noise, t[:, None, None, None])
    with parallel.half():
        v = model(mixed, t * 1000, states, class_labels=means).sample
    return F.mse_loss(v.float(), noise - z)


def train(args: argparse.Namespace, data: Corpus, rank: int) -> None:
    """The loop: warm-up, constant rate, linear decay over the last 30 % of --minutes."""
    torch.manual_seed(3)
    run = Run(args.out / "unet.pt", args.rate, args.start)
    rng, shown, exported = np.random.default_rng([5, run.steps, rank]), 0.0, run.seconds
    torch.manual_seed(1000 * run.steps + rank)
    last, first_seen, first_seconds = time.monotonic(), run.seen, run.seconds
    while run.seconds < 60 * args.minutes:
        part = run.seconds / (60 * args.minutes)
        for group in run.optimiser.param_groups:
            group["lr"] = args.rate * min(1.0, (run.steps + 1) / 100) * min(1.0, (1 - part) / 0.3)
        loss = loss_of(run.model, *data.batch(args.batch, rng))
        loss.backward()  # type: ignore[no-untyped-call]
        parallel.average_gradients(list(run.model.parameters()))
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        run.optimiser.step()
        run.optimiser.zero_grad()
        run.steps, run.seen = run.steps + 1, run.seen + args.batch * args.workers
        run.follow()
        run.seconds, last = parallel.agreed(run.seconds + time.monotonic() - last), time.monotonic()
        if rank:
            continue
        shown = loss.item() if not shown else 0.97 * shown + 0.03 * loss.item()
        if run.steps % 50 == 0:
            speed = (run.seen - first_seen) / (run.seconds - first_seconds)
            print(
                f"step {run.steps} seen {run.seen} loss {shown:.4f} {speed:.0f}/s {run.seconds / 60:.1f} min",
                flush=True,
            )
        if run.steps % 500 == 0:
            run.save()
        if args.export and run.seconds - exported > 60 * args.export_minutes:
            export(run.average, args.out / "vae", args.export)
            exported = run.seconds
    if not rank:
        run.save()
    if args.export and not rank:
        export(run.average, args.out / "vae", args.export)


def export(model: Any, vae: Path, folder: Path) -> None:
    """Write the half-precision weights of denoiser, autoencoder and scheduler, each folder replaced in one move."""
    folder.mkdir(parents=True, exist_ok=True)
    half = build()
    half.load_state_dict(model.state_dict())
    parts = {
        "unet": half.half(),
        "vae": LayerAutoencoder.from_pretrained(vae).half(),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=1.0),  # type: ignore[no-untyped-call]
    }
    for name, part in parts.items():
        new, old = folder / f".{name}.new", folder / f".{name}.old"
        shutil.rmtree(new, ignore_errors=True)
        part.save_pretrained(new)
        for file in new.iterdir():
            file.chmod(0o644)
        _forget_place(new)
        if (folder / name).exists():
            (folder / name).rename(old)
        new.rename(folder / name)
        shutil.rmtree(old, ignore_errors=True)


def _forget_place(folder: Path) -> None:
    """Take the path that the model was loaded from out of its config."""
    for file in folder.glob("*config.json"):
        config = json.loads(file.read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)
        file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
