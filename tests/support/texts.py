"""Small things about words."""

import re


def bare(phrase: str) -> str:
    """A noun phrase without its article."""
    return re.sub(r"^an? ", "", phrase)
