"""`mossgen dedup`: near-duplicates within a set, and the nearest reference of each item."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import one_line, parse_options, prints_result, problem_lines

if TYPE_CHECKING:
    from mossgen.duplicates.report import DedupReport, ItemReport


@click.command()
@click.argument("set", metavar="SET", type=click.Path(path_type=Path))
@click.option("--against", multiple=True, metavar="REF", type=click.Path(path_type=Path),
              help="An imported set's name, a run, a MOSSBench folder, an ImageFolder; repeatable.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv|FILE.json",
              help="Write the report here too.")  # fmt: skip
@click.option("--set", "options", multiple=True, metavar="PLUGIN.OPTION=VALUE",
              help="An option of the embedder, such as open_clip.text=0.8; repeatable.")  # fmt: skip
@prints_result
def dedup(
    set: Path, against: tuple[Path, ...], out: Path | None, options: tuple[str, ...], quiet: bool
) -> tuple[Any, str, int]:
    """Report near-duplicates in a set, and the nearest reference of every item, by text, picture and pair.

    \b
    mossgen dedup generated/negated_harm-0
    mossgen dedup generated/negated_harm-0 --against mossbench --out nearest.csv
    """
    from mossgen.cli.console import Console
    from mossgen.duplicates import report

    with Console(quiet) as console:
        found = report.dedup(set, against, out=out, options=parse_options(options), progress=console)
    return found.to_dict(), _text(found), 0


def _text(report: DedupReport) -> str:
    lines = [line for item in report.items for line in _lines(item)]
    limits = ", ".join(f"{count} by {c} (at {report.thresholds[c]:.3f})" for c, count in report.over.items())
    what = "a reference" if report.references else "another item"
    lines.append(f"{len(report.items)} items; near {what}: {limits}.")
    lines.append(f"{sum(not item.kept for item in report.items)} are near-duplicates of something.")
    if report.without_picture:
        lines.append(f"{report.without_picture} items and references have no picture: compared by text alone.")
    lines += problem_lines(report.problems)
    return "\n".join(lines)


def _lines(item: ItemReport) -> list[str]:
    by_channel = {"text": item.text_score, "image": item.image_score, "pair": item.pair_score}
    scores = "  ".join(f"{channel} {score:.3f}" for channel, score in by_channel.items() if score)
    mark = "kept" if item.kept else "NEAR"
    lines = [f"{mark}  {one_line(item.id):24}  {scores}  {one_line(item.nearest or '')}"]
    if item.duplicate_of:
        lines.append(f"      too near to {one_line(item.duplicate_of)} by {item.duplicate_channel}")
    return lines
