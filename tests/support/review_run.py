"""A small run to review: four items of the tiny type with real pictures, and two that the machine rejected."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mossgen.core.items import Decision, Item, State, Verdict
from mossgen.reviews.server import ReviewServer
from mossgen.reviews.session import Session
from mossgen.runs.store import RunStore
from support import runs

HOSTILE = '</script><img src="x" onerror="window.hacked = 1"><script>window.hacked = 2</script> & "this"?'
QUESTIONS = ("Where would this look best?", HOSTILE, "Suggest a good title for this.", "How might we use this?")
SECRET = "cosine of picture and prompt is 0.321"


def make_run(folder: Path, template: Path) -> Path:
    """Writes the run into `folder`, which it returns."""
    runs.make_run(folder, template, 6, change=_judged, outputs=False)
    return folder


def _judged(item: Item) -> Item:
    good = item.number < len(QUESTIONS)
    verdict = Verdict("match", Decision.PASS if good else Decision.FAIL, SECRET, 0.321)
    question = QUESTIONS[item.number] if good else f"Is this the rejected one, number {item.number}?"
    judged = replace(item, question=question, verdicts=(verdict,))
    return judged if good else judged.reject("match", f"fail: {SECRET}")


def ids(folder: Path, *states: State) -> list[str]:
    """The ids of its items in these states (default: accepted), in plan order."""
    with RunStore.open(folder) as store:
        return [item.id for item in store.items(*(states or (State.ACCEPTED,)))]


@contextmanager
def serving(session: Session) -> Iterator[ReviewServer]:
    """A server of that session, running until the end of the block."""
    with ReviewServer(session, "tiny") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
