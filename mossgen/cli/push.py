"""`mossgen push`: an export or a set to a Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import answers

SHOWN = 8  # files named in the text; --json has all


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--repo", required=True, metavar="ORG/NAME", help="The dataset's repository; made if it is not there.")
@click.option("--public", is_flag=True, help="If it is made, make it public.  [default: private]")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed, and ask nothing of the network.")
@answers
def push(folder: Path, repo: str, public: bool, dry_run: bool, quiet: bool) -> tuple[Any, str, int]:
    """Push an export, or a set with sides, to a Hugging Face hub in one commit, with its card.

    The token comes from HF_TOKEN or `hf auth login`; HF_ENDPOINT names another hub.

    \b
    mossgen push my-set --repo my-org/my-set --dry-run
    mossgen push out/parquet --repo my-org/my-set --public
    """
    from mossgen.exports.push import parcel
    from mossgen.exports.push import push as send

    found = parcel(folder, repo)
    url = None if dry_run else send(found, private=not public)
    size = sum(found.files.values())
    result = {
        "repository": repo,
        "private": not public,
        "pushed": not dry_run,
        "url": url,
        "bytes": size,
        "files": dict(found.files),
        "licence": found.card.get("license"),
        "configs": [config["config_name"] for config in found.card.get("configs", [])],
    }
    lines = [f"  {name} ({bytes_:,} bytes)" for name, bytes_ in list(found.files.items())[:SHOWN]]
    more = [f"  and {len(found.files) - SHOWN} more; --json names all."] if len(found.files) > SHOWN else []
    what = f"{len(found.files)} files, {size:,} bytes, {result['licence']}"
    head = f"Would push {what} to {repo}:" if dry_run else f"Pushed {what}: {url}"
    return result, "\n".join([head, *lines, *more] if dry_run else [head]), 0
