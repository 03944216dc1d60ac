"""The language model drafts several questions for each item, and the rules of the type filter them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mossgen.core.items import Item, derived_seed
from mossgen.plugins.protocols import LLM, Completion, Message, Prompt
from mossgen.stimulus.rules import broken
from mossgen.stimulus.types import StimulusType


@dataclass(frozen=True)
class Draft:
    """An item with its image prompt and the questions that passed the rules, likeliest first."""

    item: Item
    questions: tuple[Completion, ...]


def draft(items: Sequence[Item], stimulus: StimulusType, llm: LLM, samples: int, guided: int) -> list[Draft]:
    """Returns one Draft for each item, in order. Rejects an item that has no usable question, with the first reason.

    Each item gets `samples` free answers and `guided` grammar-bound answers (see protocols.Prompt).
    """
    prompts = [_prompt(item, stimulus, samples, guided) for item in items]
    return [
        _select(item, stimulus, llm.name, completions)
        for item, completions in zip(items, llm.write(prompts), strict=True)
    ]


def offer(item: Item, stimulus: StimulusType, questions: Sequence[str]) -> Draft:
    """Makes a Draft of questions from the type's grammar, best first. The rules apply to these questions too."""
    return _select(item, stimulus, "grammar", [Completion(question, None, "offered") for question in questions])


def _prompt(item: Item, stimulus: StimulusType, samples: int, guided: int) -> Prompt:
    texts = stimulus.template.questions
    choices = stimulus.choices(item)
    messages = [Message("system", stimulus.render(texts.system, item))]
    for seed in stimulus.few_shots(item):
        messages += [Message("user", f"Picture: {seed.picture}"), Message("assistant", seed.question)]
    messages.append(Message("user", stimulus.render(texts.user, item)))
    return Prompt(tuple(messages), derived_seed(item.id, "draft"), samples, choices, guided)


def _select(item: Item, stimulus: StimulusType, writer: str, completions: Sequence[Completion]) -> Draft:
    good: dict[str, Completion] = {}
    bad: list[str] = []
    for completion in sorted(completions, key=_rank):
        reason = broken(stimulus, item, completion.text)
        if reason is None:
            good.setdefault(completion.text, completion)
        else:
            bad.append(f"{completion.text!r}: {reason}")
    drafted = replace(
        item,
        image_prompt=stimulus.render(stimulus.template.image_prompt, item),
        description=stimulus.render(stimulus.template.description, item),
    ).with_provenance(writer=writer, drafts=len(completions), drafts_refused=bad, seeds=stimulus.origins(item))
    if not good:
        first = bad[0] if bad else "the model gave no answer that could be read"
        return Draft(drafted.reject("draft", f"No usable question: {first}"), ())
    return Draft(drafted, tuple(good.values()))


def _rank(completion: Completion) -> tuple[bool, float]:
    """Sorts by likelihood, highest first. Without likelihoods the order stays the same (the sort is stable)."""
    return (completion.logprob is None, -(completion.logprob or 0.0))
