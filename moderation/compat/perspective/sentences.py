"""Where the sentences of a comment stand, in UTF-16 code units.

Pure. A text of many sentences is cut into no more than `LIMIT` spans: each further one would be
scored, too.
"""

import re
from typing import NamedTuple

LIMIT = 64  # spans

_SENTENCE = re.compile(r"[^\s.!?\n][^.!?\n]*(?:[.!?]+|\n|$)")


class Sentence(NamedTuple):
    """The *text* of a span, and where it is: the half-open interval *begin* to *end*."""

    text: str
    begin: int
    end: int


def units(text: str) -> int:
    """Return the length of *text* in UTF-16 code units, as Java and JavaScript count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of *text* in order; a few neighbours as one where there are many.

    >>> [sentence.text for sentence in sentences("Go away! Nobody likes you.")]
    ['Go away!', 'Nobody likes you.']
    """
    found = [
        (match.start(), match.start() + len(match[0].rstrip()))
        for match in _SENTENCE.finditer(text)
    ]
    step = -(-len(found) // LIMIT) or 1
    grouped = [found[at : at + step] for at in range(0, len(found), step)]
    begin = at = 0
    cut = []
    for group in grouped:
        start, end = group[0][0], group[-1][1]
        begin += units(text[at:start])
        length = units(text[start:end])
        cut.append(Sentence(text[start:end], begin, begin + length))
        begin += length
        at = end
    return cut
