"""Thresholds by precision, from what a bundle says of its own held-out comments.

The manifest keeps, for each label, how precision and recall run with the threshold.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moderation.errors import BundleUnreadable
from moderation.model.bundle import Bundle
from moderation.verdict import LABELS

POINTS = 200  # of a curve


class Pick(NamedTuple):
    """A threshold, and what it did on held-out comments; *touched* is the share of all."""

    threshold: float
    precision: float
    recall: float
    touched: float


def curve(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> list[list[float]]:
    """Return points (threshold, precision, recall, share touched), from the highest threshold."""
    order = np.argsort(-scores, kind="stable")
    found = truth[order].cumsum()
    above = np.arange(1, len(order) + 1)
    last = np.append(np.diff(scores[order]) != 0, True).nonzero()[0]
    if len(last) > POINTS:
        # Even in what they touch on a logarithmic scale: precision is decided at the top.
        wanted = np.geomspace(1, last[-1] + 1, POINTS).astype(int) - 1
        last = np.unique(last[np.minimum(last.searchsorted(wanted), len(last) - 1)])
    return [
        [
            round(float(scores[order][at]), 5),
            round(float(found[at] / above[at]), 4),
            round(float(found[at] / max(truth.sum(), 1)), 4),
            round(float(above[at] / len(order)), 5),
        ]
        for at in last.tolist()
    ]


def pick(found: Bundle, precision: float) -> dict[str, Pick | None]:
    """Return, for each label, the lowest threshold with *precision*; None where none has it.

    Raises BundleUnreadable when the bundle's manifest has no curves.
    """
    picked: dict[str, Pick | None] = {}
    for label in LABELS:
        points = _points(found.manifest["labels"][label.value])
        good = [point for point in points if point[1] >= precision]
        picked[label.value] = Pick(*good[-1]) if good else None
    return picked


def _points(entry: Any) -> list[list[float]]:  # noqa: ANN401 - JSON
    points = entry.get("curve", []) if isinstance(entry, dict) else None
    if not isinstance(points, list) or not all(
        isinstance(point, list) and len(point) == len(Pick._fields) for point in points
    ):
        raise BundleUnreadable("expected curves of points in the manifest's labels, got others")
    return points
