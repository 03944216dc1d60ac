"""The README's commands exist as they stand there. The two of the set-up are run for real by .ci/run."""

import re
import shlex

import click
import pytest
from support.paths import ROOT

from mossgen.cli import main

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:console|bash|sh)\n(.*?)```", README, re.DOTALL)
LINES = [line.strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
COMMANDS = sorted({part.strip() for line in LINES for part in line.split("&&") if part.strip().startswith("mossgen ")})


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 12


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_parses(command: str) -> None:
    arguments = shlex.split(command.partition(" #")[0])[1:]
    node: click.Command = main
    context = click.Context(main, info_name="mossgen")
    while isinstance(node, click.Group):
        name, node, arguments = node.resolve_command(context, arguments)
        assert node is not None, name
    node.make_context(node.name, list(arguments))


def test_ci_runs_the_two_commands_and_then_lint_and_types() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    steps = ("pip install --quiet -e '.[test]'", "mossgen expand --type negated_harm", "pytest -n 2\n", "ruff check\n",
             "ruff format --check\n", "mypy\n")  # fmt: skip
    places = [script.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    first = LINES[:2]
    assert first == [
        "pip install -e . && mossgen expand --type negated_harm",
        "pip install -e '.[test]' && pytest -n 2",
    ]


def test_every_verb_is_in_the_readme() -> None:
    for verb in main.commands:
        assert f"mossgen {verb}" in README, verb


def test_the_readers_script_knows_its_tools() -> None:
    """Each tool that the README names for it has an environment to be made and a test that uses it."""
    script = (ROOT / "tests/support/readers/prove.sh").read_text(encoding="utf-8")
    tests = (ROOT / "tests/plugins/exporters/test_readers.py").read_text(encoding="utf-8")
    commands = [line.split()[2:] for line in LINES if line.startswith("tests/support/readers/prove.sh")]
    known = re.search(r"\|\| set -- (.+)", script)
    assert commands
    assert known
    for tool in known[1].split():
        assert f'"{tool}", ' in tests, tool
    assert all(tool in known[1].split() for command in commands for tool in command)


def test_links_and_pictures_are_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [t for t in targets if not t.startswith("http") and not (ROOT / t).exists()]
    assert not missing
