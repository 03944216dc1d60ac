"""The rules of the architecture, read from the code: imports point one way, and heavy ones wait."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mossgen"
HEAVY = ("torch", "diffusers", "transformers", "open_clip", "faiss", "rapidocr", "pyarrow", "datasets", "openai", "PIL",
         "matplotlib", "scipy")  # fmt: skip
# A module may import what stands in an earlier row, and nothing else of ours.
LAYERS = [
    {"__init__"},
    {"errors", "items", "schema"},
    {"files", "profile", "loading", "texts", "devices"},
    {"embedded"},
    {"stimulus", "models"},
    {"ports"},
    {"plugins"},
    {"store", "config", "lineage", "tables"},
    {"policy", "endpoint", "local", "responses", "specs"},
    {"checkers", "llms", "imagers", "embedders", "exporters"},
    {"targets", "judges"},
    {"stages", "references"},
    {"sets", "nearness"},
    {"gate"},
    {"pipeline"},
    {"runs", "console", "importing"},
    {"checking"},
    {"contrast"},
    {"review"},
    {"making"},
    {"members", "clusters"},
    {"split", "audit", "contamination"},
    {"subjects"},
    {"probing"},
    {"perception"},
    {"labels"},
    {"rates"},
    {"reporting"},
    {"diagnosis", "evolution"},
    {"answers", "refusals"},
    {"exporting", "publishing"},
    {"estimate", "doctor"},
    {"cli"},
    {"__main__", "training"},
]
PLUGINS = {"checkers", "llms", "imagers", "embedders", "exporters", "targets", "judges"}


def layer(module: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if module in names)


def module(path: Path) -> str:
    """The layered name of a file: its top module or folder; the trainers stand above all they use."""
    parts = path.relative_to(PACKAGE).parts
    if parts[:2] == ("embedded", "train") or parts == ("embedded", "evaluate.py"):
        return "training"
    return parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, str]]:
    """(top module of ours, dotted name) of each import in a file, TYPE_CHECKING ones left out."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.ImportFrom | ast.Import):
            continue
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        for name in names:
            if name == "mossgen" and isinstance(node, ast.ImportFrom):
                found += [(a.name, f"mossgen.{a.name}") for a in node.names if (PACKAGE / f"{a.name}.py").exists()]
            elif name.startswith("mossgen."):
                of = [f"{name}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else [name]
                found += [(name.split(".")[1], dotted) for dotted in of]
    return found


FILES = sorted(p for p in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    mine = module(path)
    for top, dotted in imports(path):
        if top == mine or (mine == "training" and dotted.startswith("mossgen.training")):
            private = any(part.startswith("_") for part in dotted.split("."))
            assert mine not in PLUGINS or private, f"{path} imports another plugin: {dotted}"
            continue
        assert layer(top) < layer(mine), f"{path} imports {dotted}"


def test_every_module_has_a_layer() -> None:
    tops = {module(p) for p in FILES}
    assert tops == {name for names in LAYERS for name in names}


def test_files_can_be_read_in_one_sitting() -> None:
    lines = {str(p.relative_to(PACKAGE)): p.read_text(encoding="utf-8").count("\n") for p in FILES}
    # sceneries are albums: one short drawing after another
    long = {name: n for name, n in lines.items() if n > 420 and not name.startswith("embedded/scenery")}
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
    """At most 150 ms of processor time more than an interpreter that does nothing, by the best of several tries.

    Processor time, since the clock also measures whatever else the machine does during a test run. And Python may keep
    its bytecode, as it does for users.
    """
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(*command: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *command], capture_output=True, check=True, env=keeping)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    tries = [(seconds("-c", "pass"), seconds("-m", "mossgen", "--help")) for _ in range(7)]
    assert min(helped for _, helped in tries) - min(bare for bare, _ in tries) < 0.150
