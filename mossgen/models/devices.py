"""The device and number format of a local model, and its errors as short phrases."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mossgen.errors import ConfigError

# the options `device` and `dtype` of every plugin that runs a model here
Device = Annotated[
    str,
    Field(
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?|xpu(:\d+)?)$",
        description="where the model runs: auto (the accelerator if there is one), cpu, cuda, cuda:1, mps or xpu",
    ),
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"],
    Field(description="the numbers it computes in; auto takes what suits the model and the device"),
]


def device(wanted: str) -> str:
    """The device to compute on; auto is the accelerator, or else the CPU. Raises ConfigError if it is missing."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    here = accelerator.type if accelerator else "cpu"
    if wanted == "auto":
        return here
    if wanted.split(":")[0] not in ("cpu", here):
        raise ConfigError(f"Option device = {wanted!r}, but torch finds only {here} here: use {here} or auto.")
    return wanted


def dtype(wanted: str, device: str, draws: bool = False) -> Any:
    """The dtype that the user sets; else the best for the device and a language model, or an image model (`draws`).

    On an accelerator, a language model keeps its checkpoint's dtype and an image model uses half precision. On a CPU,
    a language model uses bf16 if the CPU computes in it; fp32 is faster for drawing.
    """
    import torch

    if wanted != "auto":
        return getattr(torch, wanted)
    if draws:
        return {"cpu": torch.float32, "mps": torch.float16}.get(device.split(":")[0]) or _half()
    if device != "cpu":
        return "auto"
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


def _half() -> Any:
    """bf16, or fp16 on older GPUs."""
    import torch

    return torch.float16 if torch.cuda.is_available() and not torch.cuda.is_bf16_supported() else torch.bfloat16


def reason(error: Exception) -> str:
    """A library's error as a short phrase."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200].rstrip('.:') if lines else 'no reason given'}"
