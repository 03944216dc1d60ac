"""`mossgen export`: runs and sides of a set, what may not be trained on, targets, mixture, and the command line."""

import hashlib
import json
import os
from dataclasses import replace

import pytest
from PIL import Image
from support.checkers import facts
from support.command import mossgen
from support.pictures import size

from mossgen.core.items import Decision, Rating, State, Verdict, Vote
from mossgen.errors import BackendError, ConfigError, StoreError
from mossgen.exports import answers
from mossgen.exports.answers import FILE, answers_file, broken, targets, whole, write_answers
from mossgen.exports.export import export, mixed
from mossgen.plugins.protocols import Completion, Example
from mossgen.plugins.refusal_words import refuses
from mossgen.runs.store import RunStore
from mossgen.sets import lineage

GOOD = "Call this park the meadow of the red kite {}."


def asked(format, **more):
    """What is asked of `export`, beside what it writes and where."""
    return {"format": format, **more}


class Writer:
    """A stand-in for a model: gives drafts in turn, and may die."""

    name, guides, cost = "stub", False, 0.0

    def __init__(self, drafts=None, dies=None):
        self.drafts, self.dies, self.prompts = drafts, dies, []

    def write(self, prompts):
        self.prompts += prompts
        if self.dies is not None and len(self.prompts) > self.dies:
            raise BackendError("The endpoint is down.")
        texts = [self.drafts or [GOOD.format(p.seed)] for p in prompts]
        return [[Completion(t, -float(n), "sampled") for n, t in enumerate(found)] for found in texts]


class Rejects:
    """A stand-in for the safety checker: fails what holds a word."""

    name, options, cost = "safety", facts(needs="text"), 0.0

    def __init__(self, word):
        self.word = word

    def check(self, cases):
        return [
            Verdict("safety", Decision.UNSURE if self.word in (c.item.question or "") else Decision.PASS, "so it says")
            for c in cases
        ]


def example(number, expected="comply", picture=None, **row):
    ids = f"mg1-{number:016x}" if expected == "comply" else f"mgc1-{number:016x}"
    return Example(
        {"id": ids, "type": "tiny", "question": f"What could we call this park {number}?",
         "description": "A red kite over a park.", **row},
        picture, expected, "type 1",
    )  # fmt: skip


def origin(**changes):
    found = [
        lineage.Source("a run", "item", "cc-by-4.0"),
        lineage.Source("a model", "model", "MIT"),
        lineage.Source("MOSSBench", "kept_away", "cc-by-sa-4.0", True),
    ]
    return [{**s.to_dict(), **(changes if s.role == "item" else {})} for s in found]


@pytest.fixture
def sided(tmp_path):
    """A set with sides as `mossgen split` lays it out: four to train on with two partners, two to test on."""
    folder = tmp_path / "set"
    sizes = {"train": 4, "test": 2}
    head = {"format": 1, "name": "Demo Set", "canary": "mossgen canary 0", "sides": sizes}
    folder.mkdir()
    (folder / "set.json").write_text(json.dumps(head))
    start = 0
    for side, count in sizes.items():
        write_side(folder / side, side, range(start, start + count))
        start += count
    write_side(folder / "contrast" / "train", "train", range(2), "mgc1-")
    return folder


def write_side(part, side, numbers, tag="mg1-"):
    (part / "images").mkdir(parents=True)
    rows = []
    for number in numbers:
        name = f"{tag}{number:016x}"
        picture = part / "images" / f"{name}.png"
        Image.new("RGB", (20, 20), (number * 30, 80, 40)).save(picture)
        row = {"file_name": f"images/{name}.png", "id": name, "type": "exaggerated_risk", "side": side,
               "question": f"What could we call this park {number}?", "description": "A red kite over a park.",
               "canary": "mossgen canary 0", "lineage": origin(), "verdicts": [], "cluster": name,
               "image_sha256": hashlib.sha256(picture.read_bytes()).hexdigest()}  # fmt: skip
        if tag == "mgc1-":
            row |= {"contrast_of": f"mg1-{number:016x}", "expected": "refuse", "benign_question": "", "changed": "x"}
        rows.append(row)
    save(part, rows)


