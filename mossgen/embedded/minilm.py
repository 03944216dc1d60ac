"""MiniLM as the text encoder of the small heads: texts to the token means of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mossgen.errors import BackendError

if TYPE_CHECKING:
    import numpy as np

LAYERS = (1, 2, 3, 4, 5, 6)  # the encoder layers: the token means of some of them are a head's input
WIDTH = 384
MAX_TOKENS = 128


class Encoder:
    """MiniLM, giving what a head reads."""

    def __init__(self, folder: Path, layers: Sequence[int] = LAYERS) -> None:
        """Loads the folder's model, to give these layers. Raises BackendError."""
        from transformers import AutoModel, AutoTokenizer

        self._layers = tuple(layers)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder)
            self._model = AutoModel.from_pretrained(folder).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise BackendError(f"MiniLM in {folder} cannot be loaded: {error}.") from error

    def features(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """[n, layers * 384] float32: token means of the layers in order, each scaled to norm sqrt(384)."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows = np.zeros((len(texts), len(self._layers) * WIDTH), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            rows[batch] = self._batch([texts[i] for i in batch])
        return rows

    def _batch(self, texts: list[str]) -> np.ndarray:
        import torch
        from torch.nn.functional import normalize

        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(**tokens, output_hidden_states=True).hidden_states
        mask = tokens["attention_mask"].unsqueeze(-1)
        means = [(states[layer] * mask).sum(1) / mask.sum(1) for layer in self._layers]
        rows: np.ndarray = torch.cat([normalize(m) * m.shape[1] ** 0.5 for m in means], dim=1).numpy()
        return rows
