"""One training step of TRL on an export: `trl_step.py EXPORT MODEL sft|dpo|kto WORK` prints what it did as JSON."""

import json
import sys

import torch
import trl
from datasets import load_dataset
from transformers import AutoProcessor, LlavaForConditionalGeneration

folder, model_folder, method, work = sys.argv[1:]
rows = load_dataset(folder, split="train", cache_dir=f"{work}/cache")
model = LlavaForConditionalGeneration.from_pretrained(model_folder)
before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
kind = method.upper()
args = getattr(trl, f"{kind}Config")(
    output_dir=work, max_length=None, max_steps=1, per_device_train_batch_size=2, learning_rate=0.01, use_cpu=True,
    bf16=False, gradient_checkpointing=False, save_strategy="no", report_to=[],
)  # fmt: skip
trainer = getattr(trl, f"{kind}Trainer")(
    model, args=args, train_dataset=rows, processing_class=AutoProcessor.from_pretrained(model_folder)
)
batch = next(iter(trainer.get_train_dataloader()))
loss = trainer.train().training_loss
moved = sorted(name for name, weights in model.named_parameters() if not torch.equal(before[name], weights))
print(json.dumps({"rows": len(rows), "pictures": list(batch["pixel_values"].shape), "loss": loss, "moved": moved}))
