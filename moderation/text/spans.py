"""Where in a text its words stand.

Pure: no clock, no database, no model. Offsets count code points, as Python does; `in_utf16`
turns them into what JavaScript, Java and C# count.

>>> spans("You MORON, see http://a.example.ru")[1]
Span(word=b'moron', start=4, end=9)
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from moderation.text.addresses import LINK, LINK_TOKEN, MAIL, MAIL_TOKEN
from moderation.text.normal import REFERENCE, folded, normalise

_PIECE = re.compile(r"[^\s\x00-\x1f\x7f]+")
_AROUND = '.,:;!?()"'
_MARK = re.compile(REFERENCE.pattern + r"|[^\w\s\x00-\x7f]")


class Span(NamedTuple):
    """A word as `normalise` gives it, and the half-open interval of the text it comes from."""

    word: bytes
    start: int
    end: int


def spans(text: str, words: list[bytes] | None = None) -> list[Span]:
    """Return the words of *text*, in order, with where each was found.

    *words* are those of `normalise`, where they are known already.
    """
    if text.isascii() and "&" not in text:
        return _found(folded(text), normalise(text).words if words is None else words, 0)
    found = []
    for piece in _PIECE.finditer(text):
        if piece[0].isascii() and piece[0].isalnum():
            found.append(Span(piece[0].lower().encode(), *piece.span()))
            continue
        words = normalise(piece[0]).words
        if piece[0].isascii() and "&" not in piece[0]:
            found += _found(folded(piece[0]), words, piece.start())
            continue
        parts = _parts(piece[0]) if len(words) > 1 else []
        if not parts or [word for part in parts for word in part.words] != words:
            parts = [_Part(words, 0, len(piece[0]))]
        for part in parts:
            whole = piece[0][part.start : part.end]
            inner = whole if "&" in whole else whole.strip(_AROUND)
            start = piece.start() + part.start + whole.find(inner)
            found += [Span(word, start, start + len(inner)) for word in part.words]
    return found


class _Part(NamedTuple):
    """What stands between two signs of a piece, or such a sign."""

    words: list[bytes]
    start: int
    end: int


def _parts(piece: str) -> list[_Part]:
    """Return the parts of a *piece* that has words, cut where a sign or a reference parts words."""
    cuts = [0]
    for mark in _MARK.finditer(piece):
        if _divides(mark[0]):
            cuts += mark.span()
    cuts.append(len(piece))
    parts = [
        _Part(normalise(piece[start:end]).words, start, end)
        for start, end in pairwise(cuts)
        if start < end
    ]
    return [part for part in parts if part.words]


@lru_cache(maxsize=1 << 10)
def _divides(mark: str) -> bool:
    """Whether what stands on both sides of *mark* is no one word."""
    return len(normalise(f"a{mark}a").words) > 1


def _found(plain: bytes, words: list[bytes], offset: int) -> list[Span]:
    """Find *words* one after another in the bytes they were made of."""
    # As `normalise` replaces them: addresses first, so that a link ends where its user begins one.
    mails = MAIL.finditer(plain)
    links = LINK.finditer(MAIL.sub(lambda mail: b" " * len(mail[0]), plain))
    found = []
    at = start = 0
    for word in words:
        if word.startswith(LINK_TOKEN):
            # The facts of a link follow it and stand where it stands.
            if word == LINK_TOKEN and (link := next(links, None)):
                start, at = link.span()
        elif word == MAIL_TOKEN:
            if mail := next(mails, None):
                start, at = mail.span()
        elif (place := plain.find(word, at)) >= 0:
            start, at = place, place + len(word)
        else:
            start = at
        found.append(Span(word, offset + start, offset + at))
    return found


def in_utf16(text: str) -> Callable[[int], int]:
    """Return what gives a code point offset of *text* in UTF-16 code units.

    The text is read once, however many offsets are asked for: a word may stand in it 50,000 times.
    """
    pairs = [at for at, character in enumerate(text) if character > "\uffff"]

    def offset(code_point: int) -> int:
        return code_point + bisect_left(pairs, code_point)

    return offset
