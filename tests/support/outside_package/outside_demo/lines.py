"""The questions, one a line: an exporter of another package."""

from mossgen.plugins.protocols import PluginOptions


class Options(PluginOptions):
    """None."""


def build(options):
    """The exporter."""
    return Lines()


class Lines:
    """Writes questions.txt."""

    name, purpose, takes, apart, readable = "lines", "evaluate", frozenset({"set"}), False, False

    def unfit(self, view):
        """Only nothing cannot be written."""
        return None if view.examples else "There is no item to export."

    def export(self, view, out):
        """The one file."""
        out.mkdir(parents=True, exist_ok=True)
        file = out / "questions.txt"
        file.write_text("".join(f"{example.question}\n" for example in view.examples), encoding="utf-8")
        return [file]
