"""The texts of a template: a small, safe part of Jinja and `[a|b]` alternatives, with bounded output.

A template may be untrusted. So its texts may only use names of slots and their fields, `if`, comparisons, `~` and
`+`, indices, `.has(...)` and the filters in FILTERS. Loops, assignments, macros, other calls and other arithmetic are
refused when the text is read, before any of it runs. The length of an output depends only on its source; the limit is
MAX_TEXT.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from mossgen.core.items import derived_seed
from mossgen.errors import TemplateError

MAX_TEXT = 10_000  # characters of a text, before and after it is rendered
MAX_ALTERNATIVES = 10_000  # strings that one frame may expand to
FILTERS = (
    "an", "capitalize", "default", "first", "join", "last", "length", "lower", "pick", "reject", "select", "string",
    "title", "trim", "upper",
)  # fmt: skip
_ALTERNATIVES = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Name, nodes.Const, nodes.List,
    nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Concat, nodes.Add, nodes.Sub,
)  # fmt: skip


class Texts:
    """Renders texts over slot values. `fields` are the fields of each slot's values besides `text` and `tags`."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = {slot: {"text", "tags", "has", *names} for slot, names in fields.items()}
        self._env = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        self._env.globals.clear()
        self._env.filters = {name: _OURS.get(name) or self._env.filters[name] for name in FILTERS}
        self._compiled: dict[str, jinja2.Template] = {}  # compiling is the slowest step here

    def check(self, text: str) -> None:
        """Raises TemplateError if a text is invalid Jinja, is too long, or uses something unknown or not allowed."""
        self._parsed(text)

    def slots(self, text: str) -> set[str]:
        """The slots that a text depends on. Raises TemplateError."""
        return {node.name for node in self._parsed(text).find_all(nodes.Name)}

    def render(self, text: str, values: Mapping[str, Any], key: str) -> str:
        """Renders a text with the values and tidies spaces; `key` seeds `| pick`. Raises TemplateError."""
        try:
            if text not in self._compiled:
                self._compiled[text] = self._env.from_string(self._parsed(text))
            length, pieces = 0, []
            for piece in self._compiled[text].generate(**values, _key=f"{key}/{text}"):
                length += len(piece)
                pieces.append(piece)
                if length > MAX_TEXT:
                    raise TemplateError(f"it becomes longer than {MAX_TEXT:,} characters, the most there may be.")
        except TemplateError as error:
            raise TemplateError(f"in {_short(text)}: {error}") from None
        except Exception as error:  # errors of Jinja and of expressions: an index, a list plus a number
            raise TemplateError(f"in {_short(text)}: {error}.") from None
        return " ".join("".join(pieces).split())

    def _parsed(self, text: str) -> nodes.Template:
        if len(text) > MAX_TEXT:
            raise TemplateError(f"{_short(text)} has {len(text):,} characters: at most {MAX_TEXT:,} are allowed.")
        try:
            tree = self._env.parse(text)
            found = list(tree.find_all(nodes.Node))
        except (jinja2.TemplateError, RecursionError, ValueError) as error:
            raise TemplateError(f"in {_short(text)}: {' '.join(str(error).split())}.") from None
        for node in found:
            fault = self._fault(node)
            if fault:
                raise TemplateError(f"in {_short(text)}: {fault}")
        return tree

    def _fault(self, node: nodes.Node) -> str | None:
        """The reason why a part of a text is refused, or None."""
        if isinstance(node, nodes.Name) and node.name not in self._fields:
            return f"{node.name!r} is undefined; the slots are {', '.join(self._fields)}."
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and not node.attr.startswith("_"):
            fields = self._fields.get(node.node.name, {node.attr})
            return None if node.attr in fields else f"{node.node.name!r} has no field {node.attr!r}."
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            return f"there is no filter {node.name!r}; there are {', '.join(FILTERS)}."
        if isinstance(node, nodes.Test) and node.name not in self._env.tests:
            return f"there is no test {node.name!r}."
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr == "has":
            return None
        if not isinstance(node, _ALLOWED):
            return (
                f"`{type(node).__name__.lower()}` is not allowed in a template's texts: "
                "use slots and their fields, if, comparisons, ~, +, .has() and filters."
            )
        return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 200 else f"{text[:200]}...")


def with_article(phrase: object) -> str:
    """Puts `a` or `an` before a phrase, by its first letter; templates avoid words for which that is wrong."""
    text = str(phrase)
    return f"{'an' if text[:1].lower() in 'aeiou' else 'a'} {text}"


@pass_context
def _pick(context: Context, options: Sequence[Any]) -> Any:
    """Picks one value of a list at random, seeded by the item and the text."""
    if not isinstance(options, list | tuple):
        raise TemplateError(f"`| pick` takes one of a list, not of {_short(str(options))}.")
    if not options:
        raise TemplateError("`| pick` got an empty list.")
    return options[derived_seed(str(context["_key"]), "pick") % len(options)]


def _join(words: Sequence[Any], separator: str = "") -> str:
    """Joins the words to one text; bounded, as nested joins multiply."""
    texts = [str(word) for word in words]
    if sum(map(len, texts)) + len(texts) * len(separator) > MAX_TEXT:
        raise TemplateError(f"`| join` becomes longer than {MAX_TEXT:,} characters, the most there may be.")
    return separator.join(texts)


_OURS: Mapping[str, Callable[..., Any]] = {"an": with_article, "pick": _pick, "join": _join}


def expand_alternatives(frame: str) -> list[str]:
    """`[Write|Draft] it [now|].` -> its four strings, spaces tidied. Groups do not nest.

    Raises TemplateError if a frame expands to more than MAX_ALTERNATIVES strings.
    """
    parts = _ALTERNATIVES.split(frame)
    options = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    if math.prod(map(len, options)) > MAX_ALTERNATIVES:
        raise TemplateError(
            f"{_short(frame)} stands for more than {MAX_ALTERNATIVES:,} strings, the most there may be."
        )
    tidy = (re.sub(r"\s+([?.!,])", r"\1", " ".join("".join(c).split())) for c in itertools.product(*options))
    return list(dict.fromkeys(tidy))
