"""Loads a StimulusType from `templates/<type>.yaml` and `seeds/<type>.jsonl`.

A template is data: slots with values, Jinja texts that use them, and the type's rules. In texts, each slot's value has
the slot's name (`{{ harm.draw }}`; `{{ harm }}` is its text), and `| pick` takes one value of a list, seeded by the
item. Texts are checked at load and have bounded output: see texts.py.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache, cached_property
from pathlib import Path

from pydantic import ValidationError

from mossgen.core.items import Item, rng
from mossgen.errors import TemplateError
from mossgen.files import outside
from mossgen.files.disk import read_text, read_yaml
from mossgen.stimulus import planning
from mossgen.stimulus.schema import Seed, Template, Value
from mossgen.stimulus.texts import Texts, expand_alternatives
from mossgen.stimulus.validation import validate, words

MAX_BYTES = 1_000_000  # of one template or seed file: far more than real ones have
SCENES = ("scene", "place")  # the slots for the setting of a picture
MAX_CHOICES = 48  # grammar questions offered to the language model for one item


class StimulusType:
    """A loaded template with its seeds: renders texts for items and plans candidates."""

    def __init__(self, template: Template, seeds: Sequence[Seed], source: Path) -> None:
        self.template = template
        self.seeds = tuple(seeds)
        self.source = source
        self.name = template.name
        self._texts = Texts({slot: spec.fields for slot, spec in template.slots.items()})
        try:
            validate(template, self._texts)
        except TemplateError as error:
            raise TemplateError(f"{source}: {error}") from None

    def plan(self, seed: int) -> Iterator[Item]:
        """Candidates in run order, without repeats, until there are no new combinations: see planning.plan."""
        return planning.plan(self.template, self.seeds, seed)

    def vary(self, slots: Mapping[str, str], fresh: Set[str], draw: random.Random) -> dict[str, str] | None:
        """`slots` with another value in each of `fresh`; None if nothing fits: see planning.vary."""
        old = {name: self._by_text[name, text] for name, text in slots.items()}
        return planning.vary(self.template, old, fresh, draw)

    @cached_property
    def drawn_slots(self) -> frozenset[str]:
        """The slots that decide what is drawn, without the overlay."""
        return frozenset(
            self._texts.slots(self.template.image_prompt) | self._texts.slots(self.template.negative_prompt)
        )

    @cached_property
    def overlay_slots(self) -> frozenset[str]:
        """The slots that affect only the overlay, not what is drawn."""
        spec = self.template.overlay
        texts = (spec.form, *spec.texts.values()) if spec else ()
        return frozenset(slot for text in texts for slot in self._texts.slots(text)) - self.drawn_slots

    # -- rendering -----------------------------------------------------------------------------------

    def render(self, text: str, item: Item) -> str:
        """Renders a Jinja text of the template with the item's slot values. Raises TemplateError."""
        values = self.values(item)
        try:
            return self._texts.render(text, values, item.id)
        except TemplateError as error:
            raise TemplateError(f"{self.source}: {error}") from None

    def values(self, item: Item) -> dict[str, Value]:
        """The item's value of each slot. Raises TemplateError if the template has changed since."""
        try:
            return {name: self._by_text[name, text] for name, text in item.slots.items()}
        except KeyError as error:
            raise TemplateError(f"{self.source}: item {item.id} has a slot value that is not there: {error}.") from None

    @cached_property
    def _by_text(self) -> dict[tuple[str, str], Value]:
        return {(name, v.text): v for name, slot in self.template.slots.items() for v in slot.values}

    def terms(self, item: Item, fields: Sequence[str]) -> list[str]:
        """The words in `slot.field`s of the item's values: lists are joined, `text` is a field too."""
        values = self.values(item)
        found: list[str] = []
        for path in fields:
            slot, field = path.split(".")
            found += words(getattr(values[slot], field))
        return found

    def grammar(self, item: Item) -> list[str]:
        """Every question of the type's grammar for this item. Raises TemplateError."""
        frames = (*self.template.questions.frames, *self.terms(item, self.template.questions.frames_of))
        values = self.values(item)
        try:
            rendered = [self._texts.render(frame, values, item.id) for frame in frames]
            strings = {s: None for frame in rendered for s in expand_alternatives(frame)}
        except TemplateError as error:
            raise TemplateError(f"{self.source}: {error}") from None
        return list(strings)

    def choices(self, item: Item) -> tuple[str, ...]:
        """The type's question grammar for this item: at most MAX_CHOICES strings, sampled with the item's seed."""
        everything = self.grammar(item)
        if len(everything) <= MAX_CHOICES:
            return tuple(everything)
        return tuple(rng(item.id, "choices").sample(everything, MAX_CHOICES))

    def contrasts(self, item: Item) -> list[list[str]]:
        """The harmful questions for this item's picture: for each text of the template, all its alternatives."""
        texts = self.template.contrast.questions if self.template.contrast else ()
        return [expand_alternatives(self.render(text, item)) for text in texts]

    def intent(self, item: Item) -> str:
        """What the user means: from the item's slots, or in general if it does not fill them; empty if not stated."""
        stated = self.template.intent
        if stated is None:
            return ""
        return self.render(stated.item, item) if set(item.slots) == set(self.template.slots) else stated.any

    def few_shots(self, item: Item) -> list[Seed]:
        """The item's own seed and others, the own one last (nearest to the question asked)."""
        others = [s for s in self.seeds if s.id != item.seed_id]
        own = [s for s in self.seeds if s.id == item.seed_id]
        count = min(max(self.template.questions.few_shots - len(own), 0), len(others))
        return rng(item.id, "few_shots").sample(others, count) + own

    def origins(self, item: Item) -> list[dict[str, object]]:
        """The sources of the seeds shown to the writer, with their licence and `test_only`."""
        stated = {(s.source or f"seeds of {self.name}", s.licence, s.test_only) for s in self.few_shots(item)}
        return [{"name": name, "licence": licence, "test_only": only} for name, licence, only in sorted(stated)]

    def tags(self, item: Item) -> frozenset[str]:
        """All tags of the item's values (`human`, `child`, `text` become MOSSBench's metadata)."""
        return frozenset(tag for value in self.values(item).values() for tag in value.tags)


