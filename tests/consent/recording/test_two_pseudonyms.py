"""Two processes, one of which has not noticed a new subject key yet: no refusal gets lost."""

import pytest
from consent_desk import EVIDENT, Desk

from aboveboard.installation import Databases
from consent.choices.choice import EventType, Origin, SubjectKind
from consent.recording.standing import Visitor, Why

CALIFORNIA = Visitor(jurisdiction="US-CA")


@pytest.fixture
def desks(databases: Databases) -> tuple[Desk, Desk]:
    """Open two processes over one database; only the first knows the new key."""
    ahead, behind = Desk(databases), Desk(databases)
    ahead.publish()
    behind._keys, behind._made = 1000, 2000
    ahead.subject_keys = {1: b"s" * 32, 2: b"t" * 32}
    return ahead, behind


def test_a_no_under_the_older_key_is_a_no(desks: tuple[Desk, Desk]) -> None:
    """The yes is under the newer; what is said later counts, whatever it stands under."""
    ahead, behind = desks
    ahead.give("ads", "count")
    behind.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None)
    behind.subject_keys = ahead.subject_keys

    for desk in desks:
        assert [one.allowed for one in desk.ask("ads", "count")] == [False, True]
    ahead.later(hours=1)
    ahead.record(EventType.GIVEN, {"ads": "given"}, origin=Origin.PREFERENCES)
    assert ahead.ask("ads")[0].allowed


def test_who_refused_under_the_older_key_is_left_in_peace(desks: tuple[Desk, Desk]) -> None:
    """Asked by one process, answered to the other."""
    ahead, behind = desks
    ahead.record(EventType.REQUESTED)
    behind.refuse("ads", "count")

    (answer,) = ahead.ask("ads", visitor=CALIFORNIA)
    assert (answer.why, answer.ask) == (Why.REFUSED, False)


def test_who_was_asked_under_the_older_key_may_answer(desks: tuple[Desk, Desk]) -> None:
    """A no under the newer one hides no question."""
    ahead, behind = desks
    ahead.record(EventType.OBJECTED, {"count": "refused"}, version=None)
    behind.record(EventType.REQUESTED)
    ahead.record(EventType.GIVEN, {"ads": "given"})

    assert ahead.ask("ads")[0].allowed


def test_an_import_minds_a_restriction_under_either(desks: tuple[Desk, Desk]) -> None:
    """A no under the newer key, a yes and its restriction under the older."""
    ahead, behind = desks
    ahead.record(EventType.WITHDRAWN, {"count": "refused"}, version=None)
    behind.give("ads")
    behind.restrict("d-1", days=300)
    behind.subject_keys = ahead.subject_keys

    taken, refused = ahead.take(EVIDENT, [{"id": "d-1", "at": "2026-01-01T00:00:00Z", "a": "yes"}])

    assert (taken.recorded, len(refused)) == (0, 1)
    assert ahead.ask("ads")[0].why is Why.RESTRICTED


def test_a_no_reaches_who_is_linked_under_the_older_key(desks: tuple[Desk, Desk]) -> None:
    """The account's own yes stands under the newer, its link with the device under the older."""
    ahead, behind = desks
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    ahead.give("ads", **account)
    behind.give("ads")
    behind.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, "d-1"), **account)
    behind.subject_keys = ahead.subject_keys
    ahead.later(hours=1)

    ahead.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None, **account)

    assert not ahead.ask("ads", **account)[0].allowed
    assert not ahead.ask("ads")[0].allowed
