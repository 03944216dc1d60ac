"""The diffusers imager: the embedded pipeline, every option on a tiny one of random weights, presets, and faults."""

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tiny_models

from mossgen.errors import BackendError, ConfigError, MissingModel
from mossgen.plugins import registry
from mossgen.plugins.imagers.diffusers import PHOTO, PRESETS, DiffusersImager, Options, build
from mossgen.plugins.protocols import Drawing

APPLE, KITE = Drawing("a red apple", "", 1), Drawing("a blue kite", "", 2)


@pytest.fixture(scope="module")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.stable_diffusion(tmp_path_factory.mktemp("tiny") / "pipeline")


def drawn(model: Path, *drawings: Drawing, **options: Any) -> list[np.ndarray]:
    """What a model draws with these options, as arrays of height, width and RGB."""
    imager = build(Options(model=str(model), **{"steps": 2, **options}))
    return [np.asarray(picture, int) for picture in imager.draw(drawings or [APPLE])]


def test_the_embedded_pipeline_loads_without_deprecated_arguments() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        imager = build(Options(steps=1))
    assert [str(w.message) for w in caught if issubclass(w.category, FutureWarning)] == []
    (picture,) = imager.draw([Drawing("a red apple in a kitchen", "", 1)])
    assert picture is not None
    assert (picture.size, picture.mode) == ((256, 256), "RGB")


# -- options -------------------------------------------------------------------------------------------


def test_a_picture_depends_on_its_prompt_and_seed_alone(tiny_pipeline: Path) -> None:
    apple, kite, again = drawn(tiny_pipeline, APPLE, KITE, APPLE)
    assert apple.shape == (64, 64, 3)
    assert (apple == again).all()
    assert (apple != kite).any()
    (other_seed,) = drawn(tiny_pipeline, Drawing(APPLE.prompt, "", 2))
    assert (apple != other_seed).any()


@pytest.mark.parametrize(
    "options", [{"steps": 3}, {"guidance": 1.0}, {"prompt_suffix": ", at night"}, {"size": 80}], ids=str
)
def test_an_option_changes_the_picture(options: dict[str, Any], tiny_pipeline: Path) -> None:
    (plain,), (changed,) = drawn(tiny_pipeline), drawn(tiny_pipeline, **options)
    assert plain.shape != changed.shape or (plain != changed).any()


def test_the_suffix_is_added_to_the_prompt_and_the_size_is_that_of_the_picture(tiny_pipeline: Path) -> None:
    (added,) = drawn(tiny_pipeline, prompt_suffix=", at night")
    (written,) = drawn(tiny_pipeline, Drawing("a red apple, at night", "", 1))
    assert (added == written).all()
    assert drawn(tiny_pipeline, size=80)[0].shape == (80, 80, 3)


def test_batches_and_the_device_change_no_picture(tiny_pipeline: Path) -> None:
    together, apart = drawn(tiny_pipeline, APPLE, KITE, device="cpu"), drawn(tiny_pipeline, APPLE, KITE, batch_size=1)
    for one, other in zip(together, apart, strict=True):
        assert abs(one - other).max() <= 1


def test_a_cpu_draws_in_single_precision_unless_told_otherwise(tiny_pipeline: Path) -> None:
    (auto,), (single,) = drawn(tiny_pipeline), drawn(tiny_pipeline, dtype="float32")
    assert (auto == single).all()
    assert (drawn(tiny_pipeline, dtype="bfloat16")[0] != single).any()


def test_a_negative_prompt_reaches_a_pipeline_that_takes_one(tiny_pipeline: Path) -> None:
    (plain,), (away,) = drawn(tiny_pipeline), drawn(tiny_pipeline, Drawing(APPLE.prompt, "a green leaf", 1))
    assert (plain != away).any()


