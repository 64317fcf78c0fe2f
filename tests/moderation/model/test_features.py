"""Tests of moderation.model.features."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from moderation.model import bundle
from moderation.model.features import TokenFeatures, estimator
from moderation.model.scoring import SUMS
from moderation.text import ngrams
from moderation.verdict import LABELS, Label

TEXTS = [
    "Great article, thank you!",
    "",
    "BUY now!!! http://pills.example.ru now now",
    "caf\u00e9 \ud800 \x00",
    "word " * 2000,
    "x" * 3000,
    "y0u m0r0n, f u c k o f f you gay f**k",
    "a b a b a b u u u",
]


@pytest.mark.parametrize("label", [Label.SPAM, Label.TOXICITY, Label.IDENTITY_ATTACK])
def test_the_scorer_equals_scikit_learn(label: Label) -> None:
    """With the same stored weights both give the same sum before the second stage."""
    scorer = bundle.shipped().scorer

    expected = estimator(scorer, label).decision_function(TEXTS)

    sums = scorer.pooled(TEXTS)[:, SUMS]
    assert np.abs(sums[:, LABELS.index(label)] - expected).max() < 1e-6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_is_a_transformer_to_scikit_learn() -> None:
    """scikit-learn's own checks pass; those that feed numbers do not apply to texts."""
    check_estimator(TokenFeatures(), on_skip=None)


def test_chunks_are_joined_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix does not depend on how many texts are worked on at once."""
    whole = TokenFeatures().transform(TEXTS)
    monkeypatch.setattr("moderation.model.features._CHUNK", 2)

    pieces = TokenFeatures().transform(TEXTS)

    assert whole.shape == (len(TEXTS), ngrams.ROWS)
    assert abs(whole - pieces).max() < 1e-12


def test_no_texts_give_an_empty_matrix() -> None:
    """An empty batch has the columns and no rows."""
    assert TokenFeatures().transform([]).shape == (0, ngrams.ROWS)


def test_what_is_no_text_is_refused() -> None:
    """A number among the texts is an error that names both types."""
    with pytest.raises(TypeError, match="type str, got int"):
        TokenFeatures().transform([3])
