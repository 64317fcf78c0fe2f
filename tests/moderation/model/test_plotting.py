"""Plots of the card: what is drawn, and what is not."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from moderation.model import plotting
from moderation.model.evaluation import Sides

SVG = "{http://www.w3.org/2000/svg}"
TRUTH = np.array([False, False, True, True] * 50)
GOOD = Sides(np.where(TRUTH, 0.9, 0.1) + np.linspace(-0.05, 0.05, 200), TRUTH)
CHANCE = Sides(np.tile(np.linspace(0.01, 0.99, 100), 2), TRUTH)
NEVER = Sides(GOOD.scores, np.zeros(200, dtype=bool))


def test_a_page_has_a_line_for_each_label_that_has_both_kinds_of_rows(tmp_path: Path) -> None:
    """Old pages go, and a set that nothing can be drawn of has none."""
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "old.svg").write_text("<svg/>")

    drawn = plotting.draw(
        tmp_path,
        {
            "mine": {"toxicity": GOOD, "insult": CHANCE, "threat": NEVER},
            "empty": {"threat": NEVER},
        },
    )

    assert drawn == ["plots/mine.svg"]
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["mine.svg"]
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
