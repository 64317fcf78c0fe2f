"""From logits to probabilities and thresholds: fitted on rows that no head was fitted on."""

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

LOW, HIGH, KNOTS = -12.0, 12.0, 385  # logits, knots
ISOTONIC_FROM = 300  # positives


def grid() -> Floats:
    """Return the logits of the knots of a calibration."""
    return np.linspace(LOW, HIGH, KNOTS)


def curve(logits: Floats, truth: Truth) -> Floats:
    """Return probabilities at the knots of the grid: isotonic where there is enough, else Platt.

    A tenth of the Platt curve is mixed into the isotonic steps, so that equal steps keep the
    order of the logits, and no handful of rows makes a probability of 1.
    """
    knots = grid()
    platt = LogisticRegression(C=100.0).fit(logits[:, None], truth)
    smooth: Floats = platt.predict_proba(knots[:, None])[:, 1]
    if truth.sum() < ISOTONIC_FROM:
        return smooth
    steps = IsotonicRegression(out_of_bounds="clip").fit(logits, truth).predict(knots)
    mixed: Floats = 0.9 * steps + 0.1 * smooth
    return mixed


def threshold(
    scores: Floats, truth: Truth, precision: float, *, least: int = 20
) -> tuple[float, float] | None:
    """Return the lowest score from which on *precision* holds, and the precision reached there.

    None when no threshold with at least *least* scores above it reaches it.
    """
    order = np.argsort(-scores, kind="stable")
    reached = truth[order].cumsum() / np.arange(1, len(order) + 1)
    last = np.append(np.diff(scores[order]) != 0, True)  # of scores that are equal
    good = np.flatnonzero((reached >= precision) & last & (np.arange(len(order)) + 1 >= least))
    if not good.size:
        return None
    at = int(good[-1])
    return float(scores[order][at]), float(reached[at])
