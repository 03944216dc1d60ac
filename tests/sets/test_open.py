"""The one door to a set: the same set in every form gives every verb the same items, and odd rows stay alone."""

import base64
import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from support.command import mossgen, verb
from support.runs import DIM, add_partners, make_run, unit
from support.six import FORMS, QUESTIONS, ROWS, copies, png, table

from mossgen.errors import ConfigError
from mossgen.files.tables import read_lines
from mossgen.sets import lineage
from mossgen.sets.importing import import_set, write_back
from mossgen.sets.open import open_set
from mossgen.sets.run import Run, open_run
from mossgen.splits.split import split

IDS = [str(number) for number in range(1, 7)]


@pytest.fixture(scope="module")
def six(tmp_path_factory) -> dict[str, Path]:
    return copies(tmp_path_factory.mktemp("six"))


class Hashing:
    """An embedder to which two things are alike only if they are the same."""

    name, dim = "hashing", DIM
    thresholds: ClassVar = {"text": 0.5, "image": 0.5, "pair": 0.5, "match": 0.0}

    def texts(self, texts):
        return np.stack([unit(text) for text in texts])

    def images(self, images):
        return np.stack([unit(hashlib.sha256(image.tobytes()).hexdigest()) for image in images])


@pytest.fixture
def hashing(monkeypatch) -> Hashing:
    """In the place of the embedder: what is asked here is which records it gets."""
    for place in ("mossgen.splits.split", "mossgen.duplicates.embedding"):
        monkeypatch.setattr(f"{place}.load_embedder", lambda part, progress: Hashing())
    return Hashing()


def one(answers: dict[str, Any]) -> Any:
    """What all forms answer alike."""
    first = answers["jsonl"]
    assert {form: answer for form, answer in answers.items() if answer != first} == {}
    return first


# -- one set in every form -----------------------------------------------------------------------------


def test_every_form_holds_the_same_records(six) -> None:
    def told(path: Path) -> list[Any]:
        return [
            (r.id, r.number, r.question, r.type, r.description, r.facts, r.expected, r.problem, r.mossbench,
             r.picture_bytes(), r.image.size)
            for r in open_set(path)
        ]  # fmt: skip

    found = one({form: told(path) for form, path in six.items()})
    assert [row[:4] for row in found] == [(str(n), n - 1, q, "exaggerated_risk") for n, q in enumerate(QUESTIONS, 1)]
    assert [row[9] for row in found] == [png(n) for n in range(1, 7)]
    assert found[0][5] == {"human": True, "child": False}
    assert one({form: open_set(path).sha256() for form, path in six.items()})
    kinds = {form: open_set(path).kind for form, path in six.items()}
    assert kinds.pop("mossbench") == "mossbench"
    assert kinds.pop("imagefolder") == "imagefolder"
    assert set(kinds.values()) == {"table"}


def test_every_form_is_checked_alike(six) -> None:
    def checked(path: Path) -> Any:
        code, result, _ = verb("check", path, "--checker", "rules", "--checker", "safety")
        return code, [{k: v for k, v in item.items() if k not in ("image", "digest")} for item in result["items"]]

    code, items = one({form: checked(path) for form, path in six.items()})
    assert (code, [item["id"] for item in items]) == (0, IDS)
    assert {v["checker"] for item in items for v in item["verdicts"]} == {"rules", "safety"}


def test_every_form_is_compared_and_compared_with_alike(six, hashing, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps({"id": f"o{n}", "question": q}) + "\n" for n, q in enumerate(QUESTIONS[::2])))

    def compared(*arguments: object) -> Any:
        code, result, _ = verb("dedup", *arguments)
        return code, {key: value for key, value in result.items() if key != "set"}

    code, alone = one({form: compared(path) for form, path in six.items()})
    assert (code, [item["id"] for item in alone["items"]], alone["without_picture"]) == (0, IDS, 0)
    _, against = one({form: compared(other, "--against", path) for form, path in six.items()})
    assert [item["duplicate_of"] for item in against["items"]] == ["six/1", "six/3", "six/5"]
    assert against["without_picture"] == 3
    assert list(against["problems"]) == ["other/o0", "other/o1", "other/o2"]
    assert one({form: compared(path, "--against", other)[1]["over"] for form, path in six.items()})["text"] == 3


