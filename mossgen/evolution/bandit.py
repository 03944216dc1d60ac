"""Chooses the next mutator by Thompson sampling; a success is a child that is benign and refused more.

Each mutator's chance of a success has a Beta(1 + successes, 1 + failures) posterior. A draw takes the mutator with
the highest sample (Thompson, Biometrika 1933; Chapelle and Li, "An Empirical Evaluation of Thompson Sampling",
NeurIPS 2011). A child that a stage rejects is a failure too: it costs a picture and adds nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any


class Bandit:
    """The posteriors over `arms`, from the `history` of (arm, success)."""

    def __init__(self, arms: Sequence[str], history: Iterable[tuple[str, bool]]) -> None:
        seen = Counter(history)
        self.arms = list(arms)
        self.won = {arm: seen[arm, True] for arm in arms}
        self.lost = {arm: seen[arm, False] for arm in arms}

    def choose(self, draw: random.Random) -> str:
        """The arm with the highest sample of its posterior."""
        samples = {arm: draw.betavariate(1 + self.won[arm], 1 + self.lost[arm]) for arm in self.arms}
        return max(self.arms, key=lambda arm: samples[arm])

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """By arm: how often it was tried, how often it won, and the posterior's mean."""
        return {
            arm: {
                "tried": self.won[arm] + self.lost[arm],
                "kept": self.won[arm],
                "mean": round((1 + self.won[arm]) / (2 + self.won[arm] + self.lost[arm]), 3),
            }
            for arm in self.arms
        }
