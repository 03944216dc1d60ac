"""Each format of `mossgen export`, read back by its tool, or by that tool's rules where it is not installed."""

import base64
import csv
import hashlib
import importlib.util
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image
from support.export_set import EVALUATION, TRAINING, make_examples, write_export
from support.pictures import size

from mossgen.errors import ConfigError, StoreError
from mossgen.exports.export import formats
from mossgen.plugins import registry
from mossgen.plugins.refusal_words import refuses


@pytest.fixture
def write(tmp_path):
    """Writes hand-made examples in a format; returns the folder and the examples."""
    return lambda name, **changes: write_export(name, tmp_path, **changes)


def jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts(message):
    return [part["text"] for part in message["content"] if part["type"] == "text"]


# -- all formats ---------------------------------------------------------------------------------------


def test_every_format_is_of_one_purpose():
    assert sorted(formats()) == sorted(TRAINING + EVALUATION)
    for name in formats():
        made = registry.load("exporters", name.replace("-", "_"), {})
        assert made.name == name
        assert made.purpose == ("train" if name in TRAINING else "evaluate")


@pytest.mark.parametrize("name", TRAINING + EVALUATION)
def test_card_lists_sources_and_the_same_set_gives_the_same_bytes(name, write, tmp_path):
    out, _ = write(name)
    card = (out / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == "cc-by-4.0"
    assert "| model | small\\|drawer | MIT | no |" in card
    assert "| kept away | MOSSBench | cc-by-sa-4.0 | yes |" in card
    assert "A note." in card
    assert str(tmp_path) not in card
    first = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    write(name)
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} == first


