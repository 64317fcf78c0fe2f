"""In which script a text is written, and whether the model knows its language.

Pure: no clock, no database, no model. No language is guessed: a model knows the words it was
made with, and a text of other words is in no language that it knows.
"""

import unicodedata
from collections import Counter
from typing import NamedTuple

_READ = 2000  # characters


class Language(NamedTuple):
    """The *script* of most letters of a text, and whether the model has *known* its language."""

    script: str | None
    known: bool


def script(text: str) -> str | None:
    """Return the script of most letters of *text*, by the names of the characters.

    >>> script("Привет, world"), script("12!")
    ('Cyrillic', None)
    """
    letters = filter(str.isalpha, text[:_READ])
    names = Counter(unicodedata.name(letter, "unknown").partition(" ")[0] for letter in letters)
    return max(names, key=names.__getitem__).capitalize() if names else None
