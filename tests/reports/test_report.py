"""`mossgen report`: its figures, its plots, its page in a browser, and what it says of bad input."""

import csv
import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image
from support.command import verb
from support.responses import NO, YES, write

from mossgen.files.responses import ResponseRow
from mossgen.judgements import plots
from mossgen.judgements.labels import Label
from mossgen.judgements.rates import by_judge, cells
from mossgen.probes.items import askable, open_items

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def judged(made_run, tmp_path):
    """A run, and three targets' labelled responses to its items and to as many harmful partners."""
    rows = []
    for number, target in enumerate(("mild", "middling", "strict")):
        for i, record in enumerate(askable(open_items(made_run))):
            rows.append({"id": record.id, "target": target, "response": NO if i < number else YES})
            rows.append({"id": f"p{i}", "target": target, "response": NO if i <= number - 1 else YES,
                         "expected": "refuse", "type": "tiny", "question": EVIL})  # fmt: skip
    file = write(tmp_path / "said.jsonl", *rows)
    out = tmp_path / "judged"
    assert verb("judge", file, "--items", made_run, "--judge", "keywords", "--judge", "embedded", "--out", out)[0] == 0
    return out


def test_a_report_has_page_plots_and_numbers(judged, made_run, tmp_path):
    out = tmp_path / "report"
    code, result, _ = verb("report", judged, made_run, "--judge", "keywords", "--out", out)
    assert code == 0
    stems = ("refusal", "contrast", "oversensitivity", "judges", "contents")
    assert {re.sub(".*/", "", file) for file in result["files"]} == {
        "index.html", "rates.csv", "items.csv", "report.json", *(f"{s}.{e}" for s in stems for e in ("png", "svg")),
    }  # fmt: skip
    for stem in stems:
        with Image.open(out / f"{stem}.png") as image:
            assert min(image.size) > 150
            assert len(image.convert("RGB").getcolors(1 << 24)) > 20  # something is drawn
        assert (out / f"{stem}.svg").read_text().lstrip().startswith("<?xml")
    report = json.loads((out / "report.json").read_text())
    assert [c["rho"] for c in report["correlations"] if c["judge"] == "keywords" and c["type"] == "all"] == [1.0]
    assert report["contents"]["tiny"]["category"]
    rates = list(csv.DictReader((out / "rates.csv").open()))
    assert len(rates) == len(report["rates"])
    top = next(iter(csv.DictReader((out / "items.csv").open())))
    assert (top["refusals"], top["responses"]) == ("2", "3")
    assert top["picture"].endswith(".png")
    assert "strict: refusal" in top["labels"]


def test_the_same_labels_give_the_same_bytes(judged, made_run, tmp_path):
    for name in ("a", "b"):
        verb("report", judged, made_run, "--out", tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_the_page_is_self_contained_and_lets_nothing_in(tmp_path):
    file = write(tmp_path / f"{'x' * 30}.jsonl", {"id": EVIL, "target": f"$x^2$ {EVIL}", "response": NO,
                                                  "question": EVIL, "type": EVIL, "category": EVIL})  # fmt: skip
    verb("judge", file, "--judge", "keywords", "--out", tmp_path / "judged")
    assert verb("report", tmp_path / "judged", "--out", tmp_path / "out")[0] == 0
    text = (tmp_path / "out" / "index.html").read_text()
    tags = Tags(text).found
    assert not [tag for tag, _ in tags if tag in ("script", "iframe", "object", "link")]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert all(a["src"].startswith("data:image/") for tag, a in tags if tag == "img")
    policy = next(a["content"] for tag, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert EVIL not in text
    assert "&lt;script&gt;" in text


def test_pictures_of_the_most_refused_come_from_the_set(judged, made_run, tmp_path):
    verb("report", judged, "--out", tmp_path / "without")
    verb("report", judged, made_run, "--out", tmp_path / "with")
    counts = [(tmp_path / name / "index.html").read_text().count("data:image/webp") for name in ("without", "with")]
    assert counts[0] == 0
    assert counts[1] == sum(
        item["refusals"] > 0 for item in json.loads((tmp_path / "with" / "report.json").read_text())["items"]
    )


def test_a_set_alone_is_described(made_run, tmp_path):
    code, result, _ = verb("report", made_run, "--out", tmp_path / "out")
    assert code == 0
    assert {re.sub(".*/", "", f) for f in result["files"]} >= {"contents.png", "index.html"}
    assert "No model was asked yet" in (tmp_path / "out" / "index.html").read_text()


def test_many_types_and_targets_fit(tmp_path):
    rows = [ResponseRow(f"{t}{i}", "words", f"model-{t}", 0, type=f"type_{i}") for t in range(20) for i in range(9)]
    labels = [Label(r.id, r.target, 0, "j", "refusal" if i % 3 else "compliance") for i, r in enumerate(rows)]
    table = [cell for cell in cells(by_judge(rows, labels)) if cell.by in ("all", "type")]
    plots.save(tmp_path, "many", lambda figure: plots.refusal(figure, table))
    with Image.open(tmp_path / "many.png") as image:
        assert image.size[0] < 2500
        assert image.size[1] > 2000


# -- bad input -----------------------------------------------------------------------------------------


def test_bad_input_is_one_sentence_and_leaves_the_old_report(judged, tmp_path):
    out = tmp_path / "out"
    assert verb("report", judged, "--out", out)[0] == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    code, result, _ = verb("report", judged, "--judge", "oracle", "--out", out)
    assert (code, "use one of keywords, embedded" in result["error"]) == (2, True)
    (judged / "labels.jsonl").rename(judged / "kept")
    code, result, _ = verb("report", judged, "--out", out)
    assert (code, "run `mossgen judge" in result["error"]) == (2, True)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_labels_of_another_probe_are_refused(judged, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write(other / "responses.jsonl", {"id": "9", "target": "t", "response": YES})
    (other / "labels.jsonl").write_bytes((judged / "labels.jsonl").read_bytes())
    code, result, _ = verb("report", other, "--out", tmp_path / "out")
    assert (code, "not among the responses" in result["error"]) == (2, True)


def test_nowhere_and_somebody_elses_folder(judged, tmp_path):
    code, result, _ = verb("report", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert (code, "no set is there" in result["error"]) == (2, True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    code, result, _ = verb("report", judged, "--out", tmp_path / "mine")
    assert (code, "letter.txt" in result["error"]) == (2, True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
