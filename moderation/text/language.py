"""In which script a text is written, and whether the model knows its language.

Pure: no clock, no database, no model. No language is guessed: a model knows the words it was
made with, and a text of other words is in no language that it knows.
"""

import re
import unicodedata
from collections import Counter
from typing import NamedTuple

from moderation.text.normal import list_words

_ASCII_LETTER = re.compile("[A-Za-z]")
_OTHER_LETTER = re.compile(r"[^\W\d_A-Za-z]")
_READ = 2000  # characters


LATIN = frozenset({"de", "en"})
"""The languages of models of which it is known that they are written in Latin letters."""

LATIN_OR_NONE = frozenset({None, "Latin"})
"""What the script of a text in one of those is said to be."""


class Language(NamedTuple):
    """The *script* of most letters of a text, and whether the model has *known* its language.

    None: it could not tell.
    """

    script: str | None
    known: bool | None


def script(text: str) -> str | None:
    """Return the script of most letters of *text*, by the names of the characters.

    >>> script("Привет, world"), script("12!")
    ('Cyrillic', None)
    """
    read = text[:_READ]
    if read.isascii():
        return "Latin" if _ASCII_LETTER.search(read) else None
    latin = len(_ASCII_LETTER.findall(read))
    others = _OTHER_LETTER.findall(read)
    if latin >= len(others):
        return "Latin" if latin else None
    names = Counter(unicodedata.name(letter, "unknown").partition(" ")[0] for letter in others)
    names["LATIN"] += latin
    return max(names, key=names.__getitem__).capitalize()


def is_foreign(text: str, language: str | None) -> bool:
    """Return whether *text* is in letters that *language* is not written in.

    Whatever its words say: a model knows no word of most other scripts, and takes a few unknown
    words for names. Letters that only look like others are taken for those.

    >>> is_foreign("\u043f\u0440\u0438\u0432\u0435\u0442", "en"), is_foreign("\uff48\uff49", "en")
    (True, False)
    """
    if language not in LATIN or script(text) in LATIN_OR_NONE:
        return False
    return meant_script(text) not in LATIN_OR_NONE


def meant_script(text: str) -> str | None:
    """Return the script of *text*, letters that only look like others taken for those."""
    if text.isascii():
        return script(text)
    plain = b" ".join(list_words(text)).decode("utf-8", "replace")
    return script("".join(filter(str.isalpha, plain)))
