"""A restriction that an older copy knows nothing of, not even of whom it is."""

import asyncio

import pytest
from consent_desk import EVIDENT, Desk
from whole_copy import copy, put_back

from aboveboard.installation import Databases
from consent.choices.choice import EventType, SubjectKind
from consent.errors import SubjectRestricted
from consent.recording.standing import Why

ROWS = [{"id": "d-1", "at": "2026-01-01T00:00:00Z", "a": "yes"}]


@pytest.fixture
def desk(databases: Databases) -> Desk:
    """Open the consent half with one published notice."""
    made = Desk(databases)
    made.publish()
    return made


def start(desk: Desk) -> None:
    """Do what a start does."""
    asyncio.run(desk.continuing.check())
    asyncio.run(desk.reapplying.reapply(reversed(desk.noted)))


def test_a_restriction_holds_of_whom_the_copy_does_not_know(desk: Desk) -> None:
    """Neither an import nor a banner takes a yes of theirs in; a no is recorded."""
    copied = copy(desk.database)
    desk.take(EVIDENT, ROWS)
    desk.restrict("d-1", days=300)
    put_back(desk.database, copied)
    start(desk)

    taken, refused = desk.take(EVIDENT, ROWS)

    assert (taken.recorded, len(refused)) == (0, 1)
    assert desk.ask("ads")[0].why is Why.RESTRICTED
    with pytest.raises(SubjectRestricted):
        desk.record(EventType.REQUESTED)
    desk.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None)
    start(desk)
    assert desk.ask("ads")[0].why is Why.RESTRICTED
    desk.later(days=301)
    assert asyncio.run(desk.erasing.shred_due()) == 1
    start(desk)
    assert desk.ask("ads")[0].why is Why.REFUSED


@pytest.mark.parametrize("days", [10, 60])
def test_no_start_restricts_who_came_back_after_it(desk: Desk, days: int) -> None:
    """It was over, or ended by an erasure: what was said since is nobody's to shred."""
    copied = copy(desk.database)
    desk.give("ads")
    desk.restrict("d-1", days=30)
    put_back(desk.database, copied)
    start(desk)
    desk.later(days=days)
    if days < 30:
        with pytest.raises(SubjectRestricted):
            desk.record(EventType.REQUESTED)
        desk.erase(device="d-1")
    else:
        asyncio.run(desk.erasing.shred_due())
    desk.give("ads")

    start(desk)
    assert desk.ask("ads")[0].allowed
    assert asyncio.run(desk.erasing.shred_due()) == 0
    assert desk.ask("ads")[0].allowed


def test_a_later_day_of_who_is_known_by_a_link_alone_stays(desk: Desk) -> None:
    """Of them no tombstone is entered: a start does not take the earlier day for one it lacks."""
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    desk.give("ads", **account)
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, "d-1"), **account)
    copied = copy(desk.database)
    desk.later(hours=1)
    desk.restrict("d-1", days=30)
    put_back(desk.database, copied)
    start(desk)
    desk.later(hours=1)
    desk.restrict("d-1", days=700)

    start(desk)

    desk.later(days=31)
    assert asyncio.run(desk.erasing.shred_due()) == 0
    assert desk.ask("ads")[0].why is Why.RESTRICTED
