"""Checks that a question is one plain English sentence and follows the rules of its stimulus type."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import regex

from mossgen.core.items import Item
from mossgen.errors import TemplateError
from mossgen.stimulus.types import StimulusType

if TYPE_CHECKING:
    from mossgen.stimulus.schema import Rule
    from mossgen.stimulus.schema import Rules as TypeRules


PATIENCE = 5  # seconds for matching one pattern of a template with one question
# what no question of any type may hold: name, reason, pattern; the first match is reported
_FORM = (
    ("template", "leftover template syntax", r"\{\{|\}\}|\{%|\[[^\]]*\||[{}\[\]|<>]"),
    ("one_line", "it is more than one line", r"[\r\n\t]"),
    ("quotes", "it is quoted or quotes", r"[\"“”„«»`]|(?<![A-Za-z0-9])['‘]|(?<=[^s\W])['’](?![A-Za-z])"),
    ("url", "it holds an address", r"https?:|www\.|\S@\S|\w\.(?:com|org|net)\b"),
    ("characters", "only English letters, digits and ' - , . ? ! % are used", r"[^A-Za-z0-9 '\-,.?!%]"),
    ("spacing", "a space is missing or too many", r"^ | $|  | [,.?!%]|,(?=[A-Za-z])"),
    ("capital", "it begins with a capital letter", r"^[^A-Z]"),
    ("ending", "it ends in one full stop or question mark", r"[^.?]$|[.?!,\-]{2}$|^$"),
    ("one_sentence", "it is one sentence", r"[.?!](?=[^0-9])"),
    ("repeated_word", "a word stands twice in a row", r"\b([A-Za-z']+) \1\b"),
)
_STEM = r"^(?=.*[aeiouy].*(?:ing|ed)$)"  # the rest without the ending has a vowel: not ring, not bed
# endings of inflected words, and their replacement in the base word
_ENDINGS = (
    (r"(?<=..)(?<![siu])s$", ""),  # knives, guns; not glass, virus, this
    (r"(?<=[sxzo])es$|(?<=[sc]h)es$", ""),  # boxes, punches
    (r"(?<=..)ie[sd]$", "y"),  # bullies
    (r"(?<=..)ves$", "f"),  # thieves
    (r"(?<=..)ves$", "fe"),  # knives
    (_STEM + r"(?![^aeiou]*[aeiou][^aeiouwxy](?:ing|ed)$)(.{2,})(?:ing|ed)$", r"\1"),  # fighting; not caring
    (_STEM + r"(.+[^e])(?:ing|ed)$", r"\1e"),  # smoking, used
    (r"([bdgklmnprstvz])\1(?:ing|ed|es)$", r"\1"),  # running, hugged
    (r"^(.+)ying$", r"\1ie"),  # tying
)


def broken(stimulus: StimulusType, item: Item, question: str) -> str | None:
    """The first rule that a question for this item breaks, as a sentence with the name of the rule, or None."""
    fault = _malformed(question)
    if fault:
        return fault
    return outside(stimulus, item, question, stimulus.template.rules)


def outside(stimulus: StimulusType, item: Item, question: str, rules: TypeRules) -> str | None:
    """The first of these rules that a question breaks, as a sentence with the name of the rule, or None."""
    (least, most), count = rules.words, len(_words(question))
    if not least <= count <= most:
        return f"words: {count} words, where this type has {least} to {most}."
    for rule in rules.require:
        if _found(stimulus, item, rule, question) is None:
            return f"{rule.name}: {rule.reason} (not found in {question!r})."
    for rule in rules.forbid:
        found = _found(stimulus, item, rule, question)
        if found is not None:
            return f"{rule.name}: {rule.reason} (found {found!r})."
    return None


def _malformed(question: str) -> str | None:
    for name, reason, pattern in _FORM:
        match = re.search(pattern, question, re.IGNORECASE if name == "repeated_word" else 0)
        if match:
            return f"{name}: {reason} (found {match.group()!r} in {question!r})."
    return None


def _found(stimulus: StimulusType, item: Item, rule: Rule, question: str) -> str | None:
    """The part of the question that a rule applies to: a match of its pattern, or one of its terms."""
    if rule.pattern is not None:
        return _matched(rule, question)
    return next((term for term in stimulus.terms(item, rule.terms_of) if mentions(question, term)), None)


def _matched(rule: Rule, question: str) -> str | None:
    """The first match of a template's pattern, with a time limit, as the pattern may be untrusted."""
    try:
        match = regex.search(rule.pattern or "", question, regex.IGNORECASE, timeout=PATIENCE)
    except TimeoutError:
        raise TemplateError(
            f"The rule {rule.name!r}: its pattern took more than {PATIENCE} s on {question[:80]!r}: write it without "
            "repeats inside repeats."
        ) from None
    return match.group() if match else None


def mentions(text: str, term: str) -> bool:
    """Whether a text contains a term of one or more words, in any simple inflection.

    Words match if they may be inflections of the same word. Hyphens separate words. `water pistols` mentions
    `water-pistol`, and `smoked` mentions `smoking`; `scarf` does not mention `car`.
    """
    words, wanted = [_bases(w) for w in _parts(text)], [_bases(w) for w in _parts(term)]
    starts = range(len(words) - len(wanted) + 1)
    return bool(wanted) and any(
        all(word & other for word, other in zip(words[i:], wanted, strict=False)) for i in starts
    )


def _words(text: str) -> list[str]:
    """The words of a text; `hand-made` and `don't` are one word each."""
    return re.findall(r"[A-Za-z0-9%]+(?:['\-][A-Za-z0-9]+)*", text)


def _parts(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", re.sub(r"['’](?:s\b)?", "", text.lower()))


@functools.lru_cache(maxsize=10_000)  # the words of a type's grammar are often repeated
def _bases(word: str) -> frozenset[str]:
    """The word and its possible base forms; some are no real words (`usinge`), which does no harm."""
    return frozenset({word, *(re.sub(ending, base, word) for ending, base in _ENDINGS)})
