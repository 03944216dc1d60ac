"""The Protocols on one page: what a plugin of each kind must do.

A plugin is a module with a docstring, `Options` (a subclass of PluginOptions, or of the kind's own below) and
`build(options)`, which returns the object that the Protocol describes. Options say what must be known before anything
is loaded; the object does the work. See registry.py for where plugins are found.
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

    `choices` is that grammar: every string a guided answer may be. A local model chooses among them by its own
    likelihood; a backend that cannot (`guides` is false) writes freely, shown some of them as examples.
    `seed` makes the job repeatable where the backend can be.
    """

    messages: tuple[Message, ...]
    seed: int
    samples: int = 1
    choices: tuple[str, ...] = ()
    guided: int = 0
    max_tokens: int = 48


@dataclass(frozen=True)
class Completion:
    """One answer: the text, its mean log-probability per token where known, and how it was made."""

    text: str
    logprob: float | None
    how: Literal["sampled", "guided", "offered"]


class LLM(Protocol):
    """Writes text. `name` goes into provenance."""

    name: str
    guides: bool  # can keep its answers inside Prompt.choices
    cost: float  # US dollars spent so far by this object, as far as known

    def write(self, prompts: Sequence[Prompt]) -> list[list[Completion]]:
        """Answers of each prompt, in order. Raises BackendError."""
        ...


@dataclass(frozen=True)
class Drawing:
    """One drawing job. `seed` alone decides the noise, whatever else is in the batch."""

    prompt: str
    negative_prompt: str
    seed: int


class Imager(Protocol):
    """Draws pictures. `name` goes into provenance."""

    name: str
    cost: float

    def draw(self, drawings: Sequence[Drawing]) -> list[Image | None]:
        """One RGB picture each, in order; None where the model refuses that prompt. Raises BackendError."""
        ...


CHANNELS = ("text", "image", "pair")  # what two items are compared by: questions, pictures, both together


class Embedder(Protocol):
    """Puts pictures and texts into one space. Rows are unit vectors, float32, [n, dim]."""

    name: str
    dim: int
    thresholds: Mapping[str, float]  # of each of CHANNELS: at or above is a duplicate; match: below does not fit

    def images(self, images: Sequence[Image]) -> np.ndarray:
        """[n, dim] of n RGB pictures."""
        ...

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """[n, dim] of n texts."""
        ...


@dataclass(frozen=True)
class Case:
    """What a checker looks at: the item, its type, and its picture once there is one."""

    item: Item
    type: StimulusType
    image: Image | None = None


class CheckerOptions(PluginOptions):
    """What is known of a checker before it is loaded.

    - needs: "text" runs before any picture is paid for, "image" once there is a picture.
    - role: the role it has unless a policy says otherwise: a gate decides, a signal is only recorded.
    - sees_pair: it takes picture and question together.
    - looks_for_harm: what it fails may be harmful; otherwise it is only not of its type, or cannot be seen.
    - reads_answer: it checks what a model answers to the item.
    """

    needs: ClassVar[Literal["text", "image"]] = "image"
    role: ClassVar[Literal["gate", "signal"]] = "gate"
    sees_pair: ClassVar[bool] = False
    looks_for_harm: ClassVar[bool] = True
    reads_answer: ClassVar[bool] = False

    def refuses_writer(self, plugin: str, options: Mapping[str, Any]) -> str | None:
        """Why it may not check what this language model (plugin and options) wrote, in a sentence; None if it may."""
        return None


