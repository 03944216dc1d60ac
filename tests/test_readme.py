"""The README's commands, run in its order. The two of the set-up are run as they stand by .ci/run."""

import re
from pathlib import Path

from support.chat import Chat
from support.command import mossgen
from support.paths import ROOT
from support.readme import COMMANDS, INSTEAD, LINES, NOT_RUN, TEXT, answer, furnish, runnable

from mossgen.cli import main


def test_the_commands_run_in_order(real_run: Path, chat: Chat, tmp_path: Path) -> None:
    furnish(tmp_path, real_run)
    url = chat(answer).url
    for command in COMMANDS:
        if command not in NOT_RUN:
            done = mossgen(*runnable(command, url), cwd=tmp_path)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_what_is_not_run_as_it_stands_is_in_the_readme() -> None:
    assert len(COMMANDS) >= 40
    assert set(NOT_RUN) < set(COMMANDS)
    for one in INSTEAD:
        assert any(one.part in command for command in COMMANDS), one.part


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
        assert f"mossgen {verb}" in TEXT, verb


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
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    missing = [t for t in targets if not t.startswith("http") and not (ROOT / t).exists()]
    assert not missing
