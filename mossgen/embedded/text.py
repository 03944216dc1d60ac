"""MiniLM as the text encoder of the embedded text-to-image model: phrases to token states and their mean."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

TOKENS = 16


@torch.no_grad()
def encode(tokenizer: Any, encoder: Any, phrases: list[str]) -> tuple[Tensor, Tensor]:
    """Phrases -> token states (n, TOKENS, 384), zero where padded, and their mean (n, 384)."""
    tokens = tokenizer(phrases, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
    tokens = tokens.to(encoder.device)
    mask = tokens["attention_mask"].to(encoder.dtype)[..., None]
    states = encoder(**tokens).last_hidden_state * mask
    return states, states.sum(1) / mask.sum(1)
