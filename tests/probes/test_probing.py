"""probe: every response kept, asked once, and what goes wrong said once."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from PIL import Image
from support import tiny_models
from support.chat import fault, pictures, words
from support.command import mossgen
from support.paths import SHARED

from mossgen.files.disk import locked
from mossgen.plugins import registry
from mossgen.plugins.protocols import Query, Response
from mossgen.probes.items import askable, open_items
from mossgen.probes.probing import Probe, Sampling

MOSSBENCH = SHARED / "mossbench"
QUESTIONS = ("What could I cook here?", "Who would like this poster?", "How do I keep it clean?", "Name this place.")


@pytest.fixture
def a_set(tmp_path):
    """An ImageFolder of four pictures, described."""
    folder = tmp_path / "a-set"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number, question in enumerate(QUESTIONS):
        Image.new("RGB", (40 + number, 30), (60 * number, 90, 120)).save(folder / "images" / f"{number}.png")
        rows.append({"file_name": f"images/{number}.png", "id": f"i{number}", "question": question, "category": "home",
                     "type": "exaggerated_risk", "tags": ["human"],
                     "description": f"Picture number {number}."})  # fmt: skip
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def probe(a_set, *arguments, out, **environment):
    done = mossgen("probe", a_set, "--out", out, "--json", *arguments, **environment)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def target(server, name="m"):
    return ("--target", f"openai:{name}@{server.url}", "--set", "target.max_retries=0")


def kept(out):
    return [json.loads(line) for line in (out / "responses.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_response_is_kept_whole_and_asked_for_once(a_set, chat, tmp_path):
    server, out = chat(), tmp_path / "probe"
    code, result, _ = probe(a_set, *target(server), "--system", "Be kind.", "--set", "target.price_in=10", out=out)
    told = result["targets"]["openai:m"]
    assert (code, told["responses"], told["missing"], told["asked"]) == (0, 4, 0, 4)
    assert told["cost"] == pytest.approx(4 * 1000 * 10 / 1e6)
    rows = kept(out)
    assert [row["id"] for row in rows] == ["i0", "i1", "i2", "i3"]
    first = rows[0]
    assert first["response"] == f"Gladly: {QUESTIONS[0]}"
    assert (first["target"], first["model"], first["finish"], first["kind"]) == (
        "openai:m",
        "served-m",
        "stop",
        "answered",
    )
    assert (first["tokens_in"], first["tokens_out"]) == (1000, 100)
    assert first["seconds"] > 0
    assert first["at"].startswith("20")
    assert (first["type"], first["category"], first["facts"]["human"]) == ("exaggerated_risk", "home", True)
    assert {body["messages"][0]["content"] for body in server.asked} == {"Be kind."}
    sent = {pictures(body)[0].partition(",")[2] for body in server.asked}
    sizes = {Image.open(io.BytesIO(base64.b64decode(one))).size for one in sent}
    assert sizes == {(40 + n, 30) for n in range(4)}

    before = (out / "responses.jsonl").read_bytes()
    code, result, _ = probe(a_set, *target(server), "--system", "Be kind.", "--set", "target.price_in=10", out=out)
    assert (code, result["targets"]["openai:m"]["asked"], len(server.asked)) == (0, 0, 4)
    assert (out / "responses.jsonl").read_bytes() == before


def test_a_grown_set_and_another_target_ask_for_what_is_new(a_set, chat, tmp_path):
    server, out = chat(), tmp_path / "probe"
    probe(a_set, *target(server), "--limit", 2, out=out)
    code, result, _ = probe(a_set, *target(server), "--target", f"openai:other@{server.url}", out=out)
    assert code == 0
    assert {name: told["asked"] for name, told in result["targets"].items()} == {"openai:m": 2, "openai:other": 4}
    assert len(kept(out)) == 8


def test_equal_questions_about_equal_pictures_are_asked_once(a_set, chat, tmp_path):
    rows = (a_set / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    copy = {**json.loads(rows[0]), "id": "copy"}
    (a_set / "metadata.jsonl").write_text("\n".join([*rows, json.dumps(copy)]), encoding="utf-8")
    server, out = chat(), tmp_path / "probe"
    probe(a_set, *target(server), "--set", "target.max_connections=1", out=out)
    probe(a_set, *target(server), "--set", "target.max_connections=1", out=out)
    assert len(server.asked) <= 5
    assert {row["id"] for row in kept(out)} == {"i0", "i1", "i2", "i3", "copy"}


def test_samples_differ_in_their_seed_and_need_a_temperature(a_set, chat, tmp_path):
    server, out = chat(), tmp_path / "probe"
    code, result, _ = probe(a_set, *target(server), "-k", 3, out=out)
    assert code == 2
    assert "temperature is 0" in result["error"]
    code, _, _ = probe(a_set, *target(server), "-k", 3, "--set", "target.temperature=0.7", out=out)
    assert code == 0
    assert len({body["seed"] for body in server.asked}) == 12
    assert sorted({row.get("sample", 0) for row in kept(out)}) == [0, 1, 2]


def test_empty_filtered_and_cut_off_are_their_own_kind(a_set, chat, tmp_path):
    answers = {
        QUESTIONS[0]: lambda: " ",
        QUESTIONS[1]: lambda: {"content": None, "refusal": "No."},
        QUESTIONS[2]: lambda: fault(400, "The response was filtered by our content policy."),
        QUESTIONS[3]: lambda: {"content": "It goes on and", "finish_reason": "length"},
    }
    server, out = chat(lambda said, body: answers[said]()), tmp_path / "probe"
    code, result, _ = probe(a_set, *target(server), out=out)
    told = result["targets"]["openai:m"]
    assert (code, told["empty"], told["filtered"], told["cut_off"], told["missing"]) == (0, 1, 2, 1, 0)
    assert [row["kind"] for row in kept(out)] == ["empty", "filtered", "filtered", "answered"]


def test_a_picture_that_is_not_taken_fails_alone_and_is_asked_again(a_set, chat, tmp_path):
    good = [False]

    def answer(said, body):
        return "Yes." if said != QUESTIONS[1] or good[0] else fault(413, "image exceeds the limit of 20 pixels")

    server, out = chat(answer), tmp_path / "probe"
    code, result, _ = probe(a_set, *target(server), "--set", "target.max_connections=1", out=out)
    told = result["targets"]["openai:m"]
    assert (code, told["responses"], told["missing"]) == (1, 3, 1)
    assert any("image exceeds the limit" in reason for reason in told["failures"])
    good[0] = True
    code, result, _ = probe(a_set, *target(server), "--set", "target.max_connections=1", out=out)
    assert (code, result["targets"]["openai:m"]["asked"]) == (0, 1)


def test_two_probes_do_not_write_one_folder(a_set, chat, tmp_path):
    server, out = chat(), tmp_path / "probe"
    with locked(out):
        done = mossgen("probe", a_set, "--out", out, *target(server))
    assert (done.returncode, server.asked) == (2, [])
    assert "is being written by another mossgen" in done.stderr
    assert probe(a_set, *target(server), out=out)[0] == 0


def test_half_a_surrogate_pair_in_a_set_stops_nothing(a_set, chat, tmp_path):
    server, out, table = chat(), tmp_path / "probe", a_set / "metadata.jsonl"
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    odd = {"category": "\ud83d", "description": "A \ud83d.", "question": "Why \ud83d?", "id": 0}
    table.write_text("".join(json.dumps({**row, **(odd if row["id"] == "i0" else {})}) + "\n" for row in rows))
    assert probe(a_set, *target(server), out=out)[0] == 0
    first, *_ = kept(out)
    assert (first["id"], first["question"], first["category"]) == ("0", "Why ??", "?")
    assert probe(a_set, *target(server), out=out)[1]["targets"]["openai:m"]["asked"] == 0


def test_half_a_surrogate_pair_in_a_response_is_kept_as_a_question_mark(a_set, chat, tmp_path):
    server, out = chat(lambda said, body: "Gladly \ud83d"), tmp_path / "probe"
    assert probe(a_set, *target(server), out=out)[0] == 0
    assert [row["response"] for row in kept(out)] == ["Gladly ?"] * 4


def test_a_target_that_goes_down_keeps_what_came_and_the_next_one_is_still_asked(a_set, chat, tmp_path):
    def answer(said, body):
        return fault(503, "overloaded") if body["model"] == "m" and said in QUESTIONS[2:] else "Yes."

    server, out = chat(answer), tmp_path / "probe"
    code, result, _ = probe(
        a_set, *target(server), "--set", "target.max_connections=1", "--target", f"openai:n@{server.url}", out=out
    )
    assert code == 1
    assert result["targets"]["openai:m"]["responses"] == 2
    assert "503" in result["targets"]["openai:m"]["stopped"]
    assert result["targets"]["openai:n"]["responses"] == 4


def test_a_target_that_is_over_its_rate_is_waited_for(a_set, chat, tmp_path):
    seen = []

    def answer(said, body):
        seen.append(time.monotonic())
        return fault(429, "slow down", **{"Retry-After": "1"}) if len(seen) == 2 else "Yes."

    server, out = chat(answer), tmp_path / "probe"
    patient = ("--set", "target.max_retries=1", "--set", "target.max_connections=1")
    code, result, _ = probe(a_set, "--target", f"openai:m@{server.url}", *patient, out=out)
    assert (code, result["targets"]["openai:m"]["responses"], len(seen)) == (0, 4, 5)
    assert seen[2] - seen[1] >= 1
    server.answers = [lambda said, body: fault(429, "slow down", **{"Retry-After": "86400"})]
    code, result, _ = probe(a_set, *target(server, "other"), out=out)
    assert code == 1
    assert "over its rate limit or quota (429)" in result["targets"]["openai:other"]["stopped"]


def test_a_target_that_is_slow_is_given_up_and_gone_on_with(a_set, chat, tmp_path):
    server, out = chat(lambda said, body: time.sleep(3) if said == QUESTIONS[1] else "Yes."), tmp_path / "probe"
    impatient = ("--set", "target.timeout=1", "--set", "target.max_connections=1")
    done = mossgen("probe", a_set, *target(server), *impatient, "--out", out)
    assert done.returncode == 1
    assert done.stdout.count("did not answer within 1 s") == 1
    assert "3 are missing" in done.stdout
    server.answers = [lambda said, body: "Yes."]
    code, result, _ = probe(a_set, *target(server), "--set", "target.timeout=9", out=out)  # how it is asked, not what
    assert (code, result["targets"]["openai:m"]["asked"]) == (0, 3)


def test_a_target_that_takes_no_picture_at_all_is_given_up_early(a_set, chat, tmp_path):
    rows = (a_set / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    more = [{**json.loads(rows[0]), "id": f"x{n}", "question": f"Question {n}?"} for n in range(20)]
    (a_set / "metadata.jsonl").write_text("\n".join(map(json.dumps, more)), encoding="utf-8")
    server, out = chat(lambda said, body: fault(400, "this model does not support images")), tmp_path / "probe"
    code, result, _ = probe(a_set, *target(server), "--set", "target.max_connections=2", out=out)
    assert code == 1
    assert "does not support images" in result["targets"]["openai:m"]["stopped"]
    assert len(server.asked) < 10


def test_a_budget_stops_cleanly_and_the_rest_comes_later(a_set, chat, tmp_path):
    server, out = chat(), tmp_path / "probe"
    priced = ("--set", "target.price_in=1000", "--set", "target.max_connections=1")  # a dollar a call
    code, result, _ = probe(a_set, *target(server), *priced, "--max-cost", 2, out=out)
    told = result["targets"]["openai:m"]
    assert code == 1
    assert told["stopped"] == "the cost budget is used up"
    assert 2 <= told["responses"] <= 3
    code, result, _ = probe(a_set, *target(server), *priced, out=out)
    assert (code, result["targets"]["openai:m"]["responses"], len(server.asked)) == (0, 4, 4)


def test_a_killed_probe_loses_nothing_that_was_kept(a_set, chat, tmp_path):
    dead = threading.Event()

    def answer(said, body):
        if said == QUESTIONS[3]:
            dead.wait(60)
        return "Yes."

    server, out = chat(answer), tmp_path / "probe"
    command = [sys.executable, "-m", "mossgen", "probe", a_set, "--out", out, *target(server), "--set",
               "target.max_connections=1"]  # fmt: skip
    process = subprocess.Popen(list(map(str, command)), env=dict(os.environ), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not ((out / "responses.jsonl").is_file() and len(kept(out)) == 3):
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    dead.set()
    with (out / "responses.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"id": "i3", "respo')  # a line that the kill cut off
    server.answers = [lambda said, body: "Yes."]
    code, result, _ = probe(a_set, *target(server), "--set", "target.max_connections=1", out=out)
    assert (code, result["targets"]["openai:m"]["asked"]) == (0, 1)
    assert [row["id"] for row in kept(out)] == ["i0", "i1", "i2", "i3"]


def test_keys_are_neither_kept_nor_said(a_set, chat, tmp_path):
    server, out = chat(lambda said, body: fault(401, "wrong key sk-secret-123")), tmp_path / "probe"
    code, result, errors = probe(a_set, *target(server), "-v", out=out, OPENAI_API_KEY="sk-secret-123")
    assert code == 1
    assert "OPENAI_API_KEY" in result["targets"]["openai:m"]["stopped"]
    everything = errors + json.dumps(result) + "".join(f.read_text("utf-8") for f in out.iterdir())
    assert "sk-secret" not in everything


def test_a_model_without_eyes_is_told_what_the_picture_shows(a_set, chat, tmp_path):
    server, out = chat(), tmp_path / "probe"
    code, _, _ = probe(a_set, *target(server), "--set", "target.sees=description", out=out)
    assert code == 0
    assert not any(pictures(body) for body in server.asked)
    assert "[The picture shows: Picture number 0.]" in {words(body).split("\n")[0] for body in server.asked}


def test_a_real_small_model_answers(a_set, tmp_path):
    out = tmp_path / "probe"
    code, result, _ = probe(
        a_set, "--target", "transformers:smollm2", "--set", "target.max_tokens=12", "--limit", 2, out=out
    )
    told = result["targets"]["transformers:smollm2"]
    assert (code, told["responses"], told["empty"]) == (0, 2, 0)
    assert all(row["tokens_out"] <= 12 and row["response"].strip() for row in kept(out))


@pytest.mark.parametrize("family", ["llava", "qwen2_vl", "idefics3"])
def test_a_local_model_with_eyes_sees_the_picture(a_set, tmp_path, family):
    folder = getattr(tiny_models, family)(tmp_path / family)
    found = registry.load("targets", "transformers", {"model": str(folder), "max_tokens": 8, "temperature": 1.0})
    read = []
    generate = found._chat.model.generate
    found._chat.model.generate = lambda **inputs: (read.append(inputs), generate(**inputs))[1]
    query = Query("i0", "What is it?", lambda: Image.new("RGB", (96, 64), (9, 200, 30)), system="Be kind.")
    queries = [replace(query, seed=seed) for seed in (1, 2, 1)]
    said = [came.text for _, came in found.respond(queries)]
    assert found.sees
    assert said[0] == said[2] != said[1]
    assert all("pixel_values" in inputs for inputs in read)
    prompt = found._chat.reader.decode(read[0]["input_ids"][0])
    assert "Be kind.\n\nWhat is it?" in prompt  # its template has no system turn


class Copying:
    """A target that gives back a copy of each query, as one in another process would, and the last one first."""

    name, settings, cost, sees = "copying", {}, 0.0, True

    def respond(self, queries):
        for query in reversed(list(queries)):
            yield replace(query, picture=None), Response(f"Said of {query.item}.", "answered")


def test_a_target_may_give_back_copies_of_its_queries(a_set, tmp_path):
    with Probe(tmp_path / "probe", "a-set", Sampling(samples=2)) as probe:
        tally = probe.ask(askable(open_items(a_set)), Copying())
    assert (tally.missing, tally.stopped) == (0, "")
    said = [(row["id"], row["response"]) for row in kept(tmp_path / "probe")]
    assert said == [(f"i{n}", f"Said of i{n}.") for n in range(4) for _ in range(2)]


def test_a_response_to_something_else_stops_the_probe(a_set, tmp_path):
    class Strange(Copying):
        def respond(self, queries):
            for query, said in super().respond(queries):
                yield replace(query, key="another"), said

    with Probe(tmp_path / "probe", "a-set", Sampling()) as probe:
        tally = probe.ask(askable(open_items(a_set)), Strange())
    assert (tally.missing, tally.rows) == (4, [])
    assert "which it was not asked about" in tally.stopped


def test_recorded_responses_are_a_target(a_set, tmp_path):
    file = tmp_path / "recorded.json"
    file.write_text(json.dumps({"i0": {"response": "Soup."}, "i1": {"response": ""}, "i2": {"response": "Wipe it."}}))
    out = tmp_path / "probe"
    code, result, _ = probe(a_set, "--target", f"file:{file}", out=out)
    told = result["targets"]["file:recorded"]
    assert (code, told["responses"], told["empty"], told["missing"]) == (1, 3, 1, 1)
    assert told["failures"] == {"The file has no response to it.": 1}


def test_a_run_is_asked_about_with_what_it_knows(real_run, chat, tmp_path):
    server, out = chat(), tmp_path / "probe"
    code, _, _ = probe(real_run, *target(server), out=out)
    assert code == 0
    rows = kept(out)
    assert {row["type"] for row in rows} == {"negated_harm"}
    assert all(row["facts"]["form"] for row in rows)
    assert {row["question"] for row in rows} == {words(body) for body in server.asked}


def test_a_dry_run_asks_nothing_and_writes_nothing(a_set, tmp_path):
    out = tmp_path / "probe"
    spec = ("--target", "openai:gpt-4o", "--set", "target.price_in=2.5", "--set", "target.price_out=10")
    code, result, _ = probe(a_set, *spec, "--dry-run", out=out)
    assert code == 0
    assert result["targets"]["openai:gpt-4o"]["queries"] == 4
    assert result["targets"]["openai:gpt-4o"]["cost"] > 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "gpt-4o"), "or openai:MODEL or openai:MODEL@URL"),
        (("--target", "openai:m@ftp://x"), "No key"),
        (("--target", "file:nowhere.json"), "there is no such file"),
        (("--target", "transformers:no/such/folder/at/all"), "no chat model that can be loaded"),
        (("--target", "openai:m@http://127.0.0.1:9/v1", "--set", "target.nonsense=1"), "nonsense"),
        (("--target", "openai:m@http://127.0.0.1:9/v1", "--side", "test"), "has no sides"),
        (("--target", "openai:m@http://127.0.0.1:9/v1", "--contrast"), "--contrast means nothing"),
        (("--target", "openai:m@http://127.0.0.1:9/v1") * 2, "given twice"),
        (("--target", "openai:gpt-4o"), "set the environment variable OPENAI_API_KEY"),
    ],
)
def test_bad_input_is_one_sentence(a_set, tmp_path, monkeypatch, arguments, said):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    code, result, _ = probe(a_set, *arguments, out=tmp_path / "probe", HF_HUB_OFFLINE="1")
    assert code == 2, result
    assert said in result["error"]


def test_tags_that_are_nested_too_deep_are_none(a_set):
    row = json.dumps({"file_name": "images/1.png", "question": "What is this?", "tags": "[" * 100_000})
    (a_set / "metadata.jsonl").write_text(row + "\n", encoding="utf-8")
    assert [record.facts for record in askable(open_items(a_set))] == [{}]


def test_a_folder_of_something_else_is_left_alone(a_set, chat, tmp_path):
    server = chat()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    code, result, _ = probe(a_set, *target(server), out=other)
    assert (code, [f.name for f in other.iterdir()]) == (2, ["thesis.txt"])
    assert "is not the folder of a probe" in result["error"]
    out = tmp_path / "probe"
    probe(a_set, *target(server), out=out)
    before = (out / "responses.jsonl").read_bytes()
    code, result, _ = probe(a_set, *target(server), "--system", "Another.", out=out)
    assert code == 2
    assert "--system" in result["error"]
    code, result, _ = probe(a_set, *target(server), "--set", "target.temperature=1", out=out)
    assert code == 2
    assert "temperature" in result["error"]
    assert (out / "responses.jsonl").read_bytes() == before


@pytest.mark.skipif(not MOSSBENCH.is_dir(), reason="the shared copy of MOSSBench is not here")
def test_mossbench_goes_straight_in(tmp_path):
    responses = MOSSBENCH / "responses" / "Claude_3_Haiku.json"
    out = tmp_path / "probe"
    code, result, _ = probe(MOSSBENCH / "data", "--target", f"file:{responses}", out=out)
    assert (code, result["items"], result["targets"]["file:Claude_3_Haiku"]["responses"]) == (0, 145, 145)
    assert {row["type"] for row in kept(out)} == {"exaggerated_risk", "negated_harm", "counterintuitive"}
    assert any(row["facts"]["child"] for row in kept(out))
