"""What the small heads share: several of one hidden layer kept as one, how reliable they are, and their files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

Weights = dict[str, np.ndarray]


def joined(members: Sequence[Mapping[str, np.ndarray]]) -> Weights:
    """Half-precision weights of one head, the hidden layers of the members side by side.

    A member is the state of Sequential(Dropout, Linear, ReLU, Dropout, Linear).
    """
    found = {
        "hidden.weight": np.concatenate([m["1.weight"] for m in members]),
        "hidden.bias": np.concatenate([m["1.bias"] for m in members]),
        "out.weight": np.concatenate([m["4.weight"] / len(members) for m in members], axis=1),
        "out.bias": np.mean([m["4.bias"] for m in members], axis=0),
    }
    return {name: tensor.astype(np.float16) for name, tensor in found.items()}


def apply(head: Weights, x: np.ndarray) -> np.ndarray:
    """[n, outputs] logits, not calibrated, of features [n, width]."""
    w = {name: tensor.astype(np.float32) for name, tensor in head.items()}
    logits: np.ndarray = np.maximum(x @ w["hidden.weight"].T + w["hidden.bias"], 0) @ w["out.weight"].T + w["out.bias"]
    return logits


def reliability(said: np.ndarray, was: np.ndarray) -> dict[str, Any]:
    """What was said [n] against what was so [n], in ten bins, and the expected calibration error."""
    bins = np.minimum((said * 10).astype(int), 9)
    table = [
        {"said": round(float(said[bins == b].mean()), 3), "was": round(float(was[bins == b].mean()), 3),
         "n": int((bins == b).sum())}
        for b in range(10) if (bins == b).any()
    ]  # fmt: skip
    error = sum(row["n"] * abs(row["said"] - row["was"]) for row in table) / len(said)
    return {"reliability": table, "calibration_error": round(float(error), 4)}


def save(weights: Weights, config: Mapping[str, object], figures: Mapping[str, object], out: Path) -> None:
    """Writes the weights, the config and the figures into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    save_file(weights, out / "model.safetensors")
    for name, content in (("config", config), ("figures", figures)):
        (out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
