"""The rules of the architecture, read from the code: imports point one way, and heavy ones wait."""

import ast
import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import PACKAGE

HEAVY = ("torch", "diffusers", "transformers", "open_clip", "faiss", "rapidocr", "pyarrow", "datasets", "openai", "PIL",
         "matplotlib", "scipy")  # fmt: skip
# A room may import what stands in an earlier row, and nothing else of ours: a folder, or a kind of plugins.
LAYERS = [
    {"__init__", "errors", "core"},
    {"files", "embedded"},
    {"models", "stimulus"},
    {"plugins"},
    {"plugins.llms", "plugins.imagers", "plugins.embedders", "plugins.checkers", "plugins.exporters", "plugins.targets",
     "plugins.judges"},
    {"runs"},
    {"sets", "reviews"},
    {"checks", "duplicates", "probes"},
    {"expansion", "judgements", "splits"},
    {"exports", "diagnosis", "reports", "evolution", "training"},
    {"cli"},
    {"__main__"},
]  # fmt: skip


def layer(room: str) -> int:
    return next(i for i, rooms in enumerate(LAYERS) if room in rooms)


def room(parts: tuple[str, ...]) -> str:
    """The room of a module by its name below mossgen: its folder, of a plugin its kind too."""
    if parts[0] == "plugins" and len(parts) > 1 and (PACKAGE / "plugins" / parts[1]).is_dir():
        return f"plugins.{parts[1]}"
    return parts[0]


def module(path: Path) -> str:
    """The room that a file lies in."""
    return room(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path) -> list[tuple[str, str]]:
    """(room of ours, dotted name) of each import in a file, those for types alone too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        else:
            continue
        for name in names:
            top, *parts = name.split(".")
            if top == "mossgen" and parts:
                here = (PACKAGE / parts[0]).is_dir() or (PACKAGE / f"{parts[0]}.py").is_file()
                found.append((room(tuple(parts)) if here else "__init__", name))
    return found


FILES = sorted(PACKAGE.rglob("*.py"))
INSIDE = [
    path for path in FILES if path != PACKAGE / "__init__.py"
]  # which names, for types alone, what all rooms offer


@pytest.mark.parametrize("path", INSIDE, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    mine = module(path)
    for other, dotted in imports(path):
        if other == mine:
            private = any(part.startswith("_") for part in dotted.split("."))
            assert not mine.startswith("plugins.") or private, f"{path} imports another plugin: {dotted}"
            continue
        assert layer(other) < layer(mine), f"{path} imports {dotted}"


def test_no_file_stands_in_a_circle() -> None:
    """Whatever its folder: a file that needs itself, by way of others, cannot be read from the ground up."""
    names = {".".join(("mossgen", *p.relative_to(PACKAGE).with_suffix("").parts)): p for p in INSIDE}
    left = {
        name: {d if d in names else d.rpartition(".")[0] for _, d in imports(path)} & set(names) - {name}
        for name, path in names.items()
    }
    while ground := {name for name, needs in left.items() if not needs & set(left)}:
        left = {name: needs for name, needs in left.items() if name not in ground}
    assert not left


def test_the_house_is_small() -> None:
    assert len(LAYERS) <= 12
    assert {p.name for p in PACKAGE.glob("*.py")} <= {"__init__.py", "__main__.py", "errors.py"}


def test_every_module_has_a_layer() -> None:
    tops = {module(p) for p in FILES}
    assert tops == {name for names in LAYERS for name in names}


def test_files_can_be_read_in_one_sitting() -> None:
    lines = {str(p.relative_to(PACKAGE)): p.read_text(encoding="utf-8").count("\n") for p in FILES}
    assert not {name: n for name, n in lines.items() if n > 400}
    assert statistics.median(lines.values()) < 120


def test_functions_can_be_seen_whole() -> None:
    long = {
        f"{path.relative_to(PACKAGE)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    }
    assert not long


@pytest.mark.parametrize("arguments", [["--help"], ["expand", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, json\nfrom mossgen.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_help_is_quick() -> None:
    """At most three times the processor time of an interpreter that imports click alone, by the best of several tries.

    Not the clock, and no number of milliseconds: both measure the machine, and what else it does. And Python may keep
    its bytecode, as it does for users.
    """
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], capture_output=True, check=True, env=keeping)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    tries = [(seconds("-c", "import click"), seconds("-m", "mossgen", "--help")) for _ in range(7)]
    assert min(helped for _, helped in tries) < 3 * min(bare for bare, _ in tries)
