"""Is a response English? What reads English only must leave others unscored.

By its letters and its small words: cheap, and sure only of texts of a few words. A name, a number or three words of
Latin letters may be of any language and pass.
"""

from __future__ import annotations

import re

FOREIGN = "the response is not English, and this judge reads English only"
_ASCII = 0.5  # of the letters at least: English has nearly all, unless it quotes
_SMALL = 0.1  # of the words at least: English has two to five in ten
_FEWEST = 4  # words, below which the small ones say nothing
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
# frequent in English, and as far as possible no words of other languages
_FREQUENT = """
the and of to that this these those it its you your for with are is was were not can cannot can't don't i'm it's have
has had be been but from by at which their they there if would should could will what how when who we our my more some
any about other than then also his her he she do does did or an as on in into out up so because sorry help here yes
"""
# frequent in other languages of Latin letters: where these are more, "in" and "was" are no English
_FREQUENT_ELSEWHERE = """
der das und ist nicht ich du ein eine de den het een niet van dat je ik als er kan le les et un une que est pas vous el
los las por para puedo che di il per non sono não uma com och att det jag ikke og som nie się jest saya tidak
"""
_ENGLISH, _ELSEWHERE = (frozenset(words.split()) for words in (_FREQUENT, _FREQUENT_ELSEWHERE))


def english(text: str) -> bool:
    """Whether a text may be taken for English."""
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter.isascii() for letter in letters) < _ASCII * len(letters):
        return False
    words = _WORD.findall(text.lower().replace("’", "'"))
    here, elsewhere = (sum(word in known for word in words) for known in (_ENGLISH, _ELSEWHERE))
    return len(words) < _FEWEST or here >= max(elsewhere, _SMALL * len(words))
