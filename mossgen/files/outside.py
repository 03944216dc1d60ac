"""Extensions of mossgen by other installed packages, found through entry points."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.errors import ConfigError

PREFIX = "mossgen."


@dataclass(frozen=True)
class Entry:
    """One entry point: its name, the module or object it refers to, and its package with version."""

    name: str
    value: str
    package: str

    def load(self) -> Any:
        """Imports the module or object. Raises ConfigError if its package cannot be imported."""
        module, _, attribute = self.value.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in filter(None, attribute.split(".")):
                found = getattr(found, part)
        except Exception as error:  # foreign code may raise anything during import
            raise self._broken(error) from error
        return found

    def file(self) -> Path:
        """The file of its module, or the folder of a package, found without running the module. Raises ConfigError."""
        try:
            spec = importlib.util.find_spec(self.value.partition(":")[0])
        except Exception as error:  # its parent packages are imported
            raise self._broken(error) from error
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        if spec is None or spec.origin is None:
            raise self._broken(ModuleNotFoundError(f"there is no module {self.value}"))
        return Path(spec.origin)

    def _broken(self, error: Exception) -> ConfigError:
        why = " ".join(str(error).split())[:200].rstrip(".")
        return ConfigError(
            f"{self.name!r} of the package {self.package} cannot be imported ({type(error).__name__}: {why}): mend or "
            "uninstall that package."
        )


def entries(group: str) -> Mapping[str, tuple[Entry, ...]]:
    """The entry points of `mossgen.GROUP` by name; several packages may use the same name."""
    return _all().get(PREFIX + group, {})


@functools.cache
def _all() -> Mapping[str, Mapping[str, tuple[Entry, ...]]]:
    """The entry points of all mossgen groups. Cached, as it reads every installed package."""
    found: dict[str, dict[str, tuple[Entry, ...]]] = {}
    seen = set()
    for package in importlib.metadata.distributions():
        ours = [point for point in package.entry_points if point.group.startswith(PREFIX)]
        if not ours or package.name in seen:  # Python imports the first package of this name on its path
            continue
        seen.add(package.name)
        for point in ours:
            named = found.setdefault(point.group, {})
            entry = Entry(point.name, point.value, f"{package.name} {package.version}")
            named[point.name] = (*named.get(point.name, ()), entry)
    return found


def only(group: str, name: str, own: bool) -> Entry | None:
    """The entry of this name; None if it is mossgen's `own`. Raises ConfigError if the name is not unique."""
    rivals = entries(group).get(name, ())
    owners = [*(["mossgen"] if own else []), *(f"the package {entry.package}" for entry in rivals)]
    if len(owners) > 1:
        raise ConfigError(
            f"There are {len(owners)} {group} called {name!r}, of {' and of '.join(owners)}: uninstall one of them."
        )
    return rivals[0] if rivals else None
