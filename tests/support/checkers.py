"""What stand-in checkers say of themselves."""

from typing import Any

from mossgen.plugins.protocols import CheckerOptions


def facts(**changes: Any) -> CheckerOptions:
    """CheckerOptions that state these facts, such as needs="text"."""
    made: CheckerOptions = type("Facts", (CheckerOptions,), {"__module__": __name__, "__doc__": "Facts.", **changes})()
    return made
