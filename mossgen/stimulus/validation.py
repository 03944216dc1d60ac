"""Validates a template before it is used. Every error names the field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mossgen.errors import TemplateError
from mossgen.stimulus.planning import plan
from mossgen.stimulus.schema import Template
from mossgen.stimulus.texts import Texts, expand_alternatives

ALTERNATIVES = ("questions.frames", "contrast.", "slots.")  # fields whose texts may hold [one|another]


def validate(template: Template, texts: Texts) -> None:
    """Raises TemplateError for the first slot, field or text of the template that cannot be used."""
    if template.primary not in template.slots:
        raise TemplateError(f"primary: {template.primary!r} is no slot; slots are {', '.join(template.slots)}.")
    _validate_paths(template)
    _validate_needs(template)
    for field, text in _texts(template):
        with _at(field):
            texts.check(text)
            if field.startswith(ALTERNATIVES):
                expand_alternatives(text)
    _validate_sample(template, texts)


def _validate_paths(template: Template) -> None:
    """Raises TemplateError if a named `slot.field` does not exist or holds no words."""
    slots, rules = template.slots, template.rules
    terms = [path for rule in (*rules.require, *rules.forbid) for path in rule.terms_of]
    for path in (*template.questions.frames_of, *terms):
        slot, _, field = path.partition(".")
        if slot not in slots or field not in ("text", "tags", *slots[slot].fields):
            raise TemplateError(f"{path!r} names no slot and field that are there.")
        wrong = next((v for v in slots[slot].values if not _is_words(getattr(v, field))), None)
        if wrong is not None:
            raise TemplateError(f"slots.{slot}: {wrong.text!r}: {field} must be a text or texts.")


def _validate_needs(template: Template) -> None:
    """Raises TemplateError if a value needs or avoids something of a slot that does not exist."""
    for name, slot in template.slots.items():
        for value in slot.values:
            missing = sorted((set(value.needs) | set(value.avoid)) - set(template.slots))
            if missing:
                raise TemplateError(f"slots.{name}: {value.text!r} speaks of a missing slot {missing[0]!r}.")


def _validate_sample(template: Template, texts: Texts) -> None:
    """Raises TemplateError if no combination fits, or a text cannot be rendered for the first one that fits."""
    sample = next(plan(template, (), 0), None)
    if sample is None:
        raise TemplateError("no combination of slot values fits together; look at needs and avoid.")
    values = {
        name: next(v for v in slot.values if v.text == sample.slots[name]) for name, slot in template.slots.items()
    }
    for field, text in _texts(template):
        if not field.startswith("slots."):  # they belong to values that the sample may not have
            with _at(field):
                texts.render(text, values, sample.id)


@contextmanager
def _at(field: str) -> Iterator[None]:
    """Adds the name of the field to errors in its text."""
    try:
        yield
    except TemplateError as error:
        raise TemplateError(f"{field}: {error}") from None


def _texts(template: Template) -> Iterator[tuple[str, str]]:
    """Every Jinja text with its field name; texts of frames_of are named `slots.<slot>: <value>: ...`."""
    t = template
    yield from (("image_prompt", t.image_prompt), ("negative_prompt", t.negative_prompt))
    yield from (("description", t.description), ("category", t.category))
    yield from (("questions.system", t.questions.system), ("questions.user", t.questions.user))
    yield from ((f"questions.frames[{place}]", frame) for place, frame in enumerate(t.questions.frames))
    if t.overlay:
        yield "overlay.form", t.overlay.form
        yield from ((f"overlay.texts.{form}", text) for form, text in t.overlay.texts.items())
    if t.contrast:
        yield from ((f"contrast.questions[{place}]", text) for place, text in enumerate(t.contrast.questions))
    if t.intent:
        yield "intent.item", t.intent.item
    for path in t.questions.frames_of:
        slot, field = path.split(".")
        for value in t.slots[slot].values:
            yield from ((f"slots.{slot}: {value.text!r}: {field}", text) for text in words(getattr(value, field)))


def words(content: str | Sequence[str]) -> Sequence[str]:
    """The texts that a field of a value holds: one, or several."""
    return [content] if isinstance(content, str) else content


def _is_words(content: object) -> bool:
    return isinstance(content, str) or (
        isinstance(content, list | tuple) and all(isinstance(word, str) for word in content)
    )
