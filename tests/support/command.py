"""The command line, as a user runs it: in this process, or in one of its own where that is the point."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def mossgen(*arguments: object, cwd: Path | None = None, **environment: str) -> Done:
    """The command line in this process, where the libraries are loaded already; raises what a user would see raised."""
    from mossgen.cli import main

    with contextlib.chdir(cwd or Path.cwd()):
        done = CliRunner().invoke(main, list(map(str, arguments)), prog_name="mossgen", env=environment)
    logging.disable(logging.NOTSET)  # a verb hushes libraries for its process
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def process(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mossgen", *map(str, arguments)],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def verb(*arguments: object) -> tuple[int, Any, str]:
    """The exit code, the JSON on stdout, and stderr."""
    done = mossgen(*arguments, "--json")
    return done.returncode, json.loads(done.stdout), done.stderr
