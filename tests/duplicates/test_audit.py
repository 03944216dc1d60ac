"""Audits of training data in every format, and the report of nearest references; the embedder is the real one."""

import base64
import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from support.command import mossgen
from support.runs import make_run, metadata

from mossgen.duplicates.audit import audit
from mossgen.duplicates.report import dedup
from mossgen.errors import ConfigError
from mossgen.files.tables import read_rows
from mossgen.sets import lineage
from mossgen.splits.split import split


@pytest.fixture(autouse=True)
def one_load(monkeypatch, clip):
    """The real embedder, loaded once."""
    monkeypatch.setattr("mossgen.duplicates.embedding.load_embedder", lambda part, progress: clip)


@pytest.fixture(scope="module")
def made(tmp_path_factory, clip):
    root = tmp_path_factory.mktemp("audit")
    make_run(root / "run", "counterintuitive", 20, vectors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mossgen.splits.split.load_embedder", lambda part, progress: clip)
        return split([root / "run"], out=root / "set", test=0.2)


@pytest.fixture
def held(made) -> dict:
    """An item of the test side."""
    return metadata(made.folder / "test")[0]


def chat(text: str, **more: object) -> dict:
    return {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}], **more}


def write(path: Path, rows: list[dict]) -> Path:
    """The rows in the format of the name."""
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps({"data": rows}), encoding="utf-8")
    elif path.suffix == ".csv":
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerows([["conversation"], *([json.dumps(row)] for row in rows)])
        path.write_text(stream.getvalue(), encoding="utf-8")
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pytest.importorskip("pyarrow").Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_a_copied_question_and_the_canary_are_found(made, held, tmp_path: Path, suffix: str) -> None:
    rows = [
        chat("Tell me about the history of bread."),
        chat(f"<image>\n{held['question'].upper()}"),
        chat(f"Nothing. {made.head['canary']['test']}"),
        chat(f"Nothing. {made.head['canary']['train']}"),
    ]
    found = audit(write(tmp_path / f"data.{suffix}", rows), made.folder, exact=True)
    assert [(hit.row, hit.item, hit.how) for hit in found.hits] == [(2, held["id"], "question")]
    assert found.canaries == {"test": 3}
    assert found.rows == 4


def test_pictures_are_found_however_they_are_kept(made, held, tmp_path: Path) -> None:
    data = (made.folder / "test" / held["file_name"]).read_bytes()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(data)
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    rows = [
        {"image": "pictures/a.png"},
        {"images": [{"url": url}]},
        {"image": "gone.png"},
        {"image": "/etc/shadow.png"},
    ]
    found = audit(write(tmp_path / "data.jsonl", rows), made.folder, exact=True)
    assert [(hit.row, hit.how) for hit in found.hits] == [(1, "picture"), (2, "picture")]
    assert found.pictures == 2
    assert len(found.unreadable) == 2
    rows = [{"image": {"bytes": data, "path": None}, "q": "x"}]
    assert audit(write(tmp_path / "data.parquet", rows), made.folder, exact=True).hits[0].how == "picture"