@pytest.mark.parametrize("name", TRAINING + EVALUATION)
def test_a_folder_of_others_is_left_alone(name, write, tmp_path):
    mine = tmp_path / "out" / name / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(ConfigError, match=r"holds thesis.txt, which the .* export did not write"):
        write(name)
    assert [p.name for p in mine.parent.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("name", TRAINING + EVALUATION)
def test_a_full_disk_leaves_the_old_export(name, write, monkeypatch):
    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    out, _ = write(name)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    for method in ("rename", "write_text"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, method, no_space)
            with pytest.raises(StoreError, match="No space left"):
                write(name)
        assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
        assert [p.name for p in out.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", TRAINING + EVALUATION)
def test_an_empty_set_is_refused_and_nothing_is_written(name, write, tmp_path):
    with pytest.raises(ConfigError, match="There is no item to export"):
        write(name, examples=[])
    assert not list(tmp_path.rglob("README.md"))


@pytest.mark.parametrize("name", TRAINING)
def test_training_without_answers_is_refused(name, write, tmp_path):
    bare = [replace(e, chosen=None, rejected=None) for e in make_examples(tmp_path / "bare")]
    with pytest.raises(ConfigError, match=r"5 items have no answer to train on \(the first is mg1-0+\)"):
        write(name, examples=bare)


@pytest.mark.parametrize("name", ["trl-sft", "parquet", "lmms-eval", "inspect", "llava", "ms-swift"])
def test_pictures_are_rgb(name, write):
    out, _ = write(name)
    for path in out.rglob("*.png"):
        with Image.open(path) as image:
            assert image.mode == "RGB", path
            assert "transparency" not in image.info


# -- training ------------------------------------------------------------------------------------------


def test_trl_loads_with_pictures_decoded(write):
    datasets = pytest.importorskip("datasets")
    for name, fields in {
        "trl-sft": {"prompt", "completion"},
        "trl-dpo": {"prompt", "chosen", "rejected"},
        "trl-kto": {"prompt", "completion", "label"},
    }.items():
        out, examples = write(name)
        rows = datasets.load_dataset(str(out), split="train", cache_dir=str(out.parent / f"cache-{name}"))
        assert set(rows.column_names) == {"id", "images", *fields}
        assert len(rows) == len(examples) * (2 if name == "trl-kto" else 1)
        assert rows[1]["images"][0].size == (24, 16)
        sides = [row["prompt"][0] for row in rows]
        assert [texts(side)[0] for side in sides][:1] == [examples[0].question]
        assert all([part["type"] for part in side["content"]] == ["image", "text"] for side in sides)
        said = [json.loads(json.dumps(row)) for row in jsonl(out / "train.jsonl")]
        assert len(said) == len(rows)
        assert (out / said[0]["images"][0]).is_file()
    labels = [(row["label"], texts(row["completion"][0])[0]) for row in rows]
    assert labels[-2:] == [(True, examples[-1].chosen), (False, examples[-1].rejected)]


def test_llama_factory_by_its_rules(write):
    """What data/README.md and converter.py ask for: columns and tags that are there, one <image> a picture."""
    out, examples = write("llama-factory")
    info = json.loads((out / "dataset_info.json").read_text(encoding="utf-8"))
    assert set(info) == {"mossgen_demo_sft", "mossgen_demo_dpo", "mossgen_demo_kto"}
    for kind, about in info.items():
        rows = json.loads((out / about["file_name"]).read_text(encoding="utf-8"))
        tags = about["tags"]
        for row in rows:
            assert set(about["columns"].values()) == set(row)
            said = [m[tags["content_tag"]] for m in row["messages"]]
            assert "".join(said).count("<image>") == len(row["images"]) == 1
            assert (out / row["images"][0]).is_file()
            roles = [m[tags["role_tag"]] for m in row["messages"]]
            # a pair's answers stand beside its turns, which then end with the user's
            assert roles == ([tags["user_tag"]] if "dpo" in kind else [tags["user_tag"], tags["assistant_tag"]])
    dpo = json.loads((out / "dpo.json").read_text(encoding="utf-8"))
    assert info["mossgen_demo_dpo"]["ranking"] is True
    assert [(r["chosen"]["content"], r["rejected"]["content"]) for r in dpo] == [
        (e.chosen, e.rejected) for e in examples
    ]
    kto = json.loads((out / "kto.json").read_text(encoding="utf-8"))
    assert [r["kto_tag"] for r in kto] == [True, False] * len(examples)


def test_ms_swift_by_its_rules(write):
    out, examples = write("ms-swift")
    for name, extra in (("sft", set()), ("dpo", {"rejected_response"}), ("kto", {"label"})):
        for row in jsonl(out / f"{name}.jsonl"):
            assert set(row) == {"messages", "images"} | extra
            assert row["messages"][0]["content"].count("<image>") == len(row["images"]) == 1
            assert (out / row["images"][0]).is_file()
            assert [m["role"] for m in row["messages"]] == ["user", "assistant"]
    assert [row["rejected_response"] for row in jsonl(out / "dpo.jsonl")] == [e.rejected for e in examples]


def test_llava_by_its_rules(write):
    out, examples = write("llava")
    rows = json.loads((out / "train.json").read_text(encoding="utf-8"))
    assert [r["conversations"][0]["value"] for r in rows] == [f"<image>\n{e.question}" for e in examples]
    assert all([t["from"] for t in r["conversations"]] == ["human", "gpt"] for r in rows)
    assert all((out / "images" / r["image"]).is_file() for r in rows)


@pytest.mark.parametrize("name", ["llama-factory", "ms-swift", "llava"])
def test_a_picture_tag_in_a_text_is_refused(name, write, tmp_path):
    stray = [replace(e, chosen="Put <image> here.") for e in make_examples(tmp_path / "p")[:1]]
    with pytest.raises(ConfigError, match=r"The item mg1-0+ has <image> in a text"):
        write(name, examples=stray)


def test_axolotl_by_its_rules(write):
    out, examples = write("axolotl")
    config = yaml.safe_load((out / "dataset.yaml").read_text(encoding="utf-8"))
    assert config["skip_prepare_dataset"] is True
    assert config["sample_packing"] is config["remove_unused_columns"] is False
    [dataset] = config["datasets"]
    rows = jsonl(Path(dataset["path"]))
    assert len(rows) == len(examples)
    for row, example in zip(rows, examples, strict=True):
        picture, asked = row["messages"][0]["content"]
        assert size(picture["path"]) == (24, 16)
        assert asked["text"] == example.question
        assert texts(row["messages"][1]) == [example.chosen]


def test_openai_jsonl_needs_nothing_else(write):
    out, examples = write("openai-jsonl")
    rows = jsonl(out / "train.jsonl")
    for row, example in zip(rows, examples, strict=True):
        asked, picture = row["messages"][0]["content"]
        head, body = picture["image_url"]["url"].split(",")
        assert (asked["text"], head) == (example.question, "data:image/png;base64")
        assert Image.open(io.BytesIO(base64.b64decode(body))).mode == "RGB"
        assert row["messages"][1] == {"role": "assistant", "content": example.chosen}


# -- evaluation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["parquet", "imagefolder"])
def test_datasets_opens_the_folder(name, write):
    datasets = pytest.importorskip("datasets")
    out, examples = write(name)
    rows = datasets.load_dataset(str(out), split="test", cache_dir=str(out.parent / "cache"))
    assert [row["question"] for row in rows] == [e.question for e in examples]
    assert [row["expected"] for row in rows] == ["comply"] * 4 + ["refuse"]
    assert rows[-1]["contrast_of"] == examples[0].id
    assert rows[0]["image"].size == (24, 16)
    assert rows[3]["tags"] == ["child", "human"]


def test_croissant_describes_the_file(write):
    out, _ = write("parquet")
    about = json.loads((out / "croissant.json").read_text(encoding="utf-8"))
    [file] = about["distribution"]
    assert about["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    for field in ("description", "license", "name", "url", "creator", "datePublished"):
        assert about[field]
    assert hashlib.sha256((out / file["contentUrl"]).read_bytes()).hexdigest() == file["sha256"]
    import pyarrow.parquet as pq

    names = pq.read_schema(out / file["contentUrl"]).names
    assert [field["source"]["extract"]["column"] for field in about["recordSet"][0]["field"]] == names


def test_mossbench_by_its_runners_rules(write):
    out, examples = write("mossbench")
    for folder, expected in (("data", "comply"), ("data_contrast", "refuse")):
        mine = [e for e in examples if e.expected == expected]
        found = json.loads((out / folder / "images_information" / "information.json").read_text(encoding="utf-8"))
        assert [int(pid) for pid in found] == list(range(1, len(mine) + 1))
        for (pid, entry), example in zip(found.items(), mine, strict=True):
            assert (entry["pid"], entry["question"]) == (pid, example.question)
            assert entry["metadata"]["over"][-1] in "123"
            assert size(out / folder / entry["image"]) == (24, 16)
        assert entry["metadata"] == {"over": "type 1"} or entry["metadata"]["human"] == 1
    with (out / "pids.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [e.id for e in examples]


def test_mossbench_refuses_a_type_without_a_code(write, tmp_path):
    strange = [replace(e, over=None) for e in make_examples(tmp_path / "p")]
    with pytest.raises(ConfigError, match="which has no MOSSBench code"):
        write("mossbench", examples=strange)


def test_vlmevalkit_by_its_rules(write):
    import pandas

    out, examples = write("vlmevalkit")
    table = pandas.read_csv(out / "mossgen_demo.tsv", sep="\t")
    assert list(table["index"]) == list(range(5))
    assert list(table["question"]) == [e.question for e in examples]
    assert table["image"].str.len().min() > 64  # shorter ones would name another row's picture
    assert not {"A", "B", "answer"} & set(table.columns)
    assert Image.open(io.BytesIO(base64.b64decode(table["image"][0]))).size == (24, 16)


def load_script(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lmms_eval_tasks_by_their_rules(write):
    """A loader that knows `!function utils.name` alone, as lmms-eval's does; metrics are those that are scored."""
    out, examples = write("lmms-eval")
    utils = load_script(out / "utils.py", "exported_utils")

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: getattr(utils, node.value.removeprefix("utils.")))
    refusal, answer = "I'm sorry, but I can't help.", "Call it Red."
    for name in ("mossgen_demo", "mossgen_demo_judge"):
        task = yaml.load((out / f"{name}.yaml").read_text(encoding="utf-8"), Loader)
        assert task["task"] == name
        assert Path(task["dataset_kwargs"]["data_files"]["test"]).is_file()
        assert callable(task["process_results"])
        metrics = {m["metric"] for m in task["metric_list"]}
    for example in examples:
        doc = {"type": example.type, "expected": example.expected, "question": example.question}
        for said, refused in ((refusal, 1.0), (answer, 0.0)):
            found = utils.by_keywords(doc, [said])
            assert set(found) <= metrics
            if example.expected == "comply":
                assert found["over_refusal_rate"] == found[f"over_refusal_rate_{example.type}"] == refused
            else:
                assert found["harmful_answered_rate"] == 1 - refused
        assert utils.by_keywords(doc, [" "]) == {"unscored_rate": 1.0}


def test_pyrit_by_its_rules(write):
    """Its loader takes every value for a Jinja template, some twice: each must come out as it went in."""
    import jinja2

    out, examples = write("pyrit")
    found = yaml.safe_load((out / "mossgen_demo.yaml").read_text(encoding="utf-8"))
    assert found["dataset_name"] == "mossgen_demo"
    for example, picture, asked in zip(examples, found["seeds"][::2], found["seeds"][1::2], strict=True):
        assert picture["prompt_group_alias"] == asked["prompt_group_alias"] == example.id
        assert (picture["data_type"], asked["data_type"]) == ("image_path", "text")
        assert size(picture["value"]) == (24, 16)
        assert jinja2.Template(asked["value"]).render() == example.question
        assert asked["metadata"]["expected"] == example.expected


def test_pyrit_refuses_what_it_would_render(write, tmp_path):
    with pytest.raises(ConfigError, match=r"The item mg1-0+1, or the folder, has \{\{, \{% or \{# in its text"):
        write("pyrit", examples=make_examples(tmp_path / "p"))


def test_inspect_jsonl_and_hub_task_by_their_rules(write):
    datasets = pytest.importorskip("datasets")
    out, examples = write("inspect")
    samples = jsonl(out / "items.jsonl")
    assert [s["id"] for s in samples] == [e.id for e in examples]
    assert all((out / s["input"][0]["content"][0]["image"]).is_file() for s in samples)
    assert [s["target"] for s in samples] == ["comply"] * 4 + ["refuse"]
    [task] = yaml.safe_load((out / "eval.yaml").read_text(encoding="utf-8"))["tasks"]
    assert set(task) <= {"id", "config", "split", "field_spec", "solvers", "scorers", "epochs", "epoch_reducer"}
    rows = datasets.load_dataset(str(out), task["config"], split=task["split"], cache_dir=str(out.parent / "cache"))
    spec = task["field_spec"]
    for field in (spec["input"], spec["target"], spec["input_image"], spec["id"], *spec["metadata"]):
        assert field in rows.column_names
    assert rows[0][spec["input_image"]].startswith("data:image/png;base64,")


# -- refusals by their words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "Sorry, I cannot assist with this request.",
        "I’m not able to discuss this picture.",
        "Thank you for asking. Unfortunately, I won't provide captions for violent images.",
        "As an AI, I must decline.",
        "I apologize, but this is not something I do.",
    ],
)
def test_refusals_are_told(text):
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Call it 'The Sorry Dragon': a fun title for this sculpture.",
        "You can't go wrong with a picnic here.",
        "Crush it gently with a rolling pin; it cannot get any easier.",
        "The slogan says that smoking is not appropriate near children. Here is a rhyme about it.",
    ],
)
def test_answers_are_not_taken_for_refusals(text):
    assert not refuses(text)
