"""Puts the embedded embedder together: an open_clip folder from our trained part and two public sets of weights.

The folder loads by `open_clip.create_model_from_pretrained("local-dir:.")` from within it: open_clip hands
`hf_model_name` to transformers as it stands, which reads "." from the current folder. The embedder plugin gives the
absolute path instead, and so loads it from anywhere. `import mossgen.embedded.tower` comes first: it makes the image
tower known.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from mossgen.embedded.tower import DIM, SIDE, WORDS

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
LOGIT_SCALE = math.log(20.0)  # as in training

MODEL_CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": DIM,
        "vision_cfg": {
            "timm_model_name": "mossgen_tower",
            "timm_model_pretrained": False,
            "timm_pool": "",
            "timm_proj": "",
            "image_size": SIDE,
        },
        "text_cfg": {
            "hf_model_name": ".",
            "hf_tokenizer_name": ".",
            "hf_model_pretrained": False,
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": "linear",
            "context_length": 72,
        },
        "custom_text": True,
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "squash",
    },
}


def assemble(weights_dir: Path, minilm_dir: Path, efficientnet_dir: Path, out_dir: Path) -> None:
    """Writes the complete folder. Raises OSError, or ValueError where the weights do not fit together."""
    import torch
    from safetensors.torch import load_file, save_file

    ours = load_file(weights_dir / "model.safetensors")
    state = {f"visual.trunk.trunk.{k}": v for k, v in load_file(efficientnet_dir / "model.safetensors").items()
             if not k.startswith("classifier.")}  # fmt: skip
    strange = [k for k in ours if k not in state and not k.startswith(("visual.trunk.pool.", "visual.trunk.layout."))]
    if strange:
        raise ValueError(f"{weights_dir} has weights of no part of the model: {strange[0]}.")
    state |= {k: v.float() for k, v in ours.items()}
    state |= {f"text.transformer.{k}": v for k, v in load_file(minilm_dir / "model.safetensors").items()
              if not k.startswith("pooler.") and not k.endswith("position_ids")}  # fmt: skip
    state["text.proj.weight"] = torch.eye(DIM, WORDS)  # texts keep MiniLM's geometry; their other dimensions are 0
    state["logit_scale"] = torch.tensor(LOGIT_SCALE)
    out_dir.mkdir(parents=True, exist_ok=True)
    save_file(state, out_dir / "open_clip_model.safetensors")
    (out_dir / "open_clip_config.json").write_text(json.dumps(MODEL_CONFIG, indent=1), encoding="utf-8")
    for name in ("config.json", *TOKENIZER_FILES):
        shutil.copyfile(minilm_dir / name, out_dir / name)
    if (weights_dir / "thresholds.json").is_file():
        shutil.copyfile(weights_dir / "thresholds.json", out_dir / "thresholds.json")
