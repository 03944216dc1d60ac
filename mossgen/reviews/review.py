"""`mossgen.review`: people's votes on a run's items, on a local page or through files, and what they settle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.files.folders import write_file
from mossgen.reviews.apply import Applied, apply_to_run
from mossgen.reviews.crowd import export_crowd
from mossgen.reviews.csv_votes import write_csv
from mossgen.reviews.label_studio import export_label_studio
from mossgen.reviews.page import GENERATOR, file_page
from mossgen.reviews.pool import pictured, pool
from mossgen.reviews.report import review_report
from mossgen.reviews.server import ReviewServer
from mossgen.reviews.session import Session
from mossgen.reviews.transfer import ImportedVotes, import_votes
from mossgen.reviews.votes import REVIEWERS
from mossgen.runs.store import RunStore
from mossgen.stimulus.types import load_type

CSV_HEAD = '"item","image","reviewer"'  # the start of a file of votes, which may be overwritten


def review(run: Path | str, *, votes: int = REVIEWERS, rejected: int = 0) -> Review:
    """Opens the review of a run by people. Each item needs `votes`, and more than half of them decide.

    `rejected` items that checkers rejected are shown too, to see how often the checkers are wrong. Raises ConfigError
    if `run` is not the folder of a run.

    >>> mossgen.review("generated/negated_harm-0").report()["items"]
    4
    """
    RunStore.read(Path(run)).close()
    return Review(Path(run), votes, rejected)


@dataclass(frozen=True)
class Review:
    """One run's review; see `review`. All votes are stored in the run at once."""

    run: Path
    votes: int = REVIEWERS
    rejected: int = 0

    def report(self) -> dict[str, Any]:
        """What is settled, how far people agree, and checkers compared with people, as plain values."""
        with RunStore.read(self.run) as store:
            return review_report(store, self.votes)

    def serve(self, port: int = 0, reviewer: str = "") -> ReviewServer:
        """Opens the page on this machine only, under a secret address: its `url`. Then call `serve_forever`.

        Raises ConfigError if the port (0: any free one) is not available, or if there is nothing to review.
        """
        with RunStore.read(self.run) as store:
            title = pool(store, self.rejected)[0].type
        return ReviewServer(Session(self.run, self.votes, self.rejected), title, port, reviewer)

    def apply(self, *, reviewed: bool = False, type: str | None = None) -> Applied:
        """Rejects what people settled as not benign, and rewrites the run's outputs.

        With `reviewed`, items that people have not settled are rejected too. `type` is the template's file if the run's
        type did not come with mossgen.
        """
        return apply_to_run(self.run, load_type(type) if type else None, self.votes, reviewed)

    def export_html(self, out: Path | str) -> Path:
        """Writes the page as one file to send to reviewers; it saves their votes as a CSV."""
        with RunStore.read(self.run) as store:
            write_file(Path(out), file_page(store, pool(store, self.rejected)), ours=GENERATOR)
        return Path(out)

    def export_csv(self, out: Path | str) -> int:
        """Writes all votes, including those taken back, and returns how many."""
        with RunStore.read(self.run) as store:
            history = store.votes()
            write_file(Path(out), write_csv(history, pictured(store)), ours=CSV_HEAD)
        return len(history)

    def export_label_studio(self, out: Path | str, images_at: str | None = None) -> Sequence[Path]:
        """Writes Label Studio's tasks and configuration to a folder; `images_at` is the address of its pictures."""
        with RunStore.read(self.run) as store:
            return export_label_studio(store, pool(store, self.rejected), Path(out), images_at)

    def export_crowd(self, out: Path | str, images_at: str) -> Sequence[Path]:
        """Writes tasks (CSV), an HTML template and pictures for a crowd platform; `images_at` is their address."""
        with RunStore.read(self.run) as store:
            return export_crowd(store, pool(store, self.rejected), Path(out), images_at)

    def import_votes(self, file: Path | str) -> ImportedVotes:
        """Adds the votes of a CSV or of a Label Studio export: all of them, or none with a ConfigError."""
        with RunStore.open(self.run) as store:
            return import_votes(store, Path(file))
