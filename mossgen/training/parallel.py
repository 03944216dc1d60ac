"""How the embedded models train on a CPU: data-parallel, in processes of one thread each.

On a machine that others use too, two threads wait for each other at every operation; two processes wait once a step.
Measured on 2 shared cores: three times the pictures a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mossgen.models import devices


def launch(work: Callable[..., None], workers: int, folder: Path, *args: Any) -> None:
    """Run `work(rank, *args)` in that many processes, which meet through a file in `folder`."""
    meeting = folder / f".meeting-{os.getpid()}"
    meeting.unlink(missing_ok=True)
    mp.spawn(_start, (work, workers, meeting, args), nprocs=workers)  # type: ignore[attr-defined, no-untyped-call]
    meeting.unlink(missing_ok=True)


def _start(rank: int, work: Callable[..., None], workers: int, meeting: Path, args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting.resolve()}", rank=rank, world_size=workers)
    work(rank, *args)
    dist.destroy_process_group()


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Replace each gradient by its mean over the workers."""
    _average([p.grad for p in parameters if p.grad is not None])


def average_weights(parameters: list[torch.nn.Parameter]) -> None:
    """Replace each parameter by its mean over the workers."""
    _average([p.data for p in parameters])


def _average(tensors: list[torch.Tensor]) -> None:
    flat = torch.cat([t.flatten() for t in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    start = 0
    for t in tensors:
        t.copy_(flat[start : start + t.numel()].view_as(t))
        start += t.numel()


def agreed(value: float) -> float:
    """Rank 0's value, so that all workers take the same turn."""
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared)


def half() -> torch.autocast:
    """bf16 arithmetic where this processor has it; elsewhere it would be emulated, twenty times slower than fp32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=devices.dtype("auto", "cpu") is torch.bfloat16)
