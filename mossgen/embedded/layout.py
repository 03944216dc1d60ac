"""From a prompt to layers: what to draw, where and in which order. Any English goes in; nothing heavy is imported.

The grammar, in the order it is applied:

1. style words go ("a photo of ...", "..., flat illustration");
2. the scene: a preposition before a scene of the vocabulary ("in a kitchen", "on a sunny beach"), the longest such
   name, the last one if equal; else a trailing "in/at ..." whose thing is no known object is the background as it
   stands; else the background is plain;
3. the rest is cut at connectors (and, with, next to, left of, in front of, holding, printed on, ...) into noun
   phrases; names in the vocabulary that hold a connector ("bow and arrow") stay whole;
4. "two", "three", "several" repeat a phrase.

Phrases joined by "and" and the like stand in a row on the lower part of the picture, in random order; left of, right
of, above, under, in front of, behind, on, holding and printed on put the one where it belongs to the other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from mossgen.embedded import vocabulary
from mossgen.embedded.vocabulary import Object

SIDE = 256
PLAIN = "a plain background"
Box = tuple[int, int, int, int]

_STYLE = re.compile(
    r"^(?:(?:an?|the)\s+)?(?:(?:simple|flat|colou?rful|realistic|detailed|cute|clean|close-up|digital|vector|cartoon|"
    r"high quality|stock)\s+)*(?:photo(?:graph)?|picture|image|illustration|drawing|cartoon|close-up|painting|"
    r"render(?:ing)?|scene|view)\s+(?:of|showing|with)\s+"
)
_STYLE_TAIL = re.compile(
    r"(?:,\s*|\s+)(?:in (?:a )?(?:cartoon|flat|illustration) style|(?:[\w-]+ ){0,2}(?:illustration|photo|photograph|"
    r"drawing|art|artwork|style|lighting|quality|render|vector|background blur|"
    r"4k|8k|hd|detailed|realistic|photorealistic|cartoon|icon|emoji))\.?$"
)
_ARTICLE = re.compile(r"^(?:an?|the|one|some|his|her|its|their|my|your|a single)\s+")
_SCENE_PREPOSITION = (
    r"(?:in front of|next to|in the middle of|inside|in|at|on|by|near|under|against|over|across|outside|along|beside)"
)
_COUNTS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "several": 3,
    "many": 4,
    "a few": 3,
    "a couple of": 2,
    "a group of": 3,
    "2": 2,
    "3": 3,
}

# connector -> relation of what stands before it to what stands after it
CONNECTORS = {
    "to the left of": "left", "on the left of": "left", "left of": "left",
    "to the right of": "right", "on the right of": "right", "right of": "right",
    "in front of": "front", "behind": "behind", "on top of": "top", "sitting on": "top", "standing on": "top",
    "lying on": "top", "resting on": "top", "riding": "riding", "above": "above", "flying over": "above",
    "over": "above",
    "under": "under", "below": "under", "beneath": "under", "printed on": "printed", "painted on": "printed",
    "drawn on": "printed", "embroidered on": "printed", "shown on": "printed", "displayed on": "printed",
    "pictured on": "printed", "decorating": "printed", "shaped like": "shaped", "in the shape of": "shaped",
    "inside": "printed", "holding": "holding", "carrying": "holding", "wearing": "holding", "using": "holding",
    "playing with": "beside", "looking at": "beside", "pointing at": "beside", "eating": "holding",
    "drinking": "holding", "together with": "beside", "along with": "beside", "next to": "beside",
    "close to": "beside", "surrounded by": "beside", "beside": "beside",
    "near": "beside", "with": "beside", "and": "beside", "by": "beside", "at": "beside",
    "on": "on", "in": "printed",
}  # fmt: skip
_CONNECTOR = re.compile(
    r"\s*(?:,\s*(?:and\s+)?|\b("
    + "|".join(re.escape(c) for c in sorted(CONNECTORS, key=len, reverse=True))
    + r")\b)\s*"
)

# things that something "on" or "in" them is shown on, small and in the middle
CARRIERS = frozenset(
    [
        "t-shirt",
        "teacup",
        "cup of coffee",
        "birthday cake",
        "cookie",
        "framed picture",
        "balloon",
        "wrapped gift",
        "book",
        "open book",
        "placard",
        "backpack",
        "baseball cap",
        "television",
        "laptop",
        "desktop computer",
        "mobile phone",
        "newspaper",
        "notebook",
        "kite",
        "window",
        "mirror",
        "lotion bottle",
        "jar",
        "canned food",
        "package",
        "shield",
        "handbag",
        "shopping bags",
        "calendar",
        "dress",
        "necktie",
        "cupcake",
        "pie",
        "slice of cake",
        "plate with fork and knife",
        "basket",
        "bucket",
        "x-ray",
        "speech bubble",
        "playing card",
        "door",
        "envelope",
        "folder",
    ]
)


@dataclass(frozen=True)
class Layer:
    """One thing to draw: its phrase for the model, its box (left, top, right, bottom of 256) and its depth."""

    phrase: str
    box: Box = (0, 0, SIDE, SIDE)
    z: int = 0
    relation: str = "beside"
    background: bool = False


@dataclass(eq=False)
class _Thing:
    """A noun phrase on its way to a layer: its vocabulary entry if it has one, and what is attached to it."""

    phrase: str
    known: Object | None
    attached: list[tuple[str, _Thing]] = field(default_factory=list)

    @property
    def person(self) -> bool:
        return self.known is not None and self.known.kind in vocabulary.PEOPLE_KINDS

    @property
    def anchor(self) -> str:
        return self.known.anchor if self.known else "ground"


def layers(prompt: str, rng: random.Random) -> list[Layer]:
    """The layers of a prompt, background first, in drawing order. The same prompt and generator give the same ones."""
    background, groups, order = parse(prompt)
    placed = [Layer(background, z=-100, relation="background", background=True)]
    placed += _arrange(groups, order, rng)
    return sorted(placed, key=lambda layer: layer.z)


def phrases(prompt: str) -> list[str]:
    """What the layers of a prompt are drawn from, background first, without a layout."""
    return [layer.phrase for layer in layers(prompt, random.Random(0))]


def parse(prompt: str) -> tuple[str, list[_Thing], bool]:
    """Background phrase, things that stand by themselves from left to right, and whether that order is binding."""
    text = _strip_style(" ".join(prompt.lower().replace("’", "'").split()).rstrip(" .!"))
    text = _protect(text)
    if (whole := _scene_name(_ARTICLE.sub("", text))) is not None:
        return with_article(whole), [], False
    background, text = _find_scene(text)
    text = re.sub(
        r"^(.+?) with (.+) (?:printed |painted |drawn )?(?:on|inside|in) (?:it|them)$", r"\2 printed on \1", text
    )
    things, binding = _link(text)
    return background, things, binding


def _strip_style(text: str) -> str:
    """Without the words that ask for a style."""
    while True:
        shorter = _STYLE_TAIL.sub("", _STYLE.sub("", text))
        if shorter == text or not shorter:
            return text
        text = shorter


@lru_cache(maxsize=1)
def _names() -> dict[str, Object]:
    """Caption -> object, for every caption."""
    return {
        caption.lower(): thing for thing in reversed(vocabulary.load().objects) for caption in reversed(thing.captions)
    }


@lru_cache(maxsize=1)
def _scenes() -> dict[str, str]:
    """Caption -> scene name."""
    return {caption: scene.name for scene in vocabulary.load().scenes for caption in scene.captions}


@lru_cache(maxsize=1)
def _compound() -> re.Pattern[str]:
    """Names that hold a connector or a comma, longest first; plurals too."""
    held = [name for name in _names() if " " in name and _CONNECTOR.search(name)]
    return re.compile(r"\b(" + "|".join(re.escape(n) for n in sorted(held, key=len, reverse=True)) + r")\b")


def _protect(text: str) -> str:
    """Tie the words of such names together with underscores."""
    return _compound().sub(lambda match: match[0].replace(" ", "_"), text)


def _scene_name(text: str) -> str | None:
    """The scene that a whole phrase names, an adjective or two before it allowed."""
    words = text.split()
    for start in range(min(3, len(words))):
        before, name = " ".join(words[:start]), " ".join(words[start:])
        adjectives = not _CONNECTOR.search(before) and _lookup(before) is None
        if adjectives and name in _scenes() and name not in _names():
            return _scenes()[name]
    return None


@lru_cache(maxsize=1)
def _scene_pattern() -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in sorted(_scenes(), key=len, reverse=True))
    start = rf"(?:^|[\s,])(?:{_SCENE_PREPOSITION})\s+(?:(?:an?|the)\s+)?"
    return re.compile(rf"{start}((?:(?!and\b|with\b|{_SCENE_PREPOSITION}\b)[\w'-]+\s+){{0,2}}?)({names})(?=$|[\s,])")


def _find_scene(text: str) -> tuple[str, str]:
    """(background phrase, the text without it)."""
    matches = list(_scene_pattern().finditer(text))
    if matches:
        best = max(matches, key=lambda match: (len(match[2]), match.start()))
        return with_article(_scenes()[best[2]]), (text[: best.start()] + " " + text[best.end() :]).strip(" ,")
    tail = re.search(r"^(.+?)\s+(?:in|at|inside)\s+((?:(?!\b(?:in|at|and|with|holding)\b).)+)$", text)
    if tail and _lookup(_ARTICLE.sub("", tail[2])) is None:
        return tail[2].replace("_", " "), tail[1]
    return PLAIN, text


def _lookup(noun: str) -> Object | None:
    """The object that a noun phrase ends in ("a big red apple" -> red apple), plurals included."""
    words = noun.replace("_", " ").split()
    for start in range(len(words)):
        name = " ".join(words[start:])
        for form in (
            name,
            name.removesuffix("s"),
            name.removesuffix("es"),
            re.sub("ies$", "y", name),
            re.sub("ves$", "f", name),
        ):
            if form in _names():
                return _names()[form]
    return None


def _link(text: str) -> tuple[list[_Thing], bool]:
    """Cut the text at its connectors; attach what belongs to another thing, line up the rest."""
    row: list[_Thing] = []
    binding, relation, previous, start = False, "beside", None, 0
    for match in (*_CONNECTOR.finditer(text), None):
        chunk = text[start : match.start() if match else len(text)]
        things = _things(chunk)
        if things:
            if previous is None or relation == "beside":
                row += things
            elif relation in ("left", "right"):
                at = row.index(previous) + 1 if previous in row else len(row)
                if relation == "right":  # before it, and before those that its count repeated
                    at = next(i for i, thing in enumerate(row) if thing.phrase == previous.phrase)
                row[at:at] = things
                binding = True
            else:
                _attach(row, previous, relation, things)
            previous = things[-1]
        if match:
            found = CONNECTORS.get(match[1] or "", "beside")
            relation = found if things or found != "beside" else relation
            start = match.end()
    return row, binding


def _attach(row: list[_Thing], first: _Thing, relation: str, others: list[_Thing]) -> None:
    """`first` stands in `relation` to the others: the smaller part is attached to the one it belongs to."""
    last = others[-1]
    if relation == "on":
        relation = "printed" if last.known and last.known.name in CARRIERS else "top"
    if relation == "holding":
        first.attached += [("holding", thing) for thing in others]
        return
    if first not in row:  # it is attached already: let the others stand by themselves
        row += others
        return
    row[row.index(first) : row.index(first) + 1] = [last]
    row += others[:-1]
    last.attached.append((relation, first))


def _things(chunk: str) -> list[_Thing]:
    """The things of one noun phrase, repeated as its count says."""
    noun, count = chunk.strip(" ,"), 1
    for word, number in _COUNTS.items():
        if noun.startswith(word + " "):
            noun, count = noun[len(word) + 1 :], number
    noun = _ARTICLE.sub("", noun)
    noun = re.sub(r"\b(?:standing|sitting|lying|placed|displayed|visible|hanging)$", "", noun).strip().replace("_", " ")
    if not noun or noun in ("it", "them", "that", "which", "is", "are", "there is", "there are"):
        return []
    known = _lookup(noun)
    if known and count > 1:
        noun = re.sub(r"(\w+)s$", r"\1", noun) if noun not in _names() else noun
    return [_Thing(with_article(noun), known) for _ in range(count)]


def with_article(noun: str) -> str:
    """With the article that fits, as the model's training captions have it."""
    last = noun.split()[-1]
    if last.endswith("s") and not last.endswith(("ss", "us")):
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _arrange(row: list[_Thing], binding: bool, rng: random.Random) -> list[Layer]:
    """Put the things in a row on the lower part of the picture, what is attached to them around them."""
    row = row[:5]
    if not binding and len(row) > 1:
        rng.shuffle(row)
    count = len(row)
    base = {0: 0, 1: 152, 2: 120, 3: 102, 4: 88, 5: 76}[count]
    placed: list[Layer] = []
    for number, thing in enumerate(row):
        grown = 1.15 if thing.person or thing.attached else 1.0
        size = round(min(168, base * grown) * rng.uniform(0.94, 1.06))
        centre = SIDE * (number + 0.5) / count + rng.uniform(-10, 10)
        bottom = _bottom(thing, size, rng)
        placed += _place(thing, centre, bottom, size, 10 * number, rng)
    return placed


