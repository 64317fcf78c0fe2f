"""Words in disguise, read as the words they are meant to be.

Pure: no clock, no database, no model.

A vocabulary says which words there are; nothing is changed that is in it, and hardly anything is
changed into what is not, so that `4th`, `mp3` and `c++` stay what they are. Undone are letters
written as digits and signs (`sh1t`), stars for letters (`f**k`), signs between letters
(`f-u-c-k`), letters repeated (`fuuuuck`), accents without meaning (`fück`) and, across words,
spaces between letters (`f u c k`).

>>> words = Vocabulary([b"shit", b"stupid", b"you", b"moron"], marked=[b"shit", b"moron"])
>>> [words.plain(word) for word in (b"sh1t", b"s***", b"m*ron", b"stuuupid", b"4th")]
[b'shit', b'shit', b'moron', b'stupid', b'4th']
>>> words.spelt([b"y", b"o", b"u", b"m", b"0", b"r", b"o", b"n"])
[b'you', b'moron']
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import product
from math import inf, log

_MEANT = {
    "0": "o",
    "1": "il",
    "2": "z",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "gb",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "|": "il",
    "+": "t",
    "\u20ac": "e",
    "\u00a3": "l",
    "\u00a2": "c",
}
_LEAST = 3  # bytes; what is shorter can be read as too many words
_READINGS = 16  # of one word
_LONGEST = 24  # bytes; a longer word is not taken apart
_RUN = 60  # letters with spaces between them that are divided at once
_ALONE = 12.0  # the cost of a letter that is no word; a rare word costs about ten
_SPELT = 3  # letters in a row that are no accident
_REPEATED = re.compile(rb"(.)\1{2,}", re.DOTALL)
_STARS = re.compile(rb"[*#%@$&]+")
_BETWEEN = re.compile(rb"[-_.~*'|/\\+=^]+")
_WORD = re.compile(rb"[a-z][a-z']*")
_MARK = b"*"
_MOST = 1 << 17  # words
_LETTER = re.compile(rb"[a-z]")


class Vocabulary:
    """The words a model knows, the most frequent first; *marked* are those people disguise."""

    def __init__(self, words: Iterable[bytes], *, marked: Iterable[bytes] = ()) -> None:
        self.words = tuple(words)
        self.marked = tuple(marked)
        self._costs = {word: 1 + log(at + 2) for at, word in enumerate(self.words)}
        self._by_ends: dict[int, list[bytes]] = {}
        for word in self.marked:
            self._by_ends.setdefault(word[0], []).append(word)

    @classmethod
    def read(cls, content: bytes) -> "Vocabulary":
        """Return the vocabulary that `written` gave; raises ValueError for anything else."""
        words = content.split(b"\n")
        if words.pop() != b"" or len(words) > _MOST:
            raise ValueError(f"expected at most {_MOST} lines of words, got others")
        plain = [word.removesuffix(_MARK) for word in words]
        if not all(_WORD.fullmatch(word) for word in plain) or len(set(plain)) != len(plain):
            raise ValueError("expected different words of lower-case letters, got others")
        return cls(plain, marked=[word[:-1] for word in words if word.endswith(_MARK)])

    def written(self) -> bytes:
        """Return the words, one a line, a star behind those that are marked."""
        marked = frozenset(self.marked)
        return b"".join(word + _MARK * (word in marked) + b"\n" for word in self.words)

    def __contains__(self, word: bytes) -> bool:
        """Return whether *word* is one of the vocabulary."""
        return word in self._costs

    def plain(self, word: bytes) -> bytes:
        """Return the word that *word* is a disguise of, or *word* itself."""
        if word in self._costs or not _LEAST <= len(word) <= _LONGEST * 4:
            return word
        if word.isalpha() or word.isdigit():  # of ASCII
            return self._unrepeated(word) or word
        found = self._read(_unaccented(word))
        return word if found is None else found

    def spelt(self, letters: Sequence[bytes]) -> list[bytes]:
        """Return the words that *letters*, one after another, spell; none if they spell nothing.

        The most likely division into words of the vocabulary counts; a letter may stand alone.
        What has no letter in it, a number above all, is one word.
        """
        words: list[bytes] = []
        for at in range(0, len(letters), _RUN):
            run = b"".join(letters[at : at + _RUN])
            if len(run) >= _SPELT:
                divided = [self._divided(reading) for reading in _readings(run)]
                words += min(divided, default=(inf, [run]))[1]
            else:
                words += [run]
        return words if max(map(len, words), default=0) >= _SPELT else []

    def distinct(self, words: Sequence[bytes]) -> tuple[int, list[bytes]]:
        """Return how many *words* there are and, in order, the different ones, all plain."""
        found = list(dict.fromkeys(map(self.plain, words)))
        if any(len(word) == 1 and word.isascii() for word in found):
            alone = "".join("x" if len(word) == 1 and word.isascii() else " " for word in found)
            if "x" * _SPELT in alone:
                words = self.joined(words)
                found = list(dict.fromkeys(map(self.plain, words)))
        return len(words), found

    def joined(self, words: Sequence[bytes]) -> list[bytes]:
        """Return *words* with what single letters in a row spell in the letters' place."""
        found: list[bytes] = []
        run: list[bytes] = []
        for word in words:
            if len(word) == 1 and word.isascii():
                run.append(word)
                continue
            if run:
                found += self.spelt(run) or run
                run = []
            found.append(word)
        return found + (self.spelt(run) or run)

    def _read(self, word: bytes) -> bytes | None:
        """Return what *word*, which is not letters alone, stands for, if anything."""
        if word in self._costs:
            return word
        if len(word) > _LONGEST:
            return None
        for reading in _readings(word):
            if reading in self._costs:
                return reading
            if (shorter := self._unrepeated(reading)) is not None:
                return shorter
        if _LETTER.match(word) and (found := self._unstarred(word)):
            return found
        bare = _BETWEEN.sub(b"", word)
        if bare != word and len(bare) >= _LEAST:
            for reading in _readings(bare):
                if reading in self._costs:
                    return reading
        return None

    def _unrepeated(self, word: bytes) -> bytes | None:
        """Return *word* with runs of three and more letters cut to two or one, if that is known."""
        if _REPEATED.search(word) is None:
            return None
        twice = _REPEATED.sub(rb"\1\1", word)
        if twice in self._costs:
            return twice
        once = _REPEATED.sub(rb"\1", word)
        return once if once in self._costs else None

    def _unstarred(self, word: bytes) -> bytes | None:
        """Return the first marked word that *word* is, stars standing for letters."""
        if _STARS.search(word) is None:
            return None
        candidates = self._by_ends.get(word[0], ())
        exact = re.compile(
            b"".join(
                b"." if _STARS.match(word[at : at + 1]) else re.escape(word[at : at + 1])
                for at in range(len(word))
            )
        )
        loose = re.compile(b".+".join(map(re.escape, _STARS.split(word))))
        for pattern in (exact, loose):
            for candidate in candidates:
                if pattern.fullmatch(candidate):
                    return candidate
        return None

    def _divided(self, run: bytes) -> tuple[float, list[bytes]]:
        """Return the cheapest division of *run* into known words and lone letters."""
        best: list[tuple[float, int]] = [(0.0, 0)] + [(inf, 0)] * len(run)
        for end in range(1, len(run) + 1):
            for begin in range(max(0, end - _LONGEST), end):
                alone = _ALONE if end - begin == 1 else inf
                cost = best[begin][0] + self._costs.get(run[begin:end], alone)
                if cost < best[end][0]:
                    best[end] = (cost, begin)
        words = []
        end = len(run)
        while end:
            begin = best[end][1]
            words.append(run[begin:end])
            end = begin
        return best[-1][0], words[::-1]


def _readings(word: bytes) -> list[bytes]:
    """Return what *word* may mean when digits and signs are read as letters; few, best first."""
    if _LETTER.search(word) is None:
        return []
    letters = [_MEANT.get(letter, letter) for letter in word.decode("utf-8", "replace")]
    count = 1
    for each in letters:
        count *= len(each)
    if count > _READINGS:
        letters = [each[0] for each in letters]
    return ["".join(each).encode() for each in product(*letters)]


def _unaccented(word: bytes) -> bytes:
    """Return *word* without marks on its letters."""
    if word.isascii():
        return word
    taken_apart = unicodedata.normalize("NFD", word.decode())
    return "".join(each for each in taken_apart if not unicodedata.combining(each)).encode()
