"""Standings made anew equal those that were kept, and what differs is mended, on both engines."""

import asyncio

import pytest
from consent_desk import SITE, Desk
from sqlalchemy import select, update

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from consent.audit.rebuilding import Rebuilding, Rebuilt
from consent.audit.replay import PAGE
from consent.choices.choice import EventType, SubjectKind
from consent.choices.projection import Standing
from consent.recording.standing import Why
from consent.tables import SUBJECT


@pytest.fixture
def desk(databases: Databases) -> Desk:
    """Open the consent half with one published notice."""
    made = Desk(databases)
    made.publish()
    return made


def rebuild(desk: Desk) -> Rebuilt:
    """Make every standing anew."""
    rebuilding = Rebuilding(keyring=desk.keyring, writing=CommandWriter(desk.database))
    return asyncio.run(rebuilding.rebuild(SITE))


def standings(desk: Desk) -> dict[str, str]:
    """Return every standing as it is stored."""
    with desk.database.read() as connection:
        rows = connection.execute(select(SUBJECT.c.subject_ref, SUBJECT.c.standing))
        return {row.subject_ref: row.standing for row in rows}


def lived_in(desk: Desk) -> None:
    """Let devices and an account decide, link and change their minds."""
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    desk.give("ads", "count")
    desk.refuse("ads", device="d-2")
    desk.give("ads", **account)
    for device in ("d-1", "d-2"):
        desk.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, device), **account)
    desk.record(EventType.WITHDRAWN, {"count": "refused"}, version=None, device="d-2")


def test_what_was_kept_is_what_the_events_say(desk: Desk) -> None:
    """Nothing is mended where nothing differs, links among it."""
    lived_in(desk)
    before = standings(desk)

    assert rebuild(desk)[:3] == (3, 0, 0)
    assert standings(desk) == before


def test_what_was_taken_over_from_somebody_erased_is_left_alone(desk: Desk) -> None:
    """The events of the account do not tell of a no that is remembered without a record."""
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    desk.refuse("ads")
    desk.erase(device="d-1")
    desk.give("ads", **account)
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, "d-1"), **account)
    before = standings(desk)

    assert rebuild(desk)[:3] == (3, 0, 2)
    assert standings(desk) == before
    assert desk.ask("ads", **account)[0].why is Why.REFUSED


def test_what_differs_is_mended(desk: Desk) -> None:
    """A standing that somebody changed is made anew; one that is not whole is left alone."""
    lived_in(desk)
    desk.give("ads", device="d-3")
    before = standings(desk)
    forged = Standing.from_json(before[desk.keyring.refs(SITE, SubjectKind.DEVICE, "d-2")[0]])
    given = forged.purposes["ads"]._replace(state="given")
    texts = {
        "d-2": Standing({"ads": given}, forged.asked, forged.links).to_json(),
        "d-3": Standing(whole=False).to_json(),
    }
    with desk.database.write() as connection:
        for device, text in texts.items():
            ref = desk.keyring.refs(SITE, SubjectKind.DEVICE, device)[0]
            connection.execute(
                update(SUBJECT).where(SUBJECT.c.subject_ref == ref).values(standing=text)
            )
    wrong = desk.ask("ads", device="d-2")[0].why

    assert rebuild(desk)[:3] == (4, 1, 1)
    assert (wrong, desk.ask("ads", device="d-2")[0].why) == (Why.GIVEN, Why.REFUSED)
    after = standings(desk)
    ref = desk.keyring.refs(SITE, SubjectKind.DEVICE, "d-3")[0]
    assert after == {**before, ref: texts["d-3"]}


def test_more_subjects_than_a_page(desk: Desk) -> None:
    """All of them are gone through, once each."""
    for number in range(PAGE + 1):
        desk.refuse("ads", device=f"n-{number}")

    assert rebuild(desk)[:3] == (PAGE + 1, 0, 0)
