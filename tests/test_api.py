"""The Python API: what `import mossgen` offers, and what it costs."""

import subprocess
import sys

import pytest

import mossgen


@pytest.mark.parametrize("name", mossgen.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    thing = getattr(mossgen, name)
    assert name in dir(mossgen)
    if name not in ("__version__", "errors"):
        assert f"mossgen.{name}(" in thing.__doc__.partition(">>>")[2]


def test_an_unknown_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="'nothing_of_ours'"):
        mossgen.nothing_of_ours  # noqa: B018


def test_importing_takes_next_to_no_time() -> None:
    """At most 60 ms more than an interpreter that does nothing, by the best of several tries in each process."""
    code = "import time; before = time.process_time(); import mossgen; print(time.process_time() - before)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.060


def test_importing_loads_nothing_but_the_errors() -> None:
    code = "import sys, mossgen; print(sorted(name for name in sys.modules if name.startswith('mossgen')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mossgen', 'mossgen.errors']"