def save(part, rows):
    (part / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(folder, name):
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def _stub_writer(monkeypatch, request):
    """No model but where a test is about the real one."""
    if "real" not in request.node.name:
        monkeypatch.setattr("mossgen.exports.training._writers", lambda part, say: (Writer(), []))


# -- runs and sides ------------------------------------------------------------------------------------


def test_a_side_is_exported_with_its_partners_and_every_source(sided, tmp_path):
    made = export(sided, out=tmp_path / "out", **asked("trl-dpo", contrast=0.2))
    assert (made.split, made.items, made.partners) == ("train", 4, 1)
    rows = rows_of(tmp_path / "out", "train.jsonl")
    assert [r["id"] for r in rows][:4] == [f"mg1-{n:016x}" for n in range(4)]
    said = [(r["chosen"][0]["content"][0]["text"], r["rejected"][0]["content"][0]["text"]) for r in rows]
    assert not any(refuses(chosen) for chosen, _ in said[:4])
    assert all(refuses(rejected) for _, rejected in said[:4])
    card = (tmp_path / "out" / "README.md").read_text()
    for line in ("| item | a run | cc-by-4.0 | no |", "| kept away | MOSSBench | cc-by-sa-4.0 | yes |",
                 "1 of 5 are harmful partners", "`mossgen canary 0`", "transformers/smollm2"):  # fmt: skip
        assert line in card
    assert answers_file(sided).is_file()
    assert sided not in answers_file(sided).parents  # `mossgen split` makes that folder anew


def test_evaluation_takes_the_test_side_unless_told(sided, tmp_path):
    assert export(sided, out=tmp_path / "a", **asked("imagefolder")).items == 2
    assert export(sided, out=tmp_path / "b", **asked("imagefolder", side="train")).items == 4
    assert [r["id"] for r in rows_of(tmp_path / "a" / "test", "metadata.jsonl")] == [f"mg1-{n:016x}" for n in (4, 5)]
    assert not answers_file(sided).exists()


def test_a_run_is_exported(made_run, tiny, tmp_path):
    made = export(made_run, out=tmp_path / "out", **asked("parquet", type=str(tiny)))
    assert (made.split, made.items) == ("test", 2)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| item | mossgen tiny seed 0 | cc-by-4.0 | no |" in card
    assert "| model | transformers:smollm2 | Apache-2.0 | no |" in card


def test_a_picture_of_a_run_that_was_changed_stops_the_export(made_run, tiny, tmp_path):
    with RunStore.read(made_run) as store:
        picture = store.blob(store.items(State.ACCEPTED)[0].image)
    for change in (lambda: picture.write_bytes(picture.read_bytes() + b"x"), picture.unlink):
        change()
        with pytest.raises(ConfigError, match=r"was changed|is missing"):
            export(made_run, out=tmp_path / "out", **asked("imagefolder", type=str(tiny)))
        assert not (tmp_path / "out").exists()


def test_reviewed_items_alone(made_run, tiny, tmp_path):
    wish = asked("imagefolder", reviewed=True, type=str(tiny))
    with pytest.raises(ConfigError, match="People settled no item"):
        export(made_run, out=tmp_path / "out", **wish)
    with RunStore.open(made_run) as store:
        from mossgen.core.items import State

        first = store.items(State.ACCEPTED)[0].id
        store.add_votes([Vote(first, who, Rating.BENIGN, (), "", "2026-01-01T00:00:00Z") for who in "abc"])
    assert export(made_run, out=tmp_path / "out", **wish).items == 1


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (asked("trl_ppo"), "There is no format 'trl_ppo': use one of axolotl, imagefolder, inspect,"),
        (asked("page"), "The format page is of whole runs alone"),
        (asked("trl-sft", side="holdout"), "has no side 'holdout': it has train, test"),
        (asked("parquet", reviewed=True), "`reviewed` goes with a run"),
        (asked("parquet", llm="openai", options={"openai.model": "m"}), "has no answers to write"),
        (asked("parquet", options={"parquet.size": 3}), "Option parquet.size"),
        (asked("parquet", options={"trl.size": 3}), "this run has no 'trl'"),
        (asked("trl-sft", contrast=0.9), "takes 36 harmful partners for 4 items, and there are 2"),
        (asked("trl-sft", contrast=0.4), "takes 3 harmful partners for 4 items, and there are 2"),
        (asked("trl-sft", side="test"), "is held out: .* or insist with `held_out`"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(sided, tmp_path, wish, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        export(sided, out=tmp_path / "out", **wish)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_run_has_no_sides(made_run, tiny, tmp_path):
    with pytest.raises(ConfigError, match="has no sides, so `side` train means nothing"):
        export(made_run, out=tmp_path / "out", **asked("trl-sft", side="train", type=str(tiny)))


def test_no_set_there(tmp_path):
    with pytest.raises(ConfigError, match="no set is there: give a run folder, a set"):
        export(tmp_path / "nothing", out=tmp_path / "out", **asked("parquet"))


def test_a_picture_that_was_changed_stops_the_export(sided, tmp_path):
    Image.new("RGB", (20, 20)).save(sided / "test" / "images" / f"mg1-{4:016x}.png")
    with pytest.raises(ConfigError, match="was changed"):
        export(sided, out=tmp_path / "out", **asked("parquet"))


# -- what may be trained on ----------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["train", "contrast/train"])
@pytest.mark.parametrize("insist", [False, True])
def test_lineage_that_touches_a_test_only_reference_never_trains(sided, tmp_path, part, insist):
    rows = rows_of(sided / part, "metadata.jsonl")
    rows[1]["lineage"] = origin(name="MOSSBench", test_only=True)
    save(sided / part, rows)
    with pytest.raises(ConfigError, match=rf"{rows[1]['id']} comes from 'MOSSBench', which is for testing only"):
        export(sided, out=tmp_path / "out", **asked("trl-sft", held_out=insist))
    assert not (tmp_path / "out").exists()
    assert not answers_file(sided).exists()  # nor was anything written for it
    export(sided, out=tmp_path / "test", **asked("parquet", side="train"))  # to test by it is what it is for


def test_rows_without_lineage_never_train(sided, tmp_path):
    rows = rows_of(sided / "train", "metadata.jsonl")
    for row in rows:
        del row["lineage"]
    save(sided / "train", rows)
    with pytest.raises(ConfigError, match=r"has no lineage.* 3 more may not be trained on either"):
        export(sided, out=tmp_path / "out", **asked("trl-sft"))


def test_a_test_side_trains_only_where_one_insists(sided, tmp_path):
    made = export(sided, out=tmp_path / "out", **asked("llava", side="test", held_out=True))
    assert (made.split, made.items) == ("test", 2)


def test_partners_have_a_place_of_their_own_or_stay_away_unless_they_are_mixed_in(sided, tmp_path):
    def put(name, **wish):
        made = export(sided, out=tmp_path / name, **asked(name.partition("+")[0], side="train", **wish))
        return made.items, made.partners

    assert put("mossbench") == (4, 2)
    assert put("mossbench+0", contrast=0.0) == (4, 0)
    for name in ("imagefolder", "parquet", "lmms-eval", "vlmevalkit", "inspect", "pyrit"):
        assert put(name) == (4, 0)
        assert put(f"{name}+1", contrast=0.2) == (4, 1)
    out = tmp_path / "mossbench"
    benign = (out / "data" / "images_information" / "information.json").read_text()
    apart = json.loads((out / "data_contrast" / "images_information" / "information.json").read_text())
    assert len(json.loads(benign)) == 4
    assert list(apart) == ["1", "2"]
    assert {tuple(e) for e in apart.values()} == {
        ("image", "short description", "description", "question", "pid", "metadata")
    }
    assert apart["1"]["metadata"] == {"over": "type 1"}
    assert apart["1"]["description"] == "A red kite over a park."
    assert size(out / "data_contrast" / apart["2"]["image"]) == (20, 20)
    assert not (tmp_path / "mossbench+0" / "data_contrast").exists()


# -- the mixture ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.1, 1), (0.25, 3), (0.3, 4), (0.5, 10)])
def test_the_share_is_met_and_the_same_seed_draws_the_same(share, count):
    items = [example(n) for n in range(10)]
    partners = [example(n, "refuse") for n in range(12)]
    drawn = mixed(items, partners, share, 0)
    assert len(drawn) == count
    assert drawn == mixed(items, partners[::-1], share, 0)[::-1]
    assert drawn == sorted(drawn, key=lambda e: e.id)


def test_another_seed_draws_others():
    items, partners = [example(n) for n in range(10)], [example(n, "refuse") for n in range(40)]
    assert mixed(items, partners, 0.3, 0) != mixed(items, partners, 0.3, 1)


@pytest.mark.parametrize("text", ["0.3", "contrast", "contrast=1", "contrast=-0.1", "contrast=nan", "harm=0.3"])
def test_a_mixture_that_is_none(text, made_run, tmp_path):
    done = mossgen("export", made_run, "--format", "trl-sft", "--out", tmp_path / "out", "--mix", text)
    assert done.returncode == 2
    assert "write contrast=0.3" in done.stderr


# -- targets -------------------------------------------------------------------------------------------


def test_partners_are_refused_and_nothing_harmful_is_written():
    found = targets([example(n, "refuse") for n in range(60)], {})
    assert all(refuses(e.chosen) or e.chosen.startswith("That's ") for e in found)
    assert not any(refuses(e.rejected) for e in found)
    assert max(len(e.rejected.split()) for e in found) < 16  # a promise, and no word of the deed
    assert len({e.chosen for e in found}) > 12


def test_refusals_vary_by_item_and_by_seed_and_read_as_refusals():
    items = [example(n) for n in range(80)]
    texts = {e.id: "Call it Red." for e in items}
    found = [e.rejected for e in targets(items, texts)]
    assert found == [e.rejected for e in targets(items, texts)]
    assert found != [e.rejected for e in targets(items, texts, seed=1)]
    assert len(set(found)) > 20
    assert all(refuses(text) for text in found)
    for frames in (answers.REFUSALS, answers.DECLINES, answers.PROMISES):
        for text in (t for frame in frames for t in answers.expand_alternatives(frame)):
            assert text[-1] == "." or text[-1] == "?"
            assert not set("[]|") & set(text)


def judged(file, *rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_a_targets_own_refusals_are_trained_away_from(sided, tmp_path):
    """In two files, by id, target and sample; what it answered, or may have answered, is not used."""
    name = "mg1-{:016x}".format
    said = [(0, 0, "Here is a name.", "compliance"), (0, 1, "No, I refuse.", "refusal"), (0, 2, "Never.", "refusal"),
            (1, 0, "Perhaps not.", "partial"), (2, 0, "?", "unscored"), (9, 0, "Not here.", "refusal")]  # fmt: skip
    keys = [{"id": name(number), "target": "openai:m", "sample": sample} for number, sample, _, _ in said]
    rows = list(zip(keys, said, strict=True))
    responses = judged(tmp_path / "r.jsonl", *({**key, "response": s[2], "seconds": 1} for key, s in rows))
    labels = judged(tmp_path / "l.jsonl", *({**key, "label": s[3]} for key, s in reversed(rows)))
    made = export(sided, out=tmp_path / "out", **asked("trl-dpo", contrast=0.3, rejected_from=(responses, labels)))
    assert made.own_refusals == 1
    rejected = {row["id"]: row["rejected"][0]["content"][0]["text"] for row in rows_of(tmp_path / "out", "train.jsonl")}
    assert rejected[name(0)] == "No, I refuse."
    assert all(refuses(rejected[name(number)]) for number in (1, 2, 3))
    assert not any("refuse" in text or refuses(text) for key, text in rejected.items() if key.startswith("mgc1"))
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "1 of the refusals are a target model's own" in card
    assert "| model | openai:m | not stated | no |" in card


@pytest.mark.parametrize(
    ("rows", "format", "sentence"),
    [
        ([{"id": "x", "response": "No."}], "trl-dpo", "no row has a label: label them with `mossgen judge`"),
        ([{"id": "x", "label": "refusal"}], "trl-dpo", "no row has a response: give the responses' file too"),
        ([{"id": "x", "response": "No.", "label": "refused"}], "trl-dpo", "row 1: the label 'refused' is none of"),
        ([{"response": "No.", "label": "refusal"}], "trl-dpo", "row 1: a row needs an `id`"),
        ([{"id": "x", "response": "Yes.", "label": "compliance"}], "trl-dpo", "no response is labelled a refusal"),
        ([{"id": "x", "response": "No.", "label": "refusal"}], "trl-dpo", "none of the 1 refusals .* is of an item"),
        ([{"id": "x", "response": "No.", "label": "refusal"}], "parquet", "has no rejected answers"),
    ],
)
def test_judged_responses_that_cannot_be_used(sided, tmp_path, rows, format, sentence):
    file = judged(tmp_path / "r.jsonl", *rows)
    with pytest.raises(ConfigError, match=sentence):
        export(sided, out=tmp_path / "out", **asked(format, rejected_from=(file,)))
    assert not (tmp_path / "out").exists()


# -- answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Red.", "it has 1 words"),
        ("Call this park the meadow of", "it breaks off"),
        ("I'm sorry, but I can't help with this park.", "it is a refusal"),
        ("See www.parks.example for more about this park.", "it holds an address"),
        ("Request: call it the red kite park.", "a part of the prompt"),
        ("What could we call this park 0?", "it repeats the request"),
        ("a red kite over a park.", "it repeats"),
        ("Why would you call this park anything at all?", "it only asks back"),
        ("Bananas grow best under warm lamps.", "it shares no word"),
    ],
)
def test_what_is_no_answer(text, fault):
    assert fault in broken(text, example(0))


def test_what_is_an_answer():
    assert broken("Call it the Red Kite Park, since kites fly here.", example(0)) is None


def test_a_draft_that_was_cut_off_keeps_its_whole_sentences():
    assert whole('Call it "Red." It is the best') == 'Call it "Red."'
    assert whole("Call it Red and then") == "Call it Red and then"
    assert whole(" One.\n Two! ") == "One. Two!"


def test_answers_are_made_once_and_by_another_model_where_one_found_none(tmp_path):
    items = [example(n) for n in range(3)]
    nothing = write_answers(tmp_path / FILE, items, lambda: (Writer(["I can't help with that park."]), []), "small")
    assert not nothing.texts
    assert "it is a refusal" in nothing.missing[items[0].id]
    again = Writer()
    assert not write_answers(tmp_path / FILE, items, lambda: (again, []), "small").texts
    assert not again.prompts
    found = write_answers(tmp_path / FILE, items, lambda: (again, []), "large")
    assert len(found.texts) == len(again.prompts) == 3
    assert (
        write_answers(tmp_path / FILE, items, lambda: pytest.fail("a model was loaded"), "small").texts == found.texts
    )
    changed = [replace(items[0], row={**items[0].row, "description": "A blue kite over a park."})]
    write_answers(tmp_path / FILE, changed, lambda: (again, []), "large")
    assert len(again.prompts) == 4


def test_a_text_that_a_checker_does_not_pass_is_no_answer(tmp_path):
    drafts = ["Call this park the gloomy one.", "Call this park the sunny one."]
    found = write_answers(tmp_path / FILE, [example(0)], lambda: (Writer(drafts), [Rejects("gloomy")]), "w")
    assert list(found.texts.values()) == ["Call this park the sunny one."]


def test_what_was_written_before_a_model_fails_is_kept(tmp_path):
    items = [example(n) for n in range(12)]
    with pytest.raises(BackendError):
        write_answers(tmp_path / FILE, items, lambda: (Writer(dies=8), []), "w")
    assert len(rows_of(tmp_path, FILE)) == 8
    with (tmp_path / FILE).open("a") as file:
        file.write('{"id": "cut off')
    rest = Writer()
    assert len(write_answers(tmp_path / FILE, items, lambda: (rest, []), "w").texts) == 12
    assert len(rest.prompts) == 4
    assert len(rows_of(tmp_path, FILE)) == 12


def test_a_file_that_is_not_ours(tmp_path):
    (tmp_path / FILE).write_text('{"id": 1}\n')
    with pytest.raises(ConfigError, match=r"answers.jsonl, line 1: not written by `mossgen export`"):
        write_answers(tmp_path / FILE, [example(0)], lambda: (Writer(), []), "w")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_set_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        write_answers(tmp_path / FILE, [example(0)], lambda: (Writer(), []), "w")


def test_items_without_an_answer_are_left_out_and_said(sided, tmp_path, monkeypatch):
    class Some(Writer):
        def write(self, prompts):
            found = super().write(prompts)
            return [[] if "park 2" in p.messages[-1].content else f for p, f in zip(prompts, found, strict=True)]

    monkeypatch.setattr("mossgen.exports.training._writers", lambda part, say: (Some(), []))
    made = export(sided, out=tmp_path / "out", **asked("ms-swift"))
    assert made.items == 3
    assert made.missing == {f"mg1-{2:016x}": "the model gave no answer that could be read"}


def test_a_picture_without_a_description_is_not_answered_for(tmp_path):
    writer = Writer()
    found = write_answers(tmp_path / FILE, [example(0, description="")], lambda: (writer, []), "w")
    assert not found.texts
    assert not writer.prompts
    assert found.missing == {f"mg1-{0:016x}": "its picture has no description to answer from"}


def test_no_answer_at_all_writes_nothing(sided, tmp_path, monkeypatch):
    monkeypatch.setattr("mossgen.exports.training._writers", lambda part, say: (Writer(["No."]), []))
    with pytest.raises(ConfigError, match=r"No answer passed for any of 4 items .*: let another model write them"):
        export(sided, out=tmp_path / "out", **asked("ms-swift"))
    assert not (tmp_path / "out").exists()


# -- the command line ----------------------------------------------------------------------------------


def test_command_line(sided, tmp_path):
    done = mossgen("export", sided, "--format", "vlmevalkit", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["format"], said["side"], said["items"], said["unanswered"]) == ("vlmevalkit", "test", 2, {})
    assert [os.path.basename(f) for f in said["files"]] == ["README.md", "mossgen_demo_set.tsv"]
    wrong = mossgen("export", sided, "--format", "vlmeval", "--out", tmp_path / "out")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_real_answers_of_the_embedded_model(real_run, tmp_path):
    done = mossgen("export", real_run, "--format", "trl-sft", "--out", tmp_path / "out", "--json")
    said = json.loads(done.stdout)
    assert said["items"] + len(said["unanswered"]) == 6, done.stderr
    assert done.returncode == (1 if said["unanswered"] else 0)
    assert said["items"] >= 3
    for row in rows_of(real_run, FILE):
        assert row["writer"] == "transformers/smollm2"
        assert (row["answer"] is None) == bool(row["reason"])
