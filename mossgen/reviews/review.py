"""`mossgen.review`: people's votes on a run's items, on a local page or through files, and what they come to."""

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

CSV_HEAD = '"item","image","reviewer"'  # how a file of votes begins that may be written over


def review(run: Path | str, *, votes: int = REVIEWERS, rejected: int = 0) -> Review:
    """The review of a run by people. `votes` are wanted for an item, and more than half of them decide.

    `rejected` items that checkers rejected are shown too, to see how often the checkers are wrong. Raises ConfigError
    where `run` is not the folder of a run.

    >>> mossgen.review("generated/negated_harm-0").report()["items"]
    4
    """
    RunStore.read(Path(run)).close()
    return Review(Path(run), votes, rejected)


@dataclass(frozen=True)
class Review:
    """One run's review; see `review`. Votes are kept in the run at once, whichever way they come."""

    run: Path
    votes: int = REVIEWERS
    rejected: int = 0

    def report(self) -> dict[str, Any]:
        """What is settled, how far people agree, and the checkers against people, as plain values."""
        with RunStore.read(self.run) as store:
            return review_report(store, self.votes)

    def serve(self, port: int = 0, reviewer: str = "") -> ReviewServer:
        """The page, on this machine only, under a secret address: its `url`. Serve with `serve_forever`.

        Raises ConfigError where the port (0: any that is free) cannot be had, or there is nothing to review.
        """
        with RunStore.read(self.run) as store:
            title = pool(store, self.rejected)[0].type
        return ReviewServer(Session(self.run, self.votes, self.rejected), title, port, reviewer)

    def apply(self, *, reviewed: bool = False, type: str | None = None) -> Applied:
        """Rejects what people settled as not benign, with `reviewed` also what they have not settled, and writes the
        run's outputs anew. `type` is the template's file where the run's type did not come with mossgen.
        """
        return apply_to_run(self.run, load_type(type) if type else None, self.votes, reviewed)

    def export_html(self, out: Path | str) -> Path:
        """The page as one file to send to reviewers; their votes leave it as a CSV."""
        with RunStore.read(self.run) as store:
            write_file(Path(out), file_page(store, pool(store, self.rejected)), ours=GENERATOR)
        return Path(out)

    def export_csv(self, out: Path | str) -> int:
        """Writes all votes there are, those taken back too, and returns how many."""
        with RunStore.read(self.run) as store:
            history = store.votes()
            write_file(Path(out), write_csv(history, pictured(store)), ours=CSV_HEAD)
        return len(history)

    def export_label_studio(self, out: Path | str, images_at: str | None = None) -> Sequence[Path]:
        """Label Studio's tasks and configuration in a folder; `images_at` is where its pictures will lie."""
        with RunStore.read(self.run) as store:
            return export_label_studio(store, pool(store, self.rejected), Path(out), images_at)

    def export_crowd(self, out: Path | str, images_at: str) -> Sequence[Path]:
        """A CSV of tasks, an HTML template and pictures for a crowd platform; `images_at` is their web address."""
        with RunStore.read(self.run) as store:
            return export_crowd(store, pool(store, self.rejected), Path(out), images_at)

    def import_votes(self, file: Path | str) -> ImportedVotes:
        """Adds the votes of a CSV or of a Label Studio export: all of them, or none and a ConfigError."""
        with RunStore.open(self.run) as store:
            return import_votes(store, Path(file))
