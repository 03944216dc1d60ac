"""The store: what is committed stays, what is altered is found."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mossgen.core.items import Decision, Item, State, Verdict, item_id
from mossgen.errors import ConfigError, StoreError
from mossgen.runs.store import DATABASE, Outputs, RunStore


def item(number: int, state: State = State.PLANNED) -> Item:
    slots = {"thing": f"thing {number}"}
    return Item(item_id("tiny", "ty-1", slots, 0), number, "tiny", "ty-1", slots, 0, state)


def test_items_come_back_as_they_were_and_in_order(tmp_path: Path) -> None:
    full = replace(item(1), verdicts=(Verdict("rules", Decision.UNSURE, "no", 0.25),), overlay={"box": [1, 2, 3, 4]})
    with RunStore.create(tmp_path) as store:
        store.put([item(2), full, item(0)])
        assert store.items() == [item(0), full, item(2)]
        assert store.items(after=0, below=2) == [full]


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        with contextlib.suppress(RuntimeError), store.transaction():
            store.put([item(0)])
            raise RuntimeError("power cut")
        assert store.items() == []
        with store.transaction():
            store.put([item(0)])
    with RunStore.open(tmp_path) as store:
        assert store.items() == [item(0)]


def test_vectors_come_back_in_plan_order(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store.put([item(1), item(0)])
        vectors = {item(n).id: np.full(4, n, dtype=np.float32) for n in (1, 0)}
        store.put_vectors("text", vectors)
        back = store.vectors("text")
        assert list(back) == [item(0).id, item(1).id]
        assert all((back[key] == vectors[key]).all() for key in back)


def altered(store: RunStore, sql: str) -> list[str]:
    with sqlite3.connect(store.folder / DATABASE) as db:
        db.execute(sql)
    return store.problems()


def test_verify_finds_what_was_altered(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        digest = store.put_blob(b"not really a picture")
        bare = store.put_blob(b"the same without its overlay")
        store.put([replace(item(0), image=digest).with_provenance(bare_image=bare), item(1)])
        assert store.problems() == []
        store.blob(bare).write_bytes(b"another picture")
        assert "its picture without its overlay" in store.problems()[0]
        store.put_blob(b"the same without its overlay")
        store.blob(digest).write_bytes(b"another picture")
        assert "was altered" in store.problems()[0]
        store.blob(digest).unlink()
        assert "is missing" in store.problems()[0]
        store.put_blob(b"not really a picture")
        assert store.problems() == []
        assert "row was altered" in altered(store, "UPDATE items SET data = replace(data, 'thing 1', 'thing 2')")[0]


def test_verify_finds_a_deleted_row(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store.put([item(0), item(1), item(2)])
        assert store.problems() == []
        assert "was deleted" in altered(store, "DELETE FROM items WHERE number = 1")[0]


def test_verify_recomputes_ids(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store.put([replace(item(0), slots={"thing": "something else"})])
        assert "not the hash" in store.problems()[0]


def test_errors_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run folder"):
        RunStore.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be made"):
        RunStore.create(tmp_path / "file" / "run")
    with RunStore.create(tmp_path / "run") as store:
        with sqlite3.connect(tmp_path / "run" / DATABASE) as other:
            other.execute("DROP TABLE items")
        other.close()
        with pytest.raises(StoreError, match="what was committed before is kept"):
            store.put([item(0)])


def test_a_full_disk_is_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store.put([item(0)])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite meets its limit as it meets a full disk
        with pytest.raises(StoreError, match=r"full.*what was committed before is kept"), store.transaction():
            store.put([item(number) for number in range(1, 500)])
        assert store.items() == [item(0)]
        store._db.execute("PRAGMA max_page_count = 100000")
        with store.transaction():
            store.put([item(1)])
        assert len(store.items()) == 2


@pytest.mark.parametrize("version", [3, 99])
def test_a_run_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    RunStore.create(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    for open_ in (RunStore.open, RunStore.read, RunStore.create):
        with pytest.raises(ConfigError, match=f"{tmp_path}.*format {version}.*make the run again"):
            open_(tmp_path)


def test_changed_items_make_the_outputs_old(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        assert store.outputs() == (Outputs.OLD, "")
        store.put([item(0)])
        store.mark_outputs(Outputs.CURRENT, "the manifest's hash")
        assert store.outputs() == (Outputs.CURRENT, "the manifest's hash")
        with contextlib.suppress(RuntimeError), store.transaction():
            store.put([item(1)])
            raise RuntimeError("nothing was committed")
        assert store.outputs()[0] is Outputs.CURRENT
        store.put([item(1)])
        assert store.outputs() == (Outputs.OLD, "the manifest's hash")


# -- power cuts ----------------------------------------------------------------------------------------


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files and folders in the order in which they were put on the disk for good."""
    names: list[str] = []

    def fsync(handle: int) -> None:
        names.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)

    monkeypatch.setattr(os, "fsync", fsync)
    return names


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks at /proc to see what is synced")
def test_pictures_are_on_the_disk_before_the_rows_that_name_them(synced: list[str], tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        store._db.set_trace_callback(lambda sql: synced.append(sql) if sql in ("BEGIN IMMEDIATE", "COMMIT") else None)
        with store.transaction():
            one, two = (f"{store.put_blob(png)}.png" for png in (b"one", b"two"))
            assert synced == ["BEGIN IMMEDIATE"]  # nothing waits for the disk before the batch is done
        assert synced == ["BEGIN IMMEDIATE", *sorted([one, two]), "blobs", "COMMIT"]
        synced.clear()
        with store.transaction():  # a run that was killed before it could sync may have left the file
            store.put_blob(b"one")
        assert synced == ["BEGIN IMMEDIATE", one, "blobs", "COMMIT"]


def test_a_picture_that_a_power_cut_emptied_is_written_again(tmp_path: Path) -> None:
    with RunStore.create(tmp_path) as store:
        path = store.blob(store.put_blob(b"a picture"))
        path.write_bytes(b"")
        store.put_blob(b"a picture")
        assert path.read_bytes() == b"a picture"


# -- read-only folders ---------------------------------------------------------------------------------

Asks = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stranger() -> Asks:
    """Runs `python ARGUMENTS` as one who has to respect permissions: root gives up its power to pass them over."""
    less = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if less and not shutil.which(less[0]):
        pytest.skip("root may write everywhere, and there is no setpriv to give that up")

    def ask(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*less, sys.executable, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    return ask


def locked(run: Path) -> Path:
    for path in (run, *run.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return run


def test_a_run_is_read_where_nothing_may_be_written(made_run: Path, tmp_path: Path, stranger: Asks) -> None:
    run = locked(shutil.copytree(made_run, tmp_path / "a run?#%"))  # characters that mean something in an address
    assert stranger("-c", "import os, sys; print(os.access(sys.argv[1], os.W_OK))", run).stdout == "False\n"
    status = stranger("-m", "mossgen", "status", run)
    assert status.returncode == 0, status.stderr
    assert "accepted  2" in status.stdout
    verify = stranger("-m", "mossgen", "verify", run)
    assert verify.returncode == 0, verify.stdout + verify.stderr
    code = "import sys, pathlib, mossgen.sets.open as r; print(len(r.open_set(pathlib.Path(sys.argv[1]))))"
    assert stranger("-c", code, run).stdout == "2\n"
    assert sorted(p.name for p in run.glob(f"{DATABASE}*")) == [DATABASE]


def test_what_lies_in_the_log_of_a_killed_run_is_read_too(tmp_path: Path, stranger: Asks) -> None:
    with RunStore.create(tmp_path / "run") as store:
        store.put([item(0, State.SPARE), item(1, State.SPARE)])
        killed = locked(shutil.copytree(tmp_path / "run", tmp_path / "killed"))  # its last rows are in the log only
    status = stranger("-m", "mossgen", "status", killed)
    assert "spare     2" in status.stdout, status.stderr
    assert "unfinished" in status.stdout
    killed.chmod(0o755)
    (killed / f"{DATABASE}-shm").unlink()
    killed.chmod(0o555)
    status = stranger("-m", "mossgen", "status", killed)
    assert "spare     2" in status.stdout or "copy the folder" in status.stderr  # never an older state
