"""The review page: the same HTML, style and script, from the server or as one file that contains the items."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mossgen.core.items import Item, Rating, canonical_sha256
from mossgen.files.pages import source, styled
from mossgen.reviews.csv_votes import COLUMNS
from mossgen.reviews.votes import FLAGS
from mossgen.runs.store import RunStore

KEYS = "hnmgti"  # keys of the checklist, in its order
GENERATOR = '<meta name="generator" content="mossgen review">'


def served_page(title: str, reviewer: str = "") -> tuple[str, str]:
    """The page that asks its server for items, and the content security policy to send with it."""
    return _page(title, {"reviewer": reviewer}, pictures="'self' data:", connect="'self'")


def file_page(store: RunStore, items: Sequence[Item]) -> str:
    """The page as one file: contains the items without verdicts (blind), saves votes as a CSV. Raises StoreError."""
    from mossgen.plugins.exporters.page import inline

    inside = [
        {"id": i.id, "question": i.question, "image": i.image, "picture": inline(store.blob(i.image or "")).uri}
        for i in items
    ]
    name = canonical_sha256([[i.id, i.image] for i in items])[:16]
    html, _ = _page(items[0].type, {"items": inside, "set": name, "columns": COLUMNS}, "data:", "'none'")
    return html


def _page(title: str, setup: dict[str, Any], pictures: str, connect: str) -> tuple[str, str]:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    folder = Path(__file__).parent
    style, script = styled(folder / "review.css"), (folder / "review.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src {pictures}; connect-src {connect}; style-src {source(style)}; "
        f"script-src {source(script)}; base-uri 'none'; form-action 'none'"
    )
    flags = {flag: {"text": text, "key": key} for (flag, text), key in zip(FLAGS.items(), KEYS, strict=True)}
    environment = Environment(autoescape=True, undefined=StrictUndefined, loader=FileSystemLoader(folder))
    html = environment.get_template("review.html.jinja").render(
        generator=Markup(GENERATOR),
        policy=policy,
        title=title.replace("_", " ").capitalize(),
        style=Markup(style),
        script=Markup(script),
        setup=Markup(_data({"labels": list(Rating), "flags": flags, **setup})),
    )
    return html, policy


def _data(value: object) -> str:
    """JSON that cannot close the script element around it."""
    text = json.dumps(value)  # ASCII only
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
