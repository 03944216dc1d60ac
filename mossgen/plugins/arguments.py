"""Checks of arguments: one name or a list of names, and numbers within bounds."""

from __future__ import annotations

from collections.abc import Sequence

from mossgen.errors import ConfigError


def several(given: str | Sequence[str]) -> list[str]:
    """The names as a list, from a list or a single name."""
    return [given] if isinstance(given, str) else list(given)


def refuse_outside(name: str, value: float | None, least: float, most: float | None = None) -> None:
    """Raises ConfigError if the parameter `name` is below `least` or above `most`; None is allowed."""
    if value is None or (least <= value and (most is None or value <= most)):
        return
    wanted = f"at least {least:g}" if most is None else f"from {least:g} to {most:g}"
    raise ConfigError(f"`{name}` {value:g}: give a number {wanted}.")
