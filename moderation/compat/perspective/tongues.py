"""In which languages a comment may be analysed, in the tags of BCP 47.

Pure. No language is guessed: a text is in the model's language, or in one that is not known, of
which only the script can be told.
"""

from collections.abc import Sequence

from moderation.text.language import script

UNDETERMINED = "und"

_CODES = {
    "Arabic": "Arab",
    "Armenian": "Armn",
    "Bengali": "Beng",
    "Cjk": "Hani",
    "Cyrillic": "Cyrl",
    "Devanagari": "Deva",
    "Georgian": "Geor",
    "Greek": "Grek",
    "Hangul": "Hang",
    "Hebrew": "Hebr",
    "Hiragana": "Hira",
    "Katakana": "Kana",
    "Tamil": "Taml",
    "Thai": "Thai",
}
"""ISO 15924, by what `moderation.text.language.script` calls the scripts most often met."""


def detected(text: str, *, known: bool, language: str | None) -> list[str]:
    """Return the tag of the language of *text*; none where not even the script tells anything.

    *known* is whether the model knows the language, *language* is the model's, where that is known.

    >>> detected("Привет всем", known=False, language="en")
    ['und-Cyrl']
    """
    if known:
        return [] if language is None else [language]
    code = _CODES.get(script(text) or "")
    return [] if code is None else [f"{UNDETERMINED}-{code}"]


def unsupported(languages: Sequence[str], language: str | None) -> list[str]:
    """Return those of *languages* that are not the model's, whatever their region or script."""
    if language is None:
        return []
    return [tag for tag in languages if tag.partition("-")[0].lower() != language]
