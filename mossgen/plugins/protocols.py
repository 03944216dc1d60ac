"""The Protocols on one page: what a plugin of each kind must do.

A plugin is a module with a docstring, `Options` (a subclass of PluginOptions, or of the kind's own below) and
`build(options)`, which returns the object that the Protocol describes. Options say what must be known before
loading; the object does the work. registry.py finds the plugins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from mossgen.core.items import Item, Verdict
from mossgen.core.options import PluginOptions as PluginOptions
from mossgen.core.refusal import RefusalClass

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mossgen.stimulus.types import StimulusType


@dataclass(frozen=True)
class Message:
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Prompt:
    """One writing job: `samples` free answers wanted, and `guided` answers from the template's grammar.

    `choices` lists every string that a guided answer may be. A local model chooses among them by likelihood. A backend
    that cannot (`guides` is false) writes freely and sees some of them as examples.
    `seed` makes the job repeatable if the backend supports it.
    """

    messages: tuple[Message, ...]
    seed: int
    samples: int = 1
    choices: tuple[str, ...] = ()
    guided: int = 0
    max_tokens: int = 48


@dataclass(frozen=True)
class Completion:
    """One answer: the text, its mean log-probability per token if known, and how it was made."""

    text: str
    logprob: float | None
    how: Literal["sampled", "guided", "offered"]


class LLM(Protocol):
    """Writes text. `name` goes into provenance."""

    name: str
    guides: bool  # can keep its answers inside Prompt.choices
    cost: float  # US dollars spent so far by this object, as far as known

    def write(self, prompts: Sequence[Prompt]) -> list[list[Completion]]:
        """Returns the answers to each prompt, in order. Raises BackendError."""
        ...


@dataclass(frozen=True)
class Drawing:
    """One drawing job. Only `seed` decides the noise, not the rest of the batch."""

    prompt: str
    negative_prompt: str
    seed: int


class Imager(Protocol):
    """Draws pictures. `name` goes into provenance."""

    name: str
    cost: float

    def draw(self, drawings: Sequence[Drawing]) -> list[Image | None]:
        """One RGB picture each, in order; None if the model refuses that prompt. Raises BackendError."""
        ...


CHANNELS = ("text", "image", "pair")  # two items are compared by questions, pictures, or both


class Embedder(Protocol):
    """Embeds pictures and texts in one space. Rows are unit vectors, float32, [n, dim]."""

    name: str
    dim: int
    thresholds: Mapping[str, float]  # each of CHANNELS: a duplicate from here up; match: no fit below

    def images(self, images: Sequence[Image]) -> np.ndarray:
        """[n, dim] of n RGB pictures."""
        ...

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """[n, dim] of n texts."""
        ...


@dataclass(frozen=True)
class Case:
    """What a checker sees: the item, its type, and its picture once there is one."""

    item: Item
    type: StimulusType
    image: Image | None = None


class CheckerOptions(PluginOptions):
    """What is known about a checker before it is loaded.

    - needs: "text" runs before any picture is paid for, "image" once there is a picture.
    - role: the default role, which a policy may change: a gate decides, a signal is only recorded.
    - sees_pair: it sees picture and question together.
    - looks_for_harm: an item that fails may be harmful; otherwise it is only off its type, or not visible.
    - reads_answer: it checks a model's answer to the item.
    """

    needs: ClassVar[Literal["text", "image"]] = "image"
    role: ClassVar[Literal["gate", "signal"]] = "gate"
    sees_pair: ClassVar[bool] = False
    looks_for_harm: ClassVar[bool] = True
    reads_answer: ClassVar[bool] = False

    def refuses_writer(self, plugin: str, options: Mapping[str, Any]) -> str | None:
        """One sentence: why it may not check this language model's text (plugin and options); None if it may."""
        return None


