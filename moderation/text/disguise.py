"""Words in disguise, read as the words they are meant to be.

Pure: no clock, no database, no model.

A vocabulary says which words there are; nothing is changed that is in it, and hardly anything is
changed into what is not, so that `4th`, `mp3` and `c++` stay what they are. Undone are letters
written as digits and signs (`sh1t`), stars for letters (`f**k`), signs between letters
(`f-u-c-k`), letters repeated (`fuuuuck`), accents without meaning (`fück`) and, across words,
spaces between letters (`f u c k`). Two inner letters that changed places (`mroon`) are put back.

>>> words = Vocabulary([b"shit", b"stupid", b"you", b"moron"], marked=[b"shit", b"moron"])
>>> [words.plain(word) for word in (b"sh1t", b"s***", b"m*ron", b"stuuupid", b"stpuid", b"4th")]
[b'shit', b'shit', b'moron', b'stupid', b'stupid', b'4th']
>>> words.spelt([b"y", b"o", b"u", b"m", b"0", b"r", b"o", b"n"])
[b'you', b'moron']
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import product
from math import inf, log, prod

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
_SIGNS = "".join(sign for sign in _MEANT if sign.isascii()).encode()
LEAST = 3  # bytes; what is shorter can be read as too many words
_READINGS = 16  # of one word
LONGEST = 24  # bytes; a longer word is not taken apart
_RUN = 60  # letters with spaces between them that are divided at once
_ALONE = 12.0  # the cost of a letter that is no word; a rare word costs about ten
SWAPPED = 4  # bytes
SPELT = 3  # letters in a row that are no accident
REPEATED = 3  # times, of a letter in a row
_REPEATED = re.compile(rb"(.)\1{%d,}" % (REPEATED - 1), re.DOTALL)
_STARS = b"*#%@$&"
_STARRED = frozenset(_STARS)
_STAR = re.compile(rb"[*#%@$&]")
_SOME_STARS = re.compile(rb"[*#%@$&]+")
_BETWEEN = b"-_.~*'|/\\+=^"
_WORD = re.compile(rb"[a-z][a-z']*")
_MARK = b"*"
_MOST = 1 << 17  # words
_REMEMBERED = 1 << 14  # words
_LETTER = re.compile(rb"[a-z]")
_LETTERS = [bytes([code]) for code in range(ord("a"), ord("z") + 1)]
_VOWELS = (b"a", b"e", b"i", b"o", b"u", b"y")
_GUESSED = 2  # letters under stars; more can be read as too many words
_HIDDEN = 3.0  # of a cost: a word that people disguise is this much likelier under a star


class Vocabulary:
    """The words a model knows, the most frequent first; *marked* are those people disguise."""

    def __init__(self, words: Iterable[bytes], *, marked: Iterable[bytes] = ()) -> None:
        self.words = tuple(words)
        self.marked = tuple(marked)
        self._costs = {word: 1 + log(at + 2) for at, word in enumerate(self.words)}
        self._letters = {bytes(sorted(word)) for word in self.words}
        self._in_order = sorted(self.words)
        self._disguised = frozenset(self.marked)
        self._met: dict[bytes, bytes] = {}  # other words, and what they are read as
        self._by_first: dict[int, list[bytes]] = {}
        for word in self.marked:
            self._by_first.setdefault(word[0], []).append(word)

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
        return b"".join(word + _MARK * (word in self._disguised) + b"\n" for word in self.words)

    def __contains__(self, word: bytes) -> bool:
        """Return whether *word* is one of the vocabulary."""
        return word in self._costs

    def plain(self, word: bytes) -> bytes:
        """Return the word that *word* is a disguise of, or *word* itself."""
        if word in self._costs or not LEAST <= len(word) <= LONGEST * 4:
            return word
        if word.isalpha():  # of ASCII
            return self._unrepeated(word) or self._unswapped(word) or word
        if word.isdigit():
            return word
        found = self._read(word if word.isascii() else _unaccented(word))
        return word if found is None else found

    def spelt(self, letters: Sequence[bytes]) -> list[bytes]:
        """Return the words that *letters*, one after another, spell; none if they spell nothing.

        The most likely division into words of the vocabulary counts; a letter may stand alone.
        What has no letter in it, a number above all, is one word.
        """
        words: list[bytes] = []
        for at in range(0, len(letters), _RUN):
            run = b"".join(letters[at : at + _RUN])
            divides = len(run) >= SPELT and _LETTER.search(run) is not None
            words += self._divided(run) if divides else [run]
        return words if max(map(len, words), default=0) >= SPELT else []

    def all_plain(self, words: Sequence[bytes]) -> list[bytes]:
        """Return `plain` of each of *words*."""
        known, met, plain = self._costs, self._met, self.plain
        if len(met) > _REMEMBERED:
            met = self._met = {}  # a new one: another thread may be reading from the old one
        found = []
        for word in words:
            read = word if word in known else met.get(word)
            if read is None:
                read = met[word] = plain(word)
            found.append(read)
        return found

    def distinct(self, words: Sequence[bytes]) -> tuple[int, list[bytes]]:
        """Return how many *words* there are and, in order, the different ones, all plain."""
        found = list(dict.fromkeys(self.all_plain(words)))
        if spells(found):
            words = self.joined(words)
            found = list(dict.fromkeys(self.all_plain(words)))
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
        if len(word) > LONGEST or _LETTER.search(word) is None:
            return None
        for reading in _readings(word):
            if reading in self._costs:
                return reading
            if (shorter := self._unrepeated(reading)) is not None:
                return shorter
        if len(word.translate(None, _STARS)) != len(word) and _LETTER.match(word):
            found = self._unstarred(word)
            if found is not None:
                return found
        return self._unsigned(word) or self._unswapped(word)

    def _unsigned(self, word: bytes) -> bytes | None:
        """Return the word that *word* is without the signs between its letters."""
        bare = word.translate(None, _BETWEEN)
        if not LEAST <= len(bare) < len(word):
            return None
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

    def _unswapped(self, word: bytes) -> bytes | None:
        """Return the most frequent word that *word* is with two neighbouring letters swapped."""
        if not word.translate(None, b"'").isalpha() or bytes(sorted(word)) not in self._letters:
            return None  # of other letters than any word: most are
        found = [other for other in swapped(word) if other in self._costs]
        return min(found, key=self._costs.__getitem__, default=None)

    def _unstarred(self, word: bytes) -> bytes | None:
        """Return the word that *word* is, stars standing for letters.

        One star inside a word is one letter, whatever the word; more, or one at its end, may
        hide more letters, and then of a marked word sooner than of another.
        """
        pieces = _STAR.split(word)
        if len(pieces) > _GUESSED or not pieces[-1]:
            return self._marked(word) or self._guessed(pieces)
        return self._guessed(pieces) or self._marked(word)

    def _guessed(self, pieces: list[bytes]) -> bytes | None:
        """Return the likeliest word that *pieces* are with a letter between each two."""
        if len(pieces) > _GUESSED + 1:
            return None
        letters = _LETTERS if len(pieces) == _GUESSED else _VOWELS
        guesses = map(b"".join, product(*[[p + each for each in letters] for p in pieces[:-1]]))
        known = [word for guess in guesses if (word := guess + pieces[-1]) in self._costs]
        return min(known, key=self._cost_under_star, default=None)

    def _cost_under_star(self, word: bytes) -> float:
        return self._costs[word] - (_HIDDEN if word in self._disguised else 0)

    def _marked(self, word: bytes) -> bytes | None:
        """Return the first marked word that *word* may be, a star standing for any letters."""
        candidates = self._by_first.get(word[0], ())
        for candidate in candidates:
            if len(candidate) == len(word) and all(
                written in _STARRED or written == meant
                for written, meant in zip(word, candidate, strict=True)
            ):
                return candidate
        pieces = _SOME_STARS.split(word)
        last = pieces[-1]
        likely = (each for each in candidates if each.endswith(last))  # few: a call each would cost
        return next((each for each in likely if _may_be(pieces, each)), None)

    def _divided(self, run: bytes) -> list[bytes]:
        """Return the cheapest division of *run* into known words and lone letters.

        Digits and signs in it, where they are few, are read as whichever letters make it cheapest.
        Only what begins a word of the vocabulary is read on, so that it costs about the same
        whatever the run holds.
        """
        letters = [_MEANT.get(letter, letter) for letter in run.decode()]
        few = prod(map(len, letters)) <= _READINGS
        meant = [[each.encode() for each in sorted(some if few else some[0])] for some in letters]
        best: list[tuple[float, int, bytes]] = [(0.0, 0, b"")] + [(inf, 0, b"")] * len(run)
        for begin in range(len(run)):
            so_far = best[begin][0]
            pieces = [b""]
            for end in range(begin + 1, min(len(run), begin + LONGEST) + 1):
                read = [piece + letter for piece in pieces for letter in meant[end - 1]]
                alone = _ALONE if end - begin == 1 else inf
                for piece in read:
                    cost = so_far + self._costs.get(piece, alone)
                    if cost < best[end][0]:
                        best[end] = (cost, begin, piece)
                pieces = [piece for piece in read if self._begins_a_word(piece)]
                if not pieces:
                    break
        words = []
        end = len(run)
        while end:
            _, end, word = best[end]
            words.append(word)
        return words[::-1]

    def _begins_a_word(self, piece: bytes) -> bool:
        at = bisect_left(self._in_order, piece)
        return at < len(self._in_order) and self._in_order[at].startswith(piece)


def spells(words: Iterable[bytes]) -> bool:
    """Return whether there are single letters in a row among *words* that may spell something."""
    return in_a_row(len(word) == 1 and word.isascii() for word in words)


def in_a_row(letters: Iterable[bool]) -> bool:
    """Return the same of what says, word by word, whether it is a single letter."""
    row = 0
    for letter in letters:
        row = row + 1 if letter else 0
        if row == SPELT:
            return True
    return False


def _may_be(pieces: Sequence[bytes], word: bytes) -> bool:
    """Return whether *word*, which ends as *pieces* do, is them with something between each two."""
    if not word.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        at = word.find(piece, at + 1)
        if at < 0:
            return False
        at += len(piece)
    return at < len(word) - len(pieces[-1])


def swapped(word: bytes) -> list[bytes]:
    """Return *word* with each two neighbouring letters swapped, but never its first letter.

    Who mistypes a word mostly keeps that, and so does who disguises it. What is shorter than
    four letters could come of too many words.

    >>> swapped(b"from")
    [b'form', b'frmo']
    """
    if not SWAPPED <= len(word) <= LONGEST:
        return []
    return [
        word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]
        for at in range(1, len(word) - 1)
    ]


def _readings(word: bytes) -> list[bytes]:
    """Return what *word*, which has a letter, may mean when others are read as letters.

    They are few, the best comes first.
    """
    if word.isascii() and len(word.translate(None, _SIGNS)) == len(word):
        return [word]
    letters = [_MEANT.get(letter, letter) for letter in word.decode("utf-8", "replace")]
    if prod(map(len, letters)) > _READINGS:
        letters = [each[0] for each in letters]
    return ["".join(each).encode() for each in product(*letters)]


def _unaccented(word: bytes) -> bytes:
    """Return *word* without marks on its letters."""
    taken_apart = unicodedata.normalize("NFD", word.decode())
    return "".join(each for each in taken_apart if not unicodedata.combining(each)).encode()
