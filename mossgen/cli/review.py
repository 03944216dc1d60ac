"""`mossgen review`: people vote on a run's items, on a local page or through files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import answers, together, votes_option
from mossgen.cli.expand import NOTHING_ACCEPTED
from mossgen.errors import ConfigError

if TYPE_CHECKING:
    from mossgen.runs.store import RunStore

WAYS = ("report", "apply_votes", "export_html", "export_csv", "export_label_studio", "export_crowd", "import_file")


_PATH = click.Path(path_type=Path)
# the options of `review`, in the order of use
_options = together(
    click.option("--port", default=0, type=click.IntRange(0, 65535), help="Of the page.  [default: any free one]"),
    click.option("--reviewer", default="", metavar="NAME", help="The name the page offers."),
    votes_option,
    click.option("--rejected", default=0, show_default=True, type=click.IntRange(min=0), metavar="N",
                 help="Show N items too that the machine rejected: is it right?"),
    click.option("--report", is_flag=True, help="What is settled, agreement, the machine against people."),
    click.option("--apply", "apply_votes", is_flag=True,
                 help="Reject what people settled as not benign, and write the outputs anew."),
    click.option("--reviewed", is_flag=True, help="With --apply: also what people have not settled yet."),
    click.option("--type", "type_name", metavar="FILE", help="With --apply: the template of a type of your own."),
    click.option("--export-html", type=_PATH, metavar="FILE", help="The page as one file; votes leave it as a CSV."),
    click.option("--export-csv", type=_PATH, metavar="FILE", help="All votes there are."),
    click.option("--export-label-studio", type=_PATH, metavar="DIR", help="Tasks with predictions, and a config."),
    click.option("--export-crowd", type=_PATH, metavar="DIR", help="A CSV of tasks and an HTML template."),
    click.option("--images-at", metavar="URL", help="With those two: where the folder `images` will lie."),
    click.option("--import", "import_file", type=_PATH, metavar="FILE",
                 help="Votes: a CSV of the page or a crowd platform, Label Studio's JSON or JSON-MIN."),
)  # fmt: skip


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@_options
@answers
def review(run: Path, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    """Let people vote on a run's items: serves a local page, until Ctrl-C. Votes are kept at once.

    \b
    mossgen review generated/negated_harm-0
    mossgen review generated/negated_harm-0 --report
    mossgen review generated/negated_harm-0 --export-html review.html
    mossgen review generated/negated_harm-0 --import votes-Ada.csv
    mossgen review generated/negated_harm-0 --apply --reviewed
    """
    from mossgen.reviews.report import review_report, text
    from mossgen.runs.store import RunStore

    way = _way(options)
    done, said = _do(way, run, options)
    with RunStore.read(run) as store:
        figures = review_report(store, options["votes"])
    if way == "report":
        return figures, text(figures), 0
    brief = {key: figures[key] for key in ("items", "votes", "settled", "queue", "open", "alpha")}
    standing = f"{figures['settled']} of {figures['items']} items settled, {figures['queue']} in the queue."
    code = NOTHING_ACCEPTED if done.get("accepted") == 0 else 0
    return {**done, **brief}, f"{said}\n{standing}", code


def _way(options: dict[str, Any]) -> str:
    """The one thing that is asked for. Raises ConfigError where options do not go together."""
    chosen = [way for way in WAYS if options[way]]
    if len(chosen) > 1:
        names = " and ".join(
            f"--{way.removesuffix('_votes').removesuffix('_file').replace('_', '-')}" for way in chosen
        )
        raise ConfigError(f"{names} cannot go together: give one at a time.")
    way = chosen[0] if chosen else "serve"
    for option, ways in (("reviewed", ["apply_votes"]), ("type_name", ["apply_votes"]),
                         ("images_at", ["export_label_studio", "export_crowd"])):  # fmt: skip
        if options[option] and way not in ways:
            name = option.removesuffix("_name").replace("_", "-")
            raise ConfigError(f"--{name} goes with --{ways[0].removesuffix('_votes').replace('_', '-')} alone.")
    return way


def _do(way: str, run: Path, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Does it; returns what `--json` says of it, and a sentence."""
    from mossgen.runs.store import RunStore

    if way == "apply_votes":
        return _apply(run, options)
    with (RunStore.open if way in ("serve", "import_file") else RunStore.read)(run) as store:
        return _WAYS[way](store, options) if way != "report" else ({}, "")


def _serve(store: RunStore, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from mossgen.reviews.pool import pool
    from mossgen.reviews.server import ReviewServer
    from mossgen.reviews.session import Session

    items = pool(store, options["rejected"])
    session = Session(store.folder, options["votes"], options["rejected"])
    with ReviewServer(session, items[0].type, options["port"], options["reviewer"]) as server:
        click.echo(f"Review {len(items)} items at {server.url} (Ctrl-C ends it; every vote is kept at once)", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)
    return {}, "The page is closed."


def _apply(run: Path, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from mossgen.reviews.apply import apply_to_run
    from mossgen.stimulus.types import load_type

    kind = load_type(options["type_name"]) if options["type_name"] else None
    applied = apply_to_run(run, kind, options["votes"], options["reviewed"])
    done = {"rejected": list(applied.rejected), "restored": list(applied.restored), "accepted": applied.accepted}
    said = (
        f"{len(applied.rejected)} items rejected, {len(applied.restored)} accepted again; "
        f"{applied.accepted} are accepted now."
    )
    return done, said


def _export_html(store: RunStore, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from mossgen.files.folders import write_file
    from mossgen.reviews.page import GENERATOR, file_page
    from mossgen.reviews.pool import pool

    path = options["export_html"]
    write_file(path, file_page(store, pool(store, options["rejected"])), ours=GENERATOR)
    return {"files": [str(path)]}, f"{path}: send it to reviewers, and `--import` the CSV that each of them saves."


def _export_csv(store: RunStore, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from mossgen.files.folders import write_file
    from mossgen.reviews.csv_votes import COLUMNS, write_csv
    from mossgen.reviews.pool import pictured

    path, votes = options["export_csv"], store.votes()
    write_file(path, write_csv(votes, pictured(store)), ours='"item","image","reviewer"')
    return {"files": [str(path)]}, f"{path}: {len(votes)} votes, those taken back too ({', '.join(COLUMNS)})."


def _export_label_studio(store: RunStore, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from mossgen.reviews.label_studio import export_label_studio
    from mossgen.reviews.pool import pool

    items = pool(store, options["rejected"])
    files = export_label_studio(store, items, options["export_label_studio"], options["images_at"])
    said = (
        f"{options['export_label_studio']}: make a project with config.xml, turn off its setting that shows "
        "predictions to annotators (people vote blind), import tasks.json."
    )
    return {"files": [str(file) for file in files]}, said


def _export_crowd(store: RunStore, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from mossgen.reviews.crowd import export_crowd
    from mossgen.reviews.pool import pool

    files = export_crowd(store, pool(store, options["rejected"]), options["export_crowd"], options["images_at"])
    return {
        "files": [str(file) for file in files]
    }, f"{options['export_crowd']}: put images/ at {options['images_at']}."


def _import(store: RunStore, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    from mossgen.reviews.transfer import import_votes

    imported = import_votes(store, options["import_file"])
    said = f"{imported.added} votes added, {imported.known} were there already."
    return {"added": imported.added, "known": imported.known}, said


_WAYS = {
    "serve": _serve,
    "export_html": _export_html,
    "export_csv": _export_csv,
    "export_label_studio": _export_label_studio,
    "export_crowd": _export_crowd,
    "import_file": _import,
}