def _bottom(thing: _Thing, size: int, rng: random.Random) -> float:
    """Where the lower edge of a thing goes: on the ground, in the air or on the wall."""
    if thing.anchor == "air":
        return 40 + size * 0.7 + rng.uniform(0, 25)
    if thing.anchor == "wall" and not thing.attached:
        return 62 + size * 0.7 + rng.uniform(0, 25)
    return 232 + rng.uniform(-8, 12)


def _boxed(thing: _Thing, x: float, bottom: float, size: float, z: int, relation: str) -> Layer:
    """A layer of that size around x, kept inside the picture."""
    left = round(min(max(x - size / 2, 2), SIDE - 2 - size))
    top = round(min(max(bottom - size, 2), SIDE - 2 - size))
    return Layer(thing.phrase, (left, top, left + round(size), top + round(size)), z, relation)


def _place(
    thing: _Thing, x: float, bottom: float, size: float, z: int, rng: random.Random, relation: str = "beside"
) -> list[Layer]:
    """A thing and what is attached to it."""
    own = _boxed(thing, x, bottom, size, z, relation)
    left, _, right, low = own.box
    middle, placed = (left + right) / 2, [own]
    for number, (kind, other) in enumerate(thing.attached):
        side = (-1 if middle > SIDE / 2 else 1) * (-1) ** number
        scale, dx, dy, dz = _OFFSETS[kind](side, rng)
        part = size * scale
        placed += _place(other, middle + dx * size, low + dy * size, part, z + dz + number, rng, kind)
    if any(kind == "above" for kind, _ in thing.attached) or any(kind == "top" for kind, _ in thing.attached):
        placed[0] = replace(own, box=_lowered(own.box))
    return placed


def _lowered(box: Box) -> Box:
    """The same box on the picture's ground."""
    left, top, right, low = box
    drop = max(0, 246 - low)
    return left, top + drop, right, low + drop


# relation -> (size, shift right, shift of the lower edge, depth) in sizes of what it is attached to; side is -1 or 1
_OFFSETS: dict[str, Callable[[int, random.Random], tuple[float, float, float, int]]] = {
    "printed": lambda side, rng: (0.42, 0.0, -0.27, 1),
    "shaped": lambda side, rng: (0.9, 0.0, 0.0, 1),
    "holding": lambda side, rng: (0.5, 0.5 * side, -0.04, 1),
    "top": lambda side, rng: (0.62, rng.uniform(-0.08, 0.08), -0.74, 1),
    "riding": lambda side, rng: (0.8, 0.0, -0.4, 1),
    "above": lambda side, rng: (0.7, rng.uniform(-0.1, 0.1), -0.96, 1),
    "under": lambda side, rng: (0.6, rng.uniform(-0.1, 0.1), 0.06, 1),
    "front": lambda side, rng: (0.66, 0.3 * side, 0.06, 2),
    "behind": lambda side, rng: (0.9, 0.42 * side, -0.16, -2),
}
