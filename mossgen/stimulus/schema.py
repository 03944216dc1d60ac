"""The schema of a stimulus type's files: everything that templates/<type>.yaml and seeds/<type>.jsonl may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import regex
from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_SLOTS = 16
MAX_VALUES = 5_000  # of all slots together: the time for planning grows with it


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(BaseModel):
    """One value of a slot. Its extra fields are declared by the slot.

    `needs` and `avoid` state its compatibility: for another slot, texts or tags that the chosen value must have
    (needs) or must not have (avoid).
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    text: str = Field(min_length=1)
    tags: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = {}
    avoid: Mapping[str, tuple[str, ...]] = {}

    def __str__(self) -> str:
        return self.text

    def has(self, words: Sequence[str]) -> bool:
        """Whether its text or one of its tags is among `words`."""
        return self.text in words or any(tag in words for tag in self.tags)


class Slot(_Strict):
    """One axis of variation: its values, and their fields besides `text` and `tags`."""

    about: str
    fields: tuple[str, ...] = ()
    values: tuple[Value, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _values_fit(self) -> Slot:
        seen: set[str] = set()
        for value in self.values:
            extra = set(value.model_extra or {})
            if extra != set(self.fields):
                wrong = ", ".join(sorted(extra ^ set(self.fields)))
                raise ValueError(f"value {value.text!r} must have exactly the slot's fields; look at: {wrong}")
            if value.text in seen:
                raise ValueError(f"value {value.text!r} stands twice")
            seen.add(value.text)
        return self


class Questions(_Strict):
    """How questions are written: the instruction, the description of the picture for the model, and the grammar.

    `frames` are Jinja texts in which `[a|b|]` offers alternatives; `frames_of` names list fields of slots
    (`scene.asks`) that hold more of them.
    """

    system: str
    user: str
    frames: tuple[str, ...] = ()
    frames_of: tuple[str, ...] = ()
    few_shots: int = Field(default=4, ge=0, le=16)

    @model_validator(mode="after")
    def _some_frames(self) -> Questions:
        if not self.frames and not self.frames_of:
            raise ValueError("give frames or frames_of: the grammar would be empty")
        return self


class OverlaySpec(_Strict):
    """The overlay of a picture: a Jinja text that gives the form, and the text of each form."""

    form: str
    texts: Mapping[str, str] = {}


class Rule(_Strict):
    """One test of a question: a pattern, or the words in fields of the item's slot values."""

    name: str
    reason: str
    pattern: str | None = None
    terms_of: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_test(self) -> Rule:
        if (self.pattern is None) == (not self.terms_of):
            raise ValueError(f"rule {self.name!r} needs either a pattern or terms_of")
        try:
            regex.compile(self.pattern or "")
        except regex.error as error:
            raise ValueError(f"pattern {self.pattern!r} is no regular expression: {error}") from None
        return self


class Rules(_Strict):
    """The type's own rules for a question: all of `require` must match, none of `forbid` may match."""

    words: tuple[int, int]
    require: tuple[Rule, ...] = ()
    forbid: tuple[Rule, ...] = ()


class VlmQuestion(_Strict):
    """One yes/no question to a judge that sees picture and question, and the answer for a good item."""

    id: str
    ask: str
    expect: bool


class Roles(_Strict):
    """Checkers that decide (gates) or are only recorded (signals), if that differs from their default role."""

    gates: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_role(self) -> Roles:
        both = set(self.gates) & set(self.signals)
        if both:
            raise ValueError(f"{min(both)!r} is named as a gate and as a signal")
        return self


class Contrast(_Strict):
    """How an item's harmful partner is made.

    Either other `questions` (Jinja, with `[a|b]`) about the same picture, or the same question about the `bare` picture
    without the negation.
    """

    questions: tuple[str, ...] = ()
    bare: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Contrast:
        if self.bare == bool(self.questions):
            raise ValueError("give either questions or bare: true")
        return self


class Intent(_Strict):
    """What the user means by a picture and question, told to a model that refuses them.

    `item` (Jinja) is for an item that fills the slots, `any` for an item of others.
    """

    item: str
    any: str = Field(min_length=8)


class Seed(_Strict):
    """One hand-written example: what the picture shows, and the question that goes with it.

    `source` is the set it was taken from (empty: it was written for this type). `licence` and `test_only` are stated by
    that set. All three go into the lineage of every item that is written from the seed.
    """

    id: Annotated[str, Field(pattern=r"^[a-z]+-\d+$")]
    picture: str = Field(min_length=8)
    question: str = Field(min_length=8)
    source: str = ""
    licence: str = ""
    test_only: bool = False


class Template(_Strict):
    """The schema of templates/<type>.yaml."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    mossbench: str | None = None
    definition: str
    primary: str
    category: str
    slots: Mapping[str, Slot] = Field(max_length=MAX_SLOTS)
    image_prompt: str
    negative_prompt: str = ""
    description: str
    questions: Questions
    overlay: OverlaySpec | None = None
    rules: Rules
    vlm: tuple[VlmQuestion, ...] = ()
    policy: Roles = Roles()
    foreign: Rules | None = None
    contrast: Contrast | None = None
    intent: Intent | None = None
    strength: tuple[tuple[str, ...], ...] = ()  # words of the grammar, from mild to strong

    @model_validator(mode="after")
    def _not_too_many_values(self) -> Template:
        count = sum(len(slot.values) for slot in self.slots.values())
        if count > MAX_VALUES:
            raise ValueError(f"the slots have {count:,} values together; at most {MAX_VALUES:,} are allowed")
        return self

    @model_validator(mode="after")
    def _no_slots_elsewhere(self) -> Template:
        rules = (*self.foreign.require, *self.foreign.forbid) if self.foreign else ()
        wrong = next((rule for rule in rules if rule.terms_of), None)
        if wrong:
            raise ValueError(f"foreign: rule {wrong.name!r} has terms_of, but items of other makers fill no slots")
        return self
