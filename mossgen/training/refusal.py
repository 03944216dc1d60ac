"""Trains and measures the refusal head: `python -m mossgen.training refusal --data FOLDER`.

Figures come from leaving one model out: its responses to XSTest are scored by a head trained on those of the other
models and on our own lines. The calibration is read off these scores. The weights that are saved are trained on all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import confusion_matrix, f1_score
from torch.nn import functional

from mossgen.embedded.minilm import Encoder
from mossgen.embedded.refusal import CLASSES, WEIGHTS, describe
from mossgen.models import weights
from mossgen.training.data_refusal import MODELS, own, xstest
from mossgen.training.ensemble import Weights, apply, joined, reliability, save

HIDDEN, MEMBERS = 64, 3  # an ensemble of small heads, kept as one with their hidden layers side by side
STEPS, BATCH, RATE, DECAY, DROPOUT = 600, 128, 2e-3, 0.3, 0.4
OWN, OWN_SHARE = 3000, 0.6  # our own responses, and their share of a batch
CLASS_WEIGHTS = (1.0, 1.5, 1.0)  # partial refusals are few


def main(arguments: Sequence[str]) -> None:
    """The command line of this part."""
    parser = argparse.ArgumentParser(prog="python -m mossgen.training refusal", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with xstest")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args(arguments)
    train(given.data, given.out)


def train(data: Path, out: Path) -> None:
    """Trains, prints the figures and writes config.json, model.safetensors and figures.json to `out`."""
    torch.set_num_threads(1)  # the same sums in the same order, however many cores there are
    responses = [r for r in (*xstest(data), *own(OWN)) if r.response.strip()]
    x = describe(Encoder(weights.path("minilm")), [(r.question, r.response) for r in responses])
    labels = np.array([r.label for r in responses])
    sources = np.array([r.source for r in responses])
    logits = np.zeros((len(x), len(CLASSES)), dtype=np.float32)
    for name in MODELS:
        logits[sources == name] = apply(fit(x, labels, sources, sources != name), x[sources == name])
    people = sources != "own"
    slope = _slope(logits[people], labels[people])
    config = {"encoder": "all-MiniLM-L6-v2", "classes": CLASSES, "hidden": HIDDEN * MEMBERS, "slope": slope}
    figures = measure(labels[people], _softmax(slope * logits[people]), sources[people])
    save(fit(x, labels, sources, np.full(len(x), True)), config, figures, out)
    print(json.dumps({"config": config, **figures}, indent=1))


def fit(x: np.ndarray, labels: np.ndarray, sources: np.ndarray, chosen: np.ndarray) -> Weights:
    """A head trained on the chosen rows of the features `x`, OWN_SHARE of each batch being ours."""
    torch.manual_seed(0)
    rows, wanted = torch.from_numpy(x), torch.from_numpy(labels)
    pools = [torch.from_numpy(np.flatnonzero(chosen & part)) for part in (sources == "own", sources != "own")]
    sizes = int(OWN_SHARE * BATCH), BATCH - int(OWN_SHARE * BATCH)
    members = []
    for _ in range(MEMBERS):
        head = torch.nn.Sequential(
            torch.nn.Dropout(0.1), torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(),
            torch.nn.Dropout(DROPOUT), torch.nn.Linear(HIDDEN, len(CLASSES)),
        )  # fmt: skip
        optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, STEPS)
        for _ in range(STEPS):
            batch = torch.cat([p[torch.randint(0, len(p), (n,))] for p, n in zip(pools, sizes, strict=True)])
            loss = functional.cross_entropy(
                head(rows[batch]), wanted[batch], weight=torch.tensor(CLASS_WEIGHTS), label_smoothing=0.05
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        members.append({name: tensor.numpy() for name, tensor in head.state_dict().items()})
    return joined(members)


def measure(labels: np.ndarray, probabilities: np.ndarray, sources: np.ndarray) -> dict[str, Any]:
    """F1 by class and macro, pooled and by held-out model, the confusions, and how reliable the probabilities are."""
    said = probabilities.argmax(axis=1)
    classes = list(range(len(CLASSES)))
    found: dict[str, Any] = {}
    for name in ("all", *dict.fromkeys(sources)):
        rows = np.full(len(labels), True) if name == "all" else sources == name
        by_class = f1_score(labels[rows], said[rows], labels=classes, average=None, zero_division=0)
        found[name] = {
            "n": np.bincount(labels[rows], minlength=3).tolist(), "macro_f1": round(float(by_class.mean()), 3),
            "f1": dict(zip(CLASSES, by_class.round(3).tolist(), strict=True)),
            "accuracy": round(float((labels == said)[rows].mean()), 3),
            "refused_or_partial_f1": round(float(f1_score(labels[rows] > 0, said[rows] > 0)), 3),
            "confusion": confusion_matrix(labels[rows], said[rows], labels=classes).tolist(),
        }  # fmt: skip
    sure = probabilities.max(axis=1)
    return {**found, **reliability(sure, labels == said)}


def _slope(logits: np.ndarray, labels: np.ndarray) -> float:
    """The factor on the logits that makes the labels most likely."""

    def surprise(slope: float) -> float:
        return -float(np.log(_softmax(slope * logits)[np.arange(len(labels)), labels] + 1e-9).mean())

    return round(float(minimize_scalar(surprise, bounds=(0.05, 5), method="bounded").x), 4)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares
