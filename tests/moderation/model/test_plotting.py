"""Plots of the card: what is drawn, and what is not."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from moderation.model import plotting
from moderation.model.evaluation import Sides

SVG = "{http://www.w3.org/2000/svg}"
TRUTH = np.array([False, False, True, True] * 50)
GOOD = Sides(np.where(TRUTH, 0.9, 0.1) + np.linspace(-0.05, 0.05, 200), TRUTH)
CHANCE = Sides(np.tile(np.linspace(0.01, 0.99, 100), 2), TRUTH)
NEVER = Sides(GOOD.scores, np.zeros(200, dtype=bool))


def test_a_page_has_a_line_for_each_label_that_has_both_kinds_of_rows(tmp_path: Path) -> None:
    """A set that nothing can be drawn of has no page, and what lies there already stays."""
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "theirs.svg").write_text("<svg/>")

    drawn = plotting.draw(
        tmp_path,
        {
            "mine": {"toxicity": GOOD, "insult": CHANCE, "threat": NEVER},
            "empty": {"threat": NEVER},
        },
    )

    assert drawn == ["plots/mine.svg"]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "mine.svg",
        "theirs.svg",
    ]
    root = ET.parse(tmp_path / "plots" / "mine.svg").getroot()  # noqa: S314 - our own file
    words = {"".join(each.itertext()).strip() for each in root.iter(f"{SVG}text")}
    assert {"mine", "toxicity", "insult", "ROC", "Scores", "recall", "observed"} <= words
    assert "threat" not in words


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    """No date and no random name; other scores give others."""
    pages = []
    for name, side in (("one", GOOD), ("two", GOOD), ("other", CHANCE)):
        plotting.draw(tmp_path / name, {"mine": {"toxicity": side}})
        pages.append((tmp_path / name / "plots" / "mine.svg").read_bytes())

    assert pages[0] == pages[1] != pages[2]


def test_nothing_is_drawn_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card is written all the same."""
    monkeypatch.setattr(plotting, "find_spec", lambda _: None)

    assert plotting.draw(tmp_path, {"mine": {"toxicity": GOOD}}) == []
    assert list(tmp_path.iterdir()) == []


def test_a_curve_of_a_rare_label_keeps_its_shape() -> None:
    """Nearly all points of precision against recall lie at the recall of 1."""
    recall = np.concatenate([np.linspace(0, 1, 300), np.ones(60_000)])
    precision = np.concatenate([np.linspace(1, 0.5, 300), np.linspace(0.5, 0, 60_000)])

    across, up = plotting.thinned(recall, precision)

    assert len(across) <= 400
    drawn = np.interp([0.1, 0.5, 0.9], across, up)
    assert np.allclose(drawn, [0.95, 0.75, 0.55], atol=0.01)


def test_every_comment_is_inside_the_histogram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its axis reaches beyond the fullest bin."""
    tops: list[float] = []
    save = Figure.savefig

    def look(figure: Figure, *arguments: object, **how: object) -> None:
        tops.extend(axes.get_ylim()[1] for axes in figure.axes if axes.get_title() == "Scores")
        save(figure, *arguments, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", look)
    plotting.draw(tmp_path, {"costs $5 or $6": {"toxicity": GOOD}})

    counts, _ = np.histogram(GOOD.scores, bins=20, range=(0, 1))
    assert tops[0] > counts.max()
