"""The tokens of `ngrams` as a scikit-learn transformer, for training and for checking the scorer.

The scorer never comes here: this is the same sum written as a sparse matrix, slowly.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags

from moderation.model.scoring import Scorer
from moderation.text import identity, ngrams
from moderation.text.disguise import Vocabulary
from moderation.text.normal import normalise
from moderation.verdict import LABELS, Label

_CHUNK = 4096  # texts; bounds the memory of the products below


class TokenFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Texts to sparse rows of `ngrams.ROWS` columns; nothing is learnt from data.

    *vocabulary* is what disguised words are read with, none by default; *blind* reads every word
    that names a group as the same word. *dtype* is the type of the values: float64 to agree with
    the scorer to the last digits, float32 to train in half the memory.
    """

    def __init__(
        self,
        *,
        vocabulary: Vocabulary | None = None,
        blind: bool = False,
        dtype: type[np.floating[Any]] = np.float64,
    ) -> None:
        self.vocabulary = vocabulary
        self.blind = blind
        self.dtype = dtype

    def fit(self, texts: Iterable[str], y: object = None) -> Self:  # noqa: ARG002 - sklearn's shape
        """Do nothing, as scikit-learn asks of a stateless transformer."""
        return self

    def transform(self, texts: Iterable[str]) -> sparse.csr_matrix:
        """Return the matrix of *texts*; raises TypeError when one is not a string."""
        known = list(texts)
        for text in known:
            if not isinstance(text, str):
                raise TypeError(f"expected texts of type str, got {type(text).__name__}")
        vocabulary = self.vocabulary or Vocabulary([])
        chunks = [
            _matrix(known[at : at + _CHUNK], vocabulary, blind=self.blind)
            for at in range(0, len(known), _CHUNK)
        ]
        empty = sparse.csr_matrix((0, ngrams.ROWS))
        return sparse.vstack(chunks or [empty], format="csr", dtype=self.dtype)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        return tags


def estimator(scorer: Scorer, label: Label) -> Pipeline:
    """Return a scikit-learn pipeline with the very weights *scorer* has for *label*.

    Its `decision_function` is the scorer's sum, before second stage and calibration.
    """
    column = LABELS.index(label)
    head = LogisticRegression()
    head.classes_ = np.array([False, True])
    head.coef_ = scorer.weights[None, :, column].astype(np.float64)
    head.intercept_ = np.zeros(1)
    head.n_features_in_ = ngrams.ROWS
    blind = label is not Label.IDENTITY_ATTACK
    tokens = TokenFeatures(vocabulary=scorer.vocabulary, blind=blind)
    return Pipeline([("tokens", tokens), ("head", head)])


def _matrix(texts: Sequence[str], vocabulary: Vocabulary, *, blind: bool) -> sparse.csr_matrix:
    """Return the matrix of one chunk: texts by tokens times tokens by rows, plus the pairs."""
    columns: dict[bytes, int] = {}
    tokens: list[int] = []
    sizes: list[int] = []
    for text in texts:
        plain = normalise(text)
        count, words = vocabulary.distinct(plain.words)
        tokens += ngrams.fact_tokens(plain, count, len(words))
        tokens += [columns.setdefault(word, ngrams.FACT_TOKENS + len(columns)) for word in words]
        sizes.append(ngrams.FACTS + len(words))
    sighted = list(columns)
    unseeing = identity.blinded(sighted)
    rows_of_tokens = _rows_of_tokens(unseeing if blind else sighted)
    codes = np.concatenate((ngrams.fact_codes(), ngrams.word_codes(unseeing)))
    counts = np.array(sizes, dtype=np.intp)
    ends = counts.cumsum()
    starts = ends - counts
    ptr = np.concatenate(([0], ends))
    weights = np.repeat(1 / np.sqrt(sizes), sizes)
    places = np.array(tokens)
    shape = (len(texts), rows_of_tokens.shape[0])
    pairs = ngrams.pair_rows(codes[places], starts).astype(np.int32)
    return sparse.csr_matrix((weights, places, ptr), shape=shape) @ rows_of_tokens + (
        sparse.csr_matrix(
            (ngrams.PAIR_WEIGHT * weights, pairs, ptr), shape=(len(texts), ngrams.ROWS)
        )
    )


def _rows_of_tokens(words: list[bytes]) -> sparse.csr_matrix:
    """Every fact token and then every word, as rows of the weight table."""
    facts = np.arange(ngrams.FACT_TOKENS)
    indices = [facts + ngrams.HASHED_ROWS]
    values: list[NDArray[np.float64]] = [np.ones(ngrams.FACT_TOKENS)]
    sizes = [np.ones(ngrams.FACT_TOKENS, dtype=np.intp)]
    if words:
        found = ngrams.word_rows(words)
        indices.append(found.rows)
        values.append(np.repeat(1 / np.sqrt(found.sizes), found.sizes))
        sizes.append(found.sizes)
    ptr = np.concatenate(([0], np.concatenate(sizes).cumsum()))
    return sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(indices).astype(np.int32), ptr),
        shape=(ngrams.FACT_TOKENS + len(words), ngrams.ROWS),
    )
