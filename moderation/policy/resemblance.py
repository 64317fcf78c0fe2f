"""Whether two comments say the same: to the word, or nearly.

Pure: no clock, no database, no model. Both look at the words of `moderation.text.normal`, so that
letter case, punctuation, white space and the address of a link make no difference.

Nearly the same is what shares most of its words. The share (Jaccard's) is estimated by MinHash
(Broder 1997): the smallest of each of 12 hashes over the words of a text. Two texts agree in about
as many of them as they share words. For finding them without comparing all, the hashes are cut
into four bands: whoever shares three quarters of the words agrees in a whole band in 9 cases of 10.
"""

import hashlib
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from moderation.text.normal import list_words

HASHES = 12
BANDS = 4
ALIKE = 9  # hashes in common, of 12: about three quarters of the words
WORDS_NEEDED = 5  # different ones; shorter texts are alike by chance
_DIGITS = 8  # hexadecimal, a hash
_BAND = _DIGITS * HASHES // BANDS


def _constants(name: bytes) -> np.ndarray:
    """Return a fixed random number for each hash, the same for ever: signatures are stored."""
    digests = (hashlib.sha256(name + bytes([at])).digest()[:8] for at in range(HASHES))
    return np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)[:, None]


_FACTORS = _constants(b"factor") | np.uint64(1)
_TERMS = _constants(b"term")
_SHIFT = np.uint64(32)


class Resemblance(NamedTuple):
    """What a text is compared by; None where there is too little of it.

    *fingerprint* is the same for the same words in the same order. *signature* is 12 hashes of 8
    hexadecimal digits.
    """

    fingerprint: str | None
    signature: str | None


def resemblance(text: str) -> Resemblance:
    """Return what *text* is compared by."""
    words = list_words(text)
    if not words:
        return Resemblance(None, None)
    fingerprint = hashlib.sha256(b" ".join(words)).hexdigest()[:32]
    different = set(words)
    if len(different) < WORDS_NEEDED:
        return Resemblance(fingerprint, None)
    return Resemblance(fingerprint, _signature(different))


def _signature(words: set[bytes]) -> str:
    hashed = np.fromiter(map(zlib.crc32, words), np.uint64, len(words))
    # Multiply-shift (Dietzfelbinger 1997), which may overflow.
    smallest = ((_FACTORS * hashed + _TERMS) >> _SHIFT).min(axis=1)
    return bytes(smallest.astype(">u4")).hex()


def bands(signature: str) -> list[str]:
    """Return what signatures of nearly the same words are likely to share one of."""
    return [f"{at}{signature[at * _BAND : (at + 1) * _BAND]}" for at in range(BANDS)]


def alike(signature: str, other: str) -> bool:
    """Whether two signatures are of nearly the same words."""
    if signature == other:  # as in most floods, and much cheaper to see
        return True
    return sum(map(str.__eq__, _hashes(signature), _hashes(other))) >= ALIKE


def _hashes(signature: str) -> Sequence[str]:
    return [signature[at : at + _DIGITS] for at in range(0, len(signature), _DIGITS)]
