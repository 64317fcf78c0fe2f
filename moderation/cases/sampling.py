"""The blind sample: what the policy's verdicts are worth, from comments that chance drew.

Pure. Of automatic approvals and of what was held, the same share is drawn and looked at by people
who are not told. So a comment's chance of being drawn has nothing to do with its verdict, and
among those found to be violations the share that was held estimates recall, among those held the
share of violations precision. Intervals are Wilson's (1927), at 95 %.
"""

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

Z = 1.959964  # the 97.5 % quantile of the normal distribution
_DIGITS = 13  # hexadecimal: all that a float can tell apart
_LIMIT = float(1 << 4 * _DIGITS)


class Share(NamedTuple):
    """A share of *right* among *all*, with its interval; None where there are none."""

    right: int
    all: int
    value: float | None
    low: float | None
    high: float | None


class Outcome(NamedTuple):
    """The sample: how many were drawn, how many are undecided, what the others show."""

    drawn: int
    undecided: int
    precision: Share
    recall: Share
    false_approvals: Share


def draw(fingerprint: Callable[[bytes], str]) -> Callable[[str], float]:
    """Return what gives a comment its number in 0..1, by a keyed digest: nobody can foresee it."""

    def number(comment_id: str) -> float:
        return int(fingerprint(comment_id.encode())[:_DIGITS], 16) / _LIMIT

    return number


def share(right: int, total: int) -> Share:
    """Return a share with Wilson's interval.

    >>> share(8, 10).low > 0.49, share(0, 0).value
    (True, None)
    """
    if total == 0:
        return Share(right, total, None, None, None)
    value = right / total
    square = Z * Z / total
    middle = (value + square / 2) / (1 + square)
    half = Z / (1 + square) * sqrt(value * (1 - value) / total + square / (4 * total))
    return Share(right, total, value, max(0.0, middle - half), min(1.0, middle + half))


def outcome(
    *, undecided: int, held_bad: int, held_good: int, passed_bad: int, passed_good: int
) -> Outcome:
    """Return what the decided part of a sample shows."""
    decided = held_bad + held_good + passed_bad + passed_good
    return Outcome(
        undecided + decided,
        undecided,
        share(held_bad, held_bad + held_good),
        share(held_bad, held_bad + passed_bad),
        share(passed_bad, passed_bad + passed_good),
    )