# -- files ---------------------------------------------------------------------------------------------


def folders(kind: str) -> list[Path]:
    """The folders of `templates` or `seeds`: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    return [f for f in (package / kind, package.parent / kind) if f.is_dir()]


def type_names() -> list[str]:
    """The names of our types and of those from the entry points `mossgen.types`."""
    return sorted({*_own(), *outside.entries("types")})


def type_origin(name: str) -> str:
    """The source of a type: mossgen, or a package with its version. Raises ConfigError if two packages have it."""
    entry = outside.only("types", name, name in _own())
    return entry.package if entry else "mossgen"


def _own() -> set[str]:
    return {p.stem for folder in folders("templates") for p in folder.glob("*.yaml")}


def load_type(name: str) -> StimulusType:
    """Loads a type by name, or by the path of its YAML (seeds beside it or in ../seeds). Raises TemplateError.

    >>> mossgen.load_type("negated_harm").template.title
    'Negated harm'
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else _installed(name)
    if not path.is_file():
        raise TemplateError(f"There is no template {path}: give a type ({', '.join(type_names())}) or a YAML file.")
    template = _parse(path)
    if name in outside.entries("types") and template.name != name:
        raise TemplateError(f"{path}: its name is {template.name!r}, but its package calls it {name!r}.")
    seeds = next((p for p in _seed_paths(path, template.name) if p.is_file()), None)
    if seeds is None:
        raise TemplateError(f"{path}: no seeds: write {template.name}.jsonl beside it or in a seeds folder there.")
    return StimulusType(template, read_seeds(seeds), path)


def known_type(name: str, given: StimulusType | None = None) -> StimulusType:
    """The type that a set calls by this name: `given` if it has the name, a type of mossgen, or `untyped`."""
    if given is not None and given.name == name:
        return given
    return load_type(name) if name in type_names() else untyped()


@cache
def untyped() -> StimulusType:
    """The type of an item without a known type: no rules, no overlay, and one unused slot."""
    template = Template.model_validate({
        "name": "any", "title": "Any", "primary": "thing", "category": "any",
        "image_prompt": "any", "description": "any",
        "definition": "A picture and a question about it. One of them, or both, may look alarming; taken together they "
        "must be harmless, and a helpful answer must harm nobody.",
        "slots": {"thing": {"about": "anything", "values": [{"text": "any"}]}},
        "questions": {"system": "any", "user": "any", "frames": ["any"]},
        "rules": {"words": [1, 1000]},
    })  # fmt: skip
    return StimulusType(template, (), Path("any"))


def _installed(name: str) -> Path:
    """The template file of a type by name: ours, or in the folder of an entry point (with its seeds)."""
    entry = outside.only("types", name, name in _own())
    if entry is not None:
        return entry.file() / f"{name}.yaml"
    for folder in folders("templates"):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise TemplateError(f"There is no type {name!r}: use one of {', '.join(type_names())}, or the path of a YAML file.")


def _seed_paths(template: Path, name: str) -> list[Path]:
    return [template.parent / f"{name}.jsonl", template.parent.parent / "seeds" / f"{name}.jsonl"]


def _parse(path: Path) -> Template:
    data = read_yaml(path, MAX_BYTES, TemplateError)
    try:
        return Template.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise TemplateError(f"{path}: {field}: {first['msg']}.") from None


def read_seeds(path: Path) -> list[Seed]:
    """The seeds of a JSONL file. Raises TemplateError with the line and field of the first invalid seed."""
    seeds: list[Seed] = []
    for number, line in enumerate(read_text(path, MAX_BYTES, TemplateError).split("\n"), 1):
        if not line.strip():
            continue
        try:
            seeds.append(Seed.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "(the line)"
            raise TemplateError(f"{path}, line {number}: {field}: {first['msg']}.") from None
    twice, count = next(iter(Counter(s.id for s in seeds).most_common(1)), ("", 0))
    if count > 1:
        raise TemplateError(f"{path}: the id {twice!r} stands twice.")
    return seeds
