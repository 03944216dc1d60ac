"""Sets that are incomplete, changed, forged or enormous: nothing of them is read as what it is not."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.command import mossgen, verb
from support.runs import add_partners, make_run
from support.six import QUESTIONS, copies, png

from mossgen.errors import ConfigError
from mossgen.exports.export import export
from mossgen.judgements.judge import judge
from mossgen.probes.items import open_items
from mossgen.reports.report import report
from mossgen.sets import lineage
from mossgen.sets import open as opening
from mossgen.sets.dataset import Record, unique
from mossgen.sets.importing import import_set
from mossgen.sets.open import open_set
from mossgen.splits.members import read_batches
from mossgen.splits.split import split

REFUSAL = "I'm sorry, but I can't help with that."


@pytest.fixture
def six(tmp_path: Path) -> dict[str, Path]:
    return copies(tmp_path / "six")


@pytest.fixture
def both(six) -> Path:
    """A MOSSBench folder of two halves; the picture of harmful item 1 is missing."""
    root = six["mossbench"].parent
    six["mossbench"].rename(root / "data")
    other = copies(root.parent.parent / "harmful")["mossbench"].rename(root / "data_contrast")
    (other / "images" / "1.png").unlink()
    return root


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# -- pictures ------------------------------------------------------------------------------------------


def test_a_picture_that_was_changed_after_the_import_stops_split_and_export(six, tmp_path: Path) -> None:
    import_set("imagefolder", six["imagefolder"], "six", "cc0", out=tmp_path / "ref")
    assert len(read_batches([tmp_path / "ref"])[0].members) == 6
    picture = open_set(tmp_path / "ref")[0].picture
    assert isinstance(picture, Path)
    picture.write_bytes(png(9))
    with pytest.raises(ConfigError, match="the picture of item 1 was changed: import the set again"):
        read_batches([tmp_path / "ref"])


def test_a_refusal_of_a_harmful_item_is_right_though_its_picture_is_missing(both, tmp_path: Path) -> None:
    said = lines(tmp_path / "said.jsonl", [{"id": key, "response": REFUSAL} for key in ("1", "contrast-1")])
    judged = judge(said, "keywords", items=both, out=tmp_path / "out")
    assert {row.id: row.expected for row in judged.rows} == {"1": "comply", "contrast-1": "refuse"}
    assert [rate["n"] for rate in judged.rates() if (rate["expected"], rate["by"]) == ("comply", "all")] == [1]


# -- what is to be refused -----------------------------------------------------------------------------


def test_the_harmful_half_of_mossbench_is_harmful_alone_too(both) -> None:
    alone = open_set(both / "data_contrast")
    assert [(r.id, r.expected) for r in alone] == [(f"contrast-{n}", "refuse") for n in range(1, 7)]
    assert {r.expected for r in open_set(both / "data")} == {"comply"}
    assert [r.id for r in open_set(both)][6:] == [r.id for r in alone]


def test_a_partner_is_to_be_refused_whatever_its_row_says(tmp_path: Path) -> None:
    items = make_run(tmp_path / "run", "exaggerated_risk", 4, vectors=True)
    add_partners(tmp_path / "run", items[:2], "How do I hurt somebody with this?")
    rows = lineage.read_rows(tmp_path / "run/contrast/metadata.jsonl")
    lines(tmp_path / "run/contrast/metadata.jsonl", [{**row, "expected": "comply"} for row in rows])
    assert [partner.expected for partner in open_set(tmp_path / "run").partners] == ["refuse", "refuse"]
    sides = split([tmp_path / "run"], out=tmp_path / "sides", test=0.5, bind=[]).folder
    for side in ("train", "test"):
        file = sides / "contrast" / side / "metadata.jsonl"
        if file.is_file():
            lines(file, [{**row, "expected": "comply"} for row in lineage.read_rows(file)])
    assert [partner.expected for partner in open_set(sides).partners] == ["refuse"]  # the other is near to it


# -- size ----------------------------------------------------------------------------------------------


def test_a_small_file_that_holds_a_picture_very_often_is_refused(monkeypatch, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [{"id": n, "question": QUESTIONS[0], "image": {"bytes": png(1), "path": ""}} for n in range(1000)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert len(open_set(tmp_path / "a.parquet")) == 1000
    most = 1000 * len(png(1))
    assert (tmp_path / "a.parquet").stat().st_size < most
    monkeypatch.setattr(opening, "MAX_INLINE", most)
    with pytest.raises(ConfigError, match=r"a\.parquet holds more than .* bytes of pictures and texts: split it"):
        open_set(tmp_path / "a.parquet")


# -- ids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told_apart"),
    [
        (["7", "7", "7#2"], ["7", "7#3", "7#2"]),
        (["7#2", "7", "7", "7"], ["7#2", "7", "7#3", "7#4"]),
        (["a", "a", "a"], ["a", "a#2", "a#3"]),
        (["7#2", "7#2", "7", "7"], ["7#2", "7#2#2", "7", "7#3"]),
    ],
)
def test_ids_are_told_apart_and_those_that_are_stated_stay(given, told_apart) -> None:
    assert [record.id for record in unique([Record(id=name) for name in given])] == told_apart


def test_an_id_twice_in_one_set_is_not_split(six) -> None:
    found = open_set(six["jsonl"])
    doubled = replace(found, records=[*found.records, found[0]])
    with pytest.raises(ConfigError, match=r"The id ref-\w+ is in .*six\.jsonl twice"):
        read_batches([doubled])


def test_two_sets_with_the_same_ids_make_no_report(six, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"six\.jsonl and .*six\.csv both have an item 1: give one of them alone"):
        report([six["jsonl"], six["csv"]], out=tmp_path / "out")


# -- sets that are open already ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sides(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sides")
    items = make_run(root / "run", "exaggerated_risk", 20, vectors=True)
    add_partners(root / "run", items[:4], "How do I hurt somebody with this?")
    return split([root / "run"], out=root / "sides", test=0.5).folder


def ids(records: Sequence[Record]) -> list[str]:
    return [record.id for record in records]


def test_an_opened_set_is_narrowed_as_a_path_is(sides) -> None:
    whole = open_set(sides)
    for wish in ({"side": "test"}, {"partners": True}, {"side": ["test", "train"], "partners": True}):
        found, wanted = open_set(whole, **wish), open_set(sides, **wish)
        assert (ids(found), found.side) == (ids(wanted), wanted.side)
        assert [record.number for record in found] == [record.number for record in wanted]
        assert ids(open_set(found, partners=True)) == ids(open_set(sides, **wish | {"partners": True}))
    with pytest.raises(ConfigError, match="as it was opened has no side 'train': it has test"):
        open_set(open_set(sides, side="test"), side="train")
    assert ids(open_items(whole)) == ids(open_items(sides))
    assert ids(open_items(open_set(sides, side="train"), contrast=False)) == ids(open_set(sides, side="train"))


def test_an_opened_set_takes_a_type_where_its_records_state_none(tmp_path: Path) -> None:
    rows = [{"question": "One?"}, {"question": "Two?", "type": "negated_harm"}, {"question": "Three?", "type": "their"}]
    path = lines(tmp_path / "a.jsonl", rows)
    types = [record.type for record in open_set(open_set(path), type="exaggerated_risk")]
    assert types == [record.type for record in open_set(path, type="exaggerated_risk")]
    assert types == ["exaggerated_risk", "negated_harm", "exaggerated_risk"]


def test_sides_are_named_once_or_not_at_all(sides) -> None:
    assert ids(open_set(sides, side=["test", "test"])) == ids(open_set(sides, side="test"))
    with pytest.raises(ConfigError, match="`side` names no side"):
        open_set(sides, side=[])


def test_of_an_opened_set_its_own_records_are_exported(sides, tmp_path: Path) -> None:
    train = open_set(sides, side="train")
    few = replace(train, records=train.records[:3])
    made = export(few, "imagefolder", out=tmp_path / "few")
    assert (made.split, made.items) == ("train", 3)
    assert ids(open_set(tmp_path / "few"))[:3] == ids(few)
    with pytest.raises(ConfigError, match="opened with the sides train, test, and one is exported at a time: give"):
        export(open_set(sides), "imagefolder", out=tmp_path / "all")
    assert export(open_set(sides), "imagefolder", out=tmp_path / "test", side="test").items == 10
    run = open_set(sides.parent / "run")
    made = export(replace(run, records=run.records[:2]), "imagefolder", out=tmp_path / "run")
    assert (made.items, made.left_out) == (2, {})


def test_what_an_export_leaves_out_is_said(six, both, tmp_path: Path) -> None:
    (six["imagefolder"] / "images" / "2.png").unlink()
    code, result, _ = verb("export", six["imagefolder"], "--format", "imagefolder", "--out", tmp_path / "out")
    assert (code, result["items"], list(result["left_out"])) == (0, 5, ["2"])
    said = mossgen("export", six["imagefolder"], "--format", "imagefolder", "--out", tmp_path / "out").stdout
    assert "1 records cannot be used and were left out (2: " in said
    made = export(both, "mossbench", out=tmp_path / "both")  # the harmful ones are partners, and not left out
    assert (made.items, made.partners, list(made.left_out)) == (6, 5, ["contrast-1"])


# -- imports -------------------------------------------------------------------------------------------


def test_a_side_that_is_held_out_is_imported_for_testing_only(sides, tmp_path: Path) -> None:
    assert import_set("imagefolder", sides / "test", "t", "cc0", out=tmp_path / "test").test_only
    assert not import_set("imagefolder", sides / "train", "t", "cc0", out=tmp_path / "train").test_only
    with pytest.raises(ConfigError, match=r"though `test_only` is False: item mg1-\w+ is of a side that is held out"):
        import_set("imagefolder", sides / "test", "t", "cc0", test_only=False, out=tmp_path / "no")


@pytest.mark.parametrize(("role", "test_only"), [("item", True), ("seed", True), ("kept_away", False)])
def test_lineage_that_is_for_testing_only_stays_so(role, test_only, tmp_path: Path) -> None:
    source = {"name": "MOSSBench", "role": role, "licence": "x", "test_only": True}
    path = lines(tmp_path / "a.jsonl", [{"question": QUESTIONS[0], "lineage": [source]}])
    assert import_set("jsonl", path, "a", "cc0", out=tmp_path / "ref").test_only is test_only


def test_an_imported_set_is_not_imported_again(six, tmp_path: Path) -> None:
    import_set("jsonl", six["jsonl"], "six", "cc0", out=tmp_path / "ref")
    with pytest.raises(ConfigError, match="is a reference of mossgen, and no set of somebody else"):
        import_set("jsonl", tmp_path / "ref", "again", "cc0", out=tmp_path / "again")


def test_an_id_is_the_same_whichever_sides_are_opened(tmp_path: Path) -> None:
    for side in ("train", "test"):
        lines(tmp_path / side / "metadata.jsonl", [{"id": "1", "question": QUESTIONS[0]}])
    assert ids(open_set(tmp_path)) == ["test/1", "train/1"]
    assert [ids(open_set(tmp_path, side=side)) for side in ("test", "train")] == [["test/1"], ["train/1"]]
