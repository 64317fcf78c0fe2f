"""What was erased stays erased, whatever copy of the database is put back; on both engines."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from consent_desk import PURPOSES, SITE, Desk
from sqlalchemy import select
from whole_copy import copy, put_back

from aboveboard.installation import Databases
from consent import store
from consent.choices.choice import SITE as SITE_REF
from consent.choices.choice import Basis, EventType
from consent.choices.notice import Purpose
from consent.choices.regime import Regime
from consent.log import ledger
from consent.recording.standing import Visitor, Why
from consent.records.history import read_vault
from consent.subjects.forgetting import Erasure
from consent.subjects.reapplying import PAGE
from consent.tables import RECORD


@pytest.fixture
def desk(databases: Databases) -> Desk:
    """Open the consent half with one published notice."""
    made = Desk(databases)
    made.publish()
    return made


def again(desk: Desk) -> int:
    """Do what a start does: begin due epochs, then do again what the log knows nothing of."""
    asyncio.run(desk.continuing.check())
    return asyncio.run(desk.reapplying.reapply(reversed(desk.noted)))


def held(desk: Desk) -> dict[str, str]:
    """Return whose records there are, those of the site left out."""
    with desk.database.read() as connection:
        found = connection.execute(
            select(RECORD.c.record_id, RECORD.c.subject_ref).where(RECORD.c.subject_ref != SITE_REF)
        )
        return {record_id: ref for record_id, ref in found}  # noqa: C416 - a row is no pair


def tombstones(desk: Desk, kind: EventType) -> list[tuple[int, dict[str, Any]]]:
    """Return the tombstones of one kind, opened, each with its epoch."""
    with desk.database.read() as connection:
        ids = store.list_ids(connection, SITE, kind)
        vault = read_vault(connection, desk.keyring, SITE, ids)
        return [
            (vault[record_id].record.epoch, orjson.loads(vault[record_id].open().event))
            for record_id in ids
        ]


def test_what_a_copy_brings_back_goes_again(desk: Desk) -> None:
    """Records and keys go, a refusal is remembered, and the new epoch has the tombstones."""
    gone = desk.give("ads")
    desk.refuse("ads", device="d-2")
    single = desk.give("ads", device="d-3")
    stays = desk.give("ads", device="d-4")
    copied = copy(desk.database)
    for erase in ({"device": "d-1"}, {"device": "d-2"}):
        desk.erase(**erase)
    desk.erase(single.record_id)
    expected = held(desk)
    entombed = [event for _, event in tombstones(desk, EventType.ERASED)]
    put_back(desk.database, copied)
    assert gone.record_id in held(desk)

    assert again(desk) == 3

    assert held(desk) == expected
    assert stays.record_id in expected
    assert desk.ask("ads")[0].why is Why.NOT_ASKED
    assert desk.ask("ads", device="d-2")[0].why is Why.REFUSED
    assert desk.ask("ads", device="d-4")[0].allowed
    renewed = tombstones(desk, EventType.ERASED)
    assert {epoch for epoch, _ in renewed} == {2}
    assert [event["record_ids"] for _, event in renewed] == [
        event["record_ids"] for event in entombed
    ]
    assert [event["record_id"] for _, event in renewed] == [
        event["record_id"] for event in entombed
    ]
    assert {event["method"] for _, event in renewed} == {"job"}
    now = copy(desk.database)
    assert again(desk) == 0
    assert copy(desk.database) == now
    assert not desk.sweeper.due or not desk.database.is_sqlite


def test_records_that_the_copy_never_had_are_entombed_too(desk: Desk) -> None:
    """A copy from before them: the new epoch says all the same that they were erased."""
    copied = copy(desk.database)
    gone = desk.give("ads")
    desk.erase(device="d-1")
    put_back(desk.database, copied)

    assert again(desk) == 1

    ((epoch, event),) = tombstones(desk, EventType.ERASED)
    assert epoch == 2
    assert gone.record_id in event["record_ids"]
    assert again(desk) == 0


def test_fewer_records_make_fewer_tombstones_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy from before the later records has one tombstone; it is entered once."""
    monkeypatch.setattr("consent.subjects.forgetting.TOMBSTONE_RECORDS", 2)
    desk.give("ads")
    copied = copy(desk.database)
    desk.give("ads")
    desk.give("ads")
    desk.restrict(days=30)
    assert len(desk.noted[0].tombstones) == 3
    put_back(desk.database, copied)

    assert again(desk) == 1
    assert again(desk) == 0


def test_a_restriction_holds_again(desk: Desk) -> None:
    """Nothing is allowed for whom processing was restricted after the copy was made."""
    given = desk.give("ads")
    desk.give("ads", device="d-2")
    copied = copy(desk.database)
    desk.restrict("d-1", days=30)
    put_back(desk.database, copied)
    assert desk.ask("ads")[0].allowed

    assert again(desk) == 1

    assert desk.ask("ads")[0].why is Why.RESTRICTED
    assert desk.ask("ads", device="d-2")[0].allowed
    ((epoch, event),) = tombstones(desk, EventType.RESTRICTED)
    assert epoch == 2
    assert given.record_id in event["record_ids"]
    assert again(desk) == 0


def test_an_older_erasure_is_not_hidden_by_a_newer_one(desk: Desk) -> None:
    """Two that were on their way at once may reach the log the other way round."""
    desk.give("ads")
    desk.give("ads", device="d-2")
    desk.erase(device="d-2")
    copied = copy(desk.database)
    desk.erase(device="d-1")
    put_back(desk.database, copied)
    desk.noted.reverse()

    assert again(desk) == 1
    assert not held(desk)


