"""Probabilities for comments: the fast linear scorer.

No clock, no database, no file; scikit-learn is not needed to score. What every comment goes
through is compiled where it could be (`native`); numpy does the very same elsewhere.

The score of a text does not depend on the texts beside it, nor on what was scored before: the
words a scorer remembers are only sums it would work out again.
"""

import threading
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from moderation.text import identity, ngrams
from moderation.text.disguise import Vocabulary, in_a_row
from moderation.text.normal import Normalised, normalise
from moderation.verdict import LABELS, Label

try:
    from moderation.model import native

    COMPILED, WHY_NOT = True, ""
except (AttributeError, ImportError) as error:
    # There was no compiler where the package was built, or what there is was built of another.
    COMPILED, WHY_NOT = False, str(error)

Floats = NDArray[np.float64]

POOLED = 3 * len(LABELS)
"""How many numbers the second stage sees of a text: a sum, a mean and a peak of each label."""
SUMS, MEANS, PEAKS = (slice(at, at + len(LABELS)) for at in range(0, POOLED, len(LABELS)))
_SIGHTED = LABELS.index(Label.IDENTITY_ATTACK)  # the one label that sees which group is named
FAMILIAR = 0.5  # share of words; below it a text is in no language the model knows
_FOREIGN = 3  # unknown words; fewer may be names, links and slips
_PAIR_WEIGHT = np.float32(ngrams.PAIR_WEIGHT)
_UNKNOWN = 0  # the place of a fact token, so of no word
_LETTERS = [bytes([code]) for code in range(33, 127) if chr(code) not in '.,:;!?()"']
_FIRST = ngrams.FACT_TOKENS + len(_LETTERS)  # the first place of a longer word
_LETTER_PLACES = frozenset(range(ngrams.FACT_TOKENS, _FIRST))
_REMEMBERED = 1 << 16  # words beside those that are given; about 14 MB when full
_AT_ONCE = 1 << 11  # words that are worked out while no other thread runs
_LONGEST = 40  # bytes; longer words are seldom met twice
_CHUNK = 256  # texts scored at once, so that a large batch keeps a small memory


class Calibration:
    """Piecewise linear maps from logit to probability, one a label.

    *values* has the shape (labels, knots): the probabilities at logits spaced evenly from *low*
    to *high*; beyond them the nearest holds. Even spacing finds every segment by one
    multiplication, where a search would take longer than the rest of scoring one comment.
    """

    def __init__(self, values: Floats, *, low: float, high: float) -> None:
        self.values = values
        self.low = low
        self.high = high
        labels, knots = values.shape
        step = (high - low) / (knots - 1)
        slopes = np.diff(values, axis=1) / step
        begins = low + step * np.arange(knots - 1)
        self._slopes = slopes.ravel()
        self._offsets = (values[:, :-1] - slopes * begins).ravel()
        self._per_step = np.float64(1 / step)
        self._low = np.float64(low)
        self._high = np.float64(high - step * 1e-9)  # inside the last segment, come what may
        self._columns = np.arange(labels, dtype=np.intp) * (knots - 1)

    def apply(self, logits: Floats) -> Floats:
        """Return the probabilities for *logits* of shape (n, labels)."""
        inside = np.minimum(logits, self._high)
        np.maximum(inside, self._low, out=inside)
        segments = ((inside - self._low) * self._per_step).astype(np.intp)
        segments += self._columns
        inside *= self._slopes.take(segments)
        inside += self._offsets.take(segments)
        np.minimum(inside, 1.0, out=inside)
        return np.maximum(inside, 0.0, out=inside)


class Stage(NamedTuple):
    """The second stage: a linear map from what a text adds up to, to the logits of the labels.

    The logits are *intercepts* + pooled @ *slopes*, where pooled are the sums, the means and the
    peaks of the text (`Looked.pool`). All of it stays a sum over words, pairs and facts: that is
    what makes an explanation exact. *slopes* has the shape (`POOLED`, labels); column j is for
    label j.
    """

    intercepts: Floats
    slopes: Floats

    @classmethod
    def none(cls, intercepts: Floats) -> "Stage":
        """Return the stage that changes nothing: sums and *intercepts* alone."""
        return cls(intercepts, np.eye(POOLED, len(LABELS)))


class _Places(dict[bytes, int]):
    """Where each word's sums lie; of words not met it says so without a word's being added."""

    def __missing__(self, word: bytes) -> int:
        return _UNKNOWN

    def add(self, words: list[bytes], first: int) -> None:
        """Note the places of *words*, one after the other from *first* on."""
        self.update(zip(words, range(first, first + len(words)), strict=True))


