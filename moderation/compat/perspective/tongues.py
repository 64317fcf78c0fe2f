"""In which languages a comment may be analysed, in the tags of BCP 47.

Pure. No language is guessed: a text is in the model's language, or in one that is not known, of
which only the script can be told.
"""

from collections.abc import Sequence
from typing import NamedTuple

from moderation.text.language import LATIN, LATIN_OR_NONE, meant_script

UNDETERMINED = "und"
_CODES = {
    "Arabic": "Arab",
    "Armenian": "Armn",
    "Bengali": "Beng",
    "Cjk": "Hani",
    "Cyrillic": "Cyrl",
    "Devanagari": "Deva",
    "Ethiopic": "Ethi",
    "Georgian": "Geor",
    "Greek": "Grek",
    "Gujarati": "Gujr",
    "Gurmukhi": "Guru",
    "Hangul": "Hang",
    "Hebrew": "Hebr",
    "Hiragana": "Hira",
    "Kannada": "Knda",
    "Katakana": "Kana",
    "Khmer": "Khmr",
    "Lao": "Laoo",
    "Malayalam": "Mlym",
    "Myanmar": "Mymr",
    "Sinhala": "Sinh",
    "Tamil": "Taml",
    "Telugu": "Telu",
    "Thai": "Thai",
}
"""ISO 15924, by what `moderation.text.language.script` calls the scripts most often met."""


class Detected(NamedTuple):
    """Whether a text is in the model's language, as far as is *known*, and the *tags* to tell."""

    known: bool
    tags: list[str]


def detected(text: str, *, known: bool, language: str | None) -> Detected:
    """Say in which language *text* is; there is no tag where not even the script tells anything.

    *known* is whether the model knows the language, *language* is the model's, where that is known.
    A model knows no word of most other scripts, and takes a few unknown words for names: whatever
    *known* says, their letters decide.

    >>> detected("Привет всем", known=True, language="en")
    Detected(known=False, tags=['und-Cyrl'])
    """
    letters = meant_script(text)
    if known and (language not in LATIN or letters in LATIN_OR_NONE):
        return Detected(known=True, tags=[] if language is None else [language])
    code = _CODES.get(letters or "")
    return Detected(known=False, tags=[] if code is None else [f"{UNDETERMINED}-{code}"])


def unsupported(languages: Sequence[str], language: str | None) -> list[str]:
    """Return those of *languages* that are not the model's, whatever their region or script."""
    if language is None:
        return []
    return [tag for tag in languages if tag.partition("-")[0].lower() != language]
