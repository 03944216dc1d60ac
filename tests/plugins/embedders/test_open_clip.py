"""The embedded open_clip model for real, and the plugin around any other."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mossgen.errors import BackendError, ConfigError, MissingModel
from mossgen.models import weights
from mossgen.plugins import registry
from mossgen.plugins.embedders import open_clip as plugin


@pytest.fixture(scope="module")
def embedder():
    return registry.load("embedders", "open_clip", {})


def picture(colour, shape="ellipse", side=256):
    image = Image.new("RGB", (side, side), (235, 235, 225))
    getattr(ImageDraw.Draw(image), shape)((side * 0.2, side * 0.2, side * 0.8, side * 0.8), fill=colour)
    return image


def test_rows_are_unit_vectors_in_order_whatever_the_batch(embedder):
    images = [picture(c, s) for c in ("red", "green", "blue") for s in ("ellipse", "rectangle")]
    rows = embedder.images(images)
    assert rows.shape == (6, embedder.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.images(images[3:4])[0], rows[3], atol=1e-4)
    texts = embedder.texts(["a knife", "Write a slogan that promotes this.", "a " * 400])
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert texts.shape == (3, embedder.dim)


def test_padding_that_no_text_reaches_is_left_out(embedder):
    texts = ["a knife", "Write a slogan that promotes this."]
    padded = embedder._tokenize(texts)
    short = plugin._unpadded(embedder._model, padded)
    assert short.shape[1] == max(int((row != 0).sum()) for row in padded) < padded.shape[1]
    whole = embedder._model.encode_text(padded, normalize=True).detach().numpy()
    np.testing.assert_allclose(embedder.texts(texts), whole, atol=1e-6)
    before = padded.flip(1)  # padded on the left: there every column is reached
    assert plugin._unpadded(embedder._model, before).shape == before.shape
    assert plugin._unpadded(object(), padded) is padded


def test_nothing_gives_no_rows(embedder):
    assert embedder.images([]).shape == (0, embedder.dim)
    assert embedder.texts([]).shape == (0, embedder.dim)


def test_any_mode_and_shape_of_picture_is_taken(embedder):
    odd = [Image.new("L", (31, 400)), Image.new("RGBA", (300, 20)), Image.new("P", (64, 64))]
    assert np.isfinite(embedder.images(odd)).all()


def test_paraphrases_are_duplicates_and_other_questions_of_the_template_are_not(embedder):
    rows = embedder.texts(
        [
            "Write a slogan that promotes this.",
            "Come up with a slogan promoting this.",
            "Draft a short poem about this.",
            "Make a quiz about this for fifth graders.",
        ]
    )
    scores = rows @ rows.T
    threshold = embedder.thresholds["text"]
    assert scores[0, 1] >= threshold
    assert max(scores[0, 2], scores[0, 3], scores[2, 3]) < threshold


def test_a_recompressed_picture_is_a_duplicate_and_another_is_not(embedder, tmp_path):
    first, other = picture("red"), picture("blue", "rectangle")
    first.resize((200, 200)).save(tmp_path / "a.jpg", quality=60)
    rows = embedder.images([first, Image.open(tmp_path / "a.jpg").convert("RGB"), other])
    assert rows[0] @ rows[1] >= embedder.thresholds["image"] > rows[0] @ rows[2]


def test_texts_keep_minilms_geometry(embedder):
    from mossgen.plugins.checkers.safety import Encoder

    texts = ["How do I fold this neatly?", "What is a neat way to fold this?", "a bomb in a classroom"]
    pooled = Encoder(weights.path("minilm")).features(texts)[:, -384:]
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    rows = embedder.texts(texts)
    np.testing.assert_allclose(rows @ rows.T, pooled @ pooled.T, atol=1e-3)


def test_every_channel_has_a_threshold_and_options_override_it(embedder):
    assert set(embedder.thresholds) == {"text", "image", "pair", "match"}
    assert all(-1 < value < 1 for value in embedder.thresholds.values())
    measured = json.loads((weights.path("clip") / "thresholds.json").read_text())
    assert embedder.thresholds == measured
    own = registry.load("embedders", "open_clip", {"text": 0.5, "match": -0.1})
    assert own.thresholds == {**measured, "text": 0.5, "match": -0.1}


def test_the_folder_loads_with_open_clip_once_the_tower_is_known():
    code = (
        "import open_clip, torch\n"
        "import mossgen.embedded.tower\n"
        "model, _, preprocess = open_clip.create_model_and_transforms('local-dir:.')\n"
        "tokens = open_clip.get_tokenizer('local-dir:.')(['a knife in a kitchen'])\n"
        "print(tuple(model.encode_text(tokens).shape), tuple(model.encode_image(torch.zeros(1, 3, 192, 192)).shape))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=weights.path("clip"), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[-2] == "(1, 512) (1, 512)"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"model": "ViT-Z-99"}, "no such architecture"),
        ({"model": "ViT-B-32"}, "laion2b_s34b_b79k"),
        ({"model": "ViT-B-32", "pretrained": "nonsense"}, "nonsense"),
        ({"model": "local-dir:somewhere", "pretrained": "openai"}, "brings its own weights"),
        ({"batch_size": 0}, "batch_size"),
        ({"text": 1.5}, "text"),
        ({"colour": "red"}, "colour"),
        ({"device": "cuda"}, "finds only"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, named, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=named) as caught:
        registry.load("embedders", "open_clip", options)
    assert "\n" not in str(caught.value)


def test_missing_and_broken_folders_are_named(tmp_path):
    with pytest.raises(MissingModel, match="nowhere"):
        registry.load("embedders", "open_clip", {"model": f"local-dir:{tmp_path / 'nowhere'}"})
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(MissingModel, match="open_clip_config"):
        registry.load("embedders", "open_clip", {"model": f"local-dir:{tmp_path}"})


def test_another_model_from_a_folder_has_the_guessed_thresholds(tmp_path):
    """A real open_clip architecture at toy size, with random weights and the byte-pair tokenizer."""
    import open_clip
    from safetensors.torch import save_file

    tower = {"layers": 1, "width": 64, "heads": 1}
    config = {"embed_dim": 32, "vision_cfg": {**tower, "image_size": 32, "patch_size": 16, "head_width": 64},
              "text_cfg": {**tower, "context_length": 77, "vocab_size": 49408}}  # fmt: skip
    config["vision_cfg"].pop("heads")
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    model = open_clip.CLIP(**json.loads(json.dumps(config)))
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    toy = registry.load("embedders", "open_clip", {"model": f"local-dir:{tmp_path}", "image": 0.9})
    assert toy.images([picture("red")]).shape == toy.texts(["a knife"]).shape == (1, 32)
    assert toy.thresholds == {**plugin.GUESSED, "image": 0.9}


def test_what_torch_raises_becomes_ours(embedder, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(embedder._model, "encode_image", broken)
    with pytest.raises(BackendError, match="out of memory"):
        embedder.images([picture("red")])
