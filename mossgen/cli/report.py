"""`mossgen report`: what was measured, as a page, plots and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import prints_result
from mossgen.cli.judge import rate_options


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="PROBE|RUN|SET...", type=click.Path(path_type=Path))
@click.option("--judge", default="", metavar="NAME", help="Whose labels the plots go by.  [default: the first]")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where the report goes.  [default: generated/report-NAME]")  # fmt: skip
@rate_options
@prints_result
def report(
    sources: tuple[Path, ...], judge: str, out: Path | None, empty_refuses: bool, quiet: bool
) -> tuple[Any, str, int]:
    """Write what was measured: an HTML page, plots as PNG and SVG, and the numbers as CSV and JSON.

    A folder with responses and labels (of `mossgen probe` or `mossgen judge`) gives rates; a run or a set gives what is
    in it, and the pictures of the items most refused.

    \b
    mossgen report generated/probe-negated_harm-0 generated/negated_harm-0
    mossgen report generated/probe-a generated/probe-b --judge embedded --out my-report
    """
    from mossgen.reports.report import report as write

    made = write(sources, judge=judge, empty_refuses=empty_refuses, out=out)
    return made.to_dict(), str(made.page), 0
