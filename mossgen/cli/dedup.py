"""`mossgen dedup`: near-duplicates within a set, and the nearest reference of each item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers, one_line, parse_options


@click.command()
@click.argument("set_", metavar="SET", type=click.Path(path_type=Path))
@click.option("--against", multiple=True, metavar="REF", type=click.Path(path_type=Path),
              help="An imported set's name, a run, a MOSSBench folder, an ImageFolder; repeatable.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv|FILE.json",
              help="Write the report here too.")  # fmt: skip
@click.option("--set", "options", multiple=True, metavar="PLUGIN.OPTION=VALUE",
              help="An option of the embedder, such as open_clip.text=0.8; repeatable.")  # fmt: skip
@answers
def dedup(
    set_: Path, against: tuple[Path, ...], out: Path | None, options: tuple[str, ...], quiet: bool
) -> tuple[Any, str, int]:
    """Report near-duplicates in a set, and the nearest reference of every item, by text, picture and pair.

    \b
    mossgen dedup generated/negated_harm-0
    mossgen dedup generated/negated_harm-0 --against mossbench --out nearest.csv
    """
    from mossgen.cli.console import Console
    from mossgen.duplicates.report import compare
    from mossgen.models import weights
    from mossgen.plugins.spec import Part, by_plugin, embedded_models, load_embedder
    from mossgen.runs.config import PRESETS

    part = PRESETS["embedded"].embedder
    chosen = by_plugin(parse_options(options), [part.plugin]).get(part.plugin, {})
    part = Part(plugin=part.plugin, options={**part.options, **chosen})
    if out is not None and out.suffix not in (".csv", ".json"):
        raise click.UsageError(f"--out {out}: give a name that ends in .csv or .json.")
    with Console(quiet) as console:
        for name in embedded_models([part]):
            weights.path(name, console.download)
        console.say("loading the embedder")
        result = compare(set_, against, load_embedder(part), console.say)
    if out is not None:
        _write(out, result)
    return result, _text(result), 0


def _write(out: Path, result: dict[str, Any]) -> None:
    """The report as JSON, or its items as a CSV."""
    from mossgen.duplicates.report import csv_text
    from mossgen.errors import StoreError
    from mossgen.files.disk import write_whole

    text = csv_text(result) if out.suffix == ".csv" else json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    try:
        write_whole(out, text.encode("utf-8"))
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error.strerror}): choose another --out.") from None


def _text(result: dict[str, Any]) -> str:
    lines = []
    for item in result["items"]:
        scores = "  ".join(f"{c} {item[f'{c}_score']:.3f}" for c in ("text", "image", "pair") if item[f"{c}_score"])
        mark = "kept" if item["kept"] else "NEAR"
        lines.append(f"{mark}  {one_line(item['id']):24}  {scores}  {one_line(item['nearest'] or '')}")
        if not item["kept"]:
            lines.append(f"      too near to {one_line(item['duplicate_of'])} by {item['duplicate_channel']}")
    limits = ", ".join(f"{count} by {c} (at {result['thresholds'][c]:.3f})" for c, count in result["over"].items())
    what = "a reference" if result["references"] else "another item"
    lines.append(f"{len(result['items'])} items; near {what}: {limits}.")
    lines.append(f"{sum(not item['kept'] for item in result['items'])} are near-duplicates of something.")
    if result["without_picture"]:
        lines.append(f"{result['without_picture']} items and references have no picture: compared by text alone.")
    return "\n".join(lines)
