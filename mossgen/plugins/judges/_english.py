"""Tells whether a response is English: judges that read only English must leave others unscored.

It uses letters and function words: cheap, but reliable only for texts of four words or more. A name, a number or three
words in Latin letters can be in any language, and pass.
"""

from __future__ import annotations

import re

FOREIGN = "the response is not English, and this judge reads English only"
_ASCII = 0.5  # least ASCII share of the letters: nearly 1 in English, unless it quotes
_SMALL = 0.1  # least share of function words: English has 0.2 to 0.5
_FEWEST = 4  # words: in shorter texts, function words tell nothing
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
# frequent in English, and as far as possible not words of other languages
_FREQUENT = """
the and of to that this these those it its you your for with are is was were not can cannot can't don't i'm it's have
has had be been but from by at which their they there if would should could will what how when who we our my more some
any about other than then also his her he she do does did or an as on in into out up so because sorry help here yes
"""
# frequent in other languages with Latin letters: if these are more, "in" and "was" are not English
_FREQUENT_ELSEWHERE = """
der das und ist nicht ich du ein eine de den het een niet van dat je ik als er kan le les et un une que est pas vous el
los las por para puedo che di il per non sono não uma com och att det jag ikke og som nie się jest saya tidak
"""
_ENGLISH, _ELSEWHERE = (frozenset(words.split()) for words in (_FREQUENT, _FREQUENT_ELSEWHERE))


def english(text: str) -> bool:
    """Whether a text counts as English."""
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter.isascii() for letter in letters) < _ASCII * len(letters):
        return False
    words = _WORD.findall(text.lower().replace("’", "'"))
    here, elsewhere = (sum(word in known for word in words) for known in (_ENGLISH, _ELSEWHERE))
    return len(words) < _FEWEST or here >= max(elsewhere, _SMALL * len(words))
