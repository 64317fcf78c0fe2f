"""The scorer alone against the usual scikit-learn pipeline, on made-up comments.

    python benchmarks/scorer.py [--rounds N]

Both sides answer the same comments in turn, round after round, on whatever machine this is; the
ratios are medians of paired rounds. No comment is given twice to the same side in a round, and
the vocabulary follows Zipf's law, as words do. The scorer has scored `MET` other comments
before, as one in service has; "new" is one that has met none, at its first comments.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from moderation.model import bundle
from moderation.model.explanation import why
from moderation.model.scoring import Scorer

LENGTH = 200  # characters of a comment, about
TRAINED_ON = 4000  # comments
MET = 20_000  # comments
VOCABULARY = 20_000  # words
BATCH = 64
SINGLES = 100  # comments scored one at a time, each round


def comments(count: int, *, seed: int) -> list[str]:
    """Return *count* different comments of about `LENGTH` characters."""
    language = np.random.default_rng(1)
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
    share = 1 / np.arange(1, 27)
    words = [
        "".join(language.choice(letters, size=size, p=share / share.sum()))
        for size in language.integers(2, 11, VOCABULARY)
    ]
    draw = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, VOCABULARY + 1)
    frequency /= frequency.sum()
    made = []
    for picked in draw.choice(VOCABULARY, size=(count, 60), p=frequency):
        text = " ".join(words[each] for each in picked)[:LENGTH].capitalize()
        made.append(text + draw.choice([".", "!", "?", "!!!"]))
    return made


def pipeline() -> Pipeline:
    """Return the usual pipeline, fitted on other comments from the same vocabulary."""
    union = make_union(
        TfidfVectorizer(ngram_range=(1, 2)),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)),
    )
    whole = make_pipeline(union, LogisticRegression(max_iter=20))
    texts = comments(TRAINED_ON, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return whole.fit(texts, ["!" in text for text in texts])


def _seconds(answer: Callable[[Sequence[str]], object], batches: list[list[str]]) -> float:
    """Return the median time of one call."""
    taken = []
    for batch in batches:
        begun = time.perf_counter()
        answer(batch)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def measure(rounds: int) -> dict[str, float]:
    """Return medians over *rounds*: microseconds a comment and ratios pipeline / scorer."""
    theirs = pipeline().predict_proba
    scorer = bundle.shipped().scorer
    scorer.score(comments(MET, seed=3))
    found: dict[str, list[float]] = {}
    for each in range(rounds):
        texts = comments(SINGLES + 4 * BATCH, seed=100 + each)
        singles = [[text] for text in texts[:SINGLES]]
        batches = [texts[at : at + BATCH] for at in range(SINGLES, len(texts), BATCH)]
        new, newer = (
            Scorer(scorer.weights, scorer.stage, scorer.calibration, scorer.vocabulary)
            for _ in range(2)
        )
        times = {
            "single_pipeline_us": _seconds(theirs, singles),
            "single_scorer_us": _seconds(scorer.score, singles),
            "batch_pipeline_us": _seconds(theirs, batches) / BATCH,
            "batch_scorer_us": _seconds(scorer.score, batches) / BATCH,
            "single_explained_us": _seconds(
                lambda one: why(scorer, one[0], model="", language="en"), singles
            ),
            "single_new_scorer_us": _seconds(newer.score, singles[:20]),
            "batch_new_scorer_us": _seconds(new.score, batches[:1]) / BATCH,
        }
        times = {name: 1e6 * value for name, value in times.items()}
        times["single_ratio"] = times["single_pipeline_us"] / times["single_scorer_us"]
        times["batch_ratio"] = times["batch_pipeline_us"] / times["batch_scorer_us"]
        for name, value in times.items():
            found.setdefault(name, []).append(value)
    return {name: round(statistics.median(values), 2) for name, values in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    for name, value in measure(parser.parse_args().rounds).items():
        print(f"{name:24} {value:10.2f}")
