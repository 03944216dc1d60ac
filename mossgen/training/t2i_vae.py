"""Train the autoencoder: 128x128 RGBA pictures to 8x8x32 latents and back (LayerAutoencoder)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mossgen.embedded.autoencoder import LayerAutoencoder
from mossgen.training import parallel, t2i_data

SHARES = {"objects": 0.25, "own": 0.1, "figures": 0.5, "scenes": 0.15}


def to_float(pixels: np.ndarray) -> Tensor:
    """uint8 pictures (n, 4, h, w) -> floats in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).float() / 127.5 - 1


def edges(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring pixels, down and across."""
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def loss_of(x: Tensor, z: Tensor, y: Tensor) -> Tensor:
    """L1 plus L1 of the gradients, colours and alpha alike; a weak pull of the latents towards 0.

    The squared error is for small dark things on a plain ground, eyes above all, which L1 alone lets go.
    """
    flat = F.l1_loss(y, x) + F.mse_loss(y, x) + 1e-4 * z.square().mean()
    return flat + sum(F.l1_loss(a, b) for a, b in zip(edges(x), edges(y), strict=True))


def batch(parts: dict[str, t2i_data.Pictures], size: int, rng: np.random.Generator) -> Tensor:
    """A random batch, each kind of picture by its share in SHARES."""
    kinds = rng.choice(list(SHARES), size, p=list(SHARES.values()))
    rows = [(kind, rng.integers(len(parts[kind]))) for kind in kinds]
    return to_float(np.stack([parts[kind].pixels[row] for kind, row in rows]))


@torch.no_grad()
def normalise(vae: LayerAutoencoder, x: Tensor) -> None:
    """Fold the latents' mean and spread into the weights, so that each channel has mean 0 and deviation 1."""
    z = torch.cat([vae.encode(part).latent for part in torch.split(x, 32)])
    mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
    last: Any = vae.encoder.conv_out
    first: Any = vae.decoder.conv_in
    # the decoder's first convolution pads with zeros, which mean the mean latent from now on: only its bias moves
    first.bias += (first.weight * mean[:, None, None]).sum((1, 2, 3))
    first.weight *= std[:, None, None]
    last.weight /= std[:, None, None, None]
    last.bias.sub_(mean).div_(std)


def main(argv: list[str]) -> None:
    """Train until --minutes in all; goes on from the checkpoint in --out."""
    parser = argparse.ArgumentParser("t2i-vae", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and cached pictures")
    parser.add_argument("--art", type=Path, required=True, help="folder of the art packages (fetched if empty)")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--batch", type=int, default=16, help="pictures a worker and step")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    t2i_data.add_options(parser)
    parser.add_argument("--start", type=Path, help="folder of an autoencoder to begin with instead of none")
    parser.add_argument(
        "--decoder-only", action="store_true", help="sharpen the finished decoder; latents stay as they are"
    )
    args = parser.parse_args(argv)
    t2i_data.parts(args)
    parallel.launch(train, args.workers, args.out, args)


class Run:
    """Model, optimiser and clock of one run, and its checkpoint; the decoder alone goes on from the finished model."""

    def __init__(self, folder: Path, rate: float, decoder_only: bool, start: Path | None) -> None:
        self.path, self.seconds, self.seen = folder / ("decoder.pt" if decoder_only else "vae.pt"), 0.0, 0
        begun = folder / "vae" if decoder_only else start
        self.model = LayerAutoencoder.from_pretrained(begun).float() if begun else LayerAutoencoder()
        self.model.encoder.requires_grad_(not decoder_only)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, rate, betas=(0.9, 0.95), weight_decay=1e-4, fused=True)
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.seconds, self.seen = state["seconds"], state["seen"]

    def save(self) -> None:
        """Write the checkpoint in one move."""
        part = self.path.with_suffix(".part")
        clock = {"seconds": self.seconds, "seen": self.seen}
        torch.save({"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), **clock}, part)
        part.rename(self.path)


def train(rank: int, args: argparse.Namespace) -> None:
    """One worker's loop: AdamW, warm-up, linear decay over the second half of --minutes."""
    parts = t2i_data.parts(args)
    torch.manual_seed(3)
    run = Run(args.out, args.rate, args.decoder_only, args.start)
    rng, steps, shown, last = np.random.default_rng([run.seen, rank]), 0, 0.0, time.monotonic()
    torch.manual_seed(1000 * run.seen + rank)
    while (part := run.seconds / (60 * args.minutes)) < 1:
        for group in run.optimiser.param_groups:
            group["lr"] = args.rate * min(1.0, (steps + 1) / 50) * min(1.0, (1 - part) / 0.5)
        x = batch(parts, args.batch, rng)
        loss = loss_of(x, *round_trip(run.model, x))
        loss.backward()  # type: ignore[no-untyped-call]
        parallel.average_gradients(run.trained)
        torch.nn.utils.clip_grad_norm_(run.trained, 1.0)
        run.optimiser.step()
        run.optimiser.zero_grad()
        steps, run.seen = steps + 1, run.seen + args.batch * args.workers
        run.seconds, last = parallel.agreed(run.seconds + time.monotonic() - last), time.monotonic()
        shown = loss.item() if steps == 1 else 0.95 * shown + 0.05 * loss.item()
        if rank == 0 and steps % 50 == 0:
            print(f"seen {run.seen} loss {shown:.4f} {run.seconds / 60:.1f} min", flush=True)
        if rank == 0 and steps % 500 == 0:
            run.save()
    if rank == 0:
        run.save()
        if not args.decoder_only:
            normalise(run.model, batch(parts, 512, rng))
        run.model.save_pretrained(args.out / "vae")


def round_trip(vae: LayerAutoencoder, x: Tensor) -> tuple[Tensor, Tensor]:
    """Latents and what is decoded from them, a little noise added on the way so that the decoder forgives it."""
    with parallel.half():
        z = vae.encode(x).latent
        spread = z.detach().float().std() * 0.25 * torch.rand(len(z), 1, 1, 1)
        return z.float(), vae.decode(z + torch.randn_like(z) * spread).sample.float()
