"""Several small heads of one hidden layer, kept as one: the mean of their outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

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