@pytest.mark.parametrize(
    "options",
    [{"steps": 0}, {"steps": 201}, {"guidance": -1}, {"size": 100}, {"size": 8}, {"batch_size": 0}, {"device": "tpu"},
     {"dtype": "int8"}, {"colour": "red"}],
    ids=str,
)  # fmt: skip
def test_an_option_out_of_range_is_a_sentence_that_names_it(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"diffusers.{next(iter(options))}"):
        registry.load("imagers", "diffusers", options)


# -- presets -------------------------------------------------------------------------------------------


class Recorder:
    """A pipeline that draws black and keeps what it was asked for."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.asked: dict[str, Any] = {}
        self.fault = fault

    def __call__(self, negative_prompt: list[str] | None = None, **asked: Any) -> "Recorder":
        self.asked = {**asked, "negative_prompt": negative_prompt}
        if self.fault:
            raise self.fault
        self.images = [Image.new("L", (asked["width"], asked["height"])) for _ in asked["prompt"]]
        return self

    def set_progress_bar_config(self, **settings: Any) -> None:
        pass

    def to(self, device: str) -> "Recorder":
        return self


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"t2i"}))
def test_a_preset_is_run_as_its_model_wants_unless_options_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    loaded, pipeline, preset = [], Recorder(), PRESETS[name]
    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained",
                        lambda place, **how: loaded.append((place, how)) or pipeline)  # fmt: skip
    (picture,) = build(Options(model=name)).draw([Drawing("a kite", "a leaf", 1)])
    ((place, how),) = loaded
    assert (place, how["use_safetensors"], how["trust_remote_code"]) == (preset.model, True, False)
    asked = pipeline.asked
    assert (asked["num_inference_steps"], asked["guidance_scale"]) == (preset.steps, preset.guidance)
    assert (asked["prompt"], asked["negative_prompt"]) == ([f"a kite{PHOTO}"], ["a leaf"])
    assert (picture.size, picture.mode) == ((preset.size, preset.size), "RGB")
    build(Options(model=name, steps=7, guidance=2.5, size=64, prompt_suffix="!")).draw([APPLE])
    assert (pipeline.asked["num_inference_steps"], pipeline.asked["guidance_scale"]) == (7, 2.5)
    assert (pipeline.asked["height"], pipeline.asked["prompt"]) == (64, ["a red apple!"])


# -- faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["sdxl", "some-org/some-model", "no/such/folder"])
def test_a_model_that_is_not_there_and_cannot_be_fetched_is_a_sentence(model: str) -> None:
    wanted = PRESETS[model].model if model in PRESETS else model
    with pytest.raises(MissingModel, match=f"{wanted}.* as a model on the hub") as caught:
        build(Options(model=model))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoilt", ["unet/diffusion_pytorch_model.safetensors", "model_index.json", "unet/config.json"])
def test_a_broken_folder_is_a_sentence(spoilt: str, tiny_pipeline: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_pipeline, tmp_path / "pipeline")
    (folder / spoilt).write_text("{", encoding="utf-8")
    with pytest.raises(MissingModel, match=f"{folder}.* as a folder"):
        build(Options(model=str(folder)))


def test_weights_that_could_hold_code_are_refused(tiny_pipeline: Path, tmp_path: Path) -> None:
    import torch

    folder = shutil.copytree(tiny_pipeline, tmp_path / "pipeline")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(MissingModel, match="safetensors"):
        build(Options(model=str(folder)))


@pytest.mark.parametrize(
    ("fault", "advice"),
    [(RuntimeError("CUDA out of memory"), "batch_size"), (ValueError("no such thing"), "-v"), (TypeError("odd"), "-v")],
)
def test_a_pipeline_that_fails_is_one_sentence_with_advice(fault: Exception, advice: str) -> None:
    imager = DiffusersImager(Recorder(fault), Options(), PRESETS["t2i"], {})
    with pytest.raises(BackendError, match=str(fault)) as caught:
        imager.draw([APPLE])
    assert advice in str(caught.value)
