"""`mossgen plugins`: what can be used, where it comes from, and what its options mean."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import click

from mossgen.cli._common import prints_result

if TYPE_CHECKING:
    from mossgen.runs.inventory import Available, Description, Option

WIDTH = 110


@click.command()
@click.argument("name", metavar="[NAME|KIND/NAME]", required=False)
@prints_result
def plugins(name: str | None, quiet: bool) -> tuple[Any, str, int]:
    """Every type, preset and plugin there is, and where it comes from; of one of them, what its options mean.

    \b
    mossgen plugins
    mossgen plugins vlm
    mossgen plugins llms/openai
    """
    from mossgen.runs.inventory import describe, inventory

    if name is not None:
        described = describe(name)
        return described.to_dict(), _described(described), 0
    found = inventory()
    listing: dict[str, dict[str, Any]] = {}
    for one in found:
        facts = {"about": one.about, "package": one.package, "problem": one.problem}
        listing.setdefault(one.kind, {})[one.name] = facts
    return listing, _listed(found), 0


def _listed(found: list[Available]) -> str:
    lines, kind = [], ""
    for one in found:
        lines += [one.kind] if one.kind != kind else []
        kind = one.kind
        said = f"NOT USABLE: {one.problem}" if one.problem else one.about
        lines.append(f"  {one.name:18} {one.package:12} {said}".rstrip())
    return "\n".join([*lines, "`mossgen plugins NAME` says what the options of one are."])


def _described(one: Description) -> str:
    lines = [f"{one.kind}/{one.name}, from {one.package}", "", *_wrapped(one.about), ""]
    lines += [f"{key}: {_plain(value)}" for key, value in one.facts.items()]
    lines += [f"costs money: {'yes, as the endpoint asks' if one.paid else 'no'}"] if one.options or one.needs else []
    lines += [f"licence of the model: {one.licence}"] if one.licence else []
    lines += [f"needs: {need}" for need in one.needs]
    lines += ["", "options:"] if one.options else []
    for option in one.options:
        lines += [f"  {option.name}  ({option.type}; {_default(option)})", *_wrapped(option.meaning, "      ")]
    return "\n".join(lines)


def _wrapped(text: str, indent: str = "") -> list[str]:
    """The paragraphs of a text in lines of at most WIDTH."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += [""] if lines else []
        lines += textwrap.wrap(" ".join(paragraph.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)
    return lines


def _default(option: Option) -> str:
    return "required" if option.required else f"default {_plain(option.default)}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
