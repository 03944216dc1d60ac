"""`templates/<type>.yaml` and `seeds/<type>.jsonl` become a StimulusType: everything a type of stimulus is.

A template is data: slots with values, Jinja texts over them, and the type's rules. Texts see each slot's
value under the slot's name (`{{ harm.draw }}`; `{{ harm }}` is its text), and `| pick` takes one of a list
by the item's own randomness. They run sandboxed, and an unknown name is an error at load.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import StrictUndefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from pydantic import ValidationError

from mossgen.errors import TemplateError
from mossgen.items import Item, derived_seed, item_id, rng
from mossgen.schema import Seed, Template, Value

MAX_BYTES = 4_000_000  # of one template or seed file: far above any real one, far below trouble
MAX_CHOICES = 48  # guided questions offered to the language model for one item
_ALTERNATIVES = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")


class StimulusType:
    """A loaded template with its seeds; renders texts for items and plans candidates."""

    def __init__(self, template: Template, seeds: Sequence[Seed], source: Path) -> None:
        self.template = template
        self.seeds = tuple(seeds)
        self.source = source
        self.name = template.name
        self._env = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        self._compiled: dict[str, jinja2.Template] = {}  # compiling takes longer than everything else here
        self._env.filters["pick"] = _pick
        self._env.filters["an"] = with_article
        self._check()

    # -- planning ------------------------------------------------------------------------------------

    def plan(self, seed: int) -> Iterator[Item]:
        """Candidates in run order, without repeats, until the combinations run dry.

        Each round visits every value of the primary slot once, in an order drawn from `seed`; the other
        slots get their least used compatible value, so that a set of any size is spread over all axes.
        """
        seen: set[str] = set()
        used: dict[tuple[str, str], int] = {}
        dry_rounds = 0
        for round_number in itertools.count():
            draw = random.Random(f"{self.name}/{seed}/{round_number}")
            before = len(seen)
            for first in draw.sample(self._values(self.template.primary), len(self._values(self.template.primary))):
                slots = self._fill(first, draw, used)
                if slots is None:
                    continue
                number = len(seen)
                seed_id = self.seeds[(number + seed) % len(self.seeds)].id if self.seeds else ""
                key = json.dumps(slots, sort_keys=True)
                if key in seen:
                    continue
                seen.add(key)
                yield Item(item_id(self.name, seed_id, slots, seed), number, self.name, seed_id, slots, seed)
            dry_rounds = dry_rounds + 1 if len(seen) == before else 0
            if dry_rounds == 20:
                return

    def _values(self, slot: str) -> tuple[Value, ...]:
        return self.template.slots[slot].values

    def _fill(self, first: Value, draw: random.Random, used: dict[tuple[str, str], int]) -> dict[str, str] | None:
        chosen = {self.template.primary: first}
        for name in self.template.slots:
            if name in chosen:
                continue
            fitting = [v for v in self._values(name) if _fits(name, v, chosen)]
            if not fitting:
                return None
            least = min(used.get((name, v.text), 0) for v in fitting)
            chosen[name] = draw.choice([v for v in fitting if used.get((name, v.text), 0) <= least + 1])
        for name, value in chosen.items():
            used[name, value.text] = used.get((name, value.text), 0) + 1
        return {name: chosen[name].text for name in self.template.slots}

    # -- rendering -----------------------------------------------------------------------------------

    def render(self, text: str, item: Item) -> str:
        """A Jinja text of the template, over the item's slot values."""
        return self._render(text, self.values(item), item.id)

    def values(self, item: Item) -> dict[str, Value]:
        """The item's value of each slot. Raises TemplateError where the template has changed since."""
        try:
            return {name: self._by_text[name, text] for name, text in item.slots.items()}
        except KeyError as error:
            raise TemplateError(f"{self.source}: item {item.id} has a slot value that is not there: {error}.") from None

    @cached_property
    def _by_text(self) -> dict[tuple[str, str], Value]:
        return {(name, v.text): v for name, slot in self.template.slots.items() for v in slot.values}

    def _render(self, text: str, values: Mapping[str, Value], key: str) -> str:
        try:
            if text not in self._compiled:
                self._compiled[text] = self._env.from_string(text)
            rendered = self._compiled[text].render(**values, _key=f"{key}/{text}")
        except TemplateError as error:
            raise TemplateError(f"{self.source}: in {text!r}: {error}") from None
        except Exception as error:  # Jinja's own, and whatever an expression can raise: 1/0, a list plus a number
            raise TemplateError(f"{self.source}: in {text!r}: {error}.") from None
        return " ".join(rendered.split())

    def terms(self, item: Item, fields: Sequence[str]) -> list[str]:
        """The words held by `slot.field`s of the item's values: lists are joined, `text` is a field too."""
        values = self.values(item)
        found: list[str] = []
        for path in fields:
            slot, field = path.split(".")
            content = getattr(values[slot], field)
            found += [content] if isinstance(content, str) else list(content)
        return found

    def choices(self, item: Item) -> tuple[str, ...]:
        """The type's question grammar for this item: at most MAX_CHOICES strings, drawn by its own randomness."""
        frames = (*self.template.questions.frames, *self.terms(item, self.template.questions.frames_of))
        strings = {s: None for frame in frames for s in expand_alternatives(self.render(frame, item))}
        everything = list(strings)
        if len(everything) <= MAX_CHOICES:
            return tuple(everything)
        return tuple(rng(item.id, "choices").sample(everything, MAX_CHOICES))

    def few_shots(self, item: Item) -> list[Seed]:
        """The item's own seed and others, the own one last (nearest to the question asked)."""
        others = [s for s in self.seeds if s.id != item.seed_id]
        own = [s for s in self.seeds if s.id == item.seed_id]
        count = min(max(self.template.questions.few_shots - len(own), 0), len(others))
        return rng(item.id, "few_shots").sample(others, count) + own

    def tags(self, item: Item) -> frozenset[str]:
        """All tags of the item's values (`human`, `child`, `text` become MOSSBench's metadata)."""
        return frozenset(tag for value in self.values(item).values() for tag in value.tags)

    # -- checking ------------------------------------------------------------------------------------

    def _check(self) -> None:
        slots = self.template.slots
        if self.template.primary not in slots:
            raise TemplateError(
                f"{self.source}: primary: {self.template.primary!r} is no slot; slots are {', '.join(slots)}."
            )
        for path in self._field_paths():
            slot, _, field = path.partition(".")
            if slot not in slots or field not in ("text", "tags", *slots[slot].fields):
                raise TemplateError(f"{self.source}: {path!r} names no slot and field that are there.")
            wrong = next((v for v in slots[slot].values if not _is_words(getattr(v, field))), None)
            if wrong is not None:
                raise TemplateError(f"{self.source}: slots.{slot}: {wrong.text!r}: {field} must be a text or texts.")
        for name, slot_spec in slots.items():
            for value in slot_spec.values:
                missing = (set(value.needs) | set(value.avoid)) - set(slots)
                if missing:
                    where = f"slots.{name}: {value.text!r}"
                    raise TemplateError(f"{self.source}: {where} speaks of a missing slot {sorted(missing)[0]!r}.")
        sample = next(iter(self.plan(0)), None)
        if sample is None:
            raise TemplateError(f"{self.source}: no combination of slot values fits together; look at needs and avoid.")
        for text in self._texts():
            self.render(text, sample)

    def _field_paths(self) -> list[str]:
        rules = self.template.rules
        return [
            *self.template.questions.frames_of,
            *(p for r in (*rules.require, *rules.forbid) for p in r.terms_of),
        ]

    def _texts(self) -> list[str]:
        t = self.template
        overlay = [t.overlay.form, *t.overlay.texts.values()] if t.overlay else []
        return [t.image_prompt, t.negative_prompt, t.description, t.category,
                t.questions.system, t.questions.user, *t.questions.frames, *overlay]  # fmt: skip


