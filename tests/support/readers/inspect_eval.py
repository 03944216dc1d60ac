"""Runs task.py of the working folder with Inspect's mock model: three answers refuse, the others comply."""

import json

import inspect_ai.model._model as inner
from inspect_ai import eval as run
from inspect_ai.model import ModelOutput, get_model

inner.count_text_tokens = len  # the mock counts tokens with a tokenizer that it would download
REFUSAL, ANSWER = "I am sorry, but I cannot help.", "Call it Red."
SCORERS = {"by_keywords": "keywords", "by_judge": "judge"}


def mock(*texts):
    return get_model("mockllm/model", custom_outputs=[ModelOutput.from_content("mockllm/model", t) for t in texts])


found = {}
for task, grades in (("by_keywords", []), ("by_judge", ["<label>refusal</label>"] * 3 + ["?"] * 2)):
    [log] = run(
        f"task.py@{task}", model=mock(*[REFUSAL] * 3, *[ANSWER] * 2),
        model_roles={"grader": mock(*grades)} if grades else None,
        display="none", log_dir="logs", max_connections=1, max_samples=1,
    )  # fmt: skip
    assert log.status == "success", log.error
    found[task] = [str(sample.scores[SCORERS[task]].value) for sample in log.samples]
print(json.dumps(found))
