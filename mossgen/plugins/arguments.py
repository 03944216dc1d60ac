"""What callers may give: one thing where several are taken, and numbers within their bounds."""

from __future__ import annotations

from collections.abc import Sequence

from mossgen.errors import ConfigError


def several(given: str | Sequence[str]) -> list[str]:
    """The names given: a list of them, or one alone."""
    return [given] if isinstance(given, str) else list(given)


def refuse_outside(name: str, value: float | None, least: float, most: float | None = None) -> None:
    """Raises ConfigError where the parameter `name` has a value under `least`, or over `most`; None has no value."""
    if value is None or (least <= value and (most is None or value <= most)):
        return
    wanted = f"at least {least:g}" if most is None else f"from {least:g} to {most:g}"
    raise ConfigError(f"`{name}` {value:g}: give a number {wanted}.")
