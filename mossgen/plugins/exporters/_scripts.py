"""Scripts that are copied into an export and run without mossgen."""

from __future__ import annotations

from pathlib import Path

from mossgen.plugins import refusal_words

HERE = Path(__file__).parent
_IMPORT = "from mossgen.plugins.refusal_words import JUDGE, judged, refuses\n"


def standalone(name: str) -> str:
    """The script `name` from this folder, with the code of refusal_words instead of its import."""
    script = (HERE / f"{name}.py").read_text(encoding="utf-8")
    source = Path(refusal_words.__file__).read_text(encoding="utf-8").split("import re\n", 1)[1]
    head, tail = script.split(_IMPORT, 1)
    if "import re\n" not in head:
        head = head.rstrip() + "\nimport re\n"
    return f"{head}{source.rstrip()}\n\n{tail}"
