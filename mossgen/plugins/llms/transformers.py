"""Any local causal language model that transformers loads: embedded, a path, a hub id or a GGUF.

Each prompt is read once. Free answers are sampled token by token. Guided answers are drawn by the exact likelihoods
of all Prompt.choices, from one pass over the tree of their tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from mossgen.errors import BackendError, MissingModel
from mossgen.models import devices, weights
from mossgen.models.devices import Device, Dtype
from mossgen.plugins.llms._text import first_line
from mossgen.plugins.llms._tree import Tree, inputs
from mossgen.plugins.protocols import Completion, Message, PluginOptions, Prompt

if TYPE_CHECKING:
    import numpy as np
    import torch

_POOL = 1000  # free answers are sampled from the top tokens only: sorting all is slow


class Options(PluginOptions):
    """Which model writes, where it runs, and how random its text is."""

    forms: ClassVar[tuple[str, ...]] = ("PATH",)

    model: str = Field(
        "smollm2",
        min_length=1,
        description="smollm2 (embedded), a folder, or a hub id of safetensors; remote code is never run",
    )
    gguf_file: str | None = Field(None, description="the name of a GGUF file in there, which is read instead")
    device: Device = "auto"
    dtype: Dtype = "auto"
    # one prompt at a time on a CPU: batches are no faster, and rounding would make answers depend on each other
    batch_size: int = Field(
        0, ge=0, le=1024, description="prompts that are read together; 0 is 1 on a CPU and 16 on an accelerator"
    )
    temperature: float = Field(0.8, gt=0, le=5, description="how random free answers are")
    top_p: float = Field(
        0.95, gt=0, le=1, description="free answers take only the likeliest tokens that add up to this probability"
    )
    guided_temperature: float = Field(
        0.25,
        gt=0,
        le=5,
        description="how random the choice among the grammar's questions is, by their mean log-probability per token",
    )

    def needs_weights(self) -> tuple[str, ...]:
        """The embedded model, if the options name it."""
        return weights.embedded(self.model)

    def model_licence(self) -> str:
        """The licence of an embedded model; for others, where to find it."""
        return weights.licence(self.model)


def build(options: Options) -> TransformersLLM:
    """Loads the model. Raises ConfigError, MissingModel or BackendError."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, device = weights.resolve(options.model), devices.device(options.device)
    kind: dict[str, Any] = {"use_safetensors": True}
    if options.gguf_file:
        from transformers import GgufConfig

        kind = {"gguf_file": options.gguf_file, "quantization_config": GgufConfig(dequantize=True)}
    with _loading(options.model), _no_bars():
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=options.gguf_file)
        model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=devices.dtype(options.dtype, device), **kind)
        return TransformersLLM(options, tokenizer, model.eval().to(device))


@dataclass
class _Row:
    """An unfinished free answer: the index of its prompt in the batch, and its text so far."""

    prompt: int
    rng: np.random.Generator
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    done: bool = False


