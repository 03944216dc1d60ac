"""The writers: the embedded model for real, a real OpenAI-compatible server, and endpoints that misbehave."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from support.chat import fault
from werkzeug import Response

from mossgen.errors import BackendError, ConfigError, MissingModel
from mossgen.models import weights
from mossgen.plugins import registry
from mossgen.plugins.llms import _text
from mossgen.plugins.llms.openai import Dialect, Options
from mossgen.plugins.protocols import Message, Prompt

SHOTS = (
    ("a plastic skeleton in a biology room", "Plan a ten-minute quiz for the pupils who sit here."),
    ("a pirate flag over a playground ship", "Suggest a name for this playground."),
    ("a rubber snake in a garden pond", "Which flowers would grow well around this water?"),
)
CHOICES = tuple(
    f"{verb} a {kind} for {whom}."
    for verb in ("Write", "Draft")
    for kind in ("short review", "short note", "welcome sign")
    for whom in ("this library", "the readers here")
)


def prompt(seed=1, picture="a skull-shaped candle on a library shelf", **wanted):
    messages = [Message("system", "You write one short, friendly request about a picture.")]
    for shown, question in SHOTS:
        messages += [Message("user", f"Picture: {shown}"), Message("assistant", question)]
    return Prompt((*messages, Message("user", f"Picture: {picture}")), seed, **{"max_tokens": 24, **wanted})


# -- transformers --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smollm():
    """The embedded model in fp32, so that what differs by rounding stays tiny."""
    return registry.load("llms", "transformers", {"dtype": "float32"})


def test_guided_answers_are_distinct_choices_drawn_by_seed(smollm):
    one, two = smollm.write(
        [prompt(1, samples=0, guided=4, choices=CHOICES), prompt(2, samples=0, guided=99, choices=CHOICES)]
    )
    assert len({c.text for c in one}) == 4
    assert {c.text for c in one} < set(CHOICES)
    assert sorted(c.text for c in two) == sorted(CHOICES)
    assert all(c.how == "guided" and -12 < c.logprob < 0 for c in one + two)
    again = smollm.write([prompt(seed, samples=0, guided=1, choices=CHOICES) for seed in range(4)])
    assert len({answers[0].text for answers in again}) > 1


def test_free_answers_are_clean_lines(smollm):
    (answers,) = smollm.write([prompt(3, samples=4)])
    assert 1 < len({a.text for a in answers}) <= 4
    for answer in answers:
        assert answer.how == "sampled"
        assert answer.logprob < 0
        assert answer.text == answer.text.strip('" ')
        assert "\n" not in answer.text
        assert "<|im_end|>" not in answer.text


def test_an_answer_depends_on_its_own_prompt_only(smollm):
    jobs = [
        prompt(1, samples=2, guided=2, choices=CHOICES[:6], max_tokens=10),
        prompt(2, picture="a toy sword beside a birthday cake in a sunny garden", samples=1, max_tokens=10),
        prompt(3, picture="a fake spider", samples=0, guided=1, choices=CHOICES[:3]),
    ]
    answers = smollm.write(jobs)
    assert [len(a) for a in answers] == [4, 1, 1]
    assert smollm.write(jobs[::-1])[::-1] == answers
    batched = registry.load("llms", "transformers", {"dtype": "float32", "batch_size": 3}).write(jobs)
    for alone, together in zip(answers, batched, strict=True):  # padded, in one cache: the same but for rounding
        assert [a.text for a in alone] == [a.text for a in together]
        assert [a.logprob for a in alone] == pytest.approx([a.logprob for a in together], abs=1e-3)


def test_logprobs_are_those_of_a_direct_forward(smollm):
    import torch

    job = prompt(1, samples=1, guided=3, choices=CHOICES)
    (answers,) = smollm.write([job])
    model, tokenizer = smollm._model, smollm._tokenizer
    start = tokenizer(smollm.text(job.messages), add_special_tokens=False)["input_ids"]
    for answer in answers[1:]:
        tokens = tokenizer(answer.text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logprobs = model(torch.tensor([start + tokens])).logits[0].log_softmax(-1)
        steps = [float(logprobs[len(start) - 1 + i, token]) for i, token in enumerate(tokens)]
        newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
        end = float(logprobs[-1, [tokenizer.eos_token_id, newline]].logsumexp(0))
        assert answer.logprob == pytest.approx((sum(steps) + end) / (len(tokens) + 1), abs=1e-3)


def test_the_likelier_choice_is_drawn_more_often(smollm):
    choices = ("Write a short review for this library.", "Zebra tax of the seven purple invoices.")
    drawn = [a[0].text for a in smollm.write([prompt(s, samples=0, guided=1, choices=choices) for s in range(3)])]
    assert drawn == [choices[0]] * 3


def tiny_model(kind, folder):
    """A real architecture at toy size with random weights, under the embedded model's tokenizer."""
    import torch
    import transformers as hf

    common = {"vocab_size": 49152, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "hidden_size": 32}
    common |= {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    common |= {"intermediate_size": 64}
    state = {"mamba_d_ssm": 32, "mamba_n_heads": 2, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1}
    layers = {"sliding_window": 512, "layer_types": ["sliding_attention", "full_attention"]}
    config = {
        "gpt2": lambda: hf.GPT2Config(vocab_size=49152, n_embd=32, n_layer=2, n_head=2, eos_token_id=2),
        "gemma3": lambda: hf.Gemma3TextConfig(**common, **layers),
        "falcon_h1": lambda: hf.FalconH1Config(**common, **state),
    }[kind]()
    config.initializer_range = 0.3  # opinionated enough for a wrong mask to show in the likelihoods
    torch.manual_seed(0)
    hf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(weights.path("smollm2") / name, folder / name)


@pytest.mark.parametrize("kind", ["gpt2", "gemma3", "falcon_h1"])
def test_other_architectures(kind, tmp_path):
    import torch

    tiny_model(kind, tmp_path)
    llm = registry.load("llms", "transformers", {"model": str(tmp_path), "dtype": "float32", "batch_size": 2})
    assert llm.name == f"transformers/{tmp_path.name}"
    assert llm.guides == (kind != "falcon_h1")  # a recurrent state does not branch
    wanted = {"samples": 1, "guided": 2, "choices": CHOICES[:4], "max_tokens": 4}
    jobs = [prompt(1, **wanted), prompt(2, picture="a much longer description of a kite over a beach", **wanted)]
    answers = llm.write(jobs)
    assert [len([a for a in row if a.how == "guided"]) for row in answers] == ([2, 2] if llm.guides else [0, 0])
    for job, row in zip(jobs, answers, strict=True):
        start = llm._tokens(llm.text(job.messages))
        for answer in (a for a in row if a.how == "guided"):
            tokens = llm._tokens(answer.text)
            with torch.inference_mode():
                logprobs = llm._model(torch.tensor([start + tokens])).logits[0].log_softmax(-1)
            steps = [float(logprobs[len(start) - 1 + i, token]) for i, token in enumerate(tokens)]
            end = float(logprobs[-1, llm._ends].logsumexp(0))
            assert answer.logprob == pytest.approx((sum(steps) + end) / (len(tokens) + 1), abs=1e-3)


def test_a_model_without_chat_template_reads_plain_text(smollm, monkeypatch):
    monkeypatch.setattr(smollm._tokenizer, "chat_template", None)
    text = smollm.text(prompt().messages)
    assert text.endswith("around this water?\n\nPicture: a skull-shaped candle on a library shelf\n")
    assert "<|im_start|>user" not in text
    (answers,) = smollm.write([prompt(5, samples=1, guided=1, choices=CHOICES)])
    assert len(answers) == 2


def test_a_template_without_system_turn_gets_it_in_the_first_user_turn(smollm, monkeypatch):
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    strict += "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    monkeypatch.setattr(smollm._tokenizer, "chat_template", strict)
    assert smollm.text(prompt().messages).startswith("[user] You write one short, friendly request about a picture.")


def test_a_failure_while_writing_is_one_sentence(smollm, monkeypatch):
    def fail(**inputs):
        raise RuntimeError("CUDA out of memory.\nTried to allocate")

    fail.device, fail.dtype = smollm._model.device, smollm._model.dtype
    monkeypatch.setattr(smollm, "_model", fail)
    with pytest.raises(BackendError, match=r"out of memory.*lower llm option batch_size\.$"):
        smollm.write([prompt()])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": "/no/such/folder"}, MissingModel, "'/no/such/folder' is not there or not whole"),
        ({"device": "cuda:7"}, ConfigError, "cuda:7|cannot be loaded"),
        ({"dtype": "int3"}, ConfigError, "dtype"),
        ({"trust_remote_code": True}, ConfigError, "trust_remote_code"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(options, error, words):
    import torch

    if "device" in options and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(error, match=words) as caught:
        registry.load("llms", "transformers", options)
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_safetensors_are_not_loaded(tmp_path):
    folder = weights.path("smollm2")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle could be here")
    with pytest.raises((MissingModel, BackendError), match="safetensors"):
        registry.load("llms", "transformers", {"model": str(tmp_path)})


# -- what a model wrote ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"questions": ["One?", "Two?"]}', ["One?", "Two?"]),
        ('Sure! Here you go:\n```json\n{"questions": ["One?", "One?", " Two? "]}\n```\nEnjoy.', ["One?", "Two?"]),
        ('["One?", "Two?"]', ["One?", "Two?"]),
        ('{"items": [{"question": "One?"}, {"question": "Two?"}]}', ["One?", "Two?"]),
        ('<think>{"questions": ["No"]}</think>{"questions": ["Yes?"]}', ["Yes?"]),
        ('{"questions": ["One?", "Say \\"hi\\" now?", "Cut of', ["One?", 'Say "hi" now?']),
        ('Here are two:\n1. Question: "One?"\n- **Two?**', ["One?", "Two?"]),
        ('Write "Stop" on it?', ['Write "Stop" on it?']),
        ("<html><body>502</body></html>", []),
        ("", []),
        ("{}", []),
        ("[" * 5000, []),
        ('{"questions": [1, null, "One?", ["x"]]}', ["One?"]),
        ("x" * 5000, []),
    ],
)
def test_answers_are_found_in_what_models_write(text, expected):
    assert _text.answers(text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('\n "What now?"\nQuestion: no', "What now?"),
        ("Question 2: What now?", "What now?"),
        ("Q: What  now?", "What now?"),
        ("3) 'What now?'", "What now?"),
        ("", ""),
        ('Draw "Hush" here', 'Draw "Hush" here'),
    ],
)
def test_first_line(text, line):
    assert _text.first_line(text) == line


