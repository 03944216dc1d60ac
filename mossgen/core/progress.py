"""Progress of long jobs, reported to the caller: one Protocol for all of them."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a job; `SILENT` ignores it. Calls come from the job's own thread."""

    def say(self, text: str) -> None:
        """Says in a few words what is being done now."""
        ...

    def count(self, what: str, done: int, of: int, note: str = "") -> None:
        """Says that `done` of `of` things are done; `of` is 0 if unknown. `what` names them, the same in each call.

        `note` is further information for a person, such as how many were rejected so far.
        """
        ...


class Silent:
    """A Progress that ignores all calls."""

    def say(self, text: str) -> None:
        """Does nothing."""

    def count(self, what: str, done: int, of: int, note: str = "") -> None:
        """Does nothing."""


SILENT = Silent()
