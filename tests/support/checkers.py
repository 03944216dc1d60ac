"""What stand-in checkers say of themselves."""

from mossgen.plugins.protocols import CheckerOptions


def facts(**changes):
    """CheckerOptions that state these facts, such as needs="text"."""
    return type("Facts", (CheckerOptions,), {"__module__": __name__, "__doc__": "Facts.", **changes})()
