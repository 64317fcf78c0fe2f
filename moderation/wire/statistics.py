"""What the blind sample shows, as JSON."""

from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel

from moderation.cases.sampling import Outcome, Share
from moderation.wire.strict import Instant, InstantOut, Probability, Short, Wire


class ReviewStatisticsIn(Wire):
    """From when on."""

    since: Instant | None = None
    site: Short | None = None


class ShareOut(BaseModel):
    """A share of `right` among `all`, with its 95 % interval (Wilson); null where there is none."""

    right: int
    all: int
    value: Probability | None
    low: Probability | None
    high: Probability | None


class ReviewStatisticsOut(BaseModel):
    """What the blind sample shows of the policy's verdicts; `until` is the last midnight (UTC)."""

    until: InstantOut

    drawn: int
    undecided: int
    precision: ShareOut
    recall: ShareOut
    false_approvals: ShareOut


def statistics(found: Outcome, until: datetime) -> bytes:
    """Write what the blind sample shows."""
    return orjson.dumps(
        {
            "until": until,
            "drawn": found.drawn,
            "undecided": found.undecided,
            "precision": _share(found.precision),
            "recall": _share(found.recall),
            "false_approvals": _share(found.false_approvals),
        },
        option=orjson.OPT_UTC_Z,
    )


def _share(share: Share) -> dict[str, Any]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in share._asdict().items()
    }
