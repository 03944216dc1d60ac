"""Sets of other people: read without loss, counted where something is missing, written back as they were."""

import csv
import json
import os
from pathlib import Path

import pytest
from PIL import Image
from support.command import mossgen

from mossgen.errors import ConfigError
from mossgen.sets.importing import import_set, problems, stated_licence, write_back
from mossgen.sets.open import open_set
from mossgen.sets.references import locate

MOSSBENCH = Path(os.environ.get("MOSSBENCH", "not-there"))  # the folder with data and data_contrast


def png(path: Path, shade: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (shade, 120, 60)).save(path)
    return path


def row(pid: str, **more: object) -> dict:
    return {
        "image": f"images/{pid}.png", "short description": "A \u201cred\u201d kite.", "description": "…",
        "question": f"Where could I fly number {pid}?", "pid": pid,
        "metadata": {"over": "type 2", "human": 0, "child": 1, "syn": 0, "ocr": 0, "harm": [7, 3]}, **more,
    }  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder in MOSSBench's layout, both halves, with one picture missing and one broken."""
    root = tmp_path / "bench"
    for part in ("data", "data_contrast"):
        for pid in ("1", "9", "10"):
            png(root / part / "images" / f"{pid}.png", 10 * int(pid))
        information = root / part / "images_information" / "information.json"
        information.parent.mkdir()
        rows = {pid: row(pid) for pid in ("9", "1", "10")}
        if part == "data_contrast":
            rows["1"]["metadata"] = {"over": "type 2"}
            rows["1"]["odd key"] = {"code": 0.5, "half": "\ud83d"}
        information.write_text(json.dumps(rows, indent=1))
    (root / "data" / "images" / "9.png").unlink()
    (root / "data" / "images" / "10.png").write_bytes(b"no picture")
    return root


def information(root: Path) -> list[bytes]:
    return [(root / p / "images_information" / "information.json").read_bytes() for p in ("data", "data_contrast")]


def test_mossbench_comes_back_as_it_was(bench: Path, tmp_path: Path) -> None:
    made = import_set("mossbench", bench, "bench", out=tmp_path / "ref")
    assert made.items == 6
    assert made.test_only
    assert "prohibited" in made.licence
    assert set(made.missing) == {"9", "10"}  # one missing, one that is no picture
    assert "no such picture" in made.problems["9"]
    write_back(tmp_path / "ref", tmp_path / "again")
    assert information(tmp_path / "again") == information(bench)
    again = (tmp_path / "again/data_contrast/images/9.png").read_bytes()
    assert again == (bench / "data_contrast/images/9.png").read_bytes()
    reference = open_set(tmp_path / "ref")
    assert (reference.name, reference.test_only, len(reference)) == ("bench", True, 6)
    assert {r.id for r in reference if r.picture is None} == {"9", "10"}
    assert {r.id for r in reference} == {"1", "9", "10", "contrast-1", "contrast-9", "contrast-10"}
    assert len(reference.sha256()) == 64


def test_real_mossbench_comes_back_byte_by_byte(tmp_path: Path) -> None:
    if not MOSSBENCH.is_dir():
        pytest.skip("the environment variable MOSSBENCH names no folder with MOSSBench's data")
    made = import_set("mossbench", MOSSBENCH, "mossbench", out=tmp_path / "ref")
    assert (made.items, made.missing) == (145 + 124, ())
    write_back(tmp_path / "ref", tmp_path / "again")
    assert information(tmp_path / "again") == information(MOSSBENCH)


def test_the_hubs_imagefolder(tmp_path: Path) -> None:
    """Two folders with a metadata.csv each and the same pids: told apart, typed by the code, written back."""
    root = tmp_path / "hub"
    for part in ("contrast", "oversensitivity"):
        png(root / part / "images" / "1.png")
        with (root / part / "metadata.csv").open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["file_name", "pid", "question", "short description", "metadata_over", "metadata_harm"])
            writer.writerow(["images/1.png", "1", 'Is this, "here", fine?', "x", "type 3", "[7]"])
    (root / "README.md").write_text("---\nlicense: cc-by-sa-4.0\n---\nUsing it as a training set is prohibited.\n")
    made = import_set("imagefolder", root, "hub", out=tmp_path / "ref")
    assert (made.items, made.licence, made.test_only) == (2, "cc-by-sa-4.0", True)
    rows = [json.loads(line) for line in (tmp_path / "ref/items.jsonl").read_text().splitlines()]
    assert [r["id"] for r in rows] == ["contrast/1", "oversensitivity/1"]
    assert {r["type"] for r in rows} == {"counterintuitive"}
    write_back(tmp_path / "ref", tmp_path / "again")
    for part in ("contrast", "oversensitivity"):
        assert (tmp_path / "again" / part / "metadata.csv").read_text() == (root / part / "metadata.csv").read_text()


