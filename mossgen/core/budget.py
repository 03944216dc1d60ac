"""Limits of a run: how many items, how much time and how much money."""

from __future__ import annotations

from dataclasses import dataclass, replace

OUT_OF = {reason: f"the {reason} budget is used up" for reason in ("time", "cost")}  # in words, by Limits.used_up


@dataclass(frozen=True)
class Limits:
    """The limits of one invocation: time in seconds, cost in US dollars. None means no limit.

    `used_seconds` and `used_usd` are already used.
    """

    seconds: float | None = None
    usd: float | None = None
    used_seconds: float = 0.0
    used_usd: float = 0.0

    def used_up(self, seconds: float, usd: float) -> str | None:
        """Which limit is used up, "time" or "cost", after `seconds` and `usd` more; None if neither.

        A run that has spent nothing never uses up its cost limit.
        """
        spent = self.used_usd + usd
        if self.seconds is not None and self.used_seconds + seconds >= self.seconds:
            return "time"
        if self.usd is not None and spent > 0 and spent >= self.usd:
            return "cost"
        return None

    def left(self, seconds: float, usd: float) -> Limits:
        """The same limits after `seconds` and `usd` more."""
        return replace(self, used_seconds=self.used_seconds + seconds, used_usd=self.used_usd + usd)

    @property
    def usd_left(self) -> float | None:
        """The dollars that may still be spent; None if there is no limit."""
        return None if self.usd is None else max(self.usd - self.used_usd, 0.0)


UNLIMITED = Limits()


@dataclass(frozen=True)
class Budget:
    """When a run stops: total accepted items, total candidates, and the limits of this invocation."""

    accepted: int
    candidates: int | None = None
    limits: Limits = UNLIMITED
