"""What every verb shares: `--json`, `--quiet`, `--verbose`, errors as one sentence, exit codes."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import click

from mossgen.errors import ConfigError, MossgenError

INTERRUPTED = 130
SHOWN = 10  # odd records that are named in the text; --json has all

# of the verbs that count people's votes
votes_option = click.option(
    "-k", "--votes", default=3, show_default=True, type=click.IntRange(min=1),
    help="Votes of people wanted for an item; more than half of them decide.",
)  # fmt: skip


def option_group(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Several click options as one decorator, in the order written."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """The options that `--set PLUGIN.OPTION=VALUE` gives; a value is JSON where it parses as it, else text."""
    options: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"`options` {text!r}: write plugin.option=value, such as diffusers.steps=8.")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return options


def prints_result(command: Callable[..., Any]) -> Callable[..., Any]:
    """A verb's common end: `--json` prints its dict on stdout, errors become a sentence and an exit code."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; logs go to stderr.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
    @click.option("-v", "--verbose", is_flag=True, help="Tracebacks of errors, and what libraries log.")
    @functools.wraps(command)
    def wrapped(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> None:
        """Runs the command, shows what it returns, and exits."""
        if not verbose:
            _hush()
        try:
            result, text, code = command(quiet=quiet, **options)
        except MossgenError as error:
            _fail(_with_flags(str(error)), error.exit_code, as_json, verbose)
        except OSError as error:  # where no boundary is nearer: a name too long, no folder for temporary files
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}; what was made before is kept.", 1, as_json, verbose)
        except KeyboardInterrupt:
            _fail(
                "Interrupted: what was made is kept; run the same command again to go on.",
                INTERRUPTED,
                as_json,
            )
        if as_json:
            click.echo(json.dumps(result, ensure_ascii=False))
        elif not quiet:
            click.echo("\n".join(map(_plain, text.split("\n"))))
        sys.exit(code)

    return wrapped


def _fail(sentence: str, code: int, as_json: bool, verbose: bool = False) -> NoReturn:
    if verbose:
        import traceback

        traceback.print_exc()
    click.echo(f"Error: {one_line(sentence)}", err=True)
    if as_json:
        click.echo(json.dumps({"error": sentence, "exit_code": code}, ensure_ascii=False))
    sys.exit(code)


def _with_flags(sentence: str) -> str:
    """A sentence of the package, which names parameters as `out`, with the flags of the verb that runs: --out.

    So a click parameter bears the name that the Python function gives to it.
    """
    context = click.get_current_context(silent=True)
    parameters = context.command.params if context else []
    flags = {p.name: max(p.opts, key=len) if isinstance(p, click.Option) else p.make_metavar(context)
             for p in parameters if context}  # fmt: skip
    return re.sub(r"`(\w+)`", lambda found: flags.get(found[1], found[0]), sentence)


def one_line(text: str) -> str:
    """The text as one line without control characters."""
    return _plain(" ".join(text.split()))


def with_flags(sentences: Iterable[str]) -> list[str]:
    """Sentences of the package in a verb's result, with the verb's flags; see _with_flags."""
    return [_with_flags(sentence) for sentence in sentences]


def problem_lines(problems: Mapping[str, str]) -> list[str]:
    """A line on the records of a set that could not be used, with the first few."""
    if not problems:
        return []
    lines = [f"{len(problems)} records could not be used:"]
    lines += [f"  {one_line(key)}: {one_line(why)}" for key, why in list(problems.items())[:SHOWN]]
    return lines + ([f"  and {len(problems) - SHOWN} more; --json names all."] if len(problems) > SHOWN else [])


def _plain(line: str) -> str:
    """Without control characters: what a foreign file or an endpoint says must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in line)


def _hush() -> None:
    """Libraries' warnings and bars would drown the progress; -v lets them through."""
    import logging
    import os
    import warnings

    warnings.filterwarnings("ignore")
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    logging.disable(logging.WARNING)
