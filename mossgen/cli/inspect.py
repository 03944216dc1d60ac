"""The verbs that only look: `status`, `verify`, `doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import prints_result


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@prints_result
def status(run: Path, quiet: bool) -> tuple[Any, str, int]:
    """Where a run stands: items by state, what rejected them, what it has cost, whether it is finished.

    \b
    mossgen status generated/negated_harm-0
    """
    from mossgen.runs.store import RunStore
    from mossgen.runs.verify import unfinished

    with RunStore.read(run) as store:
        states, rejected, spent = store.counts(), store.rejections(), store.spent()
        open_end = unfinished(run, store.outputs()[0])
    cost = {stage: {"seconds": round(s, 1), "usd": round(usd, 4)} for stage, (s, usd) in spent.items()}
    lines = [f"{state:9} {count}" for state, count in states.items()]
    lines += [f"  by {stage}: {count}" for stage, count in rejected.items()]
    lines += [open_end] if open_end else []
    return {"states": states, "rejected": rejected, "spent": cost, "finished": not open_end}, "\n".join(lines), 0


@click.command()
@click.argument("path", metavar="RUN|SET|REFERENCE", type=click.Path(path_type=Path))
@prints_result
def verify(path: Path, quiet: bool) -> tuple[Any, str, int]:
    """Recompute every id and hash of a run, a set with sides or an imported set; say what was altered or lost.

    \b
    mossgen verify generated/negated_harm-0
    mossgen verify my-set
    mossgen verify generated/references/mossbench
    """
    from mossgen.sets.verify import verify as recompute

    found = recompute(path)
    lines = [*found.problems, *([found.unfinished] if found.unfinished else [])]
    text = "\n".join(lines) or f"{path}: every item, id and picture is as it was written."
    return found.to_dict(), text, 0 if found.ok else 1


@click.command()
@prints_result
def doctor(quiet: bool) -> tuple[Any, str, int]:
    """What works on this machine: devices, packages, weights, keys, space.

    \b
    mossgen doctor
    """
    from mossgen.models.doctor import diagnose

    checks = diagnose()
    lines = [f"{'ok ' if c['ok'] else 'NO '} {c['what']}: {c['found']}" for c in checks]
    good = all(c["ok"] or not c["needed"] for c in checks)
    return {"ok": good, "checks": checks}, "\n".join(lines), 0 if good else 1
