"""Probabilities for comments: the fast linear scorer.

Pure numpy: no clock, no database, no file; scikit-learn is not needed to score.

The score of a text does not depend on the texts beside it, nor on what was scored before: the
words a scorer remembers are only sums it would work out again.
"""

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moderation import ngrams
from moderation.text import normalise
from moderation.verdict import LABELS

Floats = NDArray[np.float64]

_PAIR_WEIGHT = np.float32(ngrams.PAIR_WEIGHT)
_UNKNOWN = 0  # the place of a fact token, so of no word
_REMEMBERED = 1 << 16  # words; about 14 MB when full
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


class _Places(dict[bytes, int]):
    """Where each word's sums lie; of words not met it says so without a word's being added."""

    def __missing__(self, word: bytes) -> int:
        return _UNKNOWN


class _Memory(NamedTuple):
    """What words have been worked out: *places* says which row of the other two is whose."""

    places: _Places
    sums: Floats
    codes: NDArray[np.uint32]


class Scorer:
    """Scores texts for every label, in the order of `LABELS`.

    *weights* are (ngrams.ROWS, labels) float32, *intercepts* (labels,). Safe to share between
    threads.
    """

    def __init__(
        self, weights: NDArray[np.float32], intercepts: Floats, calibration: Calibration
    ) -> None:
        self.weights = np.ascontiguousarray(weights, dtype=np.float32)
        self.intercepts = intercepts
        self.calibration = calibration
        self._learning = threading.Lock()
        self._memory = self._empty_memory()

    def score(self, texts: Sequence[str]) -> Floats:
        """Return calibrated probabilities in 0..1, of shape (len(texts), labels)."""
        return self.calibration.apply(self.logits(texts))

    def logits(self, texts: Sequence[str]) -> Floats:
        """Return the scores before calibration, of shape (len(texts), labels)."""
        if len(texts) <= _CHUNK:
            return self._logits(texts)
        return np.concatenate(
            [self._logits(texts[at : at + _CHUNK]) for at in range(0, len(texts), _CHUNK)]
        )

    def _logits(self, texts: Sequence[str]) -> Floats:
        if not texts:
            return np.empty((0, len(LABELS)))
        memory = self._memory
        find = memory.places.__getitem__
        places: list[int] = []
        sizes = []
        missing: list[bytes] = []
        holes: list[int] = []
        for text in texts:
            plain = normalise(text)
            words = dict.fromkeys(plain.words)
            found = list(map(find, words))
            places += ngrams.fact_tokens(plain, len(words))
            if _UNKNOWN in found:
                for at, (word, place) in enumerate(zip(words, found, strict=True), len(places)):
                    if place == _UNKNOWN:
                        missing.append(word)
                        holes.append(at)
            places += found
            sizes.append(ngrams.FACTS + len(words))
        order = np.array(places, dtype=np.intp)
        sums = memory.sums.take(order, axis=0)
        codes = memory.codes.take(order)
        if missing:
            self._work_out(missing, holes, sums, codes)
        counts = np.array(sizes)
        starts = counts.cumsum()
        starts -= counts
        pairs = self.weights.take(ngrams.pair_rows(codes, starts), axis=0)
        pairs *= _PAIR_WEIGHT
        sums += pairs
        totals = np.add.reduceat(sums, starts, axis=0)
        totals *= (counts**-0.5)[:, None]
        totals += self.intercepts
        return totals

    def _work_out(
        self, missing: list[bytes], holes: list[int], sums: Floats, codes: NDArray[np.uint32]
    ) -> None:
        """Put the sums and codes of the *missing* words where they belong, and remember them."""
        order = {word: at for at, word in enumerate(dict.fromkeys(missing))}
        distinct = list(order)
        rows, starts, sizes = ngrams.word_rows(distinct)
        new_sums = np.add.reduceat(self.weights.take(rows, axis=0), starts, axis=0, dtype=float)
        new_sums /= np.sqrt(sizes)[:, None]
        new_codes = ngrams.word_codes(distinct)
        source = [order[word] for word in missing]
        sums[holes] = new_sums.take(source, axis=0)
        codes[holes] = new_codes.take(source)
        self._remember(distinct, new_sums, new_codes)

    def _remember(self, words: list[bytes], sums: Floats, codes: NDArray[np.uint32]) -> None:
        """Keep what was worked out; when there is no room, forget everything and begin anew."""
        with self._learning:
            known = self._memory.places
            fresh = [
                at for at, word in enumerate(words) if len(word) <= _LONGEST and word not in known
            ][:_REMEMBERED]
            first = ngrams.FACT_TOKENS + len(known)
            if first + len(fresh) > len(self._memory.sums):
                # A new object, because another thread may be reading from the old one.
                self._memory = self._empty_memory()
                first = ngrams.FACT_TOKENS
            last = first + len(fresh)
            self._memory.sums[first:last] = sums.take(fresh, axis=0)
            self._memory.codes[first:last] = codes.take(fresh)
            # Last: from here on other threads find them.
            names = [words[at] for at in fresh]
            self._memory.places.update(zip(names, range(first, last), strict=True))

    def _empty_memory(self) -> _Memory:
        """Return a memory that holds the fact tokens alone."""
        size = ngrams.FACT_TOKENS + _REMEMBERED
        sums = np.zeros((size, len(LABELS)))
        sums[: ngrams.FACT_TOKENS] = self.weights[ngrams.HASHED_ROWS :]
        codes = np.zeros(size, dtype=np.uint32)
        codes[: ngrams.FACT_TOKENS] = ngrams.fact_codes()
        return _Memory(_Places(), sums, codes)