class TransformersLLM:
    """See protocols.LLM. An answer depends on the weights, its prompt and its seed, not on a global generator."""

    cost = 0.0

    def __init__(self, options: Options, tokenizer: Any, model: Any) -> None:
        folder = Path(options.model)
        self.name = f"transformers/{folder.name if folder.is_dir() else options.model}"  # no path in a dataset
        self.guides = not getattr(model, "_is_stateful", False)  # a recurrent state cannot branch into a tree
        self._options = options
        self._tokenizer = tokenizer
        self._model = model
        self._batch = options.batch_size or (1 if model.device.type == "cpu" else 16)
        # transformers renamed the cache argument; older versions know only the old name
        self._cache = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
        self._stops = _stop_tokens(tokenizer, model)
        self._ends = [*self._stops, self._tokens("\n")[-1]]

    def write(self, prompts: Sequence[Prompt]) -> list[list[Completion]]:
        """Writes the free answers, then the guided ones, which are distinct choices.

        Each has its mean log-probability per token, with the end of the answer as one more token. Without `guides`,
        the guided answers are free ones too. Raises BackendError.
        """
        import torch

        answers: list[list[Completion]] = []
        with torch.inference_mode(), _running(self.name, self._batch):
            for start in range(0, len(prompts), self._batch):
                answers += self._write(prompts[start : start + self._batch])
        return answers

    # -- one batch -----------------------------------------------------------------------------------

    def _write(self, prompts: Sequence[Prompt]) -> list[list[Completion]]:
        """Reads the prompts (left-padded) into one cache; then the tree of choices, then the free answers."""
        from transformers import DynamicCache

        encoded = self._encode([self.text(p.messages) for p in prompts])
        mask = encoded["attention_mask"]
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache() if self.guides else None  # a plain cache: it can be cropped after the tree
        kept = {self._cache: cache, "use_cache": True}
        read = self._model(**encoded, position_ids=positions, logits_to_keep=1, **kept)
        cache, last = read[self._cache], read.logits[:, -1].float()
        guided: list[list[Completion]] = [[] for _ in prompts]
        if self.guides and any(p.guided and p.choices for p in prompts):
            guided = self._guided(prompts, cache, mask, last)
        sampled = self._sampled(prompts, cache, mask, last)
        return [s + g for s, g in zip(sampled, guided, strict=True)]

    def text(self, messages: Sequence[Message]) -> str:
        """The prompt in the model's chat template, or as plain text for a model without one."""
        if not self._tokenizer.chat_template:
            ends = {"system": "\n\n", "user": "\n", "assistant": "\n\n"}
            return (self._tokenizer.bos_token or "") + "".join(m.content + ends[m.role] for m in messages)
        from jinja2 import TemplateError

        chat = [{"role": m.role, "content": m.content} for m in messages]
        try:
            return str(self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
        except TemplateError:  # the template has no system turn: its text goes before the first user turn
            if len(chat) < 2 or chat[0]["role"] != "system":
                raise
            chat = [{"role": "user", "content": f"{chat[0]['content']}\n\n{chat[1]['content']}"}, *chat[2:]]
            return str(self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

    def _encode(self, texts: list[str]) -> dict[str, torch.Tensor]:
        import torch

        rows = [self._tokens(text) for text in texts]
        longest = max(map(len, rows))
        ids = [[self._stops[0]] * (longest - len(r)) + r for r in rows]
        mask = [[0] * (longest - len(r)) + [1] * len(r) for r in rows]
        device = self._model.device
        return {
            "input_ids": torch.tensor(ids, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    # -- guided --------------------------------------------------------------------------------------

    def _guided(
        self, prompts: Sequence[Prompt], cache: Any, mask: torch.Tensor, last: torch.Tensor
    ) -> list[list[Completion]]:
        """Draws distinct choices for each prompt by likelihood. Leaves the cache unchanged."""
        import torch

        choices = [list(dict.fromkeys(p.choices)) if p.guided else [] for p in prompts]
        trees = [Tree([self._tokens(c) for c in cs]) for cs in choices]
        ids, positions, sees = inputs(trees, mask)
        bias = torch.zeros(sees.shape, dtype=self._model.dtype, device=mask.device)
        bias.masked_fill_(~sees, torch.finfo(bias.dtype).min)
        kept = {self._cache: cache, "use_cache": True}
        logits = self._model(input_ids=ids, attention_mask=bias, position_ids=positions, **kept).logits
        cache.crop(-ids.shape[1])
        answers = []
        for row, prompt in enumerate(prompts):
            nodes = logits[row, : len(trees[row].tokens)].float()
            logprobs = torch.cat([last[row : row + 1], nodes]).log_softmax(-1).cpu()
            means = trees[row].mean_logprobs(logprobs, self._ends)
            picks = _draw(means, prompt.guided, prompt.seed, self._options.guided_temperature)
            answers.append([Completion(choices[row][i], means[i], "guided") for i in picks])
        return answers

    # -- free ----------------------------------------------------------------------------------------

    def _sampled(
        self, prompts: Sequence[Prompt], cache: Any, mask: torch.Tensor, last: torch.Tensor
    ) -> list[list[Completion]]:
        """Samples free answers token by token, each up to the end of its first line. Consumes the cache."""
        import numpy as np
        import torch

        rows = [
            _Row(i, np.random.default_rng([prompt.seed, k + 1]))
            for i, prompt in enumerate(prompts)
            for k in range(prompt.samples + (0 if self.guides else prompt.guided))
        ]
        answers: list[list[Completion]] = [[] for _ in prompts]
        if not rows:
            return answers
        owners = torch.tensor([row.prompt for row in rows], device=mask.device)
        cache.reorder_cache(owners)
        mask, logits, positions = mask[owners], last[owners], mask.sum(-1, keepdim=True)[owners]
        while True:
            for row, scores in zip(rows, logits.log_softmax(-1).cpu(), strict=True):
                self._extend(row, scores, prompts[row.prompt].max_tokens)
            if all(row.done for row in rows):
                break
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], -1)
            ids = torch.tensor([row.tokens[-1:] for row in rows], device=mask.device)
            kept = {self._cache: cache, "use_cache": True}
            step = self._model(input_ids=ids, attention_mask=mask, position_ids=positions, **kept)
            logits, positions = step.logits[:, -1].float(), positions + 1
        for row in rows:
            text = first_line(self._decode(row.tokens))
            if text:
                answers[row.prompt].append(Completion(text, sum(row.logprobs) / len(row.logprobs), "sampled"))
        return answers

    def _extend(self, row: _Row, logprobs: torch.Tensor, limit: int) -> None:
        """Adds one token to an unfinished answer."""
        if row.done:
            return
        token = _pick(logprobs, row.rng.random(), self._options.temperature, self._options.top_p)
        row.tokens.append(token)
        row.logprobs.append(float(logprobs[token]))
        line_ended = "\n" in self._decode(row.tokens).lstrip()
        row.done = line_ended or token in self._stops or len(row.tokens) >= limit

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))


