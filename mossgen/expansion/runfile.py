"""Reads and writes the settings of a run as one file, run.yaml; errors name the field and the line.

Paths in it are relative to the file: `run`, the YAML of a type of your own, sets in `against`, and values in `vlm` and
`options` that begin with ./ or ../. It never holds keys; they come from the environment.
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
from mossgen.expansion.settings import Settings, wrong
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
# A flag overrides its variable (MOSSGEN_SEED, ...), which overrides this file, which overrides the default.
# Relative paths are relative to this file. Keys do not belong here: they come from the environment.
"""
Values = Mapping[str, Any]  # settings by name
Place = tuple[str | int, ...]  # the position of a value: the names and numbers that lead to it


@dataclass(frozen=True)
class RunFile:
    """The settings that a run file gives, with its paths resolved, and the line of each."""

    path: Path
    values: Values
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of the setting at `place`, or of the setting that contains it; 0 if the file does not have it."""
        inside = (place[:size] for size in range(len(place), 0, -1))
        return next((self.lines[known] for known in inside if known in self.lines), 0)

    def error(self, place: Place, sentence: str) -> ConfigError:
        """The error for the setting at `place`, with its line; removes a setting's name that begins the sentence."""
        line = f", line {self.line(place)}" if self.line(place) else ""
        said = sentence.removeprefix(f"`{place[0]}` ")
        return ConfigError(f"{self.path}{line}: {'.'.join(map(str, place))}: {said}")


def read_run_file(path: Path) -> RunFile:
    """Reads the run file at `path`. Raises ConfigError with the field and the line of the first line that is wrong."""
    values = read_yaml(path, MAX_BYTES, ConfigError)  # this also limits the size of the nodes below
    root = yaml.compose(read_text(path, MAX_BYTES, ConfigError), Loader=yaml.SafeLoader)
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no settings: write lines such as `type: negated_harm`.")
    lines: dict[Place, int] = {}
    file = RunFile(path, values or {}, lines)
    for place, line in _lines(root, ()):
        if place in lines:
            raise file.error(place, f"is given twice (again in line {line}): leave one of them out.")
        lines[place] = line
    given = {name: value for name, value in file.values.items() if value is not None}
    try:
        Settings.model_validate({"type": "", **given})
    except ValidationError as error:
        raise file.error(*min(wrong(error), key=lambda one: file.line(one[0]))) from None
    return RunFile(path, {name: _resolved(name, value, path.parent) for name, value in given.items()}, lines)


def _lines(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    """The line of every setting and of every value inside it."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*place, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*place, number), value.start_mark.line + 1


def blamed(file: RunFile, given: Values, error: UsageError, attempt: Callable[[Values, Values], object]) -> UsageError:
    """Returns the error with the line of the setting that causes it, or unchanged if a `given` argument causes it.

    `attempt` raises the error for `given` and the file's values. It is tried again without each setting in turn, those
    in `given` first. The cause is the first setting without which `attempt` succeeds, or else the first without which
    it raises another error. `type` is tried only for a TemplateError, and then alone, because every run needs a type.
    """
    tries: list[tuple[UsageError, Values, Values]] = []
    tries += [(error, _without(given, place), file.values) for place in _places(given, error)]
    tries += [
        (file.error(place, str(error)), given, _without(file.values, place)) for place in _places(file.values, error)
    ]
    other: UsageError | None = None
    for told, flags, values in tries:
        try:
            attempt(flags, values)
        except UsageError as now:
            other = other or (told if str(now) != str(error) else None)
        else:
            return told
    return other or error


def _places(values: Values, error: UsageError) -> Iterator[Place]:
    """The settings that may cause the error; each option counts as one."""
    for name, value in values.items():
        if value is not None and (name == "type") == isinstance(error, TemplateError):
            yield from (((name, key) for key in value) if isinstance(value, Mapping) else [(name,)])


def _without(values: Values, place: Place) -> dict[str, Any]:
    """The values without the one at `place`."""
    kept = {name: value for name, value in values.items() if name != place[0]}
    if len(place) == 1:
        return kept
    return {**kept, "options": {name: value for name, value in values["options"].items() if name != place[1]}}


def _resolved(name: str, value: Any, base: Path) -> Any:
    """Resolves the paths of a setting, which are relative to the file's folder `base`."""
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
    """Makes a path that begins with ./ or ../ absolute, since a run records it, whatever the current folder is."""
    found = isinstance(value, str) and value.startswith(("./", "../"))
    return os.path.normpath((base / value).absolute()) if found else value


def save_run_file(settings: Settings, path: Path) -> None:
    """Writes settings as a run file, with paths relative to it. Raises ConfigError if another file is there."""
    values = {name: _relative(name, value, path.parent) for name, value in settings.model_dump(mode="json").items()}
    text = HEAD
    for title, names in SECTIONS.items():
        text += f"\n# {title}\n" + "".join(_written(name, values[name]) for name in names)
    try:
        if not path.exists():
            write_whole(path, text.encode())
        elif path.is_dir() or path.read_bytes() != text.encode():
            raise ConfigError(f"`save_config` {path}: there is another file already: give another name, or remove it.")
    except OSError as error:
        raise StoreError(f"`save_config` {path}: cannot be read or written ({error.strerror}).") from error


def _written(name: str, value: Any) -> str:
    """A setting as lines of YAML, with its description."""
    about = f"  # {Settings.model_fields[name].description}\n"
    if isinstance(value, dict) and value:
        block = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=1000)
        return f"{name}:{about}" + "".join(f"  {line}\n" for line in block.splitlines())
    flow = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=1000).strip()[1:-1]
    return f"{name}: {flow}{about}" if value is not None else f"{name}:{about}"


def _relative(name: str, value: Any, base: Path) -> Any:
    """Makes the paths of a setting relative to the folder `base`: the reverse of `_resolved`."""
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