def test_jsonl_comes_back(tmp_path: Path) -> None:
    png(tmp_path / "set" / "a.png")
    lines = [
        {"image": "a.png", "question": "What is this for?", "harm": [1, 2]},
        {"image": "b.png", "prompt": "And …?"},
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (tmp_path / "set" / "my.jsonl").write_text(text, encoding="utf-8")
    made = import_set("jsonl", tmp_path / "set/my.jsonl", "my", "cc0-1.0", out=tmp_path / "ref")
    assert (made.items, len(made.missing), made.test_only) == (2, 1, False)
    write_back(tmp_path / "ref", tmp_path / "again")
    assert (tmp_path / "again/my.jsonl").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: mit\n---\n", ("mit", False)),
        ("license: x\nThis data must not be used for training.", ("x", True)),
        ("This is a test set only.", ("", True)),
        ("We trained nothing here.", ("", False)),
    ],
)
def test_licences_are_read(tmp_path: Path, text: str, expected: tuple[str, bool]) -> None:
    (tmp_path / "README.md").write_text(text)
    assert stated_licence(tmp_path) == expected


def test_bad_input_is_a_sentence_and_leaves_nothing(bench: Path, tmp_path: Path) -> None:
    png(tmp_path / "set" / "a.png")
    table = tmp_path / "set" / "my.jsonl"
    table.write_text('{"image": "a.png", "question": "What is this?"}\n')
    out = tmp_path / "ref"
    with pytest.raises(ConfigError, match="states no licence"):
        import_set("jsonl", table, "my", out=out)
    table.write_text('{"image": "a.png"\n')
    with pytest.raises(ConfigError, match="line 1: not valid JSON"):
        import_set("jsonl", table, "my", "cc0", out=out)
    with pytest.raises(ConfigError, match="letters, digits"):
        import_set("mossbench", bench, "../up", out=out)
    with pytest.raises(ConfigError, match="no MOSSBench folder"):
        import_set("mossbench", tmp_path / "set", "x", out=out)
    with pytest.raises(ConfigError, match="no imported set"):
        write_back(bench, out)
    assert not out.exists()


def test_an_imported_set_of_somebody_else_leads_nowhere_and_shows_changes(bench: Path, tmp_path: Path) -> None:
    """Altered rows are refused; with a hash made to fit, names still cannot leave the set, to be read or written."""
    import hashlib

    ref = tmp_path / "ref"
    import_set("mossbench", bench, "bench", out=ref)
    assert problems(ref) == []
    lines = (ref / "items.jsonl").read_text().splitlines()
    head = json.loads((ref / "reference.json").read_text())

    def forged(**changes: object) -> None:
        last = {**json.loads(lines[-1]), **changes}
        text = "\n".join([*lines[:-1], json.dumps(last)]) + "\n"
        (ref / "items.jsonl").write_text(text)
        (ref / "reference.json").write_text(
            json.dumps({**head, "items_sha256": hashlib.sha256(text.encode()).hexdigest()})
        )

    (ref / "items.jsonl").write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(ConfigError, match=r"items\.jsonl was altered"):
        open_set(ref)
    secret = png(tmp_path / "secret.png")
    for image in (str(secret), "../secret.png", "images/../../secret.png"):
        forged(image=image)
        with pytest.raises(ConfigError, match="is no picture of it"):
            open_set(ref)
    for path in ("../up.png", str(tmp_path / "up.png")):
        forged(path=path)
        with pytest.raises(ConfigError, match="lies outside of the set"):
            write_back(ref, tmp_path / "again")
    assert not (tmp_path / "up.png").exists()
    assert not (tmp_path / "again").exists()
    forged()
    assert problems(ref) == []
    png(ref / json.loads(lines[-1])["image"], 7)
    assert "is missing or was changed" in problems(ref)[0]
    with pytest.raises(ConfigError, match="was changed"):
        write_back(ref, tmp_path / "again")
    done = mossgen("verify", ref)
    assert (done.returncode, "was changed" in done.stdout) == (1, True)


def test_the_verb_and_its_name(bench: Path, tmp_path: Path) -> None:
    done = mossgen("import", "mossbench", bench, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {k: result[k] for k in ("name", "items", "missing_images", "test_only")} == {
        "name": "bench", "items": 6, "missing_images": 2, "test_only": True,
    }  # fmt: skip
    folder = tmp_path / "generated/references/bench"
    assert (folder / "reference.json").is_file()
    assert locate("bench") == Path("bench")  # not from here
    listed = mossgen("references", "list", cwd=tmp_path)
    assert "bench" in listed.stdout
    wrong = mossgen("import", "jsonl", "nowhere.jsonl", cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
