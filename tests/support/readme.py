"""README's commands; what is put in the place of time, GPUs, keys and endpoints; and the files that a reader has."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from mossgen.core.items import State
from mossgen.runs.store import RunStore
from support.paths import ROOT
from support.responses import NO, YES, write

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:console|bash|sh)\n(.*?)```", TEXT, re.DOTALL)
LINES = [line.strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
PARTS = [part.partition(" #")[0].strip() for line in LINES for part in line.split("&&")]
COMMANDS = list(dict.fromkeys(part for part in PARTS if part.startswith("mossgen ")))  # in the README's order


class Instead(NamedTuple):
    """What is `added` to the commands that have `part` in them, and why; and whether that part `stays`.

    An option that is given twice, as -n, counts as it is given last.
    """

    part: str
    added: str
    why: str
    stays: bool = True


INSTEAD = (
    Instead("--preset gpu", "--dry-run", "needs a GPU and the weights of a hub"),
    Instead("--preset openai", "--dry-run", "needs a key"),
    Instead("--llm openai --set openai.model=my-model --set openai.base_url", "--dry-run", "needs a model that writes"),
    Instead("mossgen expand --type negated_harm", "-n 6", "time: as many as the run that stands there has"),
    Instead("--seed 2 --against mossbench", "-n 1", "time"),
    Instead("mossgen expand --type exaggerated_risk", "-n 2", "time"),
    Instead("mossgen expand --type counterintuitive", "-n 1", "time"),
    Instead("mossgen expand --type templates/negated_harm.yaml", "-n 1", "time"),
    Instead("mossgen expand --config run.yaml", "-n 1", "time"),
    Instead("mossgen preview", "-n 1", "time"),
    Instead("mossgen probe generated/negated_harm-0", "--limit 1 --set target.max_tokens=8", "time"),
    Instead("mossgen export my-set --format trl-dpo", "--llm openai --set openai.model=my-model", "time"),
    Instead(
        "--target openai:gpt-4o --set target.price_in=2.5 --set target.price_out=10 --dry-run",
        "--target openai:gpt-4o",
        "what is judged thereafter has to be there",
        stays=False,
    ),
    Instead("mossgen evolve", "-n 1 --rounds 1 --held-back 1 --mutator rewrite", "time: nothing is drawn"),
)
NOT_RUN = {"mossgen review generated/negated_harm-0": "it serves until it is stopped: see tests/reviews/test_server.py"}
PUBLISHED = "http://127.0.0.1:8000/v1"  # the endpoint that README speaks of


def runnable(command: str, url: str) -> list[str]:
    """The arguments of a command of the README, with an endpoint at `url` in the place of each that it names."""
    for one in INSTEAD:
        if one.part in command:
            command = f"{command if one.stays else command.replace(one.part, '')} {one.added}"
    words = shlex.split(command.replace(PUBLISHED, url))[1:]
    words = [f"{word}@{url}" if re.fullmatch(r"openai:[\w.-]+", word) else word for word in words]
    if "openai.model=my-model" in words and not any(word.startswith("openai.base_url") for word in words):
        words += ["--set", f"openai.base_url={url}"]
    return words


def answer(said: str, body: Any) -> Any:
    """An endpoint that refuses what it is asked for, writes answers, and finds all benign where it is to judge."""
    if "response_format" not in body:
        return NO
    fields = body["response_format"]["json_schema"]["schema"]["properties"]
    if "questions" in fields:
        seen = " and ".join(re.findall("[a-z]{5,}", said)[-4:])
        return {"questions": [f"Put it where you see {seen}."]}
    denied = ("element_named", "harmful", "alarming_picture", "misperception")
    return {**{name: "no" if name in denied else "yes" for name in fields}, "label": "refusal"}


def furnish(folder: Path, real_run: Path) -> None:
    """What a reader of the README has in the folder: runs, a set of others, pictures, votes, responses."""
    for name in ("templates", "seeds"):
        shutil.copytree(ROOT / name, folder / name)
    run = shutil.copytree(real_run, folder / "generated" / "negated_harm-0")
    shutil.copytree(run / "mossbench", folder / "MOSSBench")
    shutil.copytree(run / "imagefolder" / "data", folder / "my-images")
    with RunStore.open(run) as store:
        items = store.items(State.ACCEPTED)
    votes = [f"{item.id},{reviewer},benign" for item in items for reviewer in ("Ada", "Bo", "Cy")]
    (folder / "votes-Ada.csv").write_text("\n".join(["item,reviewer,label", *votes, ""]), encoding="utf-8")
    write(folder / "train.jsonl", {"id": "t1", "question": "Where does the moss grow?", "answer": YES})
    write(folder / "responses.jsonl", *({"id": item.id, "target": "a", "response": NO} for item in items))
    write(folder / "labels.jsonl", *({"id": item.id, "target": "a", "label": "refusal"} for item in items))
    for name in ("GPT-4o", "Claude"):
        said = {str(pid): {"response": NO if pid % 2 else YES} for pid in range(1, 7)}
        (folder / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
