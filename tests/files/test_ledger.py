"""The ledger: what is added is kept through crashes, other writers and full disks, and ends in order."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mossgen.errors import ConfigError, StoreError
from mossgen.files import ledger as module
from mossgen.files.ledger import Kind, Ledger


def decode(value):
    if not isinstance(value, dict) or set(value) != {"at", "said"}:
        raise ValueError("it has no `at` and `said`")
    return value["at"], value["said"]


KIND = Kind(
    maker="mossgen try",
    rows="trials",
    encode=lambda row: json.dumps({"at": row[0], "said": row[1]}),
    decode=decode,
    place=lambda row: row[0],
    key=lambda row: row[1],
    order=sorted,
)
HEAD = {"made_with": {"type": "negated_harm", "seed": 1}}


def made(file: Path, *rows: tuple[int, str], head=None) -> Path:
    with Ledger(file, KIND, head) as ledger:
        ledger.add(*rows)
    return file


def rows_of(file: Path, head=None) -> list[tuple[int, str]]:
    return list(Ledger(file, KIND, head).read().rows.values())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "folder" / "trials.jsonl"


# -- what is kept --------------------------------------------------------------------------------------


def test_rows_are_in_the_file_as_they_come_and_in_order_at_the_end(file):
    with Ledger(file, KIND) as ledger:
        ledger.add((3, "c"))
        assert rows_of(file) == [(3, "c")]
        ledger.add((1, "a"), (2, "b"))
        assert rows_of(file) == [(3, "c"), (1, "a"), (2, "b")]
    assert list(ledger.rows.values()) == rows_of(file) == [(1, "a"), (2, "b"), (3, "c")]


def test_a_row_takes_the_place_of_an_earlier_one_and_is_found_by_its_key(file):
    made(file, (1, "old"), (2, "same"))
    with Ledger(file, KIND) as ledger:
        ledger.add((1, "new"))
        assert ledger.find("same") == (2, "same")
        assert ledger.find("nowhere") is None
    assert rows_of(file) == [(1, "new"), (2, "same")]


def test_a_job_that_fails_keeps_its_rows_in_order(file):
    def job():
        with Ledger(file, KIND) as ledger:
            ledger.add((2, "b"), (1, "a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        job()
    assert rows_of(file) == [(1, "a"), (2, "b")]


def test_a_look_makes_nothing(file):
    assert rows_of(file) == []
    assert not file.parent.exists()


@pytest.mark.parametrize("tail", ['{"at": 3, "sa', "{", '{"at": 3, "said": "\\ud8', "\0\0\0"])
def test_a_line_that_a_crash_cut_off_is_left_out(file, tail):
    made(file, (1, "a"), (2, "b"))
    whole = file.read_bytes()
    file.write_bytes(whole + tail.encode())
    assert rows_of(file) == [(1, "a"), (2, "b")]
    with Ledger(file, KIND) as ledger:
        assert file.read_bytes() == whole  # so that what is added next has a line of its own
        ledger.add((3, "c"))
    assert rows_of(file) == [(1, "a"), (2, "b"), (3, "c")]


def test_only_the_end_of_the_last_line_is_missing(file):
    made(file, (1, "a"))
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    made(file, (2, "b"))
    assert rows_of(file) == [(1, "a"), (2, "b")]


def test_a_killed_job_loses_no_row(file):
    script = (
        "import sys, time; from pathlib import Path; from files.test_ledger import KIND; "
        "from mossgen.files.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1]), KIND) as ledger:\n"
        "    for number in range(1000):\n"
        "        ledger.add((1000 - number, 'x'))\n"
        "        print(number, flush=True)\n"
    )
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", script, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stdout is not None
        told = [job.stdout.readline() for _ in range(20)]
        job.send_signal(signal.SIGKILL)
    assert told[-1] == "19\n"
    with Ledger(file, KIND) as ledger:  # the killed one's lock is gone with it
        assert {1000 - number for number in range(20)} <= set(ledger.rows)
    assert rows_of(file) == sorted(rows_of(file))


# -- whose it is ---------------------------------------------------------------------------------------


def test_two_writers_are_one_too_many(file):
    with Ledger(file, KIND) as ledger:
        ledger.add((1, "a"))
        with pytest.raises(ConfigError, match="being written by another mossgen: wait for it, or give another `out`"):
            Ledger(file, KIND).__enter__()
        ledger.add((2, "b"))
    assert rows_of(file) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("hello\n", 1),
        ("hello", 1),
        ("[1, 2]\n", 1),
        ('{"at": 1}\n', 1),
        ('{"somebody": "else\'s, in one line"}', 1),
        ('{"at": 1, "said": "a"}\n{"at": 2, "said": "b"\n{"at": 3, "said": "c"}\n', 2),
        ('{"at": 1, "said": "a"}\n\n{"at": [], "said": "b"}\n', 3),
        ('{"at": 1, "said": "a"}\n' + "[" * 100_000 + "\n", 2),
        ('{"at": 1, "said": "a"}\n\udcff\n', 2),
    ],
)
def test_a_file_of_somebody_else_or_edited_is_named_and_left_alone(file, text, line):
    file.parent.mkdir()
    file.write_bytes(before := text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=rf"trials.jsonl, line {line}: not written by `mossgen try` \("):
        Ledger(file, KIND).__enter__()
    assert file.read_bytes() == before


def test_a_line_is_read_up_to_a_limit(file, monkeypatch):
    made(file, (1, "a" * 100))
    monkeypatch.setattr(module, "MAX_LINE", 50)
    with pytest.raises(ConfigError, match=r"line 1: .*longer than 50 bytes"):
        rows_of(file)


def test_a_folder_in_its_place_is_a_sentence(file):
    file.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"trials.jsonl cannot be read \(Is a directory"):
        rows_of(file)


# -- the head ------------------------------------------------------------------------------------------


def test_a_head_stands_first_and_stays(file):
    made(file, (2, "b"), head=HEAD)
    made(file, (1, "a"), head=HEAD)
    first, *others = file.read_text().splitlines()
    assert json.loads(first) == HEAD
    assert [json.loads(line)["at"] for line in others] == [1, 2]


def test_another_head_says_what_differs(file):
    made(file, (1, "a"), head=HEAD)
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="by `mossgen try` with another seed: give the same, or give another `out`"):
        rows_of(file, head={"made_with": {"type": "negated_harm", "seed": 2}})
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ["", '{"at": 1, "said": "a"}\n', '{"made_with', "\n\n"])
def test_a_file_without_its_head_is_not_ours(file, text):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ConfigError, match="line 1: not written by"):
        Ledger(file, KIND, HEAD).__enter__()
    assert file.read_text() == text


# -- the disk ------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_full_disk_is_a_sentence_and_costs_no_row(file):
    import resource

    def job():
        with Ledger(file, KIND) as ledger:
            ledger.add((2, "b"), (1, "a"))
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
            ledger.add((3, "c" * 9000))  # some of it still fits

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(StoreError, match=r"cannot be written \(File too large\); trials so far are kept"):
            job()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert rows_of(file) == [(1, "a"), (2, "b")]


def test_what_cannot_be_written_anew_stays_as_it_was(file, monkeypatch):
    made(file, (1, "a"))

    def fails(*_):
        raise OSError(5, "Input/output error")

    def job():
        with Ledger(file, KIND) as ledger:
            ledger.add((0, "z"))
            monkeypatch.setattr("os.replace", fails)

    with pytest.raises(StoreError, match="Input/output error"):
        job()
    assert rows_of(file) == [(1, "a"), (0, "z")]
    assert {path.name for path in file.parent.iterdir()} <= {"trials.jsonl", ".trials.jsonl.lock"}
    monkeypatch.undo()
    made(file)  # and the lock is free again
    assert rows_of(file) == [(0, "z"), (1, "a")]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"):
        Ledger(tmp_path / "folder" / "trials.jsonl", KIND).__enter__()
