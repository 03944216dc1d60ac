"""What a person sees on stderr while a run works: bars on a terminal, plain lines elsewhere, nothing with -q."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

PAUSE = 5  # seconds between two lines of a count, where there is no terminal


class Console:
    """Progress on stderr. Use with `with`; stdout is never touched."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._last = ""
        self._told = 0.0

    def __enter__(self) -> Console:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console as RichConsole
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=RichConsole(stderr=True), transient=True)
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, message: str) -> None:
        """A line about what is going on."""
        self._show(message, message, 0, 0)

    def count(self, what: str, done: int, of: int, note: str = "") -> None:
        """A bar of its own for each `what`; where there is no terminal a line now and then. See core.progress."""
        if self._bars is None and 0 < done != of and time.monotonic() - self._told < PAUSE:
            return
        self._told = time.monotonic()
        self._show(what, f"{what}: {done}" + (f" of {of}" if of else "") + (f", {note}" if note else ""), done, of)

    def _show(self, key: str, text: str, done: int, total: int) -> None:
        """A bar of its own for each key on a terminal, elsewhere a line whenever the text changes."""
        if self._quiet:
            return
        if self._bars is None:
            if text != self._last:
                self._last = text
                sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
            return
        tasks = {task.fields["key"]: task.id for task in self._bars.tasks}
        if key not in tasks:
            tasks[key] = self._bars.add_task(text, key=key, total=total or None)
        finished = bool(total) and done >= total
        self._bars.update(tasks[key], description=text, completed=done, total=total or None, visible=not finished)
