"""Measures the text-to-image model's whole figures: is the character, and is the deed, that of the phrase?

A figure counts as recognised when the nearest drawing, among several of every character in every pose, is one of the
character and the pose asked for. Colours vary at random, so even drawings themselves are not always recognised so.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mossgen.embedded import art, figures
from mossgen.embedded.figures_data import load, phrase
from mossgen.training.picture_judge import Judge, nearest, on_ground, seeds, through

REFERENCES, TESTED = 4, 208  # drawings of each character in each pose; pairs drawn by chance
Pair = tuple[str, str]


def drawing(pair: Pair, rng: np.random.Generator) -> Image.Image:
    """A random drawing of a character in a pose, as training has it."""
    return art.vary(art.rasterise(figures.draw(*pair, rng).svg, 384), rng, 128, mirrored=False)


def recognised(pipe: Any, judge: Judge, tested: int = TESTED) -> dict[str, Any]:
    """Recognition of drawings, of what the autoencoder keeps of them, and of what the model draws."""
    pairs = [(who, pose) for who in load().characters for pose in load().poses]
    rng = np.random.default_rng(2)
    shown = [on_ground(drawing(pair, rng)) for pair in pairs for _ in range(REFERENCES)]
    references, owner = judge.features(shown), [i for i in range(len(pairs)) for _ in range(REFERENCES)]
    wanted = random.Random(0).sample(range(len(pairs)), tested)
    fresh = [drawing(pairs[i], rng) for i in wanted]
    made = pipe.sprites([phrase(*pairs[i]) for i in wanted], seeds(7, tested))
    kinds = {
        "the drawings themselves": fresh,
        "through the autoencoder and back": [through(pipe, sprite) for sprite in fresh],
        "drawn by the model": made,
    }
    return {
        kind: _shares(judge.features([on_ground(one) for one in some]) @ references.T, owner, pairs, wanted)
        for kind, some in kinds.items()
    }


def _shares(likeness: Tensor, owner: list[int], pairs: list[Pair], wanted: list[int]) -> dict[str, float]:
    """How often the nearest drawing is right: the whole of it, its pose, its character; and the whole among five."""
    best = nearest(likeness, owner, len(pairs))
    first, five = best.argmax(1).tolist(), best.topk(5).indices.tolist()
    hits = {
        "both": [a == b for a, b in zip(first, wanted, strict=True)],
        "both, among five": [b in some for some, b in zip(five, wanted, strict=True)],
        "pose": [pairs[a][1] == pairs[b][1] for a, b in zip(first, wanted, strict=True)],
        "character": [pairs[a][0] == pairs[b][0] for a, b in zip(first, wanted, strict=True)],
    }
    return {name: round(float(torch.tensor(found).float().mean()), 3) for name, found in hits.items()}
