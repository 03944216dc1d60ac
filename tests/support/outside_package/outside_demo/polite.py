"""No question orders anybody about.

A checker of another package.
"""

from pydantic import Field

from mossgen.core.items import Decision, Verdict
from mossgen.plugins.protocols import CheckerOptions


class Options(CheckerOptions):
    """What is impolite."""

    needs = "text"

    word: str = Field("must", min_length=1, description="the word that no question may hold")


def build(options):
    """The checker."""
    return Polite(options)


class Polite:
    """Fails a question that holds the word."""

    name, cost = "polite", 0.0

    def __init__(self, options):
        self.options = options

    def check(self, cases):
        """One verdict each."""
        return [self._one(case.item.question) for case in cases]

    def _one(self, question):
        if not question:
            return Verdict(self.name, Decision.UNSURE, "there is no question")
        rude = self.options.word in question.split()
        return Verdict(self.name, Decision.FAIL if rude else Decision.PASS, "it orders" if rude else "it asks")
