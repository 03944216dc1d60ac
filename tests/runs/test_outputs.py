"""expand around the pipeline: what it freezes, when it loads models, and what it says of the time."""

import gc
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mossgen.core.budget import Limits
from mossgen.core.items import State
from mossgen.errors import ConfigError
from mossgen.expansion import expand
from mossgen.expansion.expand import Outcome
from mossgen.expansion.profile import Profile, peak_memory
from mossgen.models.loading import fast_imports
from mossgen.runs.store import RunStore


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here needs no model: loading one is a failure."""

    def build_backends(*arguments: object) -> None:
        raise AssertionError("models were loaded")

    monkeypatch.setattr(expand, "build_backends", build_backends)


def expanded(tiny: Path, run: Path, against: Sequence[str] = (), wanted: int = 2) -> Outcome:
    return expand.expand(tiny, wanted, run=run, against=against).outcome


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    from PIL import Image

    folder = tmp_path / "the reference"
    folder.mkdir()
    Image.new("RGB", (32, 32), (9, 9, 9)).save(folder / "one.png")
    row = {"id": "one", "question": "What is this?", "file_name": "one.png"}
    (folder / "metadata.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return folder


@pytest.mark.parametrize("file", ["one.png", "metadata.jsonl"])
def test_a_reference_that_changed_stops_the_run(tiny: Path, made_run: Path, reference: Path, file: str) -> None:
    (made_run / "run.json").unlink()
    expanded(tiny, made_run, [str(reference)])
    assert len(json.loads((made_run / "run.json").read_bytes())["against_sha256"]) == 1
    before = (made_run / "manifest.json").read_bytes()
    whole = (reference / file).read_bytes()
    (reference / file).write_bytes(whole.replace(b"this", b"that") if file == "metadata.jsonl" else whole + b"x")
    with pytest.raises(ConfigError, match=r"the reference set .*the reference has changed since this run began"):
        expanded(tiny, made_run, [str(reference)])
    (reference / file).write_bytes(whole)
    expanded(tiny, made_run, [str(reference)])
    assert (made_run / "manifest.json").read_bytes() == before


def test_a_reference_without_its_picture_is_named(tiny: Path, made_run: Path, reference: Path) -> None:
    (reference / "one.png").unlink()
    (made_run / "run.json").unlink()
    assert "one.png" in " ".join(expanded(tiny, made_run, [str(reference)]).notes)


def test_spare_items_are_accepted_before_any_model_is_loaded(tiny: Path, made_run: Path) -> None:
    with RunStore.open(made_run) as store:
        store.put([replace(item, state=State.SPARE) for item in store.items(State.ACCEPTED)])
    one = expanded(tiny, made_run, wanted=1)
    assert (one.accepted, one.stopped) == (1, "quota")
    two = expanded(tiny, made_run, wanted=2)
    assert (two.accepted, two.stopped) == (2, "quota")
    with pytest.raises(AssertionError, match="models were loaded"):
        expanded(tiny, made_run, wanted=3)


def test_money_stops_a_run_only_where_some_was_spent() -> None:
    assert Limits(usd=0.0).used_up(9.0, 0.0) is None
    assert Limits(usd=0.0).used_up(9.0, 0.01) == "cost"
    assert Limits(usd=1.0).used_up(9.0, 0.99) is None
    assert Limits(usd=1.0).used_up(9.0, 1.0) == "cost"
    assert Limits(seconds=0.0).used_up(0.0, 0.0) == "time"


def test_what_comes_back_is_the_run_as_a_set(tiny: Path, made_run: Path) -> None:
    (made_run / "run.json").unlink()
    run = expand.expand(tiny, 2, run=made_run)
    assert [record.image.size for record in run] == [(64, 64)] * 2
    assert (len(run.rejected), run.outcome.rejected) == (1, {"match": 1})
    assert (run.path, run.to_dict()["run"], run.to_dict()["complete"]) == (made_run, str(made_run), True)
    with pytest.raises(ConfigError, match=r"`against` is \[\] in this run"):
        expand.expand(tiny, 2, run=made_run, against=[run])


def test_the_profile_says_where_the_time_went(tiny: Path, made_run: Path) -> None:
    profile = expanded(tiny, made_run).profile
    assert profile["stages"]["outputs"] > 0
    assert profile["seconds"] >= profile["stages"]["outputs"]
    assert (profile["first_picture"], profile["items_per_second"]) == (None, 0.0)
    assert set(profile["load"]) == {"weights"}  # no model was loaded
    assert 20 < profile["peak_memory_mb"] < 100_000


def test_loading_gives_back_what_it_set_aside() -> None:
    packages = importlib.metadata.packages_distributions
    with pytest.raises(KeyError), fast_imports():
        raise KeyError(gc.isenabled(), importlib.metadata.packages_distributions is packages)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert importlib.metadata.packages_distributions is packages
    with fast_imports():
        assert not gc.isenabled()
        asked = importlib.metadata.packages_distributions
        assert asked() is asked()


def test_the_first_picture_and_each_model_are_timed() -> None:
    profile = Profile(started=Profile().started - 100)
    profile.entered("load")
    with profile.loading("llm"):
        pass
    profile.entered("render")
    profile.entered("check", drawn=True)
    first = profile.first_picture
    profile.entered("check", drawn=True)
    report = profile.report(items=50)
    assert profile.first_picture == first
    assert list(report["until_first_picture"]) == ["start", "load", "render"]
    assert sum(report["until_first_picture"].values()) == pytest.approx(report["first_picture"], abs=0.02)
    assert report["first_picture"] == pytest.approx(100, abs=5)
    assert report["items_per_second"] == pytest.approx(0.5, abs=0.05)
    assert 0 <= report["load"]["llm"] < 5
    assert peak_memory()
