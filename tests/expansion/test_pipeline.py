"""expand() for real: resume after SIGKILL, same seed same bytes, growth, fail closed."""

import hashlib
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.checkers import facts
from support.command import mossgen
from support.paths import SUPPORT

from mossgen.core.items import Decision, State, Verdict
from mossgen.plugins.protocols import Case, Drawing
from mossgen.runs.store import DATABASE, RunStore
from mossgen.runs.verify import verify_run

OUTPUTS = ("imagefolder", "mossbench", "index.html", "manifest.json")


def digests(run: Path) -> dict[str, str]:
    """sha256 of every output file of a run."""
    files = [f for name in OUTPUTS for f in ([run / name] if (run / name).is_file() else (run / name).rglob("*"))]
    return {str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files) if f.is_file()}


def states(run: Path) -> dict[str, int]:
    """Items by state, read while another process writes."""
    try:
        with sqlite3.connect(f"file:{run / DATABASE}?mode=ro", uri=True) as db:
            return dict(db.execute("SELECT state, count(*) FROM items GROUP BY state"))
    except sqlite3.Error:
        return {}


def run_until(run: Path, reached: Callable[[], bool], arguments: Sequence[str]) -> bool:
    """Starts the run and kills it as soon as `reached` holds; False if it ended before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mossgen", *arguments, "--run", str(run)], stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while process.poll() is None:
        if reached():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.01)
    return False


def test_killed_anywhere_and_resumed_gives_the_same_bytes(real_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    command = ["expand", "--type", "negated_harm", "-n", "6", "-q"]
    places: list[Callable[[], bool]] = [
        lambda: (run / DATABASE).exists(),  # before anything is written
        lambda: states(run).get("drafted", 0) > 0,  # after the text half of the wave
        lambda: any((run / "blobs").glob("*.png")),  # pictures on disk, their rows not committed
        lambda: (
            states(run).get("spare", 0) + states(run).get("accepted", 0) > 0
        ),  # between chunks: only one picture is drawn before the first
    ]
    for place in places:
        assert run_until(run, place, command)
    left = verify_run(run)
    assert left.problems == []
    assert left.unfinished
    done = mossgen(*command, "--run", run)
    assert done.returncode == 0, done.stderr
    assert digests(run) == digests(real_run)
    assert mossgen("verify", run).returncode == 0


def test_the_same_command_again_makes_nothing(real_run: Path) -> None:
    before = digests(real_run)
    spent = json.loads(mossgen("status", real_run, "--json").stdout)["spent"]
    again = mossgen("expand", "--type", "negated_harm", "-n", 6, "--run", real_run, "--json")
    assert again.returncode == 0
    assert json.loads(mossgen("status", real_run, "--json").stdout)["spent"] == spent
    assert digests(real_run) == before


def test_every_accepted_item_has_its_evidence(real_run: Path) -> None:
    with RunStore.open(real_run) as store:
        items = store.items(State.ACCEPTED)
        for item in items:
            assert item.question
            assert store.blob(item.image or "").is_file()
            assert item.overlay
            assert item.overlay["form"]
            assert [s["licence"] for s in item.provenance["seeds"]] == ["Apache-2.0"]
            checkers = {v.checker for v in item.verdicts}
            assert checkers >= {"rules", "safety", "sanity", "legible", "match"}
            assert all(v.decision is Decision.PASS for v in item.verdicts)
        for item in store.items(State.REJECTED):
            assert item.rejected_by
            assert item.reason
    assert len({i.question for i in items}) == len(items)


def test_a_different_configuration_names_the_field(real_run: Path) -> None:
    before = digests(real_run)
    done = mossgen("expand", "--type", "negated_harm", "--run", real_run, "--seed", 1)
    assert done.returncode == 2
    assert "seed is 0 in this run and 1 now" in done.stderr
    done = mossgen("expand", "--type", "negated_harm", "--run", real_run, "--set", "diffusers.steps=2")
    assert done.returncode == 2
    assert "imager.options.steps" in done.stderr
    assert digests(real_run) == before


def test_verify_finds_an_altered_output(real_run: Path, tmp_path: Path) -> None:
    import shutil

    run = shutil.copytree(real_run, tmp_path / "run")
    picture = next((run / "imagefolder").rglob("*.png"))
    picture.write_bytes(picture.read_bytes() + b"x")
    done = mossgen("verify", run, "--json")
    assert done.returncode == 1
    assert picture.name in json.loads(done.stdout)["problems"][0]
    for name in ("imagefolder/data/metadata.jsonl", "index.html", "mossbench/data/images_information/information.json"):
        run = shutil.copytree(real_run, tmp_path / name.replace("/", "-"))
        (run / name).write_text("altered", encoding="utf-8")
        assert name in json.loads(mossgen("verify", run, "--json").stdout)["problems"][0]


def test_a_new_type_is_one_file_and_its_seeds(tiny: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = mossgen("expand", "--type", tiny, "-n", 2, "--run", run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 2
    assert not (run / "mossbench").exists()  # the type has no code there
    assert (run / "imagefolder").exists()


# -- faults, injected through stand-ins ----------------------------------------------------------------


class Unsure:
    """A checker that cannot make up its mind."""

    name, options, cost = "unsure", facts(needs="text"), 0.0

    def check(self, cases: Sequence[Case]) -> list[Verdict]:
        return [Verdict(self.name, Decision.UNSURE, "no answer came") for _ in cases]


class Silent(Unsure):
    """A checker that never has anything to say."""

    name, options = "silent", facts(needs="text")

    def check(self, cases: Sequence[Case]) -> list[None]:
        return [None for _ in cases]


class Broken:
    """An imager whose n-th call fails."""

    name = "broken"
    cost = 0.0

    def __init__(self, inner: object, fails_at: int) -> None:
        self.inner, self.calls, self.fails_at = inner, 0, fails_at

    def draw(self, drawings: Sequence[Drawing]) -> list[object]:
        from mossgen.errors import BackendError

        self.calls += 1
        if self.calls == self.fails_at:
            raise BackendError("the imager broke.")
        return self.inner.draw(drawings)


@pytest.fixture(scope="module")
def backends() -> object:
    from mossgen.expansion.setup import build_backends
    from mossgen.runs.config import build_config
    from mossgen.stimulus.types import load_type

    return build_backends(build_config(load_type("negated_harm")))


def expand_with(folder: Path, backends: object, wanted: int = 2, candidates: int | None = None) -> str:
    from mossgen.core.budget import Budget
    from mossgen.expansion.pipeline import drive
    from mossgen.expansion.stages import Stages
    from mossgen.stimulus.types import load_type

    with RunStore.create(folder) as store:
        return drive(Stages(store, load_type("negated_harm"), backends), 0, Budget(wanted, candidates))


def test_the_first_picture_waits_for_nothing_that_comes_after_it(tmp_path: Path) -> None:
    """No reader of letters, no exporter is loaded by then, models load undisturbed, and one picture alone is drawn."""
    run = [sys.executable, str(SUPPORT / "first_picture.py"), str(tmp_path / "run")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    drawn, scans, whole, modules = json.loads(done.stdout.splitlines()[-1])
    assert drawn == 1
    assert scans <= 1
    assert whole <= 1
    assert "torch" in modules
    late = {"rapidocr", "cv2", "pandas", "pyarrow", "datasets", "sklearn", "matplotlib", "openai",
            "krippendorff", "mossgen.plugins.exporters.page"}  # fmt: skip
    assert late.intersection(modules) == set()


def test_unsure_is_never_accepted(backends: object, tmp_path: Path) -> None:
    from dataclasses import replace

    doubting = replace(backends, checkers=(*backends.checkers, Unsure()))
    assert expand_with(tmp_path, doubting, candidates=4) == "candidates"
    with RunStore.open(tmp_path) as store:
        assert set(store.counts()) == {"rejected"}
        assert "unsure" in store.rejections()


def test_what_no_gate_looked_at_for_harm_is_never_accepted(backends: object, tmp_path: Path) -> None:
    from dataclasses import replace

    blind = [checker for checker in backends.checkers if not checker.options.looks_for_harm]
    assert expand_with(tmp_path, replace(backends, checkers=(*blind, Silent())), candidates=2) == "candidates"
    with RunStore.open(tmp_path) as store:
        assert set(store.counts()) == {"rejected"}
        assert "policy" in store.rejections()


def test_what_was_made_before_a_fault_is_kept(backends: object, tmp_path: Path) -> None:
    from dataclasses import replace

    from mossgen.errors import BackendError

    faulty = replace(backends, imager=Broken(backends.imager, fails_at=2))
    with pytest.raises(BackendError):
        expand_with(tmp_path, faulty, wanted=16)
    with RunStore.open(tmp_path) as store:
        kept = store.counts()
        assert kept.get("spare", 0) + kept.get("accepted", 0) + kept.get("rejected", 0) > 0
        assert kept["drafted"] > 0
        assert store.problems() == []


class Refusing:
    """An imager that refuses every second prompt, from the first on."""

    name = "refusing"
    cost = 0.0

    def __init__(self, inner: object) -> None:
        self.inner, self.asked = inner, itertools.count()

    def draw(self, drawings: Sequence[Drawing]) -> list[object]:
        return [picture if next(self.asked) % 2 else None for picture in self.inner.draw(drawings)]


def test_what_the_imager_refuses_is_rejected_and_the_run_goes_on(backends: object, tmp_path: Path) -> None:
    from dataclasses import replace

    refusing = replace(backends, imager=Refusing(backends.imager))
    assert expand_with(tmp_path, refusing, wanted=1) == "quota"
    with RunStore.open(tmp_path) as store:
        refused = [i for i in store.items(State.REJECTED) if i.rejected_by == "render"]
        assert refused
        assert all(i.image is None and "refused to draw" in (i.reason or "") for i in refused)
        before = store.items()
    assert expand_with(tmp_path, refusing, wanted=1) == "quota"
    with RunStore.open(tmp_path) as store:
        assert store.items() == before
