"""The Python API: what `import mossgen` offers, what it costs, and that commands do the same."""

import ast
import contextlib
import doctest
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import mossgen as command_line
from support.paths import ROOT

import mossgen
from mossgen.expansion.settings import Settings

SETTINGS = set(Settings.model_fields)  # what expand and preview take beside their own parameters


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


def test_the_readme_calls_what_there_is() -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    called = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    functions = {node.func.attr: node for node in called if ast.unparse(node.func).count("mossgen.") == 1
                 and ast.unparse(node.func) == f"mossgen.{node.func.attr}"}  # fmt: skip
    assert len(functions) > 4
    for name, call in functions.items():
        given = {keyword.arg for keyword in call.keywords}
        assert given <= set(inspect.signature(getattr(mossgen, name)).parameters) | SETTINGS, name


# -- a notebook's way, and the same by commands ----------------------------------------------------------

EXAMPLES = ("expand", "open_run", "check", "contrast", "dedup", "split", "open_set", "audit", "export", "push", "probe",
            "judge", "diagnose", "report", "review", "forecast", "preview", "load_type")  # fmt: skip
COMMANDS = """
expand --type negated_harm -n 4
check generated/negated_harm-0 --out checked.jsonl
contrast generated/negated_harm-0
split generated/negated_harm-0 --test 0.25 --out my-set
export my-set --format trl-sft --side train --out out/sft
probe generated/negated_harm-0 --target transformers:smollm2 --set target.max_tokens=24
judge generated/probe-negated_harm-0 --judge embedded --judge keywords
report generated/probe-negated_harm-0 generated/negated_harm-0
"""
FELL_SHORT = 1  # an item was left out of the export, as no answer passed
CLOCKED = ("at", "seconds")  # of a response: when, and for how long


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the docstrings' examples were run, one after another, as in a notebook."""
    folder = tmp_path_factory.mktemp("notebook")
    runner, names = doctest.DocTestRunner(verbose=False), {"mossgen": mossgen, "PosixPath": Path}
    with contextlib.chdir(folder):
        for name in EXAMPLES:
            function = getattr(mossgen, name)
            test = doctest.DocTestParser().get_doctest(function.__doc__, names, name, function.__module__, 0)
            assert test.examples, name
            runner.run(test, clear_globs=False)
            names = test.globs
        mossgen.check("generated/negated_harm-0", out="checked.jsonl")
    assert runner.failures == 0
    return folder


def test_the_examples_are_those_of_every_public_function() -> None:
    assert set(EXAMPLES) == set(mossgen.__all__) - {"__version__", "errors", "evolve"}  # evolve's: tests/evolution


def test_commands_give_the_same_bytes(notebook: Path, tmp_path: Path) -> None:
    for command in COMMANDS.strip().splitlines():
        done = command_line(*command.split(), cwd=tmp_path)
        assert done.returncode in (0, FELL_SHORT), done.stderr
    compared = [
        path.relative_to(tmp_path)
        for path in sorted(tmp_path.rglob("*"))
        if path.is_file() and not path.name.startswith(("run.db", "."))
    ]
    assert len(compared) > 60
    assert [str(name) for name in compared if content(notebook / name) != content(tmp_path / name)] == []


def content(path: Path) -> object:
    """A file's bytes; of responses what does not depend on the clock."""
    if path.name != "responses.jsonl":
        return path.read_bytes()
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [{key: value for key, value in row.items() if key not in CLOCKED} for row in rows]


def test_one_name_is_as_good_as_a_list_and_numbers_have_bounds(made_run: Path, tmp_path: Path) -> None:
    with pytest.raises(mossgen.errors.ConfigError, match="'nothing_such'"):
        mossgen.check(made_run, checkers="nothing_such")
    with pytest.raises(mossgen.errors.ConfigError, match="no set is there"):
        mossgen.dedup(made_run, str(tmp_path / "nowhere"))
    for given in ({"samples": 0}, {"limit": -1}, {"max_cost": -0.1}):
        with pytest.raises(mossgen.errors.ConfigError, match=f"`{next(iter(given))}` .*at least"):
            mossgen.probe(made_run, "file:nothing.jsonl", **given)
    with pytest.raises(mossgen.errors.ConfigError, match="`targets`"):
        mossgen.probe(made_run, [])
    with pytest.raises(mossgen.errors.ConfigError, match=r"`contrast` 5: give a number from 0 to 0\.99"):
        mossgen.export(made_run, "trl-sft", out=tmp_path / "out", contrast=5)
    with pytest.raises(mossgen.errors.ConfigError, match="leave nothing to train on"):
        mossgen.split(made_run, out=tmp_path / "set", test=0.5, dev=0.5)
    with pytest.raises(mossgen.errors.ConfigError, match=r"Option captions\.bogus"):
        mossgen.diagnose(made_run, "file:x.jsonl", captions="openai:m", options={"captions.bogus": 1})
