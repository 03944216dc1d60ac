"""Where plugins are found: the file `mossgen/plugins/KIND/NAME.py`, or an entry point of an installed package.

A package adds a plugin by an entry point in the group `mossgen.KIND` that names its module. The module has a docstring,
Options and build(options), like ours. Presets (`mossgen.presets`) and types (`mossgen.types`) are added the same way.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from pydantic import ValidationError

from mossgen.core.options import PluginOptions
from mossgen.core.progress import SILENT, Progress
from mossgen.errors import ConfigError, MossgenError
from mossgen.files import outside

if TYPE_CHECKING:
    from mossgen.plugins.protocols import Checker, Embedder, Exporter, Imager, LLM, RefusalJudge, Target  # noqa: I001

Wanted = TypeVar("Wanted", bound=PluginOptions)
KINDS = ("llms", "imagers", "embedders", "checkers", "exporters", "targets", "judges")
OURS = "mossgen"  # the origin of built-in plugins


def names(kind: str) -> list[str]:
    """The plugins of a kind, from its folder and the entry points; imports nothing."""
    return sorted({*_own(kind), *outside.entries(kind)})


def origin(kind: str, name: str) -> str:
    """The plugin's origin: mossgen, or a package with its version. Raises ConfigError if two packages provide it."""
    entry = _entry(kind, name)
    return entry.package if entry else OURS


def about(kind: str, name: str) -> str:
    """The docstring of a plugin, read without importing it. Raises ConfigError."""
    entry = _entry(kind, name)
    file = entry.file() if entry else Path(__file__).parent / kind / f"{name}.py"
    try:
        return ast.get_docstring(ast.parse((file / "__init__.py" if file.is_dir() else file).read_bytes())) or ""
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"The {kind} plugin {name!r} in {file} cannot be read ({error}).") from None


def options(kind: str, name: str) -> type[PluginOptions]:
    """The class of a plugin's options. Raises ConfigError for an unknown or invalid plugin."""
    found: type[PluginOptions] = _module(kind, name).Options
    return found


def parse(kind: str, name: str, options: Mapping[str, Any]) -> PluginOptions:
    """The plugin's Options made from plain values. Raises ConfigError for an unknown plugin, option or value."""
    wanted: type[PluginOptions] = _module(kind, name).Options
    return options_of(wanted, name, options, f"{kind}/{name}")


def options_of(wanted: type[Wanted], name: str, options: Mapping[str, Any], whose: str = "") -> Wanted:
    """Makes Options of this class from plain values. Raises ConfigError that names the first invalid one."""
    try:
        return wanted(**options)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "?"
        known = ", ".join(sorted(wanted.model_fields)) or "none"
        said = "there is no such option" if first["type"] == "extra_forbidden" else first["msg"]
        raise ConfigError(
            f"Option {name}.{field} = {first.get('input')!r}: {said}. {whose or name} has: {known}."
        ) from None


# fmt: off
@overload
def load(kind: Literal["llms"], name: str, options: Mapping[str, Any], progress: Progress = ...) -> LLM: ...
@overload
def load(kind: Literal["imagers"], name: str, options: Mapping[str, Any], progress: Progress = ...) -> Imager: ...
@overload
def load(kind: Literal["embedders"], name: str, options: Mapping[str, Any], progress: Progress = ...) -> Embedder: ...
@overload
def load(kind: Literal["checkers"], name: str, options: Mapping[str, Any], progress: Progress = ...) -> Checker: ...
@overload
def load(kind: Literal["exporters"], name: str, options: Mapping[str, Any], progress: Progress = ...) -> Exporter: ...
@overload
def load(kind: Literal["targets"], name: str, options: Mapping[str, Any], progress: Progress = ...) -> Target: ...
@overload
def load(kind: Literal["judges"], name: str, options: Mapping[str, Any], progress: Progress = ...) -> RefusalJudge: ...
@overload
def load(kind: str, name: str, options: Mapping[str, Any], progress: Progress = ...) -> Any: ...
# fmt: on
def load(kind: str, name: str, options: Mapping[str, Any], progress: Progress = SILENT) -> Any:
    """Builds the plugin from its options; first fetches the embedded models that it needs.

    Raises ConfigError, MissingModel, or what its build() raises.
    """
    from mossgen.models import weights

    chosen = parse(kind, name, options)
    for model in chosen.needs_weights():
        weights.path(model, progress)
    return _module(kind, name).build(chosen)


@cache
def _own(kind: str) -> frozenset[str]:
    folder = Path(__file__).parent / kind
    return frozenset(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("_"))


def _entry(kind: str, name: str) -> outside.Entry | None:
    """The entry point of a plugin; None for a built-in one. Raises ConfigError if there is none, or several."""
    if name not in names(kind):
        raise ConfigError(f"There is no {kind} plugin {name!r}: use one of {', '.join(names(kind))}.")
    return outside.only(kind, name, name in _own(kind))


def _module(kind: str, name: str) -> Any:
    entry = _entry(kind, name)
    if entry is None:
        return importlib.import_module(f"{__package__}.{kind}.{name}")
    module = entry.load()
    try:
        good = issubclass(module.Options, PluginOptions) and callable(module.build) and bool(module.__doc__)
    except (AttributeError, TypeError):
        good = False
    if not good:
        raise ConfigError(
            f"{entry.value} of the package {entry.package} is no plugin: it must have a docstring, a class Options (of "
            "mossgen.plugins.protocols.PluginOptions) and build(options)."
        )
    return module


def faults(kind: str) -> dict[str, str]:
    """Plugins of this kind that cannot be used, each with the reason in one sentence."""
    found = {}
    for name in outside.entries(kind):
        try:
            _module(kind, name)
        except MossgenError as error:
            found[name] = str(error)
    return found
