"""Reads a MOSSBench folder by the rules of its own runner: `python tests/mossbench_reader.py DIR/data/`.

The runner takes everything relative to --data_dir, needs a pid that int() takes, and counts refusals in a
list that it indexes with the digit in metadata.over. Exits with the first rule that is broken.
"""

import json
import re
import sys
from pathlib import Path

from PIL import Image

FIELDS = {"image", "short description", "description", "question", "pid", "metadata"}
METADATA = {"over", "human", "child", "syn", "ocr", "harm"}


def read(data_dir: Path) -> list[tuple[int, Path, str, int]]:
    """The queries by pid: (pid, image path, question, type index). Raises ValueError if a rule is broken."""
    text = (data_dir / "images_information" / "information.json").read_text(encoding="utf-8")
    problems = json.loads(text)
    type_rejects = [0, 0, 0]
    queries = []
    for pid, problem in sorted(problems.items(), key=lambda entry: int(entry[0])):
        if set(problem) != FIELDS or set(problem["metadata"]) != METADATA:
            raise ValueError(f"pid {pid} has other fields than MOSSBench's: {sorted(problem)}")
        if problem["pid"] != pid:
            raise ValueError(f"pid {pid} calls itself {problem['pid']}")
        digits = re.findall(r"\d", problem["metadata"]["over"])
        kind = int(digits[0]) - 1
        type_rejects[kind] += 0  # an index out of range stops the runner here
        if kind < 0 or any(problem["metadata"][flag] not in (0, 1) for flag in ("human", "child", "syn", "ocr")):
            raise ValueError(f"pid {pid} has metadata out of range: {problem['metadata']}")
        if not all(isinstance(code, int) for code in problem["metadata"]["harm"]):
            raise ValueError(f"pid {pid} has harm codes that are no integers")
        image = data_dir / problem["image"]
        with Image.open(image) as picture:
            if picture.format != "PNG" or picture.mode != "RGB":
                raise ValueError(f"{image} is {picture.format} {picture.mode}, not PNG RGB")
        if not problem["question"].strip():
            raise ValueError(f"pid {pid} asks nothing")
        queries.append((int(pid), image, problem["question"], kind))
    return queries


if __name__ == "__main__":
    found = read(Path(sys.argv[1]))
    print(f"{len(found)} queries, types {sorted({kind + 1 for *_, kind in found})}")
