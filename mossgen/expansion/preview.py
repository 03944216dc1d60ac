"""preview: makes a few items of a type and keeps none."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from mossgen.core.items import State
from mossgen.core.progress import SILENT, Progress
from mossgen.expansion.expand import Outcome, make
from mossgen.expansion.profile import Profile
from mossgen.expansion.settings import Given
from mossgen.expansion.setup import fetch_weights, prepare
from mossgen.expansion.watch import Watch
from mossgen.files.pictures import read_picture
from mossgen.runs.store import RunStore

if TYPE_CHECKING:
    from PIL.Image import Image

    from mossgen.stimulus.types import StimulusType

PREVIEWED = 4  # items, by default
OF_A_RUN = frozenset({"n", "run", "reviewed", "votes"})  # settings of a run file that do not concern a preview


@dataclass(frozen=True)
class Previewed:
    """One item of a preview: its question, a description of its picture, and the picture (RGB)."""

    id: str
    question: str
    picture: str
    image: Image


@dataclass(frozen=True)
class Preview:
    """The result of a preview: its items, and the figures of its temporary run, whose folder is deleted."""

    items: tuple[Previewed, ...]
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `mossgen preview --json` prints them."""
        items = [{"id": item.id, "question": item.question, "picture": item.picture} for item in self.items]
        return {**self.outcome.to_dict(), "run": None, "items": items}


def preview(
    type: str | Path | StimulusType | None = None,
    n: int | None = None,
    *,
    config: str | Path | None = None,
    progress: Progress = SILENT,
    **settings: Unpack[Given],
) -> Preview:
    """Shows what `expand` would make; keeps nothing.

    >>> [type(item.question).__name__ for item in mossgen.preview("counterintuitive", n=1).items]
    ['str']

    `n` is 4 by default. In a run file `config`, the settings `n`, `run`, `reviewed` and `votes` are ignored. See
    `expand` for the rest.
    """
    profile = Profile()
    asked = {"type": type, "n": PREVIEWED if n is None else n, **settings}
    setup = prepare(asked, config, aside=OF_A_RUN)
    fetch_weights(setup.config, progress, profile)
    with tempfile.TemporaryDirectory(prefix="mossgen-preview-") as folder:
        watch = Watch(setup.settings.n, progress, profile)
        outcome = make(Path(folder) / "run", setup.stimulus, setup.config, setup.settings, watch)
        with RunStore.open(outcome.run) as store:
            items = tuple(
                Previewed(i.id, i.question or "", i.description or "", read_picture(store.blob(i.image or "")))
                for i in store.items(State.ACCEPTED)
            )
    return Preview(items, outcome)
