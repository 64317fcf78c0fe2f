"""What every dialect says alike, in whatever words it refuses."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from moderation.compat.akismet import routes as akismet
from moderation.compat.coral import routes as coral
from moderation.compat.dialect import Refuse
from moderation.compat.openai.routes import OpenaiRoutes
from moderation.compat.perspective import routes as perspective

NOTHING: Any = None
OPENAI = OpenaiRoutes(
    screening=NOTHING, governing=NOTHING, configuring=NOTHING, ids=lambda: "an-id"
)
CALL: Any = SimpleNamespace(headers={}, query_string=b"")


@dataclass(frozen=True)
class Late:
    """A refusal that another try may get past."""

    retry_after_s: int | None
    status: int = 503
    code: str = "storage-unavailable"
    detail: str = "expected an answer"


@pytest.mark.parametrize(
    "refuse",
    [akismet.refuse, coral.refuse, perspective.refuse, OPENAI.refuse],
    ids=["akismet", "coral", "perspective", "openai"],
)
def test_a_refusal_says_when_to_come_again(refuse: Refuse) -> None:
    """Where a time is known, and only there: zero seconds would be asked for at once."""
    said = [dict(refuse(CALL, Late(seconds)).headers) for seconds in (7, None)]

    assert [headers.get(b"retry-after") for headers in said] == [b"7", None]