class Checker(Protocol):
    """Decides whether items pass. `name` is the plugin's name, used in its verdicts."""

    name: str
    options: CheckerOptions
    cost: float

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each, in order; None for an item that the checker does not apply to."""
        ...


@dataclass(frozen=True)
class RunView:
    """What an exporter may read of a finished run: its items in order, the folder of pictures, and the manifest."""

    type: StimulusType
    accepted: Sequence[Item]
    rejected: Sequence[Item]
    blobs: Path  # blobs/<sha256>.png
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """One picture and question for a training or evaluation file.

    `row` has its columns, as in the imagefolder export (a harmful partner has fewer). `picture` is the file's bytes or
    path. `over` is MOSSBench's code of its type. `expected` is what a good model does. `chosen` and `rejected` are the
    answers to train towards and away from; None in an evaluation export.
    """

    row: Mapping[str, Any]
    picture: Path | bytes
    expected: Literal["comply", "refuse"] = "comply"
    over: str | None = None
    chosen: str | None = None
    rejected: str | None = None

    @property
    def id(self) -> str:
        """The content id."""
        return str(self.row["id"])

    @property
    def type(self) -> str:
        """The stimulus type."""
        return str(self.row.get("type") or "any")

    @property
    def question(self) -> str:
        """What the user asks about the picture."""
        return str(self.row["question"])

    @property
    def file_name(self) -> str:
        """The picture's name in an export's folder of pictures."""
        return f"{self.id}.png"


@dataclass(frozen=True)
class SetView:
    """What an exporter may read of a set, or of one side of it.

    `name` is the identifier in the names of files and tasks. `sources` are lineage.Source as plain values. `notes` are
    sentences for the card. `home` is the absolute folder that the export will be read from. `evidence` is how the set
    was made: `runs` (see evidence.run_evidence), and for a split set `leaks`, `bound` relations and `embedder`.
    """

    name: str
    split: str  # train, dev or test
    examples: Sequence[Example]
    sources: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    home: Path
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Exporter(Protocol):
    """Writes a run, or one side of a set, as files.

    `takes` says which of them. The purpose "train" needs examples with answers. Formats with `apart` store harmful
    partners separately. A `readable` format holds the items with their pictures, so its folder is a set (sets/open.py).
    """

    name: str
    purpose: Literal["train", "evaluate"]
    takes: frozenset[Literal["run", "set"]]
    apart: bool
    readable: bool

    def unfit(self, view: Any) -> str | None:
        """One sentence: why this RunView or SetView cannot be written in this format; None if it can."""
        ...

    def export(self, view: Any, out: Path) -> list[Path]:
        """Writes all files or none; `out` is a new folder, or one that this format wrote before.

        Raises ConfigError (unfit, or `out` is not ours) or StoreError.
        """
        ...


@dataclass(frozen=True)
class Query:
    """One request to a target model: a question, and its picture (None: the question alone).

    `description` says what the picture shows, for a target without vision. `seed` makes the answer repeatable if the
    backend supports it. `sample` numbers the answers to the same question. `item` is the item's id, and `key`
    identifies everything that the answer depends on.
    """

    item: str
    question: str
    picture: Callable[[], Image] | None = None
    description: str = ""
    system: str = ""
    sample: int = 0
    seed: int = 0
    key: str = ""


@dataclass(frozen=True)
class Response:
    """A target's complete answer.

    `kind` is "filtered" if the endpoint's own moderation or the model's refusal field replaces the text, "empty" if
    there is no text. `finish` is the endpoint's finish reason ("length": cut off). `model` is the name that the
    endpoint reports. Tokens are None if it does not count them. `seconds` is the duration of this call.
    """

    text: str
    kind: Literal["answered", "empty", "filtered"]
    finish: str | None = None
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Failure:
    """One sentence: why a target gave no response to one query. A retry may succeed."""

    reason: str


class TargetOptions(PluginOptions):
    """What is known about a target before it is loaded. Every target has a field `model`, set by `KIND:MODEL`.

    `recorded`: it only holds recorded answers, so it cannot answer new queries.
    """

    recorded: ClassVar[bool] = False

    def repeats_itself(self) -> bool:
        """Whether equal queries always get equal answers, so that several samples say no more than one."""
        return False


class Target(Protocol):
    """A model that gets a user's questions. `settings` are the options that its answers depend on."""

    name: str
    settings: Mapping[str, Any]
    cost: float
    sees: bool  # pictures; if not, it gets Query.description instead

    def respond(self, queries: Iterable[Query]) -> Iterator[tuple[Query, Response | Failure]]:
        """Yields responses as they arrive. Reads queries one by one when it has capacity, so that the caller can stop.

        Each response comes with its query, or a copy of it with the same `item` and `key`.
        If the target cannot be asked at all, yields all responses it has, then raises BackendError.
        """
        ...


@dataclass(frozen=True)
class Exchange:
    """What a judge of refusals reads: a response and, if known, what it responds to."""

    response: str
    question: str = ""
    picture: Callable[[], Image] | None = None
    seed: int = 0


@dataclass(frozen=True)
class Labelled:
    """A response's label. `score` is the probability of a full or partial refusal, if the judge gives one.

    `reason` says why, mainly for an unscored response. `failed` means that the judge could not be asked: a retry may
    give a label.
    """

    label: RefusalClass
    score: float | None = None
    reason: str = ""
    failed: bool = False


class JudgeOptions(PluginOptions):
    """What is known about a judge of refusals before it is loaded.

    `caution` is a warning for readers of its labels. `trained_on` is a warning for comparing them with labels that came
    with the responses. Each is one sentence or empty. A judge that asks a model has a field `model`.
    """

    caution: ClassVar[str] = ""
    trained_on: ClassVar[str] = ""


class RefusalJudge(Protocol):
    """Tells answers from refusals. `settings` are what its labels depend on."""

    name: str
    settings: Mapping[str, Any]
    cost: float
    sees: bool  # pictures, if there are any

    def label(self, exchanges: Sequence[Exchange]) -> list[Labelled]:
        """Labels each response, in order. Raises BackendError."""
        ...
