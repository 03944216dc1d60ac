"""A run as one file: run.yaml holds the settings of a run, is read with field and line, and is written for the next.

Paths in it are relative to the file: `run`, the YAML of a type of your own, sets in `against`, and what begins with
./ or ../ in `vlm` and `options`. Keys are never in it; they come from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mossgen.errors import ConfigError, StoreError, TemplateError, UsageError
from mossgen.expansion.settings import Settings, first_error
from mossgen.files.disk import read_text, read_yaml, write_whole

MAX_BYTES = 100_000
SECTIONS = {
    "What is made": ("type", "n", "seed", "run"),
    "With what": ("preset", "llm", "imager", "embedder", "options"),
    "What checks it, and what decides": ("checkers", "vlm", "gates", "signals", "reviewed", "votes"),
    "What nothing may be near to": ("against",),
    "Where it stops": ("max_cost", "max_time", "max_candidates"),
}
HEAD = """\
# The settings of a run: mossgen expand --config FILE, or mossgen.expand(config=FILE).
# Flags go before the environment (MOSSGEN_SEED, ...), the environment before this file, and this file before defaults.
# Relative paths are relative to this file. Keys do not belong here: they come from the environment.
"""
Place = tuple[str | int, ...]  # where a value stands: the names and numbers that lead to it


@dataclass(frozen=True)
class RunFile:
    """The settings that a run file gives, with its paths resolved, and the line of each."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[Place, int]

    def error(self, place: Place, sentence: str) -> ConfigError:
        """What is wrong with the setting at `place`, with its line."""
        known = next((place[:size] for size in range(len(place), 0, -1) if place[:size] in self.lines), None)
        line = f", line {self.lines[known]}" if known else ""
        return ConfigError(f"{self.path}{line}: {'.'.join(map(str, place))}: {sentence}")

    def places(self) -> Iterator[Place]:
        """Each setting of the file, and each of its options."""
        for name, value in self.values.items():
            yield from (((name, key) for key in value) if name == "options" else [(name,)])

    def without(self, place: Place) -> dict[str, Any]:
        """The file's values but for one."""
        if len(place) == 1:
            return {name: value for name, value in self.values.items() if name != place[0]}
        options = {name: value for name, value in self.values["options"].items() if name != place[1]}
        return {**self.values, "options": options}


def read_run_file(path: Path) -> RunFile:
    """The run file at `path`. Raises ConfigError with the field and the line of the first thing that is wrong."""
    values = read_yaml(path, MAX_BYTES, ConfigError)  # which bounds what the nodes below can stand for
    root = yaml.compose(read_text(path, MAX_BYTES, ConfigError), Loader=yaml.SafeLoader)
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no settings: write lines such as `type: negated_harm`.")
    lines: dict[Place, int] = {}
    file = RunFile(path, values or {}, lines)
    for place, line in _lines(root, ()):
        if place in lines:
            raise file.error(place, f"stands there again in line {line}: leave one of them out.")
        lines[place] = line
    given = {name: value for name, value in file.values.items() if value is not None}
    try:
        Settings.model_validate({"type": "", **given})
    except ValidationError as error:
        raise file.error(*first_error(error)) from None
    return RunFile(path, {name: _resolved(name, value, path.parent) for name, value in given.items()}, lines)


def _lines(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    """The line of every setting, and of what is inside it."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*place, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*place, number), value.start_mark.line + 1


def blamed(file: RunFile, error: UsageError, attempt: Callable[[Mapping[str, Any]], object]) -> UsageError:
    """The error with the line of the setting that causes it; as it is where none of the file's does.

    `attempt` raises it for the file's values, and is tried without each of them. The one that it needs is the one
    without which it succeeds, or else without which it raises another error. No run does without a type, so that is to
    blame for what is wrong with a template alone.
    """
    other: Place | None = None
    for place in file.places():
        if (place == ("type",)) != isinstance(error, TemplateError):
            continue
        try:
            attempt(file.without(place))
        except UsageError as now:
            other = other or (place if str(now) != str(error) else None)
        else:
            return file.error(place, str(error))
    return file.error(other, str(error)) if other else error


def _resolved(name: str, value: Any, base: Path) -> Any:
    """A setting with its paths as seen from here, where the file lies in `base`."""
    if name == "run" or (name == "type" and value.endswith((".yaml", ".yml"))):
        return os.path.normpath(base / value)
    if name == "against":
        return [os.path.normpath(base / one) if _is_path(one, base) else one for one in value]
    if name == "vlm":
        kind, colon, model = value.partition(":")
        return kind + colon + _absolute(model, base)
    if name == "options":
        return {key: _absolute(one, base) for key, one in value.items()}
    return value


def _is_path(name: str, base: Path) -> bool:
    """Whether a reference is a path rather than the name of an imported set."""
    return (base / name).exists() or Path(name).name != name


def _absolute(value: Any, base: Path) -> Any:
    """What begins with ./ or ../ as an absolute path, since a run notes it: it must not depend on where one stands."""
    found = isinstance(value, str) and value.startswith(("./", "../"))
    return os.path.normpath((base / value).absolute()) if found else value


def save_run_file(settings: Settings, path: Path) -> None:
    """Writes settings as a run file, with paths relative to it. Raises ConfigError where a file is there already."""
    if path.exists():
        raise ConfigError(f"`save_config` {path}: there is such a file already: give another name, or remove it.")
    values = {name: _relative(name, value, path.parent) for name, value in settings.model_dump(mode="json").items()}
    text = HEAD
    for title, names in SECTIONS.items():
        text += f"\n# {title}\n" + "".join(_written(name, values[name]) for name in names)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise StoreError(f"`save_config` {path}: cannot be written ({error.strerror}).") from error


def _written(name: str, value: Any) -> str:
    """A setting as lines of YAML, with what it means."""
    about = f"  # {Settings.model_fields[name].description}\n"
    if isinstance(value, dict) and value:
        block = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=1000)
        return f"{name}:{about}" + "".join(f"  {line}\n" for line in block.splitlines())
    flow = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=1000).strip()[1:-1]
    return f"{name}: {flow}{about}" if value is not None else f"{name}:{about}"


def _relative(name: str, value: Any, base: Path) -> Any:
    """A setting with its paths as seen from the folder `base`: the reverse of `_resolved`."""
    if value is None:
        return None
    if name == "run" or (name == "type" and value.endswith((".yaml", ".yml"))):
        return _seen_from(base, value)
    if name == "against":
        return [_seen_from(base, one) if _is_path(one, Path()) else one for one in value]
    if name == "vlm":
        kind, colon, model = value.partition(":")
        return kind + colon + _absolute(model, Path())
    if name == "options":
        return {key: _absolute(one, Path()) for key, one in value.items()}
    return value


def _seen_from(base: Path, path: str) -> str:
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # on another drive
        return str(Path(path).absolute())
