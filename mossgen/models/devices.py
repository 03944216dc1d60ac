"""Where and in which numbers a local model computes, and its errors in half a sentence."""

from __future__ import annotations

from typing import Any

from mossgen.errors import ConfigError


def device(wanted: str) -> str:
    """The device to compute on; with auto the accelerator, or the CPU. Raises ConfigError where it is not here."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    here = accelerator.type if accelerator else "cpu"
    if wanted == "auto":
        return here
    if wanted.split(":")[0] not in ("cpu", here):
        raise ConfigError(f"Option device = {wanted!r}, but torch finds only {here} here: use {here} or auto.")
    return wanted


def dtype(wanted: str, device: str) -> Any:
    """What the user wants; else the checkpoint's own; on a CPU bf16 where it computes in it, or fp32."""
    import torch

    if wanted != "auto":
        return getattr(torch, wanted)
    if device != "cpu":
        return "auto"
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


def reason(error: Exception) -> str:
    """A library's error as half a sentence."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200].rstrip('.:') if lines else 'no reason given'}"
