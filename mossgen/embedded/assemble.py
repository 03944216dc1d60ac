"""Put the committed weights and the MiniLM text encoder together to a folder that diffusers loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

WEIGHTS = Path(__file__).with_name("weights") / "t2i"
PIPELINE_FILE = '''"""Lets DiffusionPipeline.from_pretrained(folder, trust_remote_code=True) find mossgen's pipeline."""

from mossgen.embedded.pipeline import LayeredDiffusionPipeline

__all__ = ["LayeredDiffusionPipeline"]
'''
TEXT_FILES = ("config.json", "model.safetensors")
MODEL_INDEX = {
    "_class_name": ["pipeline", "LayeredDiffusionPipeline"],
    "_diffusers_version": "0.38.0",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "BertModel"],
    "tokenizer": ["transformers", "BertTokenizerFast"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["mossgen.embedded.autoencoder", "LayerAutoencoder"],
}


def assemble(weights_dir: Path, minilm_dir: Path, out_dir: Path) -> Path:
    """Build the diffusers folder `out_dir` (replaced if it is there) from our weights and a MiniLM folder.

    The result loads with `DiffusionPipeline.from_pretrained(out_dir, trust_remote_code=True)`: the folder's pipeline.py
    imports mossgen's class, and diffusers runs no folder's code unasked.
    """
    part = out_dir.with_name(out_dir.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in ("unet", "vae", "scheduler"):
        shutil.copytree(weights_dir / name, part / name)
    (part / "text_encoder").mkdir()
    (part / "tokenizer").mkdir()
    for source in sorted(minilm_dir.iterdir()):
        if source.is_file() and source.name != "manifest.json":  # MiniLM's own: models.py writes ours
            target = part / ("text_encoder" if source.name in TEXT_FILES else "tokenizer") / source.name
            shutil.copyfile(source, target)
    (part / "pipeline.py").write_text(PIPELINE_FILE, encoding="utf-8")
    (part / "model_index.json").write_text(json.dumps(MODEL_INDEX, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(out_dir, ignore_errors=True)
    part.rename(out_dir)
    return out_dir