class Checker(Protocol):
    """Says of items whether they pass. `name` is that of its verdicts: the plugin's."""

    name: str
    options: CheckerOptions
    cost: float

    def check(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """One verdict each, in order; None where the checker has nothing to say about such an item."""
        ...


@dataclass(frozen=True)
class RunView:
    """What an exporter may read of a finished run: its items in order, where pictures lie, and the manifest."""

    type: StimulusType
    accepted: Sequence[Item]
    rejected: Sequence[Item]
    blobs: Path  # blobs/<sha256>.png
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """One pair for a file that trains or evaluates.

    `row` are its columns, as the imagefolder export writes them (a harmful partner has fewer); `picture` is its file,
    or where that lies; `over` is MOSSBench's code of its type. `expected` is what a good model does. `chosen` and
    `rejected` are what to train towards and away from: None in an evaluation export.
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

    `name` is an identifier that files and tasks are called by; `sources` are lineage.Source as plain values; `notes`
    are sentences for the card; `home` is the absolute folder that the export will be read from. `evidence` is how it
    was made: `runs` (see evidence.run_evidence), and of a set with sides its `leaks`, `bound` relations and `embedder`.
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

    `takes` says which of them. What is written to "train" needs examples with answers. Formats that are `apart` have a
    place of their own for harmful partners.
    """

    name: str
    purpose: Literal["train", "evaluate"]
    takes: frozenset[Literal["run", "set"]]
    apart: bool

    def unfit(self, view: Any) -> str | None:
        """Why this RunView or SetView cannot be written so, in a sentence; None if it can."""
        ...

    def export(self, view: Any, out: Path) -> list[Path]:
        """The files, written whole or not at all; `out` is a new folder, or one that this format was written to.

        Raises ConfigError (unfit, or `out` is not ours) or StoreError.
        """
        ...


@dataclass(frozen=True)
class Query:
    """One request to a target model: words, and the picture they are about (None: words alone).

    `description` says what the picture shows, for a target that cannot see. `seed` makes the answer repeatable
    where the backend can be; `sample` numbers answers to the same words. `item` is the id of what is asked about,
    `key` names everything that the answer depends on.
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
    """What a target answered, whole.

    `kind`: "filtered" where the endpoint's own moderation or the model's refusal field stands in the place of a
    text, "empty" where there is none; `finish` is the endpoint's reason for the end ("length": cut off). `model` is
    the name the endpoint gives itself; tokens are None where it does not count them; seconds are of this call.
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
    """Why a target gave no response to one query, in a sentence; another try may bring one."""

    reason: str


class TargetOptions(PluginOptions):
    """What is known of a target before it is loaded. `model` is a field of every target: `KIND:MODEL` names one.

    `recorded`: it holds answers that were given before, so that nothing new can be asked.
    """

    recorded: ClassVar[bool] = False


class Target(Protocol):
    """A model that is asked what a user would ask it. `settings` are the options that its answers depend on."""

    name: str
    settings: Mapping[str, Any]
    cost: float
    sees: bool  # pictures; otherwise it is asked with Query.description in their place

    def respond(self, queries: Iterable[Query]) -> Iterator[tuple[Query, Response | Failure]]:
        """What comes back, as it comes. Queries are taken one by one as there is room, so that the caller can stop.

        With each response comes its query, or a copy of it: it is known again by its `item` and `key`.
        Raises BackendError once every response there is has been yielded, where the target cannot be asked at all.
        """
        ...


@dataclass(frozen=True)
class Exchange:
    """What a judge of refusals reads: a response, and as far as known what it responds to."""

    response: str
    question: str = ""
    picture: Callable[[], Image] | None = None
    seed: int = 0


@dataclass(frozen=True)
class Labelled:
    """What a response is. `score` is the probability that it refuses, in whole or in part, where the judge has one.

    `reason` says why, above all where it is unscored. With `failed` the judge could not be asked: another try may bring
    a label.
    """

    label: RefusalClass
    score: float | None = None
    reason: str = ""
    failed: bool = False


class JudgeOptions(PluginOptions):
    """What is known of a judge of refusals before it is loaded.

    `caution` is a sentence for whoever reads its labels, `trained_on` one for whoever compares them with labels that
    came with the responses; empty where there is nothing to say. A judge that asks a model has a field `model`.
    """

    caution: ClassVar[str] = ""
    trained_on: ClassVar[str] = ""


class RefusalJudge(Protocol):
    """Tells answers from refusals. `settings` are what its labels depend on."""

    name: str
    settings: Mapping[str, Any]
    cost: float
    sees: bool  # pictures, where there are any

    def label(self, exchanges: Sequence[Exchange]) -> list[Labelled]:
        """What each response is, in order. Raises BackendError."""
        ...
