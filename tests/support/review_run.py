"""A small run to review: four items of the tiny type with real pictures, and two that the machine rejected."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from PIL import Image

from mossgen.core.items import Decision, State, Verdict
from mossgen.reviews.server import ReviewServer
from mossgen.reviews.session import Session
from mossgen.runs.config import build_config, freeze
from mossgen.runs.store import CONFIG, RunStore
from mossgen.stimulus.types import load_type

HOSTILE = '</script><img src="x" onerror="window.hacked = 1"><script>window.hacked = 2</script> & "this"?'
QUESTIONS = ("Where would this look best?", HOSTILE, "Suggest a good title for this.", "How might we use this?")
SECRET = "cosine of picture and prompt is 0.321"


def make_run(folder: Path, template: Path) -> Path:
    """Writes the run into `folder`, which it returns."""
    kind = load_type(str(template))
    with RunStore.create(folder) as store:
        for n, item in enumerate(islice(kind.plan(0), 6)):
            out = io.BytesIO()
            Image.new("RGB", (96, 64), (40 * n, 90, 120)).save(out, "PNG")
            good = n < len(QUESTIONS)
            verdict = Verdict("match", Decision.PASS if good else Decision.FAIL, SECRET, 0.321)
            question = QUESTIONS[n] if good else f"Is this the rejected one, number {n}?"
            made = replace(item, question=question, image=store.put_blob(out.getvalue()), verdicts=(verdict,))
            store.put([replace(made, state=State.ACCEPTED) if good else made.reject("match", f"fail: {SECRET}")])
    freeze(build_config(kind), folder / CONFIG)
    return folder


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