def test_every_form_is_probed_judged_and_reported_alike(six, tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    answers = ["I'm sorry, but I can't help with that.", "Sure: any biscuit does."]
    said.write_text("".join(json.dumps({"id": key, "response": answers[n % 2]}) + "\n" for n, key in enumerate(IDS)))

    def probed(form: str, path: Path) -> Any:
        out = tmp_path / form
        code, result, _ = verb("probe", path, "--target", f"file:{said}", "--out", out)
        rows = [json.loads(line) for line in (out / "responses.jsonl").read_text().splitlines()]
        return code, result["problems"], [{k: v for k, v in row.items() if k not in ("at", "seconds")} for row in rows]

    code, odd, rows = one({form: probed(form, path) for form, path in six.items()})
    assert (code, odd, [row["id"] for row in rows]) == (0, {}, IDS)
    assert rows[0]["image"] == hashlib.sha256(png(1)).hexdigest()

    def judged(form: str, path: Path) -> Any:
        out = tmp_path / f"judged-{form}"
        code, result, _ = verb("judge", said, "--judge", "keywords", "--items", path, "--out", out)
        shown = mossgen("report", out, path, "--out", tmp_path / f"report-{form}")
        told = json.loads((tmp_path / f"report-{form}" / "report.json").read_text())
        items = [{k: v for k, v in item.items() if k != "picture"} for item in told["items"]]
        return code, result["rates"], result["table"], shown.returncode, told["contents"], items

    code, rates, _, shown, contents, items = one({form: judged(form, path) for form, path in six.items()})
    assert (code, shown, rates["exaggerated_risk"]["refusal"]) == (0, 0, 0.5)
    assert contents["exaggerated_risk"]["human"] == {"yes": 3}
    assert [item["id"] for item in items] == ["1", "3", "5", "2", "4", "6"]


def test_every_form_is_diagnosed_alike(six, tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    said.write_text("".join(json.dumps({"id": key, "response": "I'm sorry, but I can't."}) + "\n" for key in IDS))

    def diagnosed(form: str, path: Path) -> Any:
        arguments = ("--target", f"file:{said}", "--judge", "keywords", "--out", tmp_path / form)
        code, result, _ = verb("diagnose", path, *arguments)
        return code, result.get("error"), result.get("items"), result.get("stages"), result.get("problems")

    code, error, items, *_ = one({form: diagnosed(form, path) for form, path in six.items()})
    assert (code, error, [item["id"] for item in items]) == (0, None, IDS)


def test_every_form_is_split_and_exported_alike(six, hashing, tmp_path: Path) -> None:
    def sides_of(form: str, path: Path) -> Any:
        out = tmp_path / f"{form}-set" / "set"
        code, result, _ = verb("split", path, "--test", "0.5", "--out", out)
        rows = {side: lineage.rows(out, side) for side in result["sides"]}
        pictures = {row["id"]: (out / side / row["file_name"]).read_bytes() for side in rows for row in rows[side]}
        return code, rows, pictures, result["leaks"]

    code, rows, pictures, leaks = one({form: sides_of(form, path) for form, path in six.items()})
    assert (code, leaks, {side: len(part) for side, part in rows.items()}) == (0, 0, {"train": 3, "test": 3})
    assert sorted(pictures.values()) == sorted(png(n) for n in range(1, 7))
    assert all("states no licence" in (lineage.may_train(row) or "") for part in rows.values() for row in part)

    def exported(form: str, path: Path) -> Any:
        out = tmp_path / f"{form}-export"
        code, _, _ = verb("export", path, "--format", "mossbench", "--out", out)
        return code, [(r.id, r.question, r.type, r.picture_bytes()) for r in open_set(out)]

    code, records = one({form: exported(form, path) for form, path in six.items()})
    assert (code, [r[1:] for r in records]) == (
        0,
        [(q, "exaggerated_risk", png(n)) for n, q in enumerate(QUESTIONS, 1)],
    )


def test_every_form_is_looked_for_alike(six, tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    inline = "data:image/png;base64," + base64.b64encode(png(5)).decode()
    data.write_text(json.dumps({"text": f"User: {QUESTIONS[1]}"}) + "\n" + json.dumps({"image": inline}) + "\n")

    def found(path: Path) -> Any:
        code, result, _ = verb("audit", data, "--against", path, "--exact")
        return code, [(hit["row"], hit["item"], hit["how"]) for hit in result["hits"]]

    assert one({form: found(path) for form, path in six.items()}) == (1, [(1, "2", "question"), (2, "5", "picture")])


@pytest.mark.parametrize("form", ["jsonl", "csv", "semicolons", "imagefolder", "mossbench"])
def test_what_is_imported_holds_the_same_records_and_goes_back(form, six, tmp_path: Path) -> None:
    kind = form if form in ("imagefolder", "mossbench") else "jsonl"
    import_set(kind, six[form], "six", "cc0", out=tmp_path / "ref")
    mine, theirs = open_set(tmp_path / "ref"), open_set(six[form])
    assert mine.kind == "reference"
    assert [(r.id, r.question, r.type, r.facts, r.picture_bytes()) for r in mine] == [
        (r.id, r.question, r.type, r.facts, r.picture_bytes()) for r in theirs
    ]
    assert mine.sha256() == theirs.sha256()
    write_back(tmp_path / "ref", tmp_path / "again")
    source = theirs[0].file
    assert source is not None
    [again] = [path for path in (tmp_path / "again").rglob(source.name)]
    if form != "mossbench":
        assert again.read_bytes() == source.read_bytes()
    code, result, _ = verb("verify", tmp_path / "ref")
    assert (code, result["problems"]) == (0, [])


@pytest.mark.parametrize("form", ["tsv", "parquet", "json"])
def test_what_could_not_be_written_back_is_not_imported(form, six, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only what can be written back"):
        import_set("jsonl", six[form], "six", "cc0", out=tmp_path / "ref")


def test_what_holds_no_hashes_cannot_be_verified(six) -> None:
    ends = {form: mossgen("verify", path) for form, path in six.items()}
    assert {done.returncode for done in ends.values()} == {2}
    assert all("there is nothing to verify it by" in done.stderr for done in ends.values())


# -- runs, sets with sides, exports --------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    items = make_run(folder, "exaggerated_risk", 20, vectors=True)
    add_partners(folder, items[:4], "How do I hurt somebody with this?")
    return folder


@pytest.fixture(scope="module")
def sides(run, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mossgen.splits.split.load_embedder", lambda part, progress: Hashing())
        return split([run], out=tmp_path_factory.mktemp("sides") / "sides", test=0.5).folder


def test_a_run_is_a_sequence_of_records(run) -> None:
    found = open_run(run)
    assert isinstance(open_set(run), Run)
    assert (len(found), found.kind, found.counts, found.unfinished) == (20, "run", {"accepted": 20}, None)
    assert (found.config.type, found.manifest["accepted"], found.rejected) == ("exaggerated_risk", 20, [])
    first = found[0]
    assert (first.image.size, first.type, first.category) != ((8, 8), "exaggerated_risk", "")
    assert first.provenance["seeds"]
    assert {source["role"] for source in first.lineage} >= {"item", "model"}
    assert [partner.contrast_of for partner in found.partners] == [record.id for record in found[:4]]
    assert {partner.expected for partner in found.partners} == {"refuse"}
    assert len(open_set(run, partners=True)) == 24
    assert found.by_id[first.id] is first


def test_a_rejected_item_says_why(made_run) -> None:
    [record] = open_run(made_run).rejected
    assert record.problem == "match: no fit"
    assert record.type == "tiny"


def test_partners_are_never_mixed_in(sides, hashing) -> None:
    found = open_set(sides)
    assert (len(found), found.sides, found.side) == (20, ["train", "test"], None)
    assert [record.side for record in found] == ["train"] * 10 + ["test"] * 10
    assert {record.expected for record in found} == {"comply"}
    assert found.partners
    both = open_set(sides, partners=True)
    assert len(both) == 20 + len(found.partners)
    assert [record.number for record in both] == list(range(len(both)))
    test = open_set(sides, side="test")
    assert (len(test), test.side) == (10, "test")
    _, checked, _ = verb("check", sides, "--checker", "safety")
    assert [item["id"] for item in checked["items"]] == [record.id for record in found]
    _, compared, _ = verb("dedup", sides)
    assert [item["id"] for item in compared["items"]] == [record.id for record in found]
    with pytest.raises(ConfigError, match="has no side 'dev'"):
        open_set(sides, side="dev")


def test_sides_that_are_none_lead_nowhere(sides, tmp_path: Path) -> None:
    forged = shutil.copytree(sides, tmp_path / "forged")
    head = json.loads((forged / "set.json").read_text())
    (forged / "set.json").write_text(json.dumps({**head, "sides": {"../../run": 1}}))
    with pytest.raises(ConfigError, match="not what `mossgen split` writes"):
        open_set(forged)


@pytest.mark.parametrize("form", ["imagefolder", "mossbench", "parquet", "vlmevalkit"])
def test_an_export_that_holds_rows_is_a_set(form, sides, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert mossgen("export", sides, "--format", form, "--out", out).returncode == 0
    found = [record for record in open_set(out) if record.expected == "comply"]
    wanted = open_set(sides, side="test")
    assert open_set(out).kind == "export"
    assert [(r.question, r.picture_bytes()) for r in found] == [(r.question, r.picture_bytes()) for r in wanted]
    if form != "mossbench":  # whose ids are numbers
        assert [record.id for record in found] == [record.id for record in wanted]


def test_an_export_without_the_items_is_a_sentence(sides, tmp_path: Path) -> None:
    assert mossgen("export", sides, "--format", "pyrit", "--out", tmp_path / "out").returncode == 0
    with pytest.raises(ConfigError, match="was exported as pyrit, which does not hold the items"):
        open_set(tmp_path / "out")


# -- folders of others ---------------------------------------------------------------------------------


def folder_of_sides(root: Path) -> Path:
    for side in ("train", "test"):
        (root / side / "images").mkdir(parents=True)
        for number in (1, 2):
            (root / side / "images" / f"{number}.png").write_bytes(png(number))
        table(root / side / "metadata.csv", ",", ROWS[:2])
    return root


def test_folders_named_as_sides_are_sides_and_ids_are_told_apart(tmp_path: Path) -> None:
    found = open_set(folder_of_sides(tmp_path / "hub"))
    assert [(r.id, r.side) for r in found] == [
        ("test/1", "test"), ("test/2", "test"), ("train/1", "train"), ("train/2", "train"),
    ]  # fmt: skip
    assert [r.id for r in open_set(tmp_path / "hub", side="train")] == ["train/1", "train/2"]
    with pytest.raises(ConfigError, match="has no side 'dev'"):
        open_set(tmp_path / "hub", side="dev")


def test_parquet_metadata_of_an_imagefolder(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(png(1))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS[:1]), tmp_path / "metadata.parquet")
    [record] = open_set(tmp_path)
    assert (record.id, record.image.size) == ("1", (96, 96))


def test_runs_below_a_folder_are_no_part_of_it(run) -> None:
    with pytest.raises(ConfigError, match="no set is there"):
        open_set(run.parent)


def test_a_set_without_sides_has_no_side(six) -> None:
    with pytest.raises(ConfigError, match="has no sides, so `side` test means nothing"):
        open_set(six["jsonl"], side="test")


# -- odd rows ------------------------------------------------------------------------------------------


def test_pid_and_prompt_are_read_alike_everywhere(tmp_path: Path, hashing) -> None:
    """`pid` is an id and `prompt` a question to every verb, not to one of them."""
    (tmp_path / "a.png").write_bytes(png(1))
    path = tmp_path / "my.jsonl"
    path.write_text(json.dumps({"pid": 7, "prompt": QUESTIONS[0], "image": "a.png"}) + "\n")
    _, checked, _ = verb("check", path, "--checker", "safety", "--type", "exaggerated_risk")
    _, compared, _ = verb("dedup", path)
    _, against, _ = verb("dedup", path, "--against", path)
    assert checked["items"][0]["id"] == compared["items"][0]["id"] == "7"
    assert against["items"][0]["nearest"] == "my/7"


def test_odd_rows_are_named_and_the_others_are_compared(tmp_path: Path, hashing) -> None:
    """Also of a set to keep away from: a picture outside its folder is not opened, its question still counts."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(1))
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "good.png").write_bytes(png(2))
    names = ["good.png", "../secret.png", "gone.png", "broken.png"]
    lines = [json.dumps({"id": str(n), "question": QUESTIONS[n], "file_name": name}) for n, name in enumerate(names)]
    (folder / "metadata.jsonl").write_text("\n".join([*lines, "{oops", json.dumps({"file_name": "good.png"})]))
    found = open_set(folder)
    assert [record.id for record in found] == ["0", "1", "2", "3", "row 5", "row 6"]
    assert found.by_id["1"].picture is None
    assert [record.id for record in found.asking] == ["0", "1", "2", "3"]
    assert [record.id for record in found.usable] == ["0", "3"]
    assert "line 5: not valid JSON" in found.problems["row 5"]
    assert "4 of 6 records have a problem; the first, 1: its picture '../secret.png' lies outside" in str(found.odd())
    code, result, _ = verb("dedup", folder, "--against", folder)
    assert (code, [item["id"] for item in result["items"]]) == (0, ["0", "1", "2", "3"])
    assert result["items"][1]["image_score"] is None
    assert set(result["problems"]) == {f"set/{key}" for key in ("1", "2", "3", "row 5", "row 6")}
    assert len(found.sha256()) == 64


def test_a_reader_that_is_left_off_leaves_the_limit_of_cells_as_it_was(six, tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = table(tmp_path / "long.csv", ",", [{"id": n, "question": "a" * 200_000} for n in range(200)])
    lines = read_lines(long)
    assert len(next(lines).value["question"]) == 200_000
    assert csv.field_size_limit() == before
    assert next(lines).number == 3
    lines.close()
    assert csv.field_size_limit() == before


def test_one_id_twice_in_a_file_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "x", "question": "One?"}\n{"id": "x", "question": "Two?"}\n')
    assert [record.id for record in open_set(tmp_path / "a.jsonl")] == ["x", "x#2"]


def test_a_picture_that_an_earlier_row_of_a_tsv_has(tmp_path: Path) -> None:
    """As in VLMEvalKit, which writes a picture that several questions are about once."""
    rows = [{"index": 1, "image": base64.b64encode(png(1)).decode(), "question": "What?"}]
    path = table(tmp_path / "a.tsv", "\t", [*rows, {"index": 2, "image": 1, "question": "Why?"}])
    assert [record.picture_bytes() for record in open_set(path)] == [png(1)] * 2


def test_audit_names_what_it_could_not_look_for(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "x", "question": QUESTIONS[0], "image": "gone.png"}) + "\n")
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": QUESTIONS[0]}) + "\n")
    code, result, _ = verb("audit", tmp_path / "train.jsonl", "--against", tmp_path / "a.jsonl", "--exact")
    assert (code, [hit["item"] for hit in result["hits"]]) == (1, ["x"])
    [odd] = result["unreadable"]
    assert odd.startswith("a/x: ")
    assert "there is no such picture" in odd


def test_a_type_of_ones_own_is_for_those_that_do_not_say_theirs(tiny, tmp_path: Path) -> None:
    rows = [
        {"question": "One?"},
        {"question": "Two?", "type": "negated_harm"},
        {"question": "Three?", "type": "theirs"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [r.type for r in open_set(tmp_path / "a.jsonl")] == [None, "negated_harm", "theirs"]
    assert [r.type for r in open_set(tmp_path / "a.jsonl", type=str(tiny))] == ["tiny", "negated_harm", "tiny"]


# -- for notebooks -------------------------------------------------------------------------------------


def test_a_set_becomes_the_tables_of_other_libraries(six) -> None:
    found = open_set(six["parquet"])
    frame = found.to_pandas()
    assert list(frame["id"]) == IDS
    assert list(frame["question"]) == list(QUESTIONS)
    theirs = found.to_datasets()
    assert theirs["id"] == IDS
    assert isinstance(theirs[0]["image"], Image.Image)
    assert json.loads(theirs[0]["facts"]) == {"human": True, "child": False}


def test_a_notebook_shows_pictures_and_nothing_else_of_a_foreign_row(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    evil = "<script>alert(1)</script>"
    rows = [{"id": evil, "question": f"Why {evil}?", "file_name": "a.png"}, {"question": "No picture?"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows * 10)))
    shown = open_set(tmp_path / "a.jsonl")._repr_html_()
    assert "<script" not in shown
    assert shown.count("<img ") == 5
    assert "and 10 more" in shown


def test_every_form_is_there(six) -> None:
    assert set(six) == set(FORMS)
