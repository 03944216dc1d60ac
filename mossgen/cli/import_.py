"""`mossgen import` and `mossgen references`: sets of other people, to keep away from and to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mossgen.cli._common import one_line, prints_result

SHOWN = 10  # missing pictures and problems that are named in the text; --json has all


@click.command("import")
@click.argument("format_", metavar="FORMAT", type=click.Choice(["mossbench", "imagefolder", "jsonl"]))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="What --against calls it.  [default: the folder's name]")
@click.option("--licence", metavar="TEXT", help="Its licence, where its README does not state the right one.")
@click.option("--test-only/--trainable", default=None, help="Whether its licence forbids training, if not as stated.")
@click.option("--out", type=click.Path(path_type=Path), help="Its folder.  [default: generated/references/NAME]")
@prints_result
def import_(format_: str, path: Path, name: str | None, quiet: bool, **options: Any) -> tuple[Any, str, int]:
    """Read a set of somebody else as a named reference set, without loss, with its licence.

    \b
    mossgen import mossbench MOSSBench --name mossbench
    mossgen import imagefolder from-the-hub/ --name mossbench-hub --licence cc-by-sa-4.0 --test-only
    mossgen import jsonl my.jsonl --licence cc-by-4.0
    mossgen expand --type negated_harm --against mossbench
    """
    from mossgen.sets.importing import import_set

    made = import_set(format_, path, name or (path.resolve().name if path.is_dir() else path.resolve().stem), **options)
    result = {
        "name": made.name,
        "folder": str(made.folder),
        "items": made.items,
        "missing_images": len(made.missing),
        "missing": list(made.missing),
        "problems": made.problems,
        "licence": made.licence,
        "test_only": made.test_only,
    }
    return result, _text(result), 0


def _text(result: dict[str, Any]) -> str:
    use = "for testing only" if result["test_only"] else "training on it is not forbidden"
    lines = [
        f"{result['items']} items in {result['folder']} ({result['licence']}; {use}).",
        f"{result['missing_images']} pictures are missing or cannot be read.",
    ]
    problems = list(result["problems"].items())
    lines += [f"  {one_line(key)}: {one_line(why)}" for key, why in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  and {len(problems) - SHOWN} more; --json names all.")
    return "\n".join((*lines, f"Keep away from it with --against {result['name']}."))


@click.group()
def references() -> None:
    """The imported sets: list them, or write one back as it was.

    \b
    mossgen references list
    mossgen references write mossbench --out MOSSBench-again
    """


@references.command("list")
@prints_result
def list_(quiet: bool) -> tuple[Any, str, int]:
    """Name, items, licence and folder of every imported set in generated/references.

    \b
    mossgen references list
    """
    from mossgen.sets.references import FOLDER, REFERENCE, open_reference

    found = [open_reference(head.parent) for head in sorted(FOLDER.glob(f"*/{REFERENCE}"))]
    listing = [
        {"name": r.name, "items": len(r), "licence": r.licence, "test_only": r.test_only} for r in found
    ]  # fmt: skip
    lines = [f"{r['name']:20} {r['items']:6}  {r['licence']}" for r in listing]
    return {"references": listing}, "\n".join(lines) or f"There is no imported set in {FOLDER}.", 0


@references.command("write")
@click.argument("reference", metavar="NAME|PATH")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder that is new, or was written so.")
@prints_result
def write(reference: str, out: Path, quiet: bool) -> tuple[Any, str, int]:
    """Write an imported set back as it was: the same JSON, and the pictures that were there.

    \b
    mossgen references write mossbench --out MOSSBench-again
    """
    from mossgen.sets.importing import write_back
    from mossgen.sets.references import locate

    files = write_back(locate(reference), out)
    return {"out": str(out), "files": [str(file) for file in files]}, f"{len(files)} files in {out}.", 0
