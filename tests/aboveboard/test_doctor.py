"""What is looked at before the service is believed: a clock that must be behind."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from screened_comments import putting, screened
from sqlalchemy import insert

from aboveboard import doctor
from aboveboard.installation import Databases
from aboveboard.tables import SITE
from aboveboard.writer import CommandWriter
from consent.choices.regime import updated
from consent.tables import RECORD
from moderation.store import put
from moderation.verdict import Verdict

MADE = datetime(updated().year, updated().month, updated().day, tzinfo=UTC)
STORED = datetime(2126, 3, 1, 12, tzinfo=UTC)
RECORDED = {
    "site_id": "blog",
    "record_id": "04b8a0c0-0000-7000-8000-000000000000",
    "epoch": 1,
    "leaf_index": 0,
    "received_at": "2126-03-01T12:00:00Z",
    "subject_ref": "1.00",
    "event_type": "refused",
    "method": "form",
    "decisions": "{}",
    "sealed": b"",
}


def test_a_clock_that_is_behind_the_release_is_told(databases: Databases) -> None:
    """As that of a machine without a battery is before its time is set; a day may be a zone's."""
    behind = doctor.find_clock_behind(databases, datetime(1970, 1, 1, tzinfo=UTC))

    assert behind is not None
    assert "got 1970-01-01" in behind
    assert doctor.find_clock_behind(databases, MADE - timedelta(hours=23)) is None


@pytest.mark.parametrize("stored", ["comment", "record"])
def test_a_clock_that_is_behind_what_was_stored_is_told(databases: Databases, stored: str) -> None:
    """Whether that clock is wrong or the one before: somebody has to look."""
    with databases.aboveboard.write() as connection:
        site = {"id": "blog", "url": "https://blog.example", "host": "blog.example", "created": ""}
        connection.execute(insert(SITE).values(site))
    if stored == "comment":
        at = "2126-03-01T12:00:00.000000Z"
        command = putting("blog", [screened("one", Verdict.APPROVE)], at, draw=lambda _: 0.9)
        asyncio.run(CommandWriter(databases.moderation).write(put, command))
    else:
        with databases.consent.write() as connection:
            connection.execute(insert(RECORD).values(RECORDED))

    behind = doctor.find_clock_behind(databases, STORED - timedelta(days=2))

    assert behind is not None
    assert "expected no time before 2126-03-01" in behind
    assert doctor.find_clock_behind(databases, STORED - timedelta(hours=23)) is None
