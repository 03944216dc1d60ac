"""Measures the assembled embedder on art it was not trained on, and writes thresholds.json and figures.json."""

from __future__ import annotations

import io
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from sklearn.metrics import roc_auc_score

from mossgen.embedded.art import fetch
from mossgen.embedded.assemble_clip import assemble
from mossgen.models import weights
from mossgen.plugins.embedders.open_clip import OpenClip, Options
from mossgen.probes.items import askable, open_items
from mossgen.training import CLIP_WEIGHTS as WEIGHTS
from mossgen.training.data_clip import Scene, Studio

TEST_STYLE = "noto"
FALSE_DUPLICATES = 0.005  # of pairs that are alike but no duplicates, at the duplicate thresholds
FITTING = 0.95  # of fitting pictures, at or above the match threshold
CHOICES = 250  # captions to choose from, and objects tested


def evaluate(work: Path, photographs: Path | None = None) -> dict[str, Any]:
    """Assembles the weights in `work`, measures them, and writes both files beside the weights.

    `photographs` is a set whose items have descriptions, for a figure on pictures that are no drawings.
    """
    folder = work / "assembled"
    assemble(WEIGHTS, weights.path("minilm"), weights.path("efficientnet-lite0"), folder)
    embedder = OpenClip(Options(model=f"local-dir:{folder}"))
    studio = Studio(fetch(work / "art", (TEST_STYLE,)), (TEST_STYLE,), seed=2)
    scenes = list(studio.scenes(1, CHOICES))
    singles, mixed = studio.draw.sample(scenes[:-CHOICES], CHOICES), scenes[-CHOICES:]
    text_yes, text_no = text_scores(embedder)
    shown = [*singles, *mixed]
    drawn = [(p := studio.picture(s, 0), studio.worn(p), studio.worn(studio.picture(s, 1))) for s in shown]
    start = time.monotonic()
    first, near, other = (embedder.images([trio[i] for trio in drawn]) for i in range(3))
    seconds = (time.monotonic() - start) / (3 * len(shown))
    same, different = _cos(first, near), _cos(first, other)
    # a pair of items with the same picture and another question is none; nor is one with both of them other
    draw = np.random.default_rng(0)
    pair_yes = (draw.choice(text_yes, len(same)) + same) / 2
    pair_no = np.concatenate([draw.choice(text_no, len(same)) + same, draw.choice(text_no, len(same)) + different]) / 2
    fit, misfit = match_scores(embedder, shown, first)
    figures: dict[str, Any] = {
        "recall@1 of 250 captions": retrieval(embedder, singles, first[:CHOICES]),
        "text": channel(text_yes, text_no), "image": channel(same, different), "pair": channel(pair_yes, pair_no),
        "match": match(fit, misfit), "match_two_or_three_objects": match(fit[CHOICES:], misfit[CHOICES:]),
        "seconds_a_picture": round(seconds, 4),
    }  # fmt: skip
    if photographs:
        figures["photographs"] = photograph_recall(embedder, photographs)
    thresholds = {name: figures[name]["threshold"] for name in ("text", "image", "pair", "match")}
    for name, content in (("thresholds", thresholds), ("figures", figures)):
        (WEIGHTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return figures


def _cos(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    rows: np.ndarray = (a * b).sum(axis=1)
    return rows


def text_scores(embedder: OpenClip) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of the paraphrases, and of all pairs of different questions inside a family."""
    path = Path(__file__).with_name("clip_texts.yaml")
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    others = [pair for family in data["families"] for pair in itertools.combinations(family, 2)]
    found = []
    for pairs in (data["paraphrases"], others):
        left, right = (embedder.texts([pair[i] for pair in pairs]) for i in (0, 1))
        found.append(_cos(left, right))
    return found[0], found[1]


def retrieval(embedder: OpenClip, scenes: list[Scene], vectors: np.ndarray) -> dict[str, float]:
    """Share of one-object pictures whose own caption is first, and among the first five, of all captions."""
    scores = vectors @ embedder.texts([s.caption for s in scenes]).T
    # a picture's own score is read off the same product: summed in another order it might count as above itself
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1)
    return {f"recall@{k}": round(float((ranks < k).mean()), 3) for k in (1, 5)}


def match_scores(embedder: OpenClip, scenes: list[Scene], vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of pictures with their captions, and with the captions in which one object is swapped."""
    right = embedder.texts([s.caption for s in scenes])
    wrong = embedder.texts([s.wrong_captions[0] for s in scenes])
    return _cos(vectors, right), _cos(vectors, wrong)


def channel(duplicates: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """A duplicate channel: AUC, the threshold at FALSE_DUPLICATES, and the duplicates found there."""
    threshold = round(float(np.quantile(others, 1 - FALSE_DUPLICATES)) + 5e-4, 3)
    return {**_basics(duplicates, others), "threshold": threshold,
            "duplicates_found": _share(duplicates >= threshold),
            "false_duplicates": _share(others >= threshold)}  # fmt: skip


def match(fitting: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """The match channel: AUC, the threshold at FITTING, and the wrong pictures that pass there."""
    threshold = round(float(np.quantile(fitting, 1 - FITTING)) - 5e-4, 3)
    return {**_basics(fitting, wrong), "threshold": threshold, "fitting_kept": _share(fitting >= threshold),
            "one_swapped_kept": _share(wrong >= threshold)}  # fmt: skip


def _basics(yes: np.ndarray, no: np.ndarray) -> dict[str, float]:
    auc = roc_auc_score([1] * len(yes) + [0] * len(no), [*yes, *no])
    return {"n": len(yes), "n_others": len(no), "roc_auc": round(float(auc), 4),
            "mean": round(float(yes.mean()), 3), "mean_others": round(float(no.mean()), 3)}  # fmt: skip


def _share(found: np.ndarray) -> float:
    return round(float(found.mean()), 3)


def photograph_recall(embedder: OpenClip, folder: Path, k: int = 10) -> dict[str, float]:
    """Text to image recall@k over a set's pictures by their descriptions, and what chance would give."""
    records = [r for r in askable(open_items(folder, contrast=False)) if r.description]
    pictures = [Image.open(io.BytesIO(r.picture_bytes())) for r in records]
    scores = embedder.texts([r.description for r in records]) @ embedder.images(pictures).T
    own = np.diag(scores)[:, None]
    return {"n": len(records), f"recall@{k}": _share((scores > own).sum(axis=1) < k),
            "chance": round(k / len(records), 3)}  # fmt: skip
