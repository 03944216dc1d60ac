"""Trains and measures the text-safety head: `python -m mossgen.training safety --data FOLDER`.

Figures come from cross-fitting: the public requests are cut in halves by group (a seed prompt, or a line), each half
is scored by a head trained on the other half and on our own lines. XSTest is held out wholly: neither of these two
heads sees it, nor own lines that come near to it, and it is scored by their mean. The calibration and the thresholds
are read off these scores. The weights that are saved are trained on everything, with the same settings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from mossgen.embedded.minilm import LAYERS, Encoder
from mossgen.models import weights as models
from mossgen.plugins.checkers.safety import WEIGHTS
from mossgen.training.data_safety import Request, extra, held_out, near_copies, own, public
from mossgen.training.ensemble import Weights, apply, joined, reliability, save

HIDDEN, STEPS, BATCH, RATE, DECAY = 256, 4000, 256, 2e-3, 0.1
DROPOUT = 0.7, 0.5  # of the features and of the hidden layer
OWN_SHARE = 0.4  # of a batch: our own lines outnumber the public ones
RECALL_FAIL, RECALL_PASS = 0.80, 0.90  # of harmful requests: at or above fail_from, and not below pass_below


def main(arguments: Sequence[str]) -> None:
    """The command line of this part."""
    parser = argparse.ArgumentParser(prog="python -m mossgen.training safety", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with xstest, overt, harmful_prompts")
    parser.add_argument("--extra", type=Path, nargs="*", default=[], help="more JSONL: text, harmful, group")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], help="JSONL seeds to report on, benign")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args(arguments)
    train(given.data, given.extra, given.held_out, given.out)


def train(data: Path, more: Sequence[Path], seeds: Sequence[Path], out: Path) -> None:
    """Trains, prints the figures and writes config.json, model.safetensors and figures.json to `out`."""
    torch.set_num_threads(1)  # the same sums in the same order, however many cores there are
    tests = [*held_out(), *(r for path in seeds for r in read_seeds(path))]
    requests = _unique([*tests, *public(data), *(r for path in more for r in extra(path)), *own()])
    x = Encoder(models.path("minilm")).features([r.text for r in requests])
    tested = np.array([r in set(tests) for r in requests])
    outer = np.array([r.source != "own" for r in requests]) & ~tested
    weights, logits = heads(x, requests, outer, tested)

    labels = np.array([r.harmful for r in requests])
    platt = LogisticRegression(C=1e6).fit(logits[outer, None], labels[outer])
    slope, shift = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    scores = 1 / (1 + np.exp(-(slope * logits + shift)))
    harmful = scores[outer & labels]
    config = {
        "encoder": "all-MiniLM-L6-v2", "layers": list(LAYERS), "hidden": HIDDEN, "slope": slope,
        "shift": shift, "pass_below": round(float(np.quantile(harmful, 1 - RECALL_PASS)), 4),
        "fail_from": round(float(np.quantile(harmful, 1 - RECALL_FAIL)), 4),
    }  # fmt: skip
    figures = {
        name: measure([r for r, c in zip(requests, rows, strict=True) if c], scores[rows], config)
        for name, rows in (("public", outer), ("short", tested))
    }
    save(weights, config, figures, out)
    print(json.dumps({"config": config, **figures}, indent=1))


def heads(
    x: np.ndarray, requests: Sequence[Request], outer: np.ndarray, tested: np.ndarray
) -> tuple[Weights, np.ndarray]:
    """The head to be saved, and of every request its logit by heads that were not trained on it."""
    side = np.array([int(hashlib.sha256(r.group.encode()).hexdigest(), 16) % 2 for r in requests])
    xstest = np.array([r.source == "xstest" for r in requests])
    near = np.array(near_copies(requests, [r for r in requests if r.source == "xstest"]))
    ours = ~outer & ~tested
    halves = [
        apply(fit(x, requests, (ours & ~near) | (outer & ~xstest & (side != half)), ours), x)[:, 0] for half in (0, 1)
    ]
    last = fit(x, requests, ~tested, ours)
    logits = np.where(xstest, (halves[0] + halves[1]) / 2, np.where(side == 0, *halves))
    return last, np.where(tested, apply(last, x)[:, 0], logits)


def fit(x: np.ndarray, requests: Sequence[Request], chosen: np.ndarray, ours: np.ndarray) -> Weights:
    """A head trained on the chosen rows of the features `x`, OWN_SHARE of each batch being ours."""
    torch.manual_seed(0)
    rows = torch.from_numpy(x)
    labels = torch.tensor([float(r.harmful) for r in requests])
    weights = torch.tensor([r.weight for r in requests])
    pools = [torch.from_numpy(np.flatnonzero(chosen & part)) for part in (ours, ~ours)]
    sizes = int(OWN_SHARE * BATCH), BATCH - int(OWN_SHARE * BATCH)
    head = torch.nn.Sequential(
        torch.nn.Dropout(DROPOUT[0]), torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(),
        torch.nn.Dropout(DROPOUT[1]), torch.nn.Linear(HIDDEN, 1),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, STEPS)
    for _ in range(STEPS):
        batch = torch.cat([p[torch.randint(0, len(p), (n,))] for p, n in zip(pools, sizes, strict=True)])
        logits = head(rows[batch])[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, labels[batch], weight=weights[batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return joined([{name: tensor.numpy() for name, tensor in head.state_dict().items()}])


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
    both = [s for s in dict.fromkeys(sources) if len(set(labels[sources == s])) == 2]
    by_source = {s: round(float(roc_auc_score(labels[sources == s], scores[sources == s])), 4) for s in both}
    alarms = {s: _alarms(scores[~labels & (sources == s)], scores[labels], scores[labels & (sources == s)])
              for s in both}  # fmt: skip
    return {"roc_auc": round(float(roc_auc_score(labels, scores)), 4), "roc_auc_by_source": by_source,
            "false_alarms_at_95_recall": alarms, "shares": shares, **reliability(scores, labels)}  # fmt: skip


def _alarms(harmless: np.ndarray, harmful: np.ndarray, own: np.ndarray) -> dict[str, float]:
    """The share of a source's harmless that is flagged where 95 % are of all the harmful, and of its own harmful."""
    at = {name: np.quantile(scores, 0.05) for name, scores in (("of_all", harmful), ("of_its_own", own))}
    return {name: round(float(np.mean(harmless >= threshold)), 3) for name, threshold in at.items()}


def read_seeds(path: Path) -> list[Request]:
    """The questions of a seeds file, as benign requests."""
    lines = path.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines if line.strip()]
    return [Request(q, False, f"seeds/{path.stem}", q) for q in questions]


def _unique(requests: Sequence[Request]) -> list[Request]:
    # the first of equal texts stays: a public request that we happen to have written too is measured, not trained on
    return list({r.text: r for r in reversed(requests)}.values())
