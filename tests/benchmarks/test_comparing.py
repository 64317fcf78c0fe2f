"""Tests of what `make bench-model` compares by."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import comparing
import peers


def test_a_difference_is_of_the_same_rows() -> None:
    """Two sides that differ by little have an interval of their difference far from theirs."""
    draw = np.random.default_rng(0)
    truth = draw.random(2000) < 0.2
    scores = truth + draw.normal(size=2000)
    better = scores + 0.1 * truth
    ours, theirs = (comparing.area(each, truth) for each in (better, scores))

    whole, difference = ours.figure(), ours.minus(theirs)

    assert whole.low < whole.value < whole.high
    assert 0 < difference.low < difference.value < difference.high
    assert difference.high - difference.low < (whole.high - whole.low) / 2
    assert ours.minus(ours) == (0, 0, 0)


@pytest.mark.parametrize(
    ("value", "at_least", "mark"),
    [
        (0.99, True, "aim reached"),
        (0.95, True, "pass"),
        (0.8999, True, "MISS"),
        (0.01, False, "aim reached"),
        (0.91, False, "pass"),
        (0.951, False, "MISS"),
    ],
)
def test_a_missed_floor_is_shown_as_missed(
    value: float,
    at_least: bool,  # noqa: FBT001
    mark: str,
) -> None:
    """Floor and aim are judged on the figure itself, in its own direction."""
    floor, aim = (0.9, 0.97) if at_least else (0.95, 0.05)

    row = comparing.judged("it", comparing.Figure(value), floor, aim, at_least=at_least)

    assert row.mark == mark


def test_counting_once_gives_the_usual_pipeline() -> None:
    """What is fitted on shared counts answers as scikit-learn's own vectorizers do."""
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(["bad", "good", "man", "dog", "ran"], 6)) for _ in range(80)]
    truth = np.array([["bad" in text] for text in texts])
    rows = list(range(60))

    counted = peers.Counted(texts)
    usual = counted.usual(rows, truth[:60], np.ones((60, 1), dtype=bool))

    theirs = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, dtype=np.float32),
            TfidfVectorizer(
                analyzer="char_wb",
                ngram_range=(2, 5),
                sublinear_tf=True,
                min_df=3,
                dtype=np.float32,
            ),
        ),
        LogisticRegression(C=2.0, max_iter=200),
    ).fit(texts[:60], truth[:60, 0])
    expected = theirs.decision_function(texts[60:])
    assert usual.scores(texts[60:])[:, 0] == pytest.approx(expected, abs=1e-3)
    assert counted.scores(usual, range(60, 80))[:, 0] == pytest.approx(expected, abs=1e-3)


def test_a_mailbox_holds_every_comment() -> None:
    """A comment that looks like the start of a message, or holds lines, is still one message."""
    box = peers.mailbox(["From here\n\nFrom there", "x\r\ny", "\ud800"])

    assert box.count(b"\n\nFrom ") + box.startswith(b"From ") == 3
    assert b">From here\n\n>From there" in box
