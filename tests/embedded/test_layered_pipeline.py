"""The layered pipeline with toy-sized real components: no download, no trained weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from transformers import BertConfig, BertModel, BertTokenizerFast

from mossgen.embedded.assemble import assemble
from mossgen.embedded.autoencoder import LayerAutoencoder
from mossgen.embedded.layout import Layer
from mossgen.embedded.pipeline import LayeredDiffusionPipeline, compose, cut_out

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "an",
    "the",
    "cat",
    "dog",
    "and",
    "in",
    "park",
    "plain",
    "background",
    "red",
]


def parts() -> dict[str, object]:
    torch.manual_seed(0)
    size = {"vocab_size": len(WORDS), "hidden_size": 384, "intermediate_size": 16, "max_position_embeddings": 32}
    text = BertModel(BertConfig(num_hidden_layers=1, num_attention_heads=2, **size)).eval()
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=32, out_channels=32, block_out_channels=(8, 8), layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type=None, attention_head_dim=2, cross_attention_dim=384, class_embed_type="projection",
        projection_class_embeddings_input_dim=384,
    ).eval()  # fmt: skip
    vae = LayerAutoencoder(widths=(8, 8, 8), encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1, 1)).eval()
    return {"text_encoder": text, "unet": unet, "vae": vae, "scheduler": FlowMatchEulerDiscreteScheduler()}


def save_text_encoder(folder: Path, text: BertModel) -> None:
    text.save_pretrained(folder)
    BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)}).save_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("toy")
    made = parts()
    for name in ("unet", "vae", "scheduler"):
        made[name].save_pretrained(root / "weights" / name)  # type: ignore[attr-defined]
    save_text_encoder(root / "minilm", made["text_encoder"])  # type: ignore[arg-type]
    return assemble(root / "weights", root / "minilm", root / "model")


@pytest.fixture(scope="module")
def pipe(folder: Path) -> LayeredDiffusionPipeline:
    loaded = LayeredDiffusionPipeline.from_pretrained(folder, trust_remote_code=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_loads_through_diffusers_alone(folder: Path) -> None:
    loaded = DiffusionPipeline.from_pretrained(folder, trust_remote_code=True)
    assert type(loaded).__name__ == "LayeredDiffusionPipeline"
    assert loaded("a cat", num_inference_steps=1).images[0].size == (256, 256)


def test_a_picture_does_not_depend_on_its_neighbours(pipe: LayeredDiffusionPipeline) -> None:
    prompts = ["a cat and a dog in a park", "a red dog"]
    both = pipe(prompts, generator=seeded(1, 2), num_inference_steps=2, output_type="np").images
    alone = pipe(prompts[1], generator=seeded(2), num_inference_steps=2, output_type="np").images
    np.testing.assert_allclose(both[1], alone[0], atol=3 / 255)


def test_seed_and_prompt_and_guidance_matter(pipe: LayeredDiffusionPipeline) -> None:
    def draw(prompt: str, seed: int, **options: object) -> np.ndarray:
        return pipe(prompt, generator=seeded(seed), num_inference_steps=2, output_type="np", **options).images[0]

    first = draw("a cat", 1)
    assert np.array_equal(first, draw("a cat", 1))
    assert not np.array_equal(first, draw("a cat", 2))
    assert not np.array_equal(first, draw("a dog", 1))
    assert not np.array_equal(first, draw("a cat", 1, guidance_scale=1.0))
    assert not np.array_equal(first, draw("a cat", 1, negative_prompt="a dog"))


def test_output_forms(pipe: LayeredDiffusionPipeline) -> None:
    assert pipe("a cat", num_inference_steps=1, output_type="pt").images.shape == (1, 3, 256, 256)
    assert pipe("a cat", num_inference_steps=1, width=128, height=64).images[0].size == (128, 64)
    (images,) = pipe(["a cat", "a dog"], num_inference_steps=1, return_dict=False)
    assert [image.mode for image in images] == ["RGB", "RGB"]
    with pytest.raises(ValueError, match="output_type"):
        pipe("a cat", num_inference_steps=1, output_type="latent")
    with pytest.raises(ValueError, match="2 prompts, but 1 generators"):
        pipe(["a cat", "a dog"], generator=seeded(1))


def test_compose_puts_a_sprite_into_its_box() -> None:
    background = np.full((128, 128, 4), 1.0, np.float32)
    sprite = np.zeros((128, 128, 4), np.float32)
    sprite[..., 3] = -1
    sprite[32:96, 32:96] = (1, -1, -1, 1)
    layer = Layer("a red square", (100, 120, 180, 200))
    picture = np.asarray(compose([(Layer("white", background=True), background), (layer, sprite)]))
    assert tuple(picture[160, 140]) == (255, 0, 0)
    assert tuple(picture[10, 10]) == (255, 255, 255)
    assert tuple(picture[195, 105]) == (255, 0, 0)


def test_an_empty_sprite_is_no_error() -> None:
    clear = np.zeros((128, 128, 4), np.float32)
    clear[..., 3] = -1
    assert cut_out(clear).size == (128, 128)


def test_a_phrase_is_drawn_by_itself_from_its_own_generator(pipe: LayeredDiffusionPipeline) -> None:
    def drawn(*phrases: str) -> list[bytes]:
        generators = [torch.Generator().manual_seed(len(phrase)) for phrase in phrases]
        return [one.tobytes() for one in pipe.sprites(list(phrases), generators, steps=2)]

    alone, together = drawn("a dog"), drawn("a red cat", "a dog")
    assert alone == together[1:]
    assert together[0] != together[1]
