"""`mossgen push`: an export or a set to a Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import prints_result

SHOWN = 8  # files named in the text; --json has all


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--repo", required=True, metavar="ORG/NAME", help="The dataset's repository; made if it is not there.")
@click.option("--public", is_flag=True, help="Make the repository public when it is created.  [default: private]")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed, and ask nothing of the network.")
@prints_result
def push(folder: Path, repo: str, public: bool, dry_run: bool, quiet: bool) -> tuple[Any, str, int]:
    """Push an export, or a set with sides, to a Hugging Face hub in one commit, with its card.

    The token comes from HF_TOKEN or `hf auth login`; HF_ENDPOINT names another hub.

    \b
    mossgen push my-set --repo my-org/my-set --dry-run
    mossgen push out/parquet --repo my-org/my-set --public
    """
    from mossgen.exports.push import push as send

    result = send(folder, repo, public=public, dry_run=dry_run).to_dict()
    return result, _text(result), 0


def _text(result: dict[str, Any]) -> str:
    files = list(result["files"].items())
    what = f"{len(files)} files, {result['bytes']:,} bytes, {result['licence']}"
    if result["pushed"]:
        return f"Pushed {what}: {result['url']}"
    lines = [f"  {name} ({size:,} bytes)" for name, size in files[:SHOWN]]
    more = [f"  and {len(files) - SHOWN} more; --json names all."] if len(files) > SHOWN else []
    return "\n".join([f"Would push {what} to {result['repository']}:", *lines, *more])