# -- drawing -------------------------------------------------------------------------------------------


def _draw(scores: Sequence[float], count: int, seed: int, temperature: float) -> list[int]:
    """Draws `count` distinct indices, or all, without replacement by exp(score / temperature) (Gumbel top-k)."""
    import numpy as np

    noise = np.random.default_rng(seed).gumbel(size=len(scores))
    order = np.argsort(-(np.asarray(scores, dtype=np.float64) / temperature + noise), kind="stable")
    return [int(i) for i in order[:count]]


def _pick(logprobs: torch.Tensor, uniform: float, temperature: float, top_p: float) -> int:
    """The token that `uniform` (0 to 1) selects among the likeliest tokens that together reach `top_p`."""
    import torch

    values, tokens = logprobs.topk(min(_POOL, len(logprobs)))
    probs = (values.double() / temperature).softmax(-1)
    before = probs.cumsum(-1) - probs
    kept = torch.where(before < top_p, probs, 0.0).cumsum(-1)
    at = torch.searchsorted(kept, uniform * float(kept[-1]), right=True)
    return int(tokens[min(int(at), len(tokens) - 1)])


def _stop_tokens(tokenizer: Any, model: Any) -> list[int]:
    """The tokens that end the model's text."""
    listed = model.generation_config.eos_token_id
    stops = [*(listed if isinstance(listed, list) else [listed]), tokenizer.eos_token_id]
    return list(dict.fromkeys(s for s in stops if s is not None)) or [0]


# -- loading -------------------------------------------------------------------------------------------


@contextmanager
def _loading(model: str) -> Iterator[None]:
    """Turns an error in loading into one sentence."""
    try:
        yield
    except OSError as error:
        raise MissingModel(
            f"The language model {model!r} is not there or not whole ({devices.reason(error)}): give smollm2, a"
            " folder with config.json, tokenizer and safetensors, or the id of a public hub repository."
        ) from error
    except Exception as error:  # transformers, safetensors, gguf and torch can raise nearly any error
        raise BackendError(f"The language model {model!r} cannot be loaded: {devices.reason(error)}.") from error


@contextmanager
def _running(name: str, batch: int) -> Iterator[None]:
    """Turns an error in writing into one sentence."""
    try:
        yield
    except Exception as error:  # out of memory, an error in the template, an operation the device lacks
        raise BackendError(
            f"{name} failed while writing {batch} prompts at once: {devices.reason(error)}; if memory ran out,"
            " lower llm option batch_size."
        ) from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Turns off transformers' progress bars while loading: they would disturb the caller's."""
    from transformers.utils import logging

    if not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]
