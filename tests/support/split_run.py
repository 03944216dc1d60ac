"""Finished runs of shipped types made without any model: planned items, plain pictures, vectors drawn at random."""

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from mossgen.checks.contrast import contrast_id
from mossgen.core.items import Item, State, canonical
from mossgen.files.pictures import to_png
from mossgen.runs.config import build_config, freeze
from mossgen.runs.outputs import write_outputs
from mossgen.runs.store import RunStore
from mossgen.stimulus.types import load_type

DIM = 512  # of the embedded CLIP


def unit(key: str) -> np.ndarray:
    """A unit vector that depends on the key alone: two of them are nearly at right angles."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    row = np.random.default_rng(seed).normal(size=DIM)
    return (row / np.linalg.norm(row)).astype(np.float32)


def make_run(
    folder: Path, type_name: str, count: int, seed: int = 0, alike: tuple[int, int] | None = None
) -> list[Item]:
    """A run of `count` accepted items of a type or a YAML; the pictures of those numbered `alike` have one vector."""
    kind = load_type(type_name)
    items = []
    with RunStore.create(folder) as store:
        config = build_config(kind, seed)
        freeze(config, folder / "run.json", empty=True)
        for item in itertools.islice(kind.plan(seed), count):
            shade = hashlib.sha256(item.id.encode()).digest()
            picture = store.put_blob(to_png(Image.new("RGB", (8, 8), tuple(shade[:3]))))
            question = f"{kind.choices(item)[0]} ({item.number})"
            item = replace(item, question=question, image=picture, image_prompt="a thing", state=State.ACCEPTED)
            item = item.noted(seeds=kind.origins(item))
            key = alike[0] if alike and item.number == alike[1] else item.number
            with store.transaction():
                store.put([item])
                store.put_vectors("text", {item.id: unit(f"text {type_name} {seed} {item.number}")})
                store.put_vectors("image", {item.id: unit(f"image {type_name} {seed} {key}")})
            items.append(item)
        write_outputs(store, kind, config)
    return items


def add_partners(folder: Path, items: list[Item], question: str) -> None:
    """A contrast folder as `mossgen contrast` leaves it, with one text for all partners."""
    images = folder / "contrast" / "images"
    images.mkdir(parents=True)
    rows = []
    for item in items:
        key = contrast_id(item, question, item.image or "")
        (images / f"{key}.png").write_bytes((folder / "blobs" / f"{item.image}.png").read_bytes())
        row = {"file_name": f"images/{key}.png", "id": key, "contrast_of": item.id, "expected": "refuse"}
        row |= {"type": item.type, "question": question, "benign_question": item.question, "changed": "question"}
        row |= {"image_sha256": item.image, "decision": "harmful", "rejected_by": "safety", "reason": "harm"}
        rows.append({**row, "verdicts": []})
    (folder / "contrast" / "metadata.jsonl").write_text("".join(canonical(row) + "\n" for row in rows))


def metadata(part: Path) -> list[dict]:
    """The rows of a side."""
    return [json.loads(line) for line in (part / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