def test_whoever_came_back_stays(desk: Desk) -> None:
    """An erasure that is done again leaves alone what its subject chose after it."""
    desk.give("ads")
    copied = copy(desk.database)
    desk.erase(device="d-1")
    put_back(desk.database, copied)
    again(desk)
    desk.give("ads")
    now = held(desk)
    # As if its tombstones were unknown once more: the log names others than the list.
    (erasure,) = desk.noted
    desk.noted[:] = [erasure._replace(tombstones=["019c0000-0000-7000-8000-000000000000"])]

    assert again(desk) == 1

    assert held(desk) == now
    assert desk.ask("ads")[0].allowed


def test_a_start_does_not_forget_a_refusal_of_after_the_forgetting(desk: Desk) -> None:
    """A forgetting has no tombstone, so it is done again each time: not to what came after it."""
    desk.record(EventType.OPTED_OUT, {"ads": "refused"}, version=None)
    desk.erase(device="d-1")
    desk.erase(device="d-1", keep_refusals=False)
    desk.record(EventType.OPTED_OUT, {"ads": "refused"}, version=None)
    desk.erase(device="d-1")
    now = copy(desk.database)

    assert again(desk) == 0

    assert copy(desk.database) == now
    assert desk.ask("ads")[0].why is Why.OPTED_OUT


def test_a_refusal_of_after_the_forgetting_is_remembered_again(desk: Desk) -> None:
    """A copy from between the two holds no more than was forgotten, and what was lost since."""
    desk.record(EventType.OPTED_OUT, {"ads": "refused"}, version=None)
    desk.erase(device="d-1")
    desk.refuse("ads", device="d-2")
    desk.erase(device="d-2")
    remembered = copy(desk.database)
    desk.erase(device="d-1", keep_refusals=False)
    desk.erase(device="d-2", keep_refusals=False)
    desk.record(EventType.OPTED_OUT, {"ads": "refused"}, version=None)
    returned = copy(desk.database)
    desk.erase(device="d-1")

    for copied in (returned, remembered):
        put_back(desk.database, copied)
        again(desk)
        found = [desk.ask("ads", device=device)[0].why for device in ("d-1", "d-2")]
        # The copy from before the forgetting never knew the second opt-out: it is lost with it.
        lost = copied is remembered
        assert found == [Why.NOT_ASKED if lost else Why.OPTED_OUT, Why.NOT_ASKED]


def test_a_lost_no_is_sent_again_or_asked_about_again(desk: Desk) -> None:
    """As docs/backup.md says: a yes from before it stands again, and no start can know better."""
    sold = Purpose("sell", "Sale", "Sells who visits.", Basis.OPT_OUT)
    version = desk.publish([*PURPOSES, sold])
    for device in ("d-1", "d-2"):
        desk.give("ads", device=device, version=version)
    copied = copy(desk.database)
    desk.later(days=1)
    for device in ("d-1", "d-2"):
        desk.record(EventType.WITHDRAWN, {"ads": "refused"}, device=device, key=f"k-{device}")
    desk.record(EventType.OPTED_OUT, {"sell": "refused"}, version=None, device="d-3")
    lost, california = desk.now, Visitor("US-CA")
    put_back(desk.database, copied)
    again(desk)
    desk.later(days=1)
    assert [desk.ask("ads", device=device)[0].allowed for device in ("d-1", "d-2")] == [True, True]
    assert desk.ask("sell", device="d-3", visitor=california)[0].allowed

    desk.record(EventType.WITHDRAWN, {"ads": "refused"}, key="k-d-1", occurred_at=lost)
    sent = desk.ask("ads")[0]
    desk.publish([*PURPOSES, sold], text="May we, please?")
    worded = desk.ask("ads", device="d-2")[0]
    desk.publish([replace(each, retention="P1M") for each in (*PURPOSES, sold)])
    anew = desk.ask("ads", device="d-2")[0]
    desk.configure(regime=Regime.EU_OPTIN)
    strict = desk.ask("sell", device="d-3", visitor=california)[0]

    assert (sent.allowed, sent.why) == (False, Why.WITHDRAWN)
    assert (worded.allowed, worded.ask) == (True, False)
    assert (anew.allowed, anew.why, anew.ask) == (False, Why.SUPERSEDED, True)
    assert (strict.allowed, strict.ask) == (False, True)


def test_no_more_is_read_than_has_to_be(desk: Desk) -> None:
    """Where the log knows the newest page, nothing older is looked at."""
    desk.give("ads")
    desk.erase(device="d-1")
    (known,) = desk.noted
    read = 0

    def newest_first() -> Iterator[Erasure]:
        nonlocal read
        for _ in range(3 * PAGE):
            read += 1
            yield known

    assert asyncio.run(desk.reapplying.reapply(newest_first())) == 0
    assert read == PAGE


def test_a_site_without_a_log_has_nothing_to_erase(desk: Desk) -> None:
    """A list that names a site of which there is nothing is passed over."""
    erasure = Erasure("nobody", "2026-01-01T00:00:00Z", ["t"], [], ["r"], keep_refusals=True)

    assert asyncio.run(desk.reapplying.reapply([erasure])) == 0
    with desk.database.read() as connection:
        assert {head.site_id for head in ledger.all_heads(connection)} == {SITE}
