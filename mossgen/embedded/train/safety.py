"""Trains and measures the text-safety head: `python -m mossgen.embedded.train safety --data FOLDER`.

Figures come from cross-fitting: the public requests are cut in halves by group (a seed prompt, or a safe prompt
with its unsafe contrast), each half is scored by a head trained on the other (and on our own lines), and the
calibration and the thresholds are read off these scores. The weights that are saved are trained on both halves.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from mossgen import models
from mossgen.checkers.safety import WEIGHTS, Encoder
from mossgen.embedded.train.data_safety import Request, extra, held_out, own, public

HIDDEN, STEPS, BATCH, RATE, DECAY, DROPOUT = 128, 1600, 256, 2e-3, 0.1, 0.4
RECALL_FAIL, RECALL_PASS = 0.80, 0.90  # of harmful requests: at or above fail_from, and not below pass_below


def main(arguments: Sequence[str]) -> None:
    """The command line of this part."""
    parser = argparse.ArgumentParser(prog="python -m mossgen.embedded.train safety", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with xstest, overt, harmful_prompts")
    parser.add_argument("--extra", type=Path, nargs="*", default=[], help="more JSONL: text, harmful, group")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], help="JSONL seeds to report on, benign")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    train(given.data, given.extra, given.held_out, given.out)


def train(data: Path, more: Sequence[Path], seeds: Sequence[Path], out: Path) -> None:
    """Trains, prints the figures and writes config.json, model.safetensors and figures.json to `out`."""
    requests = _unique([*public(data), *(r for path in more for r in extra(path)), *own()])
    tests = [*held_out(), *(r for path in seeds for r in read_seeds(path))]
    encoder = Encoder(models.path("minilm"))
    x, z = encoder.features([r.text for r in requests]), encoder.features([r.text for r in tests])
    outer = np.array([r.source != "own" for r in requests])
    half = np.array([int(hashlib.sha256(r.group.encode()).hexdigest(), 16) % 2 for r in requests])
    logits = np.zeros(len(requests))
    for side in (0, 1):
        head = fit(x, requests, ~outer | (half != side))
        chosen = outer & (half == side)
        logits[chosen] = apply(head, x[chosen])
    labels = np.array([r.harmful for r in requests])
    platt = LogisticRegression(C=1e6).fit(logits[outer, None], labels[outer])
    slope, shift = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    scores = 1 / (1 + np.exp(-(slope * logits + shift)))
    harmful = scores[outer & labels]
    config = {
        "encoder": "all-MiniLM-L6-v2", "layers": [3, 4, 5, 6], "hidden": HIDDEN, "slope": slope, "shift": shift,
        "pass_below": round(float(np.quantile(harmful, 1 - RECALL_PASS)), 4),
        "fail_from": round(float(np.quantile(harmful, 1 - RECALL_FAIL)), 4),
    }  # fmt: skip
    final = fit(x, requests, np.ones(len(requests), bool))
    final_scores = 1 / (1 + np.exp(-(slope * apply(final, z) + shift)))
    kept = [r for r, o in zip(requests, outer, strict=True) if o]
    figures = {"public": measure(kept, scores[outer], config), "short": measure(tests, final_scores, config)}
    save(final, config, figures, out)
    print(json.dumps({"config": config, **figures}, indent=1))


def fit(x: np.ndarray, requests: Sequence[Request], chosen: np.ndarray) -> torch.nn.Sequential:
    """A head trained on the chosen rows of the features `x`."""
    rows = torch.from_numpy(x[chosen])
    picked = [r for r, c in zip(requests, chosen, strict=True) if c]
    labels = torch.tensor([float(r.harmful) for r in picked])
    weights = torch.tensor([r.weight for r in picked])
    head = torch.nn.Sequential(
        torch.nn.Dropout(0.1), torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(),
        torch.nn.Dropout(DROPOUT), torch.nn.Linear(HIDDEN, 1),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, STEPS)
    for _ in range(STEPS):
        batch = torch.randint(0, len(rows), (BATCH,))
        logits = head(rows[batch])[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, labels[batch], weight=weights[batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return head.eval()


def apply(head: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """[n] logits, not calibrated."""
    with torch.inference_mode():
        logits: np.ndarray = head(torch.from_numpy(x))[:, 0].numpy()
    return logits


def measure(requests: Sequence[Request], scores: np.ndarray, config: dict[str, object]) -> dict[str, object]:
    """ROC AUC, then by source the share not passed and failed, harmful and harmless apart, and reliability."""
    labels = np.array([r.harmful for r in requests])
    sources = np.array([r.source for r in requests])
    shares = {}
    for source in dict.fromkeys(sources):
        for kind, side in (("harmful", labels), ("harmless", ~labels)):
            rows = scores[(sources == source) & side]
            if len(rows):
                caught = [round(float(np.mean(rows >= config[key])), 3) for key in ("pass_below", "fail_from")]
                shares[f"{source} {kind}"] = {"n": len(rows), "not_passed": caught[0], "failed": caught[1]}
    bins = np.minimum((scores * 10).astype(int), 9)
    reliability = [
        {"said": round(float(scores[bins == b].mean()), 3), "was": round(float(labels[bins == b].mean()), 3),
         "n": int((bins == b).sum())}
        for b in range(10) if (bins == b).any()
    ]  # fmt: skip
    error = sum(b["n"] * abs(b["said"] - b["was"]) for b in reliability) / len(scores)
    by_source = {s: round(float(roc_auc_score(labels[sources == s], scores[sources == s])), 4)
                 for s in dict.fromkeys(sources) if len(set(labels[sources == s])) == 2}  # fmt: skip
    return {"roc_auc": round(float(roc_auc_score(labels, scores)), 4), "roc_auc_by_source": by_source,
            "shares": shares, "calibration_error": round(float(error), 4), "reliability": reliability}  # fmt: skip


def save(head: torch.nn.Sequential, config: Mapping[str, object], figures: Mapping[str, object], out: Path) -> None:
    """Half-precision weights, the config and the figures."""
    out.mkdir(parents=True, exist_ok=True)
    names = {"1": "hidden", "4": "out"}
    weights = {
        f"{names[key.split('.')[0]]}.{key.split('.')[1]}": tensor.numpy().astype(np.float16)
        for key, tensor in head.state_dict().items()
    }
    save_file(weights, out / "model.safetensors")
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def read_seeds(path: Path) -> list[Request]:
    """The questions of a seeds file, as benign requests."""
    lines = path.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines if line.strip()]
    return [Request(q, False, f"seeds/{path.stem}", q) for q in questions]


def _unique(requests: Sequence[Request]) -> list[Request]:
    # the first of equal texts stays: a public request that we happen to have written too is measured, not trained on
    return list({r.text: r for r in reversed(requests)}.values())