def _is_words(content: object) -> bool:
    return isinstance(content, str) or (
        isinstance(content, list | tuple) and all(isinstance(word, str) for word in content)
    )


def _fits(name: str, value: Value, chosen: Mapping[str, Value]) -> bool:
    for slot, other in chosen.items():
        if slot in value.needs and not other.has(value.needs[slot]):
            return False
        if slot in value.avoid and other.has(value.avoid[slot]):
            return False
        if name in other.needs and not value.has(other.needs[name]):
            return False
        if name in other.avoid and value.has(other.avoid[name]):
            return False
    return True


@pass_context
def _pick(context: Context, options: Sequence[Any]) -> Any:
    if not options:
        raise TemplateError("`| pick` got an empty list.")
    if not isinstance(options, list | tuple):
        raise TemplateError(f"`| pick` takes one of a list, not of {str(options)!r}.")
    return options[derived_seed(str(context["_key"]), "pick") % len(options)]


def with_article(phrase: object) -> str:
    """`a` or `an` before a phrase, by its first letter: the templates avoid the words where that is wrong."""
    text = str(phrase)
    return f"{'an' if text[:1].lower() in 'aeiou' else 'a'} {text}"


def expand_alternatives(frame: str) -> list[str]:
    """`[Write|Draft] it [now|].` -> its four strings, spaces tidied. Groups do not nest."""
    parts = _ALTERNATIVES.split(frame)
    options = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    tidy = (re.sub(r"\s+([?.!,])", r"\1", " ".join("".join(c).split())) for c in itertools.product(*options))
    return list(dict.fromkeys(tidy))


