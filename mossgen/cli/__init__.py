"""The command line: the only place with argv, environment, print and exit codes. Heavy modules load on use."""

from __future__ import annotations

import click

from mossgen import __version__
from mossgen.cli.audit import audit
from mossgen.cli.check import check
from mossgen.cli.contrast import contrast
from mossgen.cli.dedup import dedup
from mossgen.cli.diagnose import diagnose
from mossgen.cli.evolve import evolve
from mossgen.cli.expand import expand, preview
from mossgen.cli.export import export
from mossgen.cli.import_ import import_, references
from mossgen.cli.inspect import doctor, status, verify
from mossgen.cli.judge import judge
from mossgen.cli.models import models
from mossgen.cli.plugins import plugins
from mossgen.cli.probe import probe
from mossgen.cli.push import push
from mossgen.cli.report import report
from mossgen.cli.review import review
from mossgen.cli.split import split


class Verbs(click.Group):
    """A group that lists its commands in the order written, which is the order of use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, unsorted."""
        return list(self.commands)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def main() -> None:
    """Make benign image+text queries that look alarming, to measure and mend oversensitivity.

    \b
    mossgen expand --type negated_harm          12 accepted items into generated/
    mossgen preview --type exaggerated_risk     4 items, nothing kept
    mossgen doctor                              what works on this machine
    """


VERBS = (
    *(expand, preview, check, contrast, status, verify, review, export, push),
    *(import_, references, dedup, split, audit),
    *(probe, judge, diagnose, evolve, report),
    *(models, plugins, doctor),
)
for verb in VERBS:
    main.add_command(verb)
