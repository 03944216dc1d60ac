"""Judges and guards that run on this machine, through transformers' own classes: random weights say nothing of use."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support import tiny_models

from mossgen.core.items import Decision
from mossgen.errors import BackendError, ConfigError, MissingModel
from mossgen.models.chat import load
from mossgen.plugins import registry
from mossgen.plugins.checkers import shieldgemma
from mossgen.plugins.protocols import Case
from mossgen.stimulus.types import load_type

FAMILIES = ("llava", "qwen2_vl", "idefics3")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A saved model of each kind, made when it is first asked for."""
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = getattr(tiny_models, kind)(tmp_path_factory.mktemp(kind))
        return made[kind]

    return folder


@pytest.fixture(scope="module")
def cases():
    kind = load_type("exaggerated_risk")
    items = [replace(item, question="Which tablecloth would suit this room?") for item, _ in zip(kind.plan(0), "ab")]  # noqa: B905
    sizes, noise = ((64, 96), (120, 40)), np.random.default_rng(0)  # height and width
    return [
        Case(item, kind, Image.fromarray(noise.integers(0, 256, (*size, 3), dtype=np.uint8)))
        for item, size in zip(items, sizes, strict=True)
    ]


def local(folder, **options):
    return registry.load(
        "checkers", "vlm", {"backend": "transformers", "model": str(folder), "device": "cpu", **options}
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_random_model_says_is_unsure_and_the_same_every_time(folders, cases, family):
    found = local(folders(family))
    verdicts = found.check(cases)
    assert [v.decision for v in verdicts] == [Decision.UNSURE] * 2
    assert all("cannot be read" in v.reason for v in verdicts)
    assert found.check(cases) == verdicts  # though LLaVA's own configuration asks for sampling


@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_reads_the_request_and_its_picture_and_gives_back_only_what_it_wrote(
    folders, cases, family, monkeypatch
):
    """The prompt holds a JSON form: taken for the answer, it would be read as one."""
    import torch

    chat = load("vlm.model", str(folders(family)), "cpu", sees=True)
    processor, network = chat.reader, chat.model
    read = {}

    def generate(**inputs):
        read.update(inputs)
        said = processor.tokenizer(json.dumps({"benign": "no"}), return_tensors="pt")["input_ids"]
        return torch.cat([inputs["input_ids"], said], dim=1)

    monkeypatch.setattr(network, "generate", generate)
    assert chat.say("The question?", cases[0].image, "The policy.", 8).text == '{"benign": "no"}'
    prompt = processor.decode(read["input_ids"][0])
    assert "The policy.\n\nThe question?" in prompt
    assert prompt.rstrip().endswith("<start>assistant")
    assert read["pixel_values"].dtype == network.dtype
    assert read["do_sample"] is False


def test_a_local_model_that_fails_is_a_sentence(folders, cases, monkeypatch):
    found = local(folders("llava"))
    network = found._chat.model

    def broken(**inputs):
        raise RuntimeError("CUDA error: out of memory\nat somewhere")

    monkeypatch.setattr(network, "generate", broken)
    with pytest.raises(BackendError, match=r"^vlm.model '.*' failed: RuntimeError: .*out of memory\.$"):
        found.check(cases)


def test_what_is_no_vlm_is_a_sentence(folders, tmp_path):
    with pytest.raises(MissingModel, match="no image-text-to-text model"):
        local(tmp_path)
    with pytest.raises(MissingModel, match="no image-text-to-text model"):
        local(folders("llama"))
    with pytest.raises(ConfigError, match="device"):
        local(folders("llava"), device="tpu")
    (folders("idefics3") / "chat_template.jinja").unlink()
    with pytest.raises(MissingModel, match="no chat template"):
        local(folders("idefics3"))


def test_a_package_that_a_processor_lacks_is_named(folders, monkeypatch):
    from transformers import AutoProcessor

    def lacking(*args, **options):
        raise ImportError("Package `num2words` is required to run SmolVLM processor.")

    monkeypatch.setattr(AutoProcessor, "from_pretrained", lacking)
    with pytest.raises(MissingModel, match="num2words"):
        local(folders("llava"))


# -- ShieldGemma 2 -------------------------------------------------------------------------------------


def test_shieldgemma_gives_each_picture_its_own_probability_of_each_policy(folders, cases):
    """Batched, its requests are of unequal length: each must come to what it comes to alone."""
    import torch

    score = shieldgemma.load(str(folders("shieldgemma2")), "cpu")
    processor, network = score.args
    pictures = [case.image for case in cases]
    network.float()
    with torch.inference_mode():
        alone = [
            [float(network(**processor(images=[p], policies=[policy], return_tensors="pt")).probabilities[0, 0])
             for policy in shieldgemma.POLICIES]
            for p in pictures
        ]  # fmt: skip
    rows = score(pictures)
    assert len({round(p, 4) for row in alone for p in row}) == 6
    for row, expected in zip(rows, alone, strict=True):
        assert row == pytest.approx(expected, abs=1e-4)


def test_shieldgemma_as_a_checker(folders, cases):
    guard = registry.load("checkers", "shieldgemma", {"model": str(folders("shieldgemma2")), "flags_from": 1.0})
    one, two, none = guard.check([*cases, Case(cases[0].item, cases[0].type)])
    assert (one.decision, two.decision, none.decision) == (Decision.PASS, Decision.PASS, Decision.UNSURE)
    assert 0 < one.score < 1
    assert one.reason.split()[0] in shieldgemma.POLICIES


def test_shieldgemma_that_fails_is_a_sentence(folders, cases):
    score = shieldgemma.load(str(folders("shieldgemma2")), "cpu")
    with pytest.raises(BackendError, match="ShieldGemma failed on 1 pictures"):
        score([None])
