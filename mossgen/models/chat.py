"""A local chat model, with or without vision, run by transformers: for local targets and judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mossgen.errors import BackendError, MissingModel
from mossgen.models import devices, weights

if TYPE_CHECKING:
    from PIL.Image import Image


class Said(NamedTuple):
    """What a model wrote, whether it stopped by itself or at the token limit, and its input and output tokens."""

    text: str
    finish: Literal["stop", "length"]
    tokens_in: int
    tokens_out: int


class LocalChat:
    """A model with its tokenizer or processor. Its output depends only on the weights, the request and the seed."""

    def __init__(self, role: str, reader: Any, model: Any, sees: bool) -> None:
        self.sees = sees
        self.reader = reader
        self.model = model
        self._role = role

    def say(
        self,
        words: str,
        picture: Image | None = None,
        system: str = "",
        limit: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Said:
        """Answers a request in at most `limit` tokens; temperature 0 means greedy decoding.

        Raises BackendError if the model fails, ValueError if a model without vision is given a picture.
        """
        import torch

        if picture is not None and not self.sees:
            raise ValueError("this model cannot see")
        sampling: dict[str, Any] = {"do_sample": False}
        if temperature:
            sampling = {"do_sample": True, "temperature": temperature, "top_k": 0}
        try:
            inputs = self._inputs(words, picture, system)
            read = inputs["input_ids"].shape[1]
            with torch.inference_mode(), torch.random.fork_rng():
                torch.manual_seed(seed)
                tokens = self.model.generate(**inputs, max_new_tokens=limit, **sampling)[0, read:]
            text = str(self.reader.decode(tokens, skip_special_tokens=True))
        except Exception as error:  # out of memory, an error in the template, a picture the processor rejects
            raise BackendError(f"{self._role} failed: {devices.reason(error)}.") from error
        return Said(text, "stop" if len(tokens) < limit else "length", read, len(tokens))

    def _inputs(self, words: str, picture: Image | None, system: str) -> Any:
        """The chat as model inputs. If the template has no system turn, the system text goes before the request."""
        from jinja2 import TemplateError

        try:
            return self._encoded(words, picture, system)
        except TemplateError:
            if not system:
                raise
            return self._encoded(f"{system}\n\n{words}", picture, "")

    def _encoded(self, words: str, picture: Image | None, system: str) -> Any:
        image = [{"type": "image", "image": picture}] if picture is not None else []
        chat = [{"role": "system", "content": self._content(system, [])}] if system else []
        inputs = self.reader.apply_chat_template(
            [*chat, {"role": "user", "content": self._content(words, image)}],
            tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt",
        ).to(self.model.device)  # fmt: skip
        return {k: v.to(self.model.dtype) if v.is_floating_point() else v for k, v in inputs.items()}

    def _content(self, words: str, image: list[dict[str, Any]]) -> Any:
        """The message content: parts for a vision model, a plain text for others."""
        return [*image, {"type": "text", "text": words}] if self.sees else words


def load(role: str, model: str, device: str, dtype: str = "auto", sees: bool = False) -> LocalChat:
    """Loads a model by path, hub id or embedded name; with `sees`, it must be a vision model.

    `role` names the model in messages. Raises ConfigError (the device), MissingModel or BackendError.
    """
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    library: Any = transformers  # transformers' classes are not typed
    kind = "image-text-to-text model" if sees else "chat model"
    source, where = weights.resolve(model), devices.device(device)
    try:
        config = library.AutoConfig.from_pretrained(source)
        sees = sees or type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
        reader = (library.AutoProcessor if sees else library.AutoTokenizer).from_pretrained(source)
        loader = library.AutoModelForImageTextToText if sees else library.AutoModelForCausalLM
        network = loader.from_pretrained(source, dtype=devices.dtype(dtype, where), use_safetensors=True)
        network = network.eval().to(where)
    except (OSError, ValueError, KeyError, ImportError) as error:  # no such folder, wrong kind of model, no package
        raise MissingModel(
            f"{role} {model!r} is no {kind} that can be loaded ({devices.reason(error)}): give the folder or hub id of "
            "one with safetensors."
        ) from error
    except Exception as error:  # transformers, safetensors and torch can raise nearly any error
        raise BackendError(f"{role} {model!r} cannot be loaded: {devices.reason(error)}.") from error
    if not getattr(reader, "chat_template", None):
        raise MissingModel(f"{role} {model!r} has no chat template: give a model that was tuned to follow requests.")
    return LocalChat(f"{role} {model!r}", reader, network, sees)
