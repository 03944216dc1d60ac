"""Any model that transformers loads, on this machine: one that sees pictures, or one that is told what they show."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mossgen import devices, models
from mossgen.errors import BackendError, MissingModel
from mossgen.ports import Failure, Query, Response
from mossgen.targets._seen import MAX_SIDE, in_words, scaled


class Options(BaseModel):
    """What the user may set.

    `model` is a folder, a hub id (of safetensors; remote code is never run) or smollm2, which is embedded and cannot
    see. With `temperature` 0 the likeliest token is always taken; otherwise a query's own seed decides.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field(min_length=1)
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?|xpu(:\d+)?)$")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_tokens: int = Field(256, ge=1, le=32768)
    temperature: float = Field(0.0, ge=0, le=5)
    max_side: int = Field(MAX_SIDE, ge=32, le=16384)


def build(options: Options) -> TransformersTarget:
    """Loads the model. Raises ConfigError, MissingModel or BackendError."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    source, device = models.resolve(options.model), devices.device(options.device)
    try:
        sees = type(AutoConfig.from_pretrained(source)) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
        reader: Any = (AutoProcessor if sees else AutoTokenizer).from_pretrained(source)
        loader: Any = AutoModelForImageTextToText if sees else AutoModelForCausalLM
        model = loader.from_pretrained(source, dtype=devices.dtype(options.dtype, device), use_safetensors=True)
        return TransformersTarget(options, reader, model.eval().to(device), sees)
    except OSError as error:
        raise MissingModel(
            f"target transformers:{options.model} is not there or not whole ({devices.reason(error)}): give smollm2, a "
            "folder with config.json, tokenizer and safetensors, or the id of a public hub repository."
        ) from error
    except Exception as error:  # transformers, safetensors and torch raise nearly anything
        raise BackendError(f"target transformers:{options.model} cannot be loaded: {devices.reason(error)}.") from error


class TransformersTarget:
    """See ports.Target. One query at a time; an answer depends on the weights, the query and its seed alone."""

    cost = 0.0

    def __init__(self, options: Options, reader: Any, model: Any, sees: bool) -> None:
        folder = Path(options.model)
        self.name = f"transformers:{folder.name if folder.is_dir() else options.model}"
        self.settings: Mapping[str, Any] = options.model_dump(mode="json", exclude={"device"})
        self.sees = sees
        self._options = options
        self._reader = reader
        self._model = model

    def respond(self, queries: Iterable[Query]) -> Iterator[tuple[Query, Response | Failure]]:
        """See ports.Target."""
        for query in queries:
            started = time.monotonic()
            try:
                text, finish, counts = self._answer(query)
            except (RuntimeError, ValueError, IndexError) as error:  # out of memory; longer than the model reads
                yield query, Failure(f"{self.name} failed on {query.item}: {devices.reason(error)}.")
                continue
            kind: Any = "answered" if text.strip() else "empty"
            seconds = round(time.monotonic() - started, 3)
            yield query, Response(text, kind, finish, self.name.partition(":")[2], *counts, seconds)

    def _answer(self, query: Query) -> tuple[str, str, tuple[int, int]]:
        """The text, why it ends, and how many tokens were read and written."""
        import torch

        sampling: dict[str, Any] = {"do_sample": False}
        if self._options.temperature:
            sampling = {"do_sample": True, "temperature": self._options.temperature, "top_k": 0}
        inputs = self._inputs(query)
        read = inputs["input_ids"].shape[1]
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(query.seed)
            tokens = self._model.generate(**inputs, max_new_tokens=self._options.max_tokens, **sampling)[0, read:]
        ended = len(tokens) < self._options.max_tokens
        text = self._reader.decode(tokens, skip_special_tokens=True)
        return text, "stop" if ended else "length", (read, len(tokens))

    def _inputs(self, query: Query) -> Any:
        """The chat as the model reads it. A template without a system turn has it before the question."""
        from jinja2 import TemplateError

        try:
            return self._encoded(query, query.system, "")
        except TemplateError:
            return self._encoded(query, "", f"{query.system}\n\n" if query.system else "")

    def _encoded(self, query: Query, system: str, before: str) -> Any:
        words = before + (query.question if self.sees else in_words(query))
        content: Any = words
        if self.sees:
            content = [{"type": "text", "text": words}]
            if query.picture is not None:
                content.insert(0, {"type": "image", "image": scaled(query.picture(), self._options.max_side)})
        opening: Any = [{"type": "text", "text": system}] if self.sees else system
        chat = [{"role": "system", "content": opening}] if system else []
        inputs = self._reader.apply_chat_template(
            [*chat, {"role": "user", "content": content}],
            tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt",
        )  # fmt: skip
        return inputs.to(self._model.device)
