"""How much may be made, drawn, waited for and spent."""

from __future__ import annotations

from dataclasses import dataclass, replace

OUT_OF = {reason: f"the {reason} budget is used up" for reason in ("time", "cost")}  # in words, by Limits.used_up


@dataclass(frozen=True)
class Limits:
    """How long an invocation may take and what it may spend, in US dollars; None is without limit.

    `used_seconds` and `used_usd` of it are used already.
    """

    seconds: float | None = None
    usd: float | None = None
    used_seconds: float = 0.0
    used_usd: float = 0.0

    def used_up(self, seconds: float, usd: float) -> str | None:
        """Which of "time" and "cost" is used up after so much more. Money only where some was spent: what is free may
        always go on.
        """
        spent = self.used_usd + usd
        if self.seconds is not None and self.used_seconds + seconds >= self.seconds:
            return "time"
        if self.usd is not None and spent > 0 and spent >= self.usd:
            return "cost"
        return None

    def left(self, seconds: float, usd: float) -> Limits:
        """The same limits after so much more."""
        return replace(self, used_seconds=self.used_seconds + seconds, used_usd=self.used_usd + usd)

    @property
    def usd_left(self) -> float | None:
        """The dollars that may still be spent; None without limit."""
        return None if self.usd is None else max(self.usd - self.used_usd, 0.0)


UNLIMITED = Limits()


@dataclass(frozen=True)
class Budget:
    """Where a run stops: items accepted and candidates tried in all, and the limits of this invocation."""

    accepted: int
    candidates: int | None = None
    limits: Limits = UNLIMITED