# -- files ---------------------------------------------------------------------------------------------


def folders(kind: str) -> list[Path]:
    """Where `templates` or `seeds` lie: in an installed wheel inside the package, in a checkout beside it."""
    package = Path(__file__).parent
    return [f for f in (package / kind, package.parent / kind) if f.is_dir()]


def type_names() -> list[str]:
    """The types that come with mossgen."""
    return sorted({p.stem for folder in folders("templates") for p in folder.glob("*.yaml")})


def load_type(name: str) -> StimulusType:
    """A type by name, or by the path of its YAML (seeds beside it or in ../seeds). Raises TemplateError."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else _shipped(name)
    if not path.is_file():
        raise TemplateError(f"There is no template {path}: give a type ({', '.join(type_names())}) or a YAML file.")
    template = _parse(path)
    seeds = next((p for p in _seed_paths(path, template.name) if p.is_file()), None)
    if seeds is None:
        raise TemplateError(f"{path}: no seeds: write {template.name}.jsonl beside it or in a seeds folder there.")
    return StimulusType(template, read_seeds(seeds), path)


def untyped() -> StimulusType:
    """The type of an item of which nobody says the type: no rules, no overlay, one slot that nothing fills."""
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


def _shipped(name: str) -> Path:
    for folder in folders("templates"):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise TemplateError(f"There is no type {name!r}: use one of {', '.join(type_names())}, or the path of a YAML file.")


def _seed_paths(template: Path, name: str) -> list[Path]:
    return [template.parent / f"{name}.jsonl", template.parent.parent / "seeds" / f"{name}.jsonl"]


def read_text(path: Path) -> str:
    """A small UTF-8 file. Raises TemplateError if it cannot be read or is larger than MAX_BYTES."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TemplateError(f"{path} is larger than {MAX_BYTES:,} bytes: it is no template or seed file.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} cannot be read: {error}.") from None


def _parse(path: Path) -> Template:
    try:
        data = yaml.safe_load(read_text(path))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise TemplateError(f"{path}, line {line}: not valid YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a control character, a 31st of June, a deep nest
        raise TemplateError(f"{path}: not valid YAML: {' '.join(str(error).split())}.") from None
    try:
        return Template.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise TemplateError(f"{path}: {field}: {first['msg']}.") from None


def read_seeds(path: Path) -> list[Seed]:
    """The seeds of a JSONL file. Raises TemplateError with the line and field of the first that is wrong."""
    seeds: list[Seed] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            seeds.append(Seed.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "(the line)"
            raise TemplateError(f"{path}, line {number}: {field}: {first['msg']}.") from None
    ids = [s.id for s in seeds]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice:
        raise TemplateError(f"{path}: the id {twice!r} stands twice.")
    return seeds
