"""Comments disguised the ways people disguise them, to measure what a disguise costs.

Pure. Each evasion changes every word it can, which is more than people do; nothing here is used
in training.
"""

import re
from collections.abc import Callable

_WORD = re.compile(r"[A-Za-z]{3,}")
_LEET = str.maketrans("aeiosAEIOS", "43105" * 2)
_ALIKE = str.maketrans(
    "aceopxyACEOPX",
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0410\u0421\u0415\u041e\u0420\u0425",
)
_VOWELS = re.compile(r"(?<=[A-Za-z])[aeiouAEIOU](?=[A-Za-z])")
_LONG_WORD = re.compile(r"([A-Za-z])([A-Za-z])([A-Za-z])([A-Za-z]+)")


def _leet(text: str) -> str:
    return _WORD.sub(lambda word: word[0].translate(_LEET), text)


def _spaced(text: str) -> str:
    return _WORD.sub(lambda word: " " + " ".join(word[0]) + " ", text)


def _alike(text: str) -> str:
    return text.translate(_ALIKE)


def _zero_width(text: str) -> str:
    return _WORD.sub(lambda word: "\u200b".join(word[0]), text)


def _repeated(text: str) -> str:
    return _WORD.sub(lambda word: word[0][:2] + word[0][1] * 3 + word[0][2:], text)


def _starred(text: str) -> str:
    return _WORD.sub(lambda word: _VOWELS.sub("*", word[0], count=1), text)


def _dotted(text: str) -> str:
    return _WORD.sub(lambda word: "-".join(word[0]), text)


def _swapped(text: str) -> str:
    return _LONG_WORD.sub(lambda word: f"{word[1]}{word[3]}{word[2]}{word[4]}", text)


EVASIONS: dict[str, Callable[[str], str]] = {
    "leetspeak": _leet,
    "spaced letters": _spaced,
    "lookalike letters": _alike,
    "zero-width characters": _zero_width,
    "repeated letters": _repeated,
    "a star for a vowel": _starred,
    "signs between letters": _dotted,
    "swapped letters": _swapped,
}
