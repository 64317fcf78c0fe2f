"""Comments as sequences of tokens, and tokens as rows of a weight table.

Pure numpy: no clock, no database, no model.

A comment is the tokens of its facts (length, links, capitals, repetition: what folding loses)
and then its distinct words in order of first appearance; never none. A word is itself and its
byte 2- to 6-grams, the blanks around it included; a fact is one row. Two neighbouring tokens
are one row more. With W the weight table and m the number of tokens, a comment's sum is

    1/sqrt(m) * sum over tokens ( 1/sqrt(g) * sum of the g rows of the token in W
                                  + PAIR_WEIGHT * row of the pair it ends in W )

so that what a word adds depends on the word alone, and a scorer may remember it; that is worth
a factor of three in time. Measured on held-out comments (mean AUC of four labels, the same
penalty): .981 this way, .982 with every n-gram counted once in the whole comment, .978 with
1 + ln(count) instead, .979 with plain sums.

>>> words = [b"hello", b"world"]
>>> rows, starts, sizes = word_rows(words)
>>> starts.tolist(), sizes.tolist()
([0, 21], [21, 21])
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from moderation.text.normal import Normalised

HASH_BITS = 18
HASHED_ROWS = 1 << HASH_BITS
BUCKETS = 16  # of one fact; the last takes everything above
FACTS = 7
FACT_TOKENS = FACTS * BUCKETS
ROWS = HASHED_ROWS + FACT_TOKENS  # the rows of the facts stand after the hashed ones
PAIR_WEIGHT = 0.5

WIDTHS = np.array([2, 3, 4, 5, 6], dtype=np.intp)  # bytes
_COLUMNS = 1 + len(WIDTHS)
_SHORT = 64  # bytes of a word for which the arithmetic of its windows is kept
_PADDING = b" " * 8  # windows are read eight bytes at a time
WINDOW_MASKS = np.array([(1 << 8 * int(width)) - 1 for width in WIDTHS], dtype=np.uint64)
WINDOW_MIXERS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0xD6E8FEB86659FD93,
        0xA0761D6478BD642F,
        0xE7037ED1A0B428DB,
    ],
    dtype=np.uint64,
)
WINDOW_SHIFT = np.uint64(64 - HASH_BITS)
WORD_MIXER = np.uint32(0xC2B2AE3D)
PAIR_MIXER = np.uint32(0x9E3779B1)
PAIR_STEP = np.uint32(0x01000193)
CODE_SHIFT = np.uint32(32 - HASH_BITS)

_TOP = BUCKETS - 1
_FIRST = range(0, FACT_TOKENS, BUCKETS)  # the token of the lowest bucket of each fact


class WordRows(NamedTuple):
    """The rows of some words, word after word.

    *starts* is where each word begins in *rows*, *sizes* how many rows it has, never none.
    """

    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]


def fact_tokens(plain: Normalised, count: int, distinct: int) -> tuple[int, ...]:
    """Return the token, 0..FACT_TOKENS-1, of each fact of a comment.

    It has *count* words, *distinct* of them different.
    """
    _, length, capitals, digits, links, mails, exclamations, foreign = plain
    count = count or 1
    size = length or 1
    bits = length.bit_length()
    return (
        min(_TOP, bits),
        _FIRST[1] + 15 * capitals // size,
        _FIRST[2] + 15 * digits // size,
        _FIRST[3] + 15 * (count - distinct) // count,
        _FIRST[4] + (min(_TOP, links)),
        _FIRST[5] + (min(_TOP, exclamations)),
        _FIRST[6] + (2 if mails else 0) + foreign,
    )


def word_codes(words: Sequence[bytes]) -> NDArray[np.uint32]:
    """Return a number for each word, by which pairs are told apart."""
    return np.fromiter(map(crc32, words), dtype=np.uint32, count=len(words))


def fact_codes() -> NDArray[np.uint32]:
    """Return the same for the fact tokens, in their order."""
    return word_codes([b"fact %d" % token for token in range(FACT_TOKENS)])


def word_rows(words: Sequence[bytes]) -> WordRows:
    """Return the rows of *words*, which must not be empty and hold no blanks."""
    size = sum(map(len, words)) + 2 * len(words)
    buffer = b" " + b"  ".join(words) + b" " + _PADDING
    windows = np.ndarray((size, 1), dtype="<u8", buffer=buffer, strides=(1, 1))
    table = np.empty((size, _COLUMNS), dtype=np.intp)
    np.right_shift(
        (windows & WINDOW_MASKS) * WINDOW_MIXERS, WINDOW_SHIFT, out=table[:, 1:], casting="unsafe"
    )
    begins = [0, *accumulate(len(word) + 2 for word in words)]
    table[begins[:-1], 0] = (word_codes(words) * WORD_MIXER) >> CODE_SHIFT
    inside = [_inside(len(word) + 2) for word in words]
    sizes = np.array([each.size for each in inside], dtype=np.intp)
    places = np.concatenate(inside)
    if len(words) > 1:
        places += np.array(begins[:-1]).repeat(sizes) * _COLUMNS
    return WordRows(table.ravel().take(places), sizes.cumsum() - sizes, sizes)


@lru_cache(maxsize=64)
def _inside_short(size: int) -> NDArray[np.intp]:
    """Return `_inside` of a short word; there are few lengths, met again and again."""
    whole = np.zeros((size, _COLUMNS), dtype=np.bool_)
    whole[0, 0] = True
    np.less_equal(WIDTHS, np.arange(size, 0, -1)[:, None], out=whole[:, 1:])
    return whole.ravel().nonzero()[0]


def _inside(size: int) -> NDArray[np.intp]:
    """Return which windows, begin by begin and width by width, end inside *size* bytes.

    Column 0 is the word itself, at its first byte.
    """
    return _inside_short(size) if size <= _SHORT else _inside_short.__wrapped__(size)


def pair_rows(codes: NDArray[np.uint32], starts: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Return the row of each token with the one before it, for texts that begin at *starts*.

    The first token of a text stands alone there: a neighbour in the batch is no neighbour.
    """
    rows = np.empty_like(codes)
    np.multiply(codes[:-1], PAIR_STEP, out=rows[1:])
    rows[starts] = 0
    rows += codes
    rows *= PAIR_MIXER
    rows >>= CODE_SHIFT
    return rows
