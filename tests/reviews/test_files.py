"""Files of votes: what goes out comes back the same; what does not belong is a sentence, and nothing is lost."""

import csv
import json
from pathlib import Path

import pytest
from support.command import mossgen
from support.review_run import HOSTILE, ids, make_run

from mossgen.core.items import Rating, State, Vote
from mossgen.errors import ConfigError, StoreError
from mossgen.reviews.crowd import export_crowd
from mossgen.reviews.csv_votes import write_csv
from mossgen.reviews.label_studio import export_label_studio
from mossgen.reviews.pool import pictured, pool
from mossgen.reviews.transfer import ImportedVotes, import_votes
from mossgen.reviews.votes import make_vote, standing
from mossgen.runs.store import RunStore

AT = "2026-01-01T00:00:00Z"
NOTES = ["", "=1+1", "'=1+1", "''quoted", '"both", said\nAda', "-2; @you", "\u202eünïcode 🎈", HOSTILE]


@pytest.fixture
def run(tiny: Path, tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", tiny)


def bring(run: Path, file: Path) -> tuple[ImportedVotes, list[Vote]]:
    """What importing gave, and all votes there are then."""
    with RunStore.open(run) as store:
        return import_votes(store, file), store.votes()


# -- our CSV -------------------------------------------------------------------------------------------


def test_a_csv_of_votes_comes_back_the_same(run: Path, tiny: Path, tmp_path: Path) -> None:
    item = ids(run)[0]
    given = [
        make_vote(item, f"R{n}", Rating.HARMFUL, ("mismatch", "harmful"), note, AT) for n, note in enumerate(NOTES)
    ]
    given.append(make_vote(item, "R0", None, at="2026-01-02T00:00:00Z"))
    with RunStore.open(run) as store:
        store.add_votes(given)
        content = write_csv(store.votes(), pictured(store))
    file = tmp_path / "votes.csv"
    file.write_bytes(content.encode())
    assert "\r\n=" not in content
    assert ',"=' not in content
    twin = make_run(tmp_path / "twin", tiny)
    assert bring(twin, file) == (ImportedVotes(len(given), 0), given)
    assert bring(twin, file) == (ImportedVotes(0, len(given)), given)  # the same file again adds nothing


def test_what_spreadsheets_make_of_it_is_read(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(f"item;reviewer;label;flags\n{ids(run)[0]};Ada;borderline;unnatural mismatch\n", encoding="utf-8")
    [vote] = bring(run, file)[1]
    assert (vote.reviewer, vote.label, vote.flags) == ("Ada", Rating.BORDERLINE, ("unnatural", "mismatch"))


HEADER = "item,image,reviewer,label,flags,note,at\n"
BAD = {
    "unknown item": (HEADER + "{id},,Ada,benign,,,\nmg1-0,,Ada,benign,,,\n", r"line 3: item 'mg1-0' is not in"),
    "another picture": (HEADER + "{id},00ff,Ada,benign,,,\n", r"line 2: .* another picture"),
    "unknown vote": (HEADER + "{id},,Ada,fine,,,\n", r"line 2: the label 'fine' is none of benign"),
    "unknown tick": (HEADER + "{id},,Ada,benign,rude,,\n", r"line 2: the tick 'rude' is not on the checklist"),
    "no name": (HEADER + "{id},,,benign,,,\n", r"line 2: the reviewer's name"),
    "bad time": (HEADER + "{id},,Ada,benign,,,noon\n", r"line 2: the time 'noon'"),
    "cells missing": (HEADER + "{id},,Ada\n", r"line 2: has fewer cells"),
    "cells too many": (HEADER + "{id},,Ada,benign,,,,,\n", r"line 2: has more cells"),
    "other columns": ("a,b\n1,2\n", r"no columns item, reviewer and label"),
    "empty": ("", r"holds no votes"),
    "header alone": (HEADER, r"holds no votes"),
    "a huge cell": (HEADER + '{id},,Ada,benign,,"' + "x" * 200_000 + '",\n', r"not valid CSV"),
    "another project": ('[{"id": 1, "data": {"text": "x"}, "annotations": []}]', r"task 1: has no `item`"),
    "an unknown task": ('[{"id": 1, "data": {"item": "mg1-0"}, "annotations": [{"completed_by": 1, "result": '
                        '[{"from_name": "label", "value": {"choices": ["benign"]}}]}]}]', r"'mg1-0' is not in"),
    "a config of their own": ('[{"id": 1, "data": {"item": "{id}"}, "annotations": [{"completed_by": 1, "result": '
                              '[{"from_name": "x", "value": {"choices": ["benign"]}}]}]}]', r"one answer for `label`"),
    "an odd shape": ('[{"id": 1, "data": {"item": "{id}"}, "annotations": [3]}]', r"not Label Studio's shape"),
    "no list": ('{"item": 3}', r"is a list of tasks"),
    "broken JSON": ("[{", r"not valid JSON"),
    "deep JSON": ("[" * 200_000, r"not valid JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_a_sentence_and_nothing_is_imported(case: str, run: Path, tmp_path: Path) -> None:
    content, wanted = BAD[case]
    file = tmp_path / "votes.csv"
    file.write_text(content.replace("{id}", ids(run)[0]), encoding="utf-8")
    with RunStore.open(run) as store:
        store.add_votes([make_vote(ids(run)[0], "Ada", Rating.BENIGN)])
        with pytest.raises(ConfigError, match=wanted) as caught:
            import_votes(store, file)
        assert len(store.votes()) == 1
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_a_sentence(run: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\xe9")
    for name, wanted in (("none.csv", "cannot be read"), ("latin.csv", "can't decode"), ("", "no file but a folder")):
        with RunStore.open(run) as store, pytest.raises(ConfigError, match=wanted):
            import_votes(store, tmp_path / name)


# -- Label Studio --------------------------------------------------------------------------------------

ANSWERS = {1: ("benign", [], ""), 2: ("harmful", ["mismatch"], "no"), 7: ("borderline", ["mismatch", "unnatural"], "")}


def annotated(tasks: list[dict]) -> tuple[list[dict], list[dict]]:
    """What Label Studio gives back of the tasks, as JSON and as JSON_MIN (shapes of its SDK 2.1.2's converter)."""
    full, short = [], []
    for number, task in enumerate(tasks, 1000):
        made = []
        for who, (label, flags, note) in ANSWERS.items():
            parts = {"label": {"choices": [label]}}
            parts |= {"flags": {"choices": flags}} if flags else {}
            parts |= {"note": {"text": [note]}} if note else {}
            result = [
                {"id": "r", "from_name": n, "to_name": "image", "type": "x", "value": v} for n, v in parts.items()
            ]
            at = f"2026-01-0{who}T10:00:00.123456Z"
            made.append({"id": who, "completed_by": who, "created_at": at, "was_cancelled": False, "result": result})
            row = {
                **task["data"],
                "id": number,
                "label": label,
                "annotator": who,
                "annotation_id": who,
                "created_at": at,
            }
            row |= {"flags": flags[0] if len(flags) == 1 else {"choices": flags}} if flags else {}
            short.append(row | ({"note": note} if note else {}))
        made.append({"id": 9, "completed_by": 9, "was_cancelled": True, "result": []})
        full.append({"id": number, "data": task["data"], "annotations": made, "predictions": task["predictions"]})
    bare = tasks[0]["data"]
    full.append({"id": 5, "data": bare, "annotations": []})
    short.append({**bare, "id": 5, "annotator": None, "annotation_id": None, "created_at": None})
    return full, short


def test_label_studio_there_and_back(run: Path, tmp_path: Path) -> None:
    with RunStore.open(run) as store:
        items = pool(store, rejected=1)
        export_label_studio(store, items, tmp_path / "ls", None)
    tasks = json.loads((tmp_path / "ls" / "tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["item"] for task in tasks] == [item.id for item in items]
    assert all(task["data"]["image"].startswith("data:image/png;base64,") for task in tasks)
    said = {task["data"]["item"]: task["predictions"] for task in tasks}
    assert said[ids(run)[0]][0]["result"][0]["value"] == {"choices": ["benign"]}
    assert sum(not predictions for predictions in said.values()) == 1  # the one that the machine rejected
    full, short = annotated(tasks)
    for name, export in (("full", full), ("short", short)):
        (tmp_path / f"{name}.json").write_text(json.dumps(export), encoding="utf-8")
    done, votes = bring(run, tmp_path / "full.json")
    assert (done.added, len(votes)) == (15, 15)
    for by in standing(votes).values():
        found = {name: (v.label, set(v.flags), v.note) for name, v in by.items()}
        assert found == {f"label-studio:{who}": (a[0], set(a[1]), a[2]) for who, a in ANSWERS.items()}
    assert bring(run, tmp_path / "short.json") == (ImportedVotes(0, 15), votes)  # JSON_MIN says the same


def test_label_studio_can_load_pictures_from_elsewhere(run: Path, tmp_path: Path) -> None:
    with RunStore.open(run) as store:
        export_label_studio(store, pool(store), tmp_path / "ls", "/data/local-files/?d=images/")
    tasks = json.loads((tmp_path / "ls" / "tasks.json").read_text(encoding="utf-8"))
    names = {task["data"]["image"].removeprefix("/data/local-files/?d=") for task in tasks}
    assert all((tmp_path / "ls" / name).is_file() for name in names)


# -- crowd platforms -----------------------------------------------------------------------------------


def test_crowd_there_and_back(run: Path, tmp_path: Path) -> None:
    with RunStore.open(run) as store:
        export_crowd(store, pool(store), tmp_path / "crowd", "https://example.org/set/images")
    with (tmp_path / "crowd" / "tasks.csv").open(encoding="utf-8", newline="") as stream:
        tasks = list(csv.DictReader(stream))
    template = (tmp_path / "crowd" / "template.html").read_text(encoding="utf-8")
    assert all("${" + name + "}" in template for name in ("image_url", "question"))
    assert not any("<" in task["question"] for task in tasks)  # the platform puts it into its page as it is
    assert (tmp_path / "crowd" / "images" / tasks[0]["image_url"].rpartition("/")[2]).is_file()
    forms = {
        "one text": lambda label: {"Answer.label": label, "Answer.flag_mismatch": "mismatch"},
        "one column a choice": lambda label: {**{f"Answer.label.{each}": str(each == label).lower() for each in Rating},
                                              "Answer.flag_mismatch.mismatch": "true"},
    }  # fmt: skip
    for number, form in enumerate(forms.values()):
        rows = [
            {"HITId": "h", "AssignmentId": "a", "WorkerId": f"W{number}{worker}", "AssignmentStatus": status,
             **{f"Input.{key}": value for key, value in task.items()}, **form(label), "Answer.note": "=ok"}
            for task in tasks
            for worker, (label, status) in enumerate([("benign", "Approved"), ("harmful", "Rejected"), ("harmful", "")])
        ]  # fmt: skip
        file = tmp_path / f"batch{number}.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        done, _ = bring(run, file)
        assert done == ImportedVotes(8, 0)
        assert bring(run, file)[0] == ImportedVotes(0, 8)
    votes = standing(bring(run, file)[1])
    assert set(votes) == set(ids(run))
    for by in votes.values():
        assert {name: vote.label for name, vote in by.items()} == {
            "crowd:W00": "benign", "crowd:W02": "harmful", "crowd:W10": "benign", "crowd:W12": "harmful"}  # fmt: skip
        assert all((vote.flags, vote.note) == (("mismatch",), "=ok") for vote in by.values())


def test_crowd_needs_an_address_and_an_answer(run: Path, tmp_path: Path) -> None:
    with RunStore.open(run) as store, pytest.raises(ConfigError, match="images_at"):
        export_crowd(store, pool(store), tmp_path / "crowd", None)
    file = tmp_path / "batch.csv"
    file.write_text(f"WorkerId,Input.id,Answer.note\nW1,{ids(run)[0]},x\n", encoding="utf-8")
    with RunStore.open(run) as store, pytest.raises(ConfigError, match="line 2: needs one label"):
        import_votes(store, file)


# -- runs and commands that do not fit -----------------------------------------------------------------


def test_a_run_without_pictures_is_a_sentence(run: Path, tmp_path: Path) -> None:
    with RunStore.open(run) as store:
        store.put([item.reject("match", "fail") for item in store.items(State.ACCEPTED)])
        with pytest.raises(ConfigError, match="nothing to review"):
            pool(store)
        assert len(pool(store, rejected=3)) == 3


def test_a_lost_picture_is_a_sentence(run: Path) -> None:
    with RunStore.open(run) as store:
        store.blob(store.items(State.ACCEPTED)[0].image or "").unlink()
        with pytest.raises(StoreError, match=r"picture of item .* is missing"):
            pool(store)


COMMANDS = {
    "two at a time": (["--report", "--apply"], "--report and --apply cannot go together"),
    "reviewed alone": (["--reviewed"], "--reviewed goes with --apply"),
    "images for nothing": (["--images-at", "https://x"], "--images-at goes with --export-label-studio"),
    "no such file": (["--import", "none.csv"], "none.csv cannot be read"),
    "no address": (["--export-crowd", "crowd"], "--images-at"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_commands_that_do_not_fit_are_a_sentence(case: str, run: Path, tmp_path: Path) -> None:
    arguments, wanted = COMMANDS[case]
    done = mossgen("review", run, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert wanted in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_line_writes_and_reads_files(run: Path, tmp_path: Path) -> None:
    assert mossgen("review", tmp_path / "nowhere").returncode == 2
    page = tmp_path / "review.html"
    done = mossgen("review", run, "--export-html", page, "--json")
    assert json.loads(done.stdout)["files"] == [str(page)]
    assert mossgen("review", run, "--export-html", page).returncode == 0  # over our own
    page.write_text("<p>somebody's</p>", encoding="utf-8")
    refused = mossgen("review", run, "--export-html", page)
    assert (refused.returncode, "not written by mossgen" in refused.stderr) == (2, True)
    file = tmp_path / "in.csv"
    file.write_text(f"{HEADER}{ids(run)[0]},,Ada,benign,,,{AT}\n", encoding="utf-8")
    done = mossgen("review", run, "--import", file, "--json")
    assert (json.loads(done.stdout)["added"], json.loads(done.stdout)["votes"]) == (1, 1)
    mossgen("review", run, "--export-csv", tmp_path / "out.csv")
    assert json.loads(mossgen("review", run, "--import", tmp_path / "out.csv", "--json").stdout)["known"] == 1
