"""Label Studio: exports tasks with predictions and a labelling config, imports its JSON and JSON_MIN exports.

JSON_MIN puts Label Studio's own task number under `id`, so ours is called `item`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from mossgen import __version__
from mossgen.core.items import Decision, Item, Rating, State, Vote
from mossgen.errors import ConfigError
from mossgen.reviews.crowd import copy_pictures
from mossgen.reviews.pool import PEOPLE, place_of
from mossgen.reviews.votes import FLAGS, make_vote
from mossgen.runs.store import RunStore

TASKS, CONFIG = "tasks.json", "config.xml"
LABEL, TICKED, NOTE = "label", "flags", "note"  # names of the controls


def export_label_studio(store: RunStore, items: Sequence[Item], out: Path, images_at: str | None) -> list[Path]:
    """Writes tasks.json and config.xml to the folder `out`, with pictures inside the tasks or beside them in images/.

    With `images_at` (a web address, or /data/local-files/?d=… of Label Studio's local storage) tasks refer to pictures
    there. Raises ConfigError if `out` holds other files, StoreError if the disk fails.
    """
    from mossgen.files.folders import write_folder

    def fill(folder: Path) -> None:
        tasks = [_task(store, item, images_at) for item in items]
        (folder / TASKS).write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        (folder / CONFIG).write_text(_config(), encoding="utf-8")
        if images_at:
            copy_pictures(store, items, folder / "images")

    return write_folder(out, "Label Studio", fill)


def _task(store: RunStore, item: Item, images_at: str | None) -> dict[str, Any]:
    if images_at:
        image = place_of(item, images_at)
    else:
        image = "data:image/png;base64," + base64.b64encode(store.blob(item.image or "").read_bytes()).decode()
    data = {"item": item.id, "sha256": item.image, "question": item.question, "image": image}
    return {"data": data, "predictions": _predictions(item)}


def _predictions(item: Item) -> list[dict[str, Any]]:
    """The machine's opinion of the item: benign if it accepted it, scored by the share of checks passed."""
    checks = [verdict.decision is Decision.PASS for verdict in item.verdicts if verdict.checker != PEOPLE]
    if item.state is not State.ACCEPTED:  # a rejection need not mean harm: blank, a near-duplicate, unlike its prompt
        return []
    said = {"from_name": LABEL, "to_name": "image", "type": "choices", "value": {"choices": [Rating.BENIGN]}}
    score = round(sum(checks) / len(checks), 4) if checks else None
    return [{"model_version": f"mossgen-{__version__}", "score": score, "result": [said]}]


def _config() -> str:
    labels = "".join(f'<Choice value="{label}" hotkey="{key}"/>' for key, label in enumerate(Rating, 1))
    flags = "".join(f"<Choice value={quoteattr(text)} alias={quoteattr(flag)}/>" for flag, text in FLAGS.items())
    return f"""\
<View>
  <Image name="image" value="$image"/>
  <Header value="$question"/>
  <Choices name="{LABEL}" toName="image" choice="single" required="true" showInline="true">{labels}</Choices>
  <Choices name="{TICKED}" toName="image" choice="multiple">{flags}</Choices>
  <TextArea name="{NOTE}" toName="image" placeholder="Note" maxSubmissions="1"/>
</View>
"""


# -- back ----------------------------------------------------------------------------------------------


def read_export(text: str, where: str) -> Iterator[tuple[str, Vote, str]]:
    """Reads each annotation's position, vote and sha256 of its picture (JSON or JSON_MIN). Raises ConfigError.

    Skips skipped annotations and tasks without any.
    """
    try:
        tasks = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid JSON: {error}.") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise ConfigError(f"{where}: an export of Label Studio is a list of tasks: export JSON or JSON-MIN.")
    for number, task in enumerate(tasks, 1):
        place = f"{where}, task {number}"
        data = task["data"] if isinstance(task.get("data"), dict) else task
        if not isinstance(data.get("item"), str):
            raise ConfigError(f"{place}: has no `item`, so it is of another Label Studio project: export this run's.")
        try:
            for vote in _annotations(task, data["item"]):
                yield place, vote, str(data.get("sha256", ""))
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}.") from None
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            raise ConfigError(f"{place}: not Label Studio's shape ({type(error).__name__}: {error}).") from None


def _annotations(task: Mapping[str, Any], item: str) -> Iterator[Vote]:
    if "annotations" not in task:  # JSON_MIN: one row per annotation, its answers under their controls' names
        if task.get("annotation_id") is not None:
            yield _vote(item, task.get("annotator"), task, task.get("created_at"))
        return
    for annotation in task["annotations"]:
        if not annotation.get("was_cancelled") and annotation.get("result"):
            answers = {part["from_name"]: part["value"] for part in annotation["result"]}
            yield _vote(item, annotation.get("completed_by"), answers, annotation.get("created_at"))


def _vote(item: str, annotator: Any, answers: Mapping[str, Any], at: Any) -> Vote:
    who = annotator.get("id") if isinstance(annotator, Mapping) else annotator
    if who is None:
        raise ConfigError("does not say who annotated it: export it from the project itself")
    labels = _texts(answers.get(LABEL), "choices")
    if len(labels) != 1:
        raise ConfigError(f"needs one answer for `{LABEL}`, and has {len(labels)}: use the config.xml of the export")
    note = "\n".join(_texts(answers.get(NOTE), "text"))
    return make_vote(item, f"label-studio:{who}", labels[0], _texts(answers.get(TICKED), "choices"), note, at)


def _texts(answer: Any, key: str) -> list[str]:
    """The texts of one control: {"choices": […]}, or JSON_MIN's short form: a text, or a list of either."""
    if answer is None or answer == "":
        return []
    if isinstance(answer, Mapping):
        return _texts(answer[key], key)
    if isinstance(answer, list):
        return [text for part in answer for text in _texts(part, key)]
    return [str(answer)]
