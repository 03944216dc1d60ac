"""One error tree. Every message is one sentence: what, where, the value, what is allowed, what to do next.

MossgenError
├── UsageError            bad input: exit code 2
│   ├── TemplateError     a template or seed file that cannot be used
│   ├── ConfigError       an option, preset or run folder that does not fit
│   └── MissingModel      weights that are not there and cannot be fetched
└── RunError              ran but failed; what was made is kept: exit code 1
    ├── BackendError      a model, endpoint or library failed
    │   └── RequestError  ... on this one request; others may do
    └── StoreError        the disk or the run's database failed
"""


class MossgenError(Exception):
    """Anything mossgen raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(MossgenError):
    """Bad input: nothing was made or changed."""

    exit_code = 2


class TemplateError(UsageError):
    """A stimulus template or seed file that cannot be used."""


class ConfigError(UsageError):
    """An option, a preset or a run folder that does not fit."""


class MissingModel(UsageError):
    """Weights that are not there and cannot be fetched."""


class RunError(MossgenError):
    """The run failed; what was made before is kept, and the same command goes on from there."""


class BackendError(RunError):
    """A model, an endpoint or a library behind a plugin failed."""


class RequestError(BackendError):
    """An endpoint refused one request for what is in it (a picture too large, say); others may do."""


class StoreError(RunError):
    """The disk or the run's database failed."""
