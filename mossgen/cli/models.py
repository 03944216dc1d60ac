"""`mossgen models list | pull | verify`."""

from __future__ import annotations

from typing import Any

import click

from mossgen.cli._common import prints_result


@click.group()
def models() -> None:
    """The embedded models: where they come from, whether they are here."""


@models.command("list")
@prints_result
def models_list(quiet: bool) -> tuple[Any, str, int]:
    """Every embedded model, its source and licence, and whether it is here.

    \b
    mossgen models list
    """
    from mossgen.models import weights

    rows = []
    for model in weights.catalogue():
        ready = weights.ready(model.name)
        rows.append({"name": model.name, "about": model.about, "source": model.source, "licence": model.licence,
                     "bytes": weights.size(model.name), "path": str(ready) if ready else None})  # fmt: skip
    lines = [f"{r['name']:18} {'here' if r['path'] else 'not pulled':10} {r['about']} ({r['licence']})" for r in rows]
    return {"models": rows}, "\n".join(lines), 0


@models.command("pull")
@click.argument("names", nargs=-1)
@prints_result
def models_pull(names: tuple[str, ...], quiet: bool) -> tuple[Any, str, int]:
    """Fetch and build embedded models (default: all), with hashes checked.

    \b
    mossgen models pull
    mossgen models pull smollm2
    """
    from mossgen.cli.console import Console
    from mossgen.models import weights

    with Console(quiet) as console:
        pulled = {
            name: str(weights.pull(name, console)) for name in names or [model.name for model in weights.catalogue()]
        }
    return {"models": pulled}, "\n".join(f"{name}: {path}" for name, path in pulled.items()), 0


@models.command("verify")
@prints_result
def models_verify(quiet: bool) -> tuple[Any, str, int]:
    """Recompute the hash of every file of every pulled model.

    \b
    mossgen models verify
    """
    from mossgen.models import weights

    problems = [p for m in weights.catalogue() if weights.ready(m.name) for p in weights.verify(m.name)]
    text = "\n".join(problems) or "Every pulled model is as it should be."
    return {"ok": not problems, "problems": problems}, text, 1 if problems else 0
