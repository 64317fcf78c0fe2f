"""Plots for a model card: what a table cannot show of the scores behind its figures.

Needs matplotlib, the extra `plots`; without it nothing is drawn. The same scores give the same
bytes.
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from moderation.model import evaluation
from moderation.model.calibration import Floats
from moderation.model.evaluation import Sides
from moderation.verdict import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 200  # of a curve
_BARS = 20  # of a histogram
# Told apart by the colour-blind, too (Okabe and Ito, 2008), and by their strokes.
_COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
_STROKES = ("-", "--", "-.", ":")
_SALT = "aboveboard"  # of the ids in a page, which are random without


def draw(folder: Path, scored: Mapping[str, Mapping[str, Sides]]) -> list[str]:
    """Draw a page a test set into *folder*/plots; return its files, from *folder* on.

    Each has ROC, precision against recall, reliability and the scores' histogram, with a line a
    label.
    """
    if find_spec("matplotlib") is None:
        return []
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    return [
        _page(plots / f"{name}.svg", name, lines)
        for name, sides in scored.items()
        if (lines := {line: each for line, each in sides.items() if 0 < each.truth.mean() < 1})
    ]


def _page(path: Path, title: str, lines: Mapping[str, Sides]) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - optional, and heavy
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": _SALT, "font.size": 9}):
        figure = Figure(figsize=(9, 8), layout="constrained")
        (roc, recall), (reliability, histogram) = figure.subplots(2, 2)
        for at, (name, side) in enumerate(lines.items()):
            style = {
                "label": name,
                "color": _COLOURS[_place(name, at) % len(_COLOURS)],
                "linestyle": _STROKES[_place(name, at) % len(_STROKES)],
            }
            false, true, _ = roc_curve(side.truth, side.scores)
            roc.plot(*thinned(false, true), **style)
            precision, found, _ = precision_recall_curve(side.truth, side.scores)
            recall.plot(*thinned(found[::-1], precision[::-1]), **style)
            bins = evaluation.reliability(side.scores, side.truth)
            reliability.plot(
                [each["predicted"] for each in bins],
                [each["observed"] for each in bins],
                marker=".",
                **style,
            )
            counts, edges = np.histogram(side.scores, bins=_BARS, range=(0, 1))
            histogram.stairs(np.maximum(counts, 0.5), edges, **style)
        for axes in (roc, reliability):
            axes.plot((0, 1), (0, 1), color="#bbbbbb", linewidth=0.8, zorder=0)
        _name(roc, "ROC", "share of the negatives", "share of the positives")
        _name(recall, "Precision and recall", "recall", "precision")
        _name(reliability, "Reliability, bins of equal mass", "predicted", "observed")
        _name(histogram, "Scores", "probability", "comments")
        # From half a comment on, so that one comment is seen.
        histogram.set(yscale="log", ylim=(0.5, 2 * max(len(each.truth) for each in lines.values())))
        figure.suptitle(title, parse_math=False)
        figure.legend(*roc.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.savefig(path, metadata={"Date": None})
    return f"plots/{path.name}"


def _place(name: str, at: int) -> int:
    """Return the same place for a label on every page."""
    return LABELS.index(name) if name in LABELS else at


def _name(axes: "Axes", title: str, across: str, up: str) -> None:
    axes.set(title=title, xlabel=across, ylabel=up, xlim=(0, 1), ylim=(0, 1))
    axes.grid(visible=True, color="#eeeeee")


def thinned(across: Floats, up: Floats) -> Iterator[Floats]:
    """Return so many points of a curve, which ascends *across*, that nobody sees the rest.

    Of a rare label nearly all points lie at one end: some are chosen by where they lie.
    """
    last = len(across) - 1
    by_number = np.linspace(0, last, min(_POINTS, last + 1)).astype(int)
    by_place = np.searchsorted(across, np.linspace(across[0], across[last], _POINTS))
    keep = np.union1d(by_number, by_place.clip(0, last))
    return (values[keep] for values in (across, up))
