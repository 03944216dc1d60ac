"""How much may be made, drawn, waited for and spent."""

from __future__ import annotations

from dataclasses import dataclass, replace

OUT_OF = {reason: f"the {reason} budget is used up" for reason in ("time", "cost")}  # in words, by Budget.used_up


@dataclass(frozen=True)
class Budget:
    """Where a run stops: items accepted and candidates tried in all, seconds and US dollars of this invocation."""

    accepted: int
    candidates: int | None = None
    seconds: float | None = None
    usd: float | None = None

    def used_up(self, seconds: float, usd: float) -> str | None:
        """Which of "time" and "cost" is used up. Money only where some was spent, be it before, so that less than
        nothing is left: what is free may always go on.
        """
        if self.seconds is not None and seconds >= self.seconds:
            return "time"
        if self.usd is not None and (usd > 0 or self.usd < 0) and usd >= self.usd:
            return "cost"
        return None

    def left(self, seconds: float, usd: float) -> Budget:
        """What is left after so much; of money that was spent to the last, less than nothing."""
        rest = None if self.usd is None else self.usd - usd
        return replace(
            self,
            seconds=None if self.seconds is None else self.seconds - seconds,
            usd=-1.0 if rest is not None and usd > 0 and rest <= 0 else rest,
        )
