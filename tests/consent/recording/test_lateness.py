"""Who said what when: choices that arrive late, by clocks that are wrong, over links made later."""

from datetime import timedelta
from typing import Any

import pytest
from consent_desk import Desk

from aboveboard.installation import Databases
from consent.choices.choice import EventType, Origin, SubjectKind
from consent.recording.standing import Visitor, Why

ACCOUNT: dict[str, Any] = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
MAIL: dict[str, Any] = {"device": "ada@example.org", "subject_kind": SubjectKind.EMAIL}
OTHER = Visitor(vendor="other")


@pytest.fixture
def desk(databases: Databases) -> Desk:
    """Open the consent half with one published notice."""
    made = Desk(databases)
    made.publish()
    return made


def link(desk: Desk) -> None:
    """Sign in on the device."""
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, "d-1"), **ACCOUNT)


def refuse(desk: Desk, **more: Any) -> None:  # noqa: ANN401
    """Take a yes back."""
    desk.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None, **more)


def test_a_late_no_makes_no_older_yes_the_newest(desk: Desk) -> None:
    """Narrow at 5, a no from 2, then a wide yes from 4: nobody said anything wider since 5."""
    at = [desk.now + timedelta(seconds=second) for second in range(8)]
    desk.record(EventType.REQUESTED)
    desk.later(minutes=1)
    desk.record(EventType.GIVEN, {"ads": "given"}, vendors={"ads": ("one",)}, occurred_at=at[5])
    refuse(desk, occurred_at=at[2])

    wide = {"origin": Origin.PREFERENCES, "occurred_at": at[4]}
    desk.record(EventType.GIVEN, {"ads": "given"}, **wide)
    assert not desk.ask("ads", visitor=OTHER)[0].allowed

    wide["occurred_at"] = at[6]
    desk.record(EventType.GIVEN, {"ads": "given"}, **wide)
    assert desk.ask("ads", visitor=OTHER)[0].allowed


def test_nor_does_one_that_a_link_brings(desk: Desk) -> None:
    """The no is of the device, the yeses of the account."""
    at = [desk.now + timedelta(seconds=second) for second in range(8)]
    desk.record(EventType.REQUESTED, **ACCOUNT)
    desk.later(minutes=1)
    narrow = {"vendors": {"ads": ("one",)}, "occurred_at": at[5]}
    desk.record(EventType.GIVEN, {"ads": "given"}, **narrow, **ACCOUNT)
    refuse(desk, occurred_at=at[2])
    link(desk)
    wide = {"origin": Origin.PREFERENCES, "occurred_at": at[4]}
    desk.record(EventType.GIVEN, {"ads": "given"}, **wide, **ACCOUNT)

    assert not desk.ask("ads", visitor=OTHER, **ACCOUNT)[0].allowed


def test_what_two_ids_allow_together_is_as_new_as_the_newer_act(desk: Desk) -> None:
    """The device's older wide yes was recorded last; a wide one from between widens nothing."""
    at = [desk.now + timedelta(seconds=second) for second in range(8)]
    desk.record(EventType.REQUESTED, **ACCOUNT)
    desk.record(EventType.REQUESTED)
    desk.later(minutes=1)
    narrow = {"vendors": {"ads": ("one",)}, "occurred_at": at[5]}
    desk.record(EventType.GIVEN, {"ads": "given"}, **narrow, **ACCOUNT)
    desk.record(EventType.GIVEN, {"ads": "given"}, occurred_at=at[3])
    link(desk)
    desk.record(EventType.GIVEN, {"ads": "given"}, occurred_at=at[4], **ACCOUNT)

    assert not desk.ask("ads", visitor=OTHER, **ACCOUNT)[0].allowed


@pytest.mark.parametrize("ahead", [-60, 0, 3, 60, 290])
def test_by_a_clock_that_is_ahead_a_yes_from_before_a_no_is_history(desk: Desk, ahead: int) -> None:
    """Yes, five seconds later no; the no arrives at once, the yes at its second try."""
    desk.later(days=1)
    desk.record(EventType.REQUESTED, occurred_at=desk.now - timedelta(hours=1))
    shown = desk.now + timedelta(seconds=ahead)
    desk.later(seconds=6)
    refuse(desk, occurred_at=shown + timedelta(seconds=5))
    desk.later(seconds=4)
    yes = {"origin": Origin.PREFERENCES, "occurred_at": shown}
    desk.record(EventType.GIVEN, {"ads": "given"}, **yes)
    assert not desk.ask("ads")[0].allowed

    desk.later(seconds=10)
    yes["occurred_at"] = shown + timedelta(seconds=15)
    desk.record(EventType.GIVEN, {"ads": "given"}, **yes)
    assert desk.ask("ads")[0].allowed


def test_a_link_of_others_takes_no_yes_back_that_answered_their_no(desk: Desk) -> None:
    """The device heard the account's no and said yes since; an e-mail address joins later."""
    link(desk)
    refuse(desk, **ACCOUNT)
    desk.later(hours=1)
    desk.give("ads", origin=Origin.PREFERENCES)

    account = (SubjectKind.ACCOUNT, ACCOUNT["device"])
    desk.record(EventType.LINKED, version=None, linked=account, **MAIL)

    assert desk.ask("ads")[0].allowed
    assert desk.ask("ads", **MAIL)[0].why is Why.WITHDRAWN