class _Memory:
    """What words have been worked out: *places* says which row of the arrays is whose.

    The first places are given, and stay: those of the fact tokens, then of every word of one ASCII
    character, then of the vocabulary's words. A word in disguise has the place of the word it
    stands for.
    """

    def __init__(self, room: int, facts: "_Worked") -> None:
        self.places = native.Places() if COMPILED else _Places()
        self.sums = np.zeros((room, len(LABELS)))
        self.codes = np.zeros(room, dtype=np.uint32)
        self.known = np.zeros(room, dtype=np.bool_)
        self._taken = 0
        self._put(facts)

    def has_room(self, count: int) -> bool:
        """Return whether *count* more words can be remembered."""
        return max(self._taken, len(self.places)) + count <= len(self.sums)

    def add(self, words: list[bytes], worked: "_Worked") -> None:
        """Remember *words*, whose sums, codes and familiarity these are."""
        first = self._taken
        self._put(worked)
        # Last: from here on other threads find them.
        self.places.add(words, first)

    def renewed(self, given: list[bytes]) -> "_Memory":
        """Return a memory of the facts and the *given* words, which are this one's first, alone."""
        facts = ngrams.FACT_TOKENS
        mine = _Worked(self.sums, self.codes, self.known)
        fresh = _Memory(len(self.sums), mine.part(0, facts))
        fresh.add(given, mine.part(facts, facts + len(given)))
        return fresh

    def _put(self, worked: "_Worked") -> None:
        last = self._taken + len(worked.codes)
        self.sums[self._taken : last] = worked.sums
        self.codes[self._taken : last] = worked.codes
        self.known[self._taken : last] = worked.known
        self._taken = last


class _Worked(NamedTuple):
    """Sums, codes and familiarity of some words."""

    sums: Floats
    codes: NDArray[np.uint32]
    known: NDArray[np.bool_]

    def part(self, first: int, last: int) -> "_Worked":
        """Return those of the words from *first* to before *last*."""
        return _Worked(self.sums[first:last], self.codes[first:last], self.known[first:last])


class Looked(NamedTuple):
    """Texts as the scorer sees them: the tokens of each, and what each token adds.

    The tokens of a text are those of its facts and then its distinct words in order of first
    appearance. *sizes* says how many tokens each text has, *starts* where its first is;
    *sums* has the row of each token, *pairs* that of the pair it ends, *familiar* how many words
    of each text the vocabulary has.
    """

    sizes: NDArray[np.intp]
    starts: NDArray[np.intp]
    sums: Floats
    pairs: NDArray[np.float32]
    familiar: Floats

    def pool(self) -> Floats:
        """Return the sums, the means and the peaks of the texts, of shape (texts, POOLED).

        With m tokens, a sum is that of the tokens over the root of m (`ngrams`), a mean that over
        m: of a long text the one tells how much there is, the other how thick it lies. A peak is
        the most that one token has, its pair aside.
        """
        pooled = np.empty((len(self.sizes), POOLED))
        sums, means = pooled[:, SUMS], pooled[:, MEANS]
        np.add.reduceat(self.sums + self.pairs, self.starts, axis=0, out=sums)
        scale = (self.sizes**-0.5)[:, None]
        sums *= scale
        np.multiply(sums, scale, out=means)
        np.maximum.reduceat(self.sums, self.starts, axis=0, out=pooled[:, PEAKS])
        return pooled


