"""A model that says again what it is asked: a target of another package."""

from pydantic import Field

from mossgen.plugins.protocols import Response, TargetOptions


class Options(TargetOptions):
    """Who echoes."""

    forms = ("NAME",)

    model: str = Field(min_length=1, description="the name of whoever echoes")


def build(options):
    """The target."""
    return Echo(options)


class Echo:
    """Answers with the question."""

    cost, sees = 0.0, True

    def __init__(self, options):
        self.name = f"echo:{options.model}"
        self.settings = {}

    def respond(self, queries):
        """Each query with its own words."""
        for query in queries:
            yield query, Response(query.question, "answered", "stop", self.name)
