"""What an invocation tells while it works: how far it is to whoever listens, and to its profile where time goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mossgen.core.items import State
from mossgen.core.progress import SILENT, Progress
from mossgen.expansion.profile import Profile


@dataclass(frozen=True)
class Watch:
    """Who is told of the stages of a run that is to have `wanted` accepted items."""

    wanted: int = 0
    progress: Progress = SILENT
    profile: Profile = field(default_factory=Profile)

    def entered(self, stage: str, counts: Mapping[str, int]) -> None:
        """A stage begins, while the run has so many items in each state."""
        self.profile.entered(stage, drawn=stage == "check")  # which begins when pictures are drawn
        accepted = counts.get(State.ACCEPTED, 0) + counts.get(State.SPARE, 0)
        note = f"{counts.get(State.REJECTED, 0)} rejected, now {stage}"
        self.progress.count("accepted", min(accepted, self.wanted), self.wanted, note)
