"""From a prompt to things: what to draw, and how the things belong together. Any English goes in.

The grammar, in the order it is applied:

1. style words go ("a photo of ...", "..., flat illustration");
2. the scene: a preposition before a scene of the vocabulary ("in a kitchen", "on a sunny beach"), the longest such
   name, the last one if equal; else a trailing "in/at ..." whose thing is no known object is the background as it
   stands; else the background is plain;
3. the rest is cut at connectors (and, with, next to, left of, in front of, holding, printed on, ...) into noun
   phrases; names in the vocabulary that hold a connector ("bow and arrow") stay whole;
4. "two", "three", "several" repeat a phrase.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from mossgen.embedded import vocabulary
from mossgen.embedded.vocabulary import Object

PLAIN = "a plain background"

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


@dataclass(eq=False)
class Thing:
    """A noun phrase on its way to a layer: its vocabulary entry if it has one, and what is attached to it."""

    phrase: str
    known: Object | None
    attached: list[tuple[str, Thing]] = field(default_factory=list)

    @property
    def person(self) -> bool:
        """Whether it is a person."""
        return self.known is not None and self.known.kind in vocabulary.PEOPLE_KINDS

    @property
    def anchor(self) -> str:
        """Where it stays: "ground", "air" or "wall"."""
        return self.known.anchor if self.known else "ground"


def parse(prompt: str) -> tuple[str, list[Thing], bool]:
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
    """Caption -> object, for every caption; "man" and "woman" for the person in one too, as the drawings have it."""
    known: dict[str, Object] = {}
    for thing in vocabulary.load().objects:
        for caption in (c.lower() for c in thing.captions):
            nouns = ("person", "man", "woman") if caption.startswith("person ") else ("person",)
            for noun in nouns:
                known.setdefault(re.sub(r"^person\b", noun, caption), thing)
    return known


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
    matches = [m for m in _scene_pattern().finditer(text) if not _names_longer(text[m.start(2) :], m[2])]
    if matches:
        # what is an object too ("a storm cloud") is the scene only if nothing else is
        best = max(matches, key=lambda match: (match[2] not in _names(), len(match[2]), match.start()))
        return with_article(_scenes()[best[2]]), (text[: best.start()] + " " + text[best.end() :]).strip(" ,")
    tail = re.search(r"^(.+?)\s+(?:in|at|inside)\s+((?:(?!\b(?:in|at|and|with|holding)\b).)+)$", text)
    if tail and _lookup(_ARTICLE.sub("", tail[2])) is None:
        return tail[2].replace("_", " "), tail[1]
    return PLAIN, text


def _names_longer(text: str, scene: str) -> bool:
    """Whether a text that begins with a scene's name begins with a longer object's name ("office worker")."""
    words = text.split()
    return any(" ".join(words[:count]) in _names() for count in range(len(scene.split()) + 1, 6))


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


def _link(text: str) -> tuple[list[Thing], bool]:
    """Cut the text at its connectors; attach what belongs to another thing, line up the rest."""
    row: list[Thing] = []
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


def _attach(row: list[Thing], first: Thing, relation: str, others: list[Thing]) -> None:
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


def _things(chunk: str) -> list[Thing]:
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
    return [Thing(with_article(noun), known) for _ in range(count)]


def with_article(noun: str) -> str:
    """With the article that fits, as the model's training captions have it."""
    last = noun.split()[-1]
    if last.endswith("s") and not last.endswith(("ss", "us")):
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
