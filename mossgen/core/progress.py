"""How far work is, told to whoever started it: one Protocol for every long job."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a caller gives to hear how far a job is; `SILENT` hears nothing. Calls come from the job's own thread."""

    def say(self, text: str) -> None:
        """What is going on now, in a few words."""
        ...

    def count(self, what: str, done: int, of: int, note: str = "") -> None:
        """`done` of `of` things are done; `what` names them and is the same in each call. `of` is 0 if not known.

        `note` is what else a person wants to know at this point, such as how many were rejected so far.
        """
        ...


class Silent:
    """A Progress that nobody listens to."""

    def say(self, text: str) -> None:
        """Nothing."""

    def count(self, what: str, done: int, of: int, note: str = "") -> None:
        """Nothing."""


SILENT = Silent()