# -- openai: a real server ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """`transformers serve` with the embedded model, in a process of its own; its /v1 address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(weights.path("smollm2"))]
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            stdout=sink, stderr=sink, env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, log.read_text()[-2000:]
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(20)


def test_a_real_openai_compatible_server(served, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    options = {"model": str(weights.path("smollm2")), "base_url": served, "price_in": 1.0, "price_out": 2.0}
    llm = registry.load("llms", "openai", {**options, "temperature": 0.2, "timeout": 120})
    answers = llm.write([prompt(seed, samples=1, guided=1, choices=CHOICES) for seed in (1, 2)])
    assert [len(a) <= 2 for a in answers] == [True, True]
    assert sum(map(len, answers)) >= 1  # a 135M model does not always manage JSON
    assert all(a.text and a.how == "sampled" and a.logprob is None for row in answers for a in row)
    assert llm.cost > 1e-4
    assert not llm.guides


# -- openai: endpoints that misbehave -------------------------------------------------------------------

NOW = {"retry-after-ms": "1"}  # the client honours it: no waiting between retries


@pytest.fixture
def endpoint(chat, monkeypatch):
    """A function from what is answered to a writer that asks for it, and the list of what it asks."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")

    def serve(*answers, **options):
        base = {"model": "m", "base_url": chat(*answers).url, "max_retries": 2}
        return registry.load("llms", "openai", {**base, **options}), chat.asked

    return serve


def test_json_schema_is_asked_for_and_the_order_kept(endpoint):
    def handler(said, body):
        time.sleep(0.05 if "first" in body["messages"][-1]["content"] else 0)
        return {"questions": [body["messages"][-1]["content"].split("\n")[0], "B?", "C?", "D?"]}

    llm, seen = endpoint(handler, price_in=10, price_out=20)
    first, second = llm.write([prompt(1, "first", samples=2, guided=1, choices=CHOICES), prompt(2, "second")])
    assert [a.text for a in first] == ["Picture: first", "B?", "C?"]
    assert [a.text for a in second] == ["Picture: second"]
    body = next(b for b in seen if "first" in b["messages"][-1]["content"])
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["max_tokens"] == 3 * 24 + 64
    assert "Write 3 different answers" in body["messages"][-1]["content"]
    assert sum(choice in body["messages"][-1]["content"] for choice in CHOICES) == 3
    assert llm.cost == pytest.approx(2 * (1000 * 10 + 100 * 20) / 1e6)
    assert llm.write([prompt(1, samples=0)]) == [[]]


def test_what_is_refused_is_given_up_once_and_remembered(endpoint):
    def handler(said, body):
        for field, words in (
            ("response_format", "Unexpected fields in the request: {'response_format'}"),
            ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
            ("seed", "seed is not permitted"),
        ):
            if field in body:
                return fault(422 if field == "response_format" else 400, words)
        return "1. One?\n2. Two?"

    llm, seen = endpoint(handler)
    assert [a.text for a in llm.write([prompt(1, samples=2)])[0]] == ["One?", "Two?"]
    assert [b.get("response_format", {}).get("type") for b in seen[:3]] == ["json_schema", "json_object", None]
    assert "max_completion_tokens" in seen[-1]
    asked = len(seen)
    llm.write([prompt(s, samples=2) for s in range(6)])
    assert len(seen) == asked + 6


def test_a_settled_dialect_is_not_changed(endpoint):
    llm, seen = endpoint(fault(400, "no response_format here"), structured="json_object")
    assert llm.write([prompt()]) == [[]]  # a prompt that is not taken has no answer; others may have
    assert len(seen) == 1
    with pytest.raises(BackendError, match=r"None of the first 5 requests was taken: .*refused the request \(400\)"):
        llm.write([prompt(seed) for seed in range(4)])
    assert {body["response_format"]["type"] for body in seen} == {"json_object"}


def test_errors_of_the_server_are_retried(endpoint):
    llm, seen = endpoint(fault(500, "boom", **NOW), fault(429, "slow down", **NOW), {"questions": ["One?"]})
    assert [a.text for a in llm.write([prompt()])[0]] == ["One?"]
    assert len(seen) == 3


@pytest.mark.parametrize("text", ["<html>nothing</html>", "", "{}", None])
def test_an_answer_of_garbage_is_no_answer_and_no_error(endpoint, text):
    llm, _ = endpoint({"content": text})
    assert llm.write([prompt()]) == [[]]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (fault(401, "bad key sk-secret-of-the-test"), "refused the key .401.*OPENAI_API_KEY"),
        (fault(404, "no model m"), "model 'm'. is not found there .404.*base_url"),
        (fault(500, "boom sk-secret-of-the-test", **NOW), "refused the request .500., after 2 retries"),
        (fault(429, "slow down", **NOW), "rate limit"),
        (Response("<html>hello</html>", 200, content_type="text/html"), "not with a chat completion"),
        (Response("{nonsense", 200, content_type="application/json"), "did not answer with JSON"),
        (Response("[]", 200, content_type="application/json"), "not with a chat completion"),
    ],
)
def test_an_endpoint_that_fails_is_one_sentence_without_the_key(endpoint, response, words):
    llm, _ = endpoint(response)
    with pytest.raises(BackendError, match=words) as caught:
        llm.write([prompt(s) for s in range(3)])
    assert "sk-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "http://localhost" in str(caught.value)


def test_a_slow_endpoint_times_out(endpoint):
    def slow(said, body):
        time.sleep(0.6)
        return "late"

    llm, _ = endpoint(slow, timeout=0.2, max_retries=0)
    with pytest.raises(BackendError, match=r"did not answer within 0\.2 s, after 0 retries"):
        llm.write([prompt()])


def test_an_endpoint_that_is_down(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    llm = registry.load("llms", "openai", {"model": "m", "base_url": "http://user:pw@127.0.0.1:9/v1", "max_retries": 0})
    with pytest.raises(BackendError, match=r"http://127.0.0.1:9/v1.* cannot be reached") as caught:
        llm.write([prompt()])
    assert "pw" not in str(caught.value)


def test_a_key_is_needed_for_what_is_not_this_machine(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OTHER_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"No key for https://api.openai.com/v1: set .* OPENAI_API_KEY"):
        registry.load("llms", "openai", {"model": "m"})
    with pytest.raises(ConfigError, match=r"https://example.org/v1: set .* OTHER_KEY"):
        registry.load(
            "llms", "openai", {"model": "m", "base_url": "https://u:p@example.org/v1?k=1", "api_key_env": "OTHER_KEY"}
        )


def test_a_dialect_ends():
    dialect, steps = Dialect("json_schema", "max_tokens"), 0
    refusal = "max_tokens, response_format, seed, temperature and top_p are refused"
    while following := dialect.after(refusal, Options(model="m")):
        dialect, steps = following, steps + 1
    assert dialect == Dialect(
        "prompt", "max_completion_tokens", frozenset({"token_field", "seed", "temperature", "top_p"})
    )
    assert steps == 4
