"""Wherever labels are written out, each of them is."""

from collections.abc import Collection

import pytest

from moderation.cases.priority import WEIGHTS
from moderation.verdict import LABEL_NAMES
from moderation.wire.comments import LabelsOut
from moderation.wire.decisions import JudgedIn
from moderation.wire.document import ThresholdsIn


@pytest.mark.parametrize(
    "named",
    [LabelsOut.model_fields, JudgedIn.model_fields, ThresholdsIn.model_fields, WEIGHTS],
    ids=["scores", "judgements", "thresholds", "weights"],
)
def test_every_label_has_its_place(named: Collection[str]) -> None:
    """One that is forgotten could not be judged, held, told or put in order."""
    assert sorted(named) == sorted(LABEL_NAMES)