class Scored(NamedTuple):
    """What texts scored: *probabilities* of shape (texts, labels), and how familiar they are.

    *familiar* is the share of each text's distinct *words* that the model's vocabulary has.
    """

    probabilities: Floats
    familiar: Floats
    words: NDArray[np.intp]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the model knows the language of each text, as far as its words tell."""
        found: NDArray[np.bool_] = self.familiar >= FAMILIAR
        found |= (1 - self.familiar) * self.words < _FOREIGN
        return found


class Scorer:
    """Scores texts for every label, in the order of `LABELS`.

    *weights* are (ngrams.ROWS, labels) float32. Safe to share between threads.
    """

    def __init__(
        self,
        weights: NDArray[np.float32],
        stage: Stage,
        calibration: Calibration,
        vocabulary: Vocabulary,
    ) -> None:
        self.weights = np.ascontiguousarray(weights, dtype=np.float32)
        self.stage = stage
        self.calibration = calibration
        self.vocabulary = vocabulary
        self._learning = threading.Lock()
        letters = frozenset(_LETTERS)
        self._given = [*_LETTERS, *(word for word in vocabulary.words if word not in letters)]
        self._memory = self._first_memory()
        self._letters = _letters_of(vocabulary) if COMPILED else None

    def score(self, texts: Sequence[str]) -> Floats:
        """Return calibrated probabilities in 0..1, of shape (len(texts), labels)."""
        return self.calibration.apply(self.logits(texts))

    def read(self, texts: Sequence[str]) -> Scored:
        """Score *texts*, and say how much of them the model knows."""
        return self._scored(*self._whole(texts))

    def logits(self, texts: Sequence[str]) -> Floats:
        """Return the scores before calibration, of shape (len(texts), labels)."""
        return self._whole(texts)[0]

    def _whole(self, texts: Sequence[str]) -> tuple[Floats, Floats, NDArray[np.intp]]:
        """Return the logits of *texts*, how many of their words are known, and how many all."""
        if not texts:
            return np.empty((0, len(LABELS))), np.empty(0), np.empty(0, dtype=np.intp)
        if len(texts) <= _CHUNK:
            return self._logits(texts)
        parts = [self._logits(texts[at : at + _CHUNK]) for at in range(0, len(texts), _CHUNK)]
        logits, familiar, words = zip(*parts, strict=True)
        return np.concatenate(logits), np.concatenate(familiar), np.concatenate(words)

    def _logits(self, texts: Sequence[str]) -> tuple[Floats, Floats, NDArray[np.intp]]:
        if COMPILED:
            return self._compiled(texts)
        looked = self.look(texts)
        return self.mixed(looked), looked.familiar, looked.sizes - ngrams.FACTS

    def _compiled(self, texts: Sequence[str]) -> tuple[Floats, Floats, NDArray[np.intp]]:
        """Do the same with what is compiled."""
        memory = self._memory
        beyond: dict[bytes, int] = {}
        order, sizes = native.tokens(
            cast("native.Places", memory.places),
            cast("native.Places", self._letters),
            texts,
            beyond,
            len(memory.sums),
            partial(self._place, memory, beyond),
            self.vocabulary.joined,
            _FIRST,
        )
        worked = self._worked(list(beyond)) if beyond else _NOTHING
        pooled, familiar = native.pool(order, sizes, sizes**-0.5, memory, worked, self.weights)
        if beyond:
            self._remember(list(beyond), worked)
        return self._mix(pooled), familiar, sizes - ngrams.FACTS

    def mixed(self, looked: Looked) -> Floats:
        """Return the logits of the texts that were looked at."""
        return self._mix(looked.pool())

    def _mix(self, pooled: Floats) -> Floats:
        logits: Floats = pooled @ self.stage.slopes
        logits += self.stage.intercepts
        return logits

    def _scored(self, logits: Floats, familiar: Floats, words: NDArray[np.intp]) -> Scored:
        return Scored(self.calibration.apply(logits), familiar / np.maximum(words, 1), words)

    def pooled(self, texts: Sequence[str]) -> Floats:
        """Return what the second stage sees of *texts*, at least one."""
        parts = [self.look(texts[at : at + _CHUNK]) for at in range(0, len(texts), _CHUNK)]
        return np.concatenate([part.pool() for part in parts])

    def look(self, texts: Sequence[str]) -> Looked:
        """Return what *texts*, at least one and not too many at once, consist of."""
        return self.look_at([normalise(text) for text in texts])

    def look_at(self, plain: Sequence[Normalised]) -> Looked:
        """Return the same for texts that were normalised already."""
        memory = self._memory
        beyond: dict[bytes, int] = {}
        tokens = [self._tokens(memory, beyond, each) for each in plain]
        counts = np.array([len(each) for each in tokens])
        ends = counts.cumsum()
        starts = ends - counts
        order = np.fromiter(chain.from_iterable(tokens), dtype=np.intp, count=ends[-1])
        sums = memory.sums.take(order, axis=0, mode="clip")
        codes = memory.codes.take(order, mode="clip")
        known = memory.known.take(order, mode="clip")
        if beyond:
            new = order >= len(memory.sums)
            numbers = order[new] - len(memory.sums)
            worked = self._worked(list(beyond))
            sums[new] = worked.sums.take(numbers, axis=0)
            codes[new] = worked.codes.take(numbers)
            known[new] = worked.known.take(numbers)
            self._remember(list(beyond), worked)
        pairs = self.weights.take(ngrams.pair_rows(codes, starts), axis=0)
        pairs *= _PAIR_WEIGHT
        return Looked(counts, starts, sums, pairs, np.add.reduceat(known, starts, dtype=float))

    def _tokens(self, memory: _Memory, beyond: dict[bytes, int], plain: Normalised) -> list[int]:
        """Return the places of the tokens of a text.

        Words the memory lacks are numbered in *beyond*, from the memory's end on.
        """
        count = len(plain.words)
        found = self._distinct(memory, beyond, plain.words)
        if in_a_row(place in _LETTER_PLACES for place in found):
            words = self.vocabulary.joined(plain.words)
            count = len(words)
            found = self._distinct(memory, beyond, words)
        return [*ngrams.fact_tokens(plain, count, len(found)), *found]

    def _distinct(
        self, memory: _Memory, beyond: dict[bytes, int], words: list[bytes]
    ) -> dict[int, None]:
        """Return the places of *words*, each once, in their order."""
        read = list(map(memory.places.__getitem__, words))
        found = dict.fromkeys(read)
        if _UNKNOWN in found:
            self._meet(memory, beyond, words, read)
            found = dict.fromkeys(read)
        return found

    def _meet(
        self, memory: _Memory, beyond: dict[bytes, int], words: list[bytes], read: list[int]
    ) -> None:
        """Fill in, in *read*, the places of those of *words* that the memory lacks."""
        at = -1
        for _ in range(read.count(_UNKNOWN)):
            at = read.index(_UNKNOWN, at + 1)
            read[at] = self._place(memory, beyond, words[at])

    def _place(self, memory: _Memory, beyond: dict[bytes, int], word: bytes) -> int:
        """Return where the sums of *word*, or of the word it is in disguise, are or will be."""
        if word in beyond:
            return beyond[word]
        plain = self.vocabulary.plain(word)
        if plain != word:
            place = memory.places.get(plain)
            if place:
                self._alias(memory, word, place)
                return place
        return beyond.setdefault(plain, len(memory.sums) + len(beyond))

    def _worked(self, words: list[bytes]) -> _Worked:
        """Work out what *words*, at least one, add; whether any is familiar is not asked."""
        if len(words) > _AT_ONCE:
            parts = [
                self._worked(words[at : at + _AT_ONCE]) for at in range(0, len(words), _AT_ONCE)
            ]
            return _Worked(*map(np.concatenate, zip(*parts, strict=True)))
        blinded = identity.blinded(words)
        sums, codes = _summed(blinded, self.weights)
        if blinded != words:
            sums[:, _SIGHTED] = _summed(words, self.weights)[0][:, _SIGHTED]
        return _Worked(sums, codes, np.zeros(len(words), dtype=np.bool_))

    def _remember(self, words: list[bytes], worked: _Worked) -> None:
        """Keep what was worked out; when there is no room, forget all but what was given."""
        with self._learning:
            memory = self._memory
            if max(map(len, words)) > _LONGEST:
                kept = [at for at, word in enumerate(words) if len(word) <= _LONGEST]
                words = [words[at] for at in kept]
                worked = _Worked(worked.sums[kept], worked.codes[kept], worked.known[kept])
            words = words[:_REMEMBERED]
            if not memory.has_room(len(words)):
                # A new object, because another thread may be reading from the old one.
                memory = self._memory = memory.renewed(self._given)
            memory.add(words, worked.part(0, len(words)))

    def _alias(self, memory: _Memory, word: bytes, place: int) -> None:
        """Remember that *word* is the word at *place*, where there is room for it."""
        with self._learning:
            if len(word) <= _LONGEST and memory.has_room(1):
                memory.places[word] = place

    def _first_memory(self) -> _Memory:
        """Return a memory of what is given: most words of most texts."""
        facts = _Worked(
            self.weights[ngrams.HASHED_ROWS :].astype(np.float64),
            ngrams.fact_codes(),
            np.zeros(ngrams.FACT_TOKENS, dtype=np.bool_),
        )
        memory = _Memory(ngrams.FACT_TOKENS + len(self._given) + _REMEMBERED, facts)
        known = np.array([word in self.vocabulary for word in self._given])
        memory.add(self._given, self._worked(self._given)._replace(known=known))
        return memory


def _letters_of(vocabulary: Vocabulary) -> "native.Places":
    """Return the words of *vocabulary*, the letters of each in their order."""
    found = native.Places()
    found.add([bytes(sorted(word)) for word in vocabulary.words], 1)
    return found


def _summed(words: list[bytes], weights: NDArray[np.float32]) -> tuple[Floats, NDArray[np.uint32]]:
    """Return what each word adds by *weights*, and its code."""
    if COMPILED:
        return native.worked(words, weights)
    rows, starts, sizes = ngrams.word_rows(words)
    sums = np.add.reduceat(weights.take(rows, axis=0), starts, axis=0, dtype=float)
    sums /= np.sqrt(sizes)[:, None]
    return sums, ngrams.word_codes(words)


_NOTHING = _Worked(
    np.empty((0, len(LABELS))), np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.bool_)
)
