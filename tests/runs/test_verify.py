"""verify: what was altered, what is unfinished, and that the two are told apart."""

import json
from pathlib import Path

from support.command import mossgen

from mossgen.runs.store import Outputs, RunStore
from mossgen.runs.verify import verify_run


def test_a_finished_run_is_as_it_should_be(made_run: Path) -> None:
    assert verify_run(made_run).ok


def test_verify_tells_an_unfinished_run_from_an_altered_one(made_run: Path) -> None:
    run = made_run
    with RunStore.open(run) as store:
        store.put(store.items()[:1])  # as a run that was cut off after its next batch
    done = mossgen("verify", run, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["ok"], found["finished"], found["problems"]) == (False, False, [])
    assert "run the same command (`mossgen expand` or `evolve`) again" in found["unfinished"]
    assert "unfinished" in mossgen("status", run).stdout
    page, blob = run / "index.html", next((run / "blobs").glob("*.png"))
    for file in (page, blob):
        whole = file.read_bytes()
        file.write_bytes(whole + b"x")
        left = verify_run(run)
        assert left.unfinished
        assert [problem for problem in left.problems if file.name in problem]
        file.write_bytes(whole)
    (run / "manifest.json").unlink()
    assert "manifest.json is missing" in verify_run(run).problems[0]


def test_verify_finds_an_altered_manifest(made_run: Path) -> None:
    run = made_run
    manifest = run / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"libraries"', '"Libraries"'), encoding="utf-8")
    found = verify_run(run)
    assert "manifest.json was altered" in found.problems[0]
    assert found.unfinished is None
    manifest.write_text(text, encoding="utf-8")
    config = run / "run.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"seed": 0', '"seed": 4'), encoding="utf-8")
    assert "`seed` is not what run.json" in verify_run(run).problems[0]


def test_outputs_that_were_being_written_are_not_called_altered(made_run: Path) -> None:
    with RunStore.open(made_run) as store:
        store.mark_outputs(Outputs.WRITING)
    (made_run / "index.html").unlink()
    found = verify_run(made_run)
    assert found.problems == []
    assert "is unfinished" in (found.unfinished or "")


def test_a_run_cut_off_before_its_first_item_is_unfinished(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run"):
        pass
    found = verify_run(tmp_path / "run")
    assert found.problems == []
    assert found.unfinished
