"""`mossgen review`: people vote on a run's items, on a local page or through files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import option_group, prints_result, votes_option
from mossgen.cli.expand import NOTHING_ACCEPTED
from mossgen.errors import ConfigError

if TYPE_CHECKING:
    from mossgen.reviews.review import Review

Done = tuple[dict[str, Any], str]  # what --json says of it, and a sentence
GOES_WITH = {
    "reviewed": ("apply_votes",),
    "type": ("apply_votes",),
    "images_at": ("export_label_studio", "export_crowd"),
}
_PATH = click.Path(path_type=Path)
# the options of `review`, in the order of use
_options = option_group(
    click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port of the page.  [default: any free one]"),
    click.option("--reviewer", default="", metavar="NAME", help="The name the page offers."),
    votes_option,
    click.option("--rejected", default=0, show_default=True, type=click.IntRange(min=0), metavar="N",
                 help="Show N items too that the checkers rejected."),
    click.option("--report", is_flag=True, help="Say what is settled, and how far people and checkers agree."),
    click.option("--apply", "apply_votes", is_flag=True,
                 help="Reject what people found not to be benign, and write the run's outputs again."),
    click.option("--reviewed", is_flag=True, help="With --apply: reject what people have not settled yet too."),
    click.option("--type", metavar="FILE", help="With --apply: the template of a type of your own."),
    click.option("--export-html", type=_PATH, metavar="FILE", help="Write the page as a file; it saves votes as CSV."),
    click.option("--export-csv", type=_PATH, metavar="FILE", help="Write all votes as a CSV."),
    click.option("--export-label-studio", type=_PATH, metavar="DIR", help="Write tasks with predictions and a config."),
    click.option("--export-crowd", type=_PATH, metavar="DIR", help="Write a CSV of tasks and an HTML template."),
    click.option("--images-at", metavar="URL", help="With those two: where the folder `images` will lie."),
    click.option("--import", "import_file", type=_PATH, metavar="FILE",
                 help="Add votes: a CSV of the page or a crowd platform, Label Studio's JSON or JSON-MIN."),
)  # fmt: skip


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@_options
@prints_result
def review(run: Path, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    """Let people vote on a run's items: serves a local page, until Ctrl-C. Votes are kept at once.

    \b
    mossgen review generated/negated_harm-0
    mossgen review generated/negated_harm-0 --report
    mossgen review generated/negated_harm-0 --export-html review.html
    mossgen review generated/negated_harm-0 --import votes-Ada.csv
    mossgen review generated/negated_harm-0 --apply --reviewed
    """
    from mossgen.reviews.report import text
    from mossgen.reviews.review import review as begin

    way = _way(options)
    its = begin(run, votes=options["votes"], rejected=options["rejected"])
    done, said = _WAYS[way](its, options)
    figures = its.report()
    if way == "report":
        return figures, text(figures), 0
    brief = {key: figures[key] for key in ("items", "votes", "settled", "queue", "open", "alpha")}
    standing = f"{figures['settled']} of {figures['items']} items settled, {figures['queue']} in the queue."
    code = NOTHING_ACCEPTED if done.get("accepted") == 0 else 0
    return {**done, **brief}, f"{said}\n{standing}", code


def _way(options: dict[str, Any]) -> str:
    """The one thing that is asked for. Raises ConfigError where options do not go together."""
    chosen = [way for way in _WAYS if options.get(way)]
    if len(chosen) > 1:
        raise ConfigError(f"{' and '.join(f'`{way}`' for way in chosen)} cannot go together: give one at a time.")
    way = chosen[0] if chosen else "serve"
    for option, ways in GOES_WITH.items():
        if options[option] and way not in ways:
            raise ConfigError(f"`{option}` goes with {' or '.join(f'`{way}`' for way in ways)} alone.")
    return way


def _serve(its: Review, options: dict[str, Any]) -> Done:
    with its.serve(options["port"], options["reviewer"]) as server:
        click.echo(f"Review the items at {server.url} (Ctrl-C ends it; every vote is kept at once)", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)
    return {}, "The page is closed."


def _apply(its: Review, options: dict[str, Any]) -> Done:
    made = its.apply(reviewed=options["reviewed"], type=options["type"])
    done = {"rejected": list(made.rejected), "restored": list(made.restored), "accepted": made.accepted}
    return done, (
        f"{len(made.rejected)} items rejected, {len(made.restored)} accepted again; {made.accepted} are accepted now."
    )


def _export_html(its: Review, options: dict[str, Any]) -> Done:
    path = its.export_html(options["export_html"])
    return {"files": [str(path)]}, f"{path}: send it to reviewers, and `--import` the CSV that each of them saves."


def _export_csv(its: Review, options: dict[str, Any]) -> Done:
    path = options["export_csv"]
    return {"files": [str(path)]}, f"{path}: {its.export_csv(path)} votes, those taken back too."


def _export_label_studio(its: Review, options: dict[str, Any]) -> Done:
    folder = options["export_label_studio"]
    files = its.export_label_studio(folder, options["images_at"])
    return {"files": [str(file) for file in files]}, (
        f"{folder}: make a project with config.xml, turn off its setting that shows predictions to annotators (people "
        "vote blind), import tasks.json."
    )


def _export_crowd(its: Review, options: dict[str, Any]) -> Done:
    folder, images_at = options["export_crowd"], options["images_at"]
    files = its.export_crowd(folder, images_at)
    return {"files": [str(file) for file in files]}, f"{folder}: put images/ at {images_at}."


def _import(its: Review, options: dict[str, Any]) -> Done:
    made = its.import_votes(options["import_file"])
    return {"added": made.added, "known": made.known}, f"{made.added} votes added, {made.known} were there already."


_WAYS: dict[str, Callable[[Review, dict[str, Any]], Done]] = {
    "serve": _serve,
    "report": lambda its, options: ({}, ""),
    "apply_votes": _apply,
    "export_html": _export_html,
    "export_csv": _export_csv,
    "export_label_studio": _export_label_studio,
    "export_crowd": _export_crowd,
    "import_file": _import,
}
