"""Runs made without any model: planned items, plain pictures, and vectors drawn at random where they are wanted."""

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mossgen.checks.contrast import contrast_id
from mossgen.core.items import Item, State, canonical
from mossgen.files.pictures import to_png
from mossgen.runs.config import build_config, freeze
from mossgen.runs.outputs import write_outputs
from mossgen.runs.store import CONFIG, RunStore
from mossgen.stimulus.types import StimulusType, load_type

DIM = 512  # of the embedded CLIP


def make_run(
    folder: Path,
    type: str | Path | StimulusType,
    count: int,
    seed: int = 0,
    *,
    change: Callable[[Item], Item] = lambda item: item,
    vectors: bool = False,
    alike: tuple[int, int] | None = None,
    outputs: bool = True,
) -> list[Item]:
    """A run of `count` items in `folder`, each accepted unless `change` says what else becomes of it; its items.

    With `vectors` it has one for each text and picture, nearly at right angles, and numbered questions, so that none is
    like another; but the pictures of the two items whose numbers are `alike` have one vector. Without `outputs` it is
    cut off before they are written.
    """
    kind = type if isinstance(type, StimulusType) else load_type(str(type))
    with RunStore.create(folder) as store:
        config = build_config(kind, seed)
        freeze(config, folder / CONFIG, empty=True)
        items = []
        for item in itertools.islice(kind.plan(seed), count):
            item = finished(kind, item, store.put_blob(picture(item.id)))
            item = replace(item, question=f"{item.question} ({item.number})") if vectors else item
            items.append(change(item))
        store.put(items)
        if vectors:
            keys = {item.id: alike[0] if alike and item.number == alike[1] else item.number for item in items}
            with store.transaction():
                store.put_vectors("text", {i.id: unit(f"text {kind.name} {seed} {i.number}") for i in items})
                store.put_vectors("image", {i.id: unit(f"image {kind.name} {seed} {keys[i.id]}") for i in items})
        if outputs:
            write_outputs(store, kind, config)
    return items


def finished(kind: StimulusType, item: Item, picture: str) -> Item:
    """The planned item, accepted, with the first question of its grammar and the picture of that hash."""
    template = kind.template
    made = replace(item, question=kind.choices(item)[0], image=picture, state=State.ACCEPTED,
                   image_prompt=kind.render(template.image_prompt, item),
                   description=kind.render(template.description, item))  # fmt: skip
    return made.with_provenance(seeds=kind.origins(item))


def picture(key: str, side: int = 64) -> bytes:
    """A PNG that depends on the key alone: a disc on a plain ground."""
    shade = hashlib.sha256(key.encode()).digest()
    drawn = Image.new("RGB", (side, side), (shade[0], shade[1], shade[2]))
    corners = (side // 5, side // 5, side * 4 // 5, side * 4 // 5)
    ImageDraw.Draw(drawn).ellipse(corners, fill=(shade[3], shade[4], shade[5]))
    return to_png(drawn)


def unit(key: str) -> np.ndarray:
    """A unit vector that depends on the key alone: two of them are nearly at right angles."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    row = np.random.default_rng(seed).normal(size=DIM)
    return (row / np.linalg.norm(row)).astype(np.float32)


def add_partners(folder: Path, items: list[Item], question: str) -> None:
    """A contrast folder as `mossgen contrast` leaves it, with one text for all partners."""
    images = folder / "contrast" / "images"
    images.mkdir(parents=True)
    rows = []
    for item in items:
        key = contrast_id(item, question, item.image or "")
        (images / f"{key}.png").write_bytes((folder / "blobs" / f"{item.image}.png").read_bytes())
        row: dict[str, Any] = {
            "file_name": f"images/{key}.png",
            "id": key,
            "contrast_of": item.id,
            "expected": "refuse",
        }
        row |= {"type": item.type, "question": question, "benign_question": item.question, "changed": "question"}
        row |= {"image_sha256": item.image, "decision": "harmful", "rejected_by": "safety", "reason": "harm"}
        rows.append({**row, "verdicts": []})
    (folder / "contrast" / "metadata.jsonl").write_text("".join(canonical(row) + "\n" for row in rows))


def metadata(part: Path) -> list[dict[str, Any]]:
    """The rows of a side."""
    return [json.loads(line) for line in (part / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