def drawing() -> Image.Image:
    image = Image.new("RGB", (96, 96), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((10, 20, 60, 70), fill="red")
    draw.rectangle((50, 60, 90, 90), fill="blue")
    return image


def test_near_copies_are_found_and_strangers_are_not(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    drawing().save(theirs / "a.png")
    row = {"file_name": "a.png", "id": "their-item-1", "question": "How do I kill the lights in this room?"}
    (theirs / "metadata.jsonl").write_text(json.dumps(row))
    drawing().resize((80, 80)).save(tmp_path / "copy.png")
    Image.effect_noise((96, 96), 90).convert("RGB").save(tmp_path / "other.png")
    rows = [
        chat("How can I kill the lights in this room?"),
        chat("Describe it for a blind person.", image="copy.png"),
        chat("Which bus goes to the museum on Sundays?", image="other.png"),
    ]
    found = audit(write(tmp_path / "data.jsonl", rows), theirs)
    assert [(hit.row, hit.item, hit.how) for hit in found.hits] == [
        (1, "their-item-1", "near by text"),
        (2, "their-item-1", "near by image"),
    ]
    assert found.hits[0].score is not None


def test_what_trains_is_not_what_tests(made) -> None:
    found = audit(made.folder / "train" / "metadata.jsonl", made.folder, exact=True)
    assert (found.hits, found.canaries, found.rows) == ([], {}, 16)
    whole = audit(made.folder / "test" / "metadata.jsonl", made.folder, exact=True)
    assert {hit.item for hit in whole.hits} == {row["id"] for row in lineage.rows(made.folder, "test")}


def test_a_question_is_found_within_a_text_if_it_has_words_enough(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    questions = ["Can I kill it?", "Kill it!", "Can I kill it or not?", "", "can i KILL it"]
    rows = [{"file_name": "a.png", "id": f"q{n}", "question": q} for n, q in enumerate(questions)]
    drawing().save(theirs / "a.png")
    (theirs / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts = [
        "Say, can I kill it or not?",
        "Can I kill it, or no?",
        "so kill it",
        "kill it",
        "Scan I kill it",
        "...",
        "I kill it can I kill",
    ]
    data = write(tmp_path / "data.jsonl", [{"a": text} for text in texts])
    found = audit(data, theirs, exact=True)
    assert [(hit.row, hit.item) for hit in found.hits] == [(1, "q0"), (1, "q2"), (2, "q0"), (4, "q1")]


def test_bad_training_files_are_a_sentence_or_are_counted(made, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        audit(tmp_path / "gone.jsonl", made.folder, exact=True)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"\.txt is not read"):
        audit(tmp_path / "a.txt", made.folder, exact=True)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        audit(tmp_path / "a.json", made.folder, exact=True)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match="not a Parquet file"):
        audit(tmp_path / "a.parquet", made.folder, exact=True)
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(ConfigError, match="no row in it"):
        audit(tmp_path / "a.jsonl", made.folder, exact=True)
    with pytest.raises(ConfigError, match="has none of the sides dev"):
        audit(tmp_path / "a.jsonl", made.folder, exact=True, sides=("dev",))
    (tmp_path / "b.jsonl").write_text(f'{{"a": "{made.head["canary"]["test"]}"')  # cut off, and still looked at
    found = audit(tmp_path / "b.jsonl", made.folder, exact=True)
    assert found.canaries == {"test": 1}
    assert "not valid JSON" in found.unreadable[0]
    deep = '{"a":' * 200 + "1" + "}" * 200
    (tmp_path / "c.jsonl").write_text(deep)
    assert audit(tmp_path / "c.jsonl", made.folder, exact=True).rows == 1
    assert list(read_rows(tmp_path / "c.jsonl", []))


def test_dedup_names_the_nearest_reference_of_every_item(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, questions in (
        (ours, ["How do I kill the lights?", "Which bus goes to the museum?", "Which bus goes to the museum?"]),
        (theirs, ["How can I kill the lights?", "Is this cheese ripe?"]),
    ):
        folder.mkdir()
        rows = []
        for number, question in enumerate(questions):
            picture = drawing().rotate(40 * number) if folder is ours else Image.new("RGB", (64, 64), (0, 90, 20))
            picture.save(folder / f"{number}.png")
            rows.append(json.dumps({"file_name": f"{number}.png", "id": f"i{number}", "question": question}))
        (folder / "metadata.jsonl").write_text("\n".join(rows))
    report = dedup(ours, [theirs], out=tmp_path / "near.json")
    result = report.to_dict()
    assert json.loads((tmp_path / "near.json").read_text()) == result
    lights, bus, again = result["items"]
    assert lights["text_nearest"] == "theirs/i0"
    assert not lights["kept"]
    assert lights["duplicate_of"].startswith("theirs/")
    assert not again["kept"]
    assert again["text_score"] == bus["text_score"]  # of the reference, whatever it duplicates
    assert result["over"]["text"] == sum(i["text_score"] >= result["thresholds"]["text"] for i in result["items"])
    assert result["references"] == {"theirs": 2}
    table = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [row["id"] for row in table] == ["i0", "i1", "i2"]
    within = dedup(ours).items
    assert within[1].nearest == "ours/i2"
    assert within[2].duplicate_of == "ours/i1"


def test_the_verbs(made, held, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [chat(held["question"])])
    done = mossgen("audit", data, "--against", made.folder, "--exact", "--json")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["hits"] == [{"row": 1, "item": held["id"], "how": "question", "score": None}]
    assert result["canary"] is False
    clean = write(tmp_path / "clean.jsonl", [chat("Hello there, friend.")])
    assert mossgen("audit", clean, "--against", made.folder, "--exact").returncode == 0
    wrong = mossgen("dedup", made.folder / "test", "--out", tmp_path / "report.txt")
    assert wrong.returncode == 2
    report = mossgen("dedup", made.folder / "test", "--out", tmp_path / "report.csv", "--json")
    assert report.returncode == 0, report.stderr
    assert len(json.loads(report.stdout)["items"]) == 4
    assert (tmp_path / "report.csv").read_text().startswith("id,kept,nearest,score,channel,")
