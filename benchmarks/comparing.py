"""Figures with bootstrap intervals; two sides are compared on the same rows, drawn together."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from targets import Mark

from moderation.model import evaluation

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

ROUNDS: Final = 300  # of a bootstrap
DIGITS: Final = 4


class Figure(NamedTuple):
    """A *value* and its 95 % bootstrap interval, where one was drawn."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """Return it as the page shows it."""
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def figure(value: float, drawn: Floats | None = None) -> Figure:
    """Return *value* with the interval of what was *drawn*, rounded."""
    if drawn is None:
        return Figure(round(float(value), DIGITS))
    low, high = (round(float(each), DIGITS) for each in np.percentile(drawn, (2.5, 97.5)))
    return Figure(round(float(value), DIGITS), low, high)


class Area(NamedTuple):
    """The mean AUC over the columns of some rows, and the same of each bootstrap sample."""

    value: float
    drawn: Floats

    def figure(self) -> Figure:
        """Return it with its interval."""
        return figure(self.value, self.drawn)

    def minus(self, other: "Area") -> Figure:
        """Return the difference; both were drawn from the same rows."""
        return figure(self.value - other.value, self.drawn - other.drawn)


def area(scores: Floats, truth: Truth, *, seed: int = 1) -> Area:
    """Return the mean AUC over columns; the same *seed* and number of rows draw the same rows."""
    if truth.ndim == 1:
        scores, truth = scores[:, None], truth[:, None]
    columns = range(truth.shape[1])
    return Area(
        float(np.mean([roc_auc_score(truth[:, at], scores[:, at]) for at in columns])),
        np.mean(
            [
                evaluation.resampled(scores[:, at], truth[:, at], seed=seed, rounds=ROUNDS)
                for at in columns
            ],
            axis=0,
        ),
    )


def mean(areas: Sequence[Area]) -> Area:
    """Return the mean over folds or sets, each drawn on its own."""
    return Area(
        float(np.mean([each.value for each in areas])),
        np.mean([each.drawn for each in areas], axis=0),
    )


def share(flags: Truth, *, seed: int = 1) -> Figure:
    """Return the share of *flags* that are set."""
    draw = np.random.default_rng(seed)
    drawn = draw.binomial(flags.size, flags.mean(), ROUNDS) / flags.size
    return figure(float(flags.mean()), drawn)


def calibration_error(scores: Floats, truth: Truth, *, seed: int = 1) -> Figure:
    """Return the ECE over bins of equal mass; an interval of it lies high, for noise adds."""
    draw = np.random.default_rng(seed)
    drawn = []
    for _ in range(ROUNDS):
        picked = draw.integers(0, truth.size, truth.size)
        drawn.append(evaluation.calibration_error(scores[picked], truth[picked]))
    return figure(evaluation.calibration_error(scores, truth), np.array(drawn))


class Row(NamedTuple):
    """A line of the table: what was measured, and where it should lie, in words."""

    says: str
    measured: Figure | None
    floor: str
    aim: str
    mark: Mark


def judged(
    says: str, measured: Figure | None, floor: float, aim: float, *, at_least: bool = True
) -> Row:
    """Return the line of a figure that should be at least, or at most, *floor* and *aim*."""
    sign = "≥" if at_least else "≤"
    turn = 1 if at_least else -1
    mark = (
        Mark.UNMEASURED
        if measured is None
        else told(turn * measured.value >= turn * floor, turn * measured.value >= turn * aim)
    )
    return Row(says, measured, f"{sign} {floor:g}", f"{sign} {aim:g}", mark)


def told(floor: bool, aim: bool) -> Mark:  # noqa: FBT001
    """Return the mark of a figure that reached *floor*, and *aim*."""
    return Mark.AIM if floor and aim else Mark.PASS if floor else Mark.MISS


def table(head: Iterable[str], lines: Iterable[Iterable[Any]]) -> list[str]:
    """Return a table in Markdown; the first column is words, the others are figures."""
    head = list(head)
    return [
        f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |"
        for line in (head, ["---", *["--:"] * (len(head) - 1)], *lines)
    ]
