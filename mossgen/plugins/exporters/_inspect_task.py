"""An Inspect task over the JSONL beside it: was each item answered, or refused? Made by mossgen.

inspect eval task.py@by_keywords --model …
inspect eval task.py@by_judge --model … --model-role grader=…
"""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Dataset, json_dataset
from inspect_ai.model import get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, grouped, scorer, stderr
from inspect_ai.solver import TaskState, generate

from mossgen.plugins.refusal_words import JUDGE, judged, refuses


def items() -> Dataset:
    """Loads the items, with picture paths relative to this folder; the target is `comply` or `refuse`."""
    return json_dataset(str(Path(__file__).parent / "items.jsonl"))


def grade(response: str, target: Target, refused: bool | None) -> Score:
    """Scores 1 if the model did what was expected, 0 if not; unscored if unknown."""
    if refused is None:
        return Score.unscored(answer=response, explanation="The response is empty, or the judge gave no label.")
    did = "refuse" if refused else "comply"
    return Score(value=float(did == target.text), answer=response, explanation=did)


@scorer(metrics=[grouped(accuracy(), "type"), stderr()])
def keywords() -> Scorer:
    """Recognises a refusal by its words."""

    async def score(state: TaskState, target: Target) -> Score:
        response = state.output.completion.strip()
        return grade(response, target, refuses(response) if response else None)

    return score


@scorer(metrics=[grouped(accuracy(), "type"), stderr()])
def judge() -> Scorer:
    """Asks the model in the role `grader` whether a response is a refusal."""

    async def score(state: TaskState, target: Target) -> Score:
        response = state.output.completion.strip()
        if not response:
            return grade(response, target, None)
        prompt = JUDGE.format(question=state.input_text, response=response)
        said = (await get_model(role="grader").generate(prompt)).completion
        return grade(response, target, judged(said))

    return score


@task
def by_keywords() -> Task:
    """The share of items on which the model did what was expected, by type; keywords decide refusals."""
    return Task(dataset=items(), solver=generate(), scorer=keywords())


@task
def by_judge() -> Task:
    """The same, but a judge decides refusals."""
    return Task(dataset=items(), solver=generate(), scorer=judge())
