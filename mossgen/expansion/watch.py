"""Reports the progress of an invocation to listeners, and its time to the profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mossgen.core.items import State
from mossgen.core.progress import SILENT, Progress
from mossgen.expansion.profile import Profile


@dataclass(frozen=True)
class Watch:
    """Reports the stages of a run with the quota `wanted`."""

    wanted: int = 0
    progress: Progress = SILENT
    profile: Profile = field(default_factory=Profile)

    def entered(self, stage: str, counts: Mapping[str, int]) -> None:
        """Reports that a stage begins, and how many items the run has in each state."""
        self.profile.entered(stage, drawn=stage == "check")  # which begins when pictures are drawn
        accepted = counts.get(State.ACCEPTED, 0) + counts.get(State.SPARE, 0)
        note = f"{counts.get(State.REJECTED, 0)} rejected, now {stage}"
        self.progress.count("accepted", min(accepted, self.wanted), self.wanted, note)
