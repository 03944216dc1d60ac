"""The file name is the plugin name: `mossgen/<kind>/<name>.py` has a docstring, Options and build(options)."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError

KINDS = ("llms", "imagers", "embedders", "checkers", "exporters", "targets", "judges")


def names(kind: str) -> list[str]:
    """The plugins of a kind, by listing its folder; nothing is imported."""
    folder = Path(__file__).parent / kind
    return sorted(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("_"))


def about(kind: str, name: str) -> str:
    """The first line of a plugin's docstring, read without importing it."""
    import ast

    source = (Path(__file__).parent / kind / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]


def parse(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """The plugin's Options made from plain values. Raises ConfigError for an unknown plugin, option or value."""
    from pydantic import ValidationError

    try:
        return _module(kind, name).Options(**options)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "?"
        known = ", ".join(sorted(_module(kind, name).Options.model_fields)) or "none"
        raise ConfigError(
            f"Option {name}.{field} = {first.get('input')!r}: {first['msg']}. {kind}/{name} has: {known}."
        ) from None


def options(kind: str, name: str) -> list[str]:
    """The names of a plugin's options. Raises ConfigError for an unknown plugin."""
    return list(_module(kind, name).Options.model_fields)


def load(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """The plugin, built from its options. Raises ConfigError, or what its build() raises."""
    return _module(kind, name).build(parse(kind, name, options))


def _module(kind: str, name: str) -> Any:
    if name not in names(kind):
        raise ConfigError(f"There is no {kind} plugin {name!r}: use one of {', '.join(names(kind))}.")
    return importlib.import_module(f"mossgen.plugins.{kind}.{name}")
