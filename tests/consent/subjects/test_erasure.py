"""Erasing at the desk: what goes, what is remembered, what a restore must not bring back."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from conftest import migrated
from consent_desk import EVIDENT, SITE, Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from whole_copy import copy, put_back

from aboveboard import consenting
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.writer import CommandWriter
from consent.audit.inspection import inspect
from consent.audit.rebuilding import Rebuilding
from consent.choices.choice import SITE as SITE_REF
from consent.choices.choice import EventType, Method, Origin, Signals, SubjectKind
from consent.choices.projection import Standing
from consent.errors import (
    RecordErased,
    RecordNotFound,
    SettingDamaged,
    SubjectNotFound,
    SubjectRestricted,
)
from consent.log import ledger
from consent.log.ledger import Nodes
from consent.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from consent.recording.standing import Why
from consent.records.batch import Receipt
from consent.records.history import read_vault
from consent.store import Subject
from consent.subjects.forgetting import Erasure, reapply
from consent.tables import IDEMPOTENCY, METADATA, RECORD, RECORD_PURPOSE, SETTING, SUBJECT

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def house(
    new_url: Callable[[], str | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    """Open one set of tables for all tests here: making them costs more than the tests."""
    with migrated(tmp_path_factory.mktemp("house") / "data", new_url()) as opened:
        yield opened


@pytest.fixture
def desk(house: Databases) -> Desk:
    """Open the consent half, empty but for one published notice."""
    with house.consent.write() as connection:
        for table in METADATA.tables.values():
            connection.execute(table.delete())
    made = Desk(house)
    made.publish()
    return made


def subject(desk: Desk, device: str = "d-1") -> Subject | None:
    """Return the row of a device, if there is one."""
    with desk.database.read() as connection:
        (ref,) = desk.keyring.refs(SITE, SubjectKind.DEVICE, device)
        row = connection.execute(
            select(
                SUBJECT.c.key_version,
                SUBJECT.c.wrapped,
                SUBJECT.c.standing,
                SUBJECT.c.restricted_until,
            ).where(SUBJECT.c.subject_ref == ref)
        ).first()
    return (
        None if row is None else Subject(row[0], bytes(row[1]), Standing.from_json(row[2]), row[3])
    )


def held(desk: Desk) -> list[str]:
    """Return the ids of all records but the site's own."""
    with desk.database.read() as connection:
        return list(
            connection.execute(
                select(RECORD.c.record_id)
                .where(RECORD.c.subject_ref != SITE_REF)
                .order_by(RECORD.c.record_id)
            ).scalars()
        )


def tombstones(desk: Desk) -> list[dict[str, Any]]:
    """Return the site's own events, opened with the site's key."""
    with desk.database.read() as connection:
        sealed = connection.execute(
            select(RECORD.c.record_id, RECORD.c.sealed)
            .where(RECORD.c.subject_ref == SITE_REF)
            .order_by(RECORD.c.leaf_index)
        ).all()
        if not sealed:
            return []
        version, wrapped = connection.execute(
            select(SUBJECT.c.key_version, SUBJECT.c.wrapped).where(
                SUBJECT.c.subject_ref == SITE_REF
            )
        ).one()
    key = desk.keyring.unwrap(SITE, SITE_REF, version, bytes(wrapped))
    return [orjson.loads(key.open(SITE, name, bytes(text)).event) for name, text in sealed]


def check_log(desk: Desk, receipts: Sequence[Receipt]) -> None:
    """Check every leaf's inclusion, and that the log only grew, whatever was erased."""
    with desk.database.read() as connection:
        head = ledger.read_head(connection, SITE, 1)
        nodes = Nodes(connection, head)
        size = head.frontier.size
        for receipt in receipts:
            verify_inclusion(
                leaf=leaf_hash(receipt.leaf),
                index=receipt.leaf_index,
                size=size,
                proof=nodes.inclusion(receipt.leaf_index, size),
                root=head.root,
            )
        for old in range(1, size + 1):
            verify_consistency(
                old_size=old,
                old_root=nodes.root(old),
                new_size=size,
                new_root=head.root,
                proof=nodes.consistency(old, size),
            )


# -- a subject --------------------------------------------------------------------------------


def test_nothing_is_left_of_a_subject_but_the_log(desk: Desk) -> None:
    """Rows, key, search rows and fingerprints go; others' stay; a tombstone says which went."""
    first = desk.give("ads", "count")
    second = desk.record(EventType.REQUESTED)
    other = desk.give("ads", device="d-2")
    before = held(desk)

    erased = desk.erase(device="d-1")

    left = held(desk)
    gone = sorted(set(before) - set(left))
    assert sorted(erased.record_ids) == gone
    assert {first.record_id, second.record_id} <= set(gone)
    assert len(gone) == 3
    assert other.record_id in left
    assert subject(desk) is None
    with desk.database.read() as connection:
        purposes = set(connection.execute(select(RECORD_PURPOSE.c.record_id)).scalars())
        prints = dict(
            connection.execute(select(IDEMPOTENCY.c.record_id, IDEMPOTENCY.c.fingerprint)).all()
        )
    assert purposes == {other.record_id}
    assert [name for name, fingerprint in prints.items() if not fingerprint] == gone
    (event,) = tombstones(desk)
    assert event["event_type"] == "erased"
    assert event["record_ids"] == gone
    assert (event["method"], event["by"]) == ("api", "controller")
    assert "subject_ref" not in event
    assert erased.receipt is not None
    check_log(desk, [first, second, other, erased.receipt])
    assert desk.ask("ads")[0].why is Why.NOT_ASKED
    assert desk.ask("ads", device="d-2")[0].allowed


def test_a_request_whose_record_is_erased_is_answered_gone(desk: Desk) -> None:
    """The same key names the record and gives nothing else; with another body, too."""
    given = desk.give("ads", key="k-given")
    desk.erase(device="d-1")

    for decided in ({"ads": "given"}, {"count": "given"}):
        with pytest.raises(RecordErased) as caught:
            desk.record(EventType.GIVEN, decided, key="k-given")
        assert caught.value.record_id == given.record_id


def test_an_active_refusal_is_remembered_and_nothing_else(desk: Desk) -> None:
    """The row holds the purpose and the day: no key, no record, no question, no other purpose."""
    desk.give("count")
    desk.later(hours=3)
    desk.refuse("ads")
    desk.later(days=2)

    erased = desk.erase(device="d-1")

    row = subject(desk)
    assert row is not None
    assert row.wrapped == b""
    assert erased.remembered == ["ads"]
    content = orjson.loads(row.standing.to_json())
    told = content["p"].pop("ads")
    assert content == {"p": {}, "a": {}, "w": False}
    assert [each for each in told if each] == [
        "refused",
        "2026-01-31T00:00:00Z",
        "2026-01-31T23:59:59Z",
    ]
    (answer,) = desk.ask("ads")
    assert (answer.allowed, answer.why, answer.record_id) == (False, Why.REFUSED, None)
    assert not answer.ask
    assert desk.ask("count")[0].why is Why.NOT_ASKED


def test_a_refusal_can_be_forgotten_as_well(desk: Desk) -> None:
    """With the refusal, or later, when nothing else is left: then there is no tombstone."""
    desk.refuse("ads")
    desk.refuse("ads", device="d-2")

    whole = desk.erase(device="d-1", keep_refusals=False)
    kept = desk.erase(device="d-2")
    again = desk.erase(device="d-2")
    later = desk.erase(device="d-2", keep_refusals=False)

    assert whole.remembered == []
    assert (kept.remembered, again.remembered, later.remembered) == (["ads"], ["ads"], [])
    assert (again.receipt, later.receipt) == (None, None)
    assert subject(desk) is subject(desk, "d-2") is None
    assert len(tombstones(desk)) == 2
    assert len(desk.noted) == 3


@pytest.mark.parametrize(
    ("kind", "remembered"),
    [
        (EventType.WITHDRAWN, "refused"),
        (EventType.OBJECTED, "objected"),
        (EventType.OPTED_OUT, "opted_out"),
    ],
)
def test_noes_that_are_asked_about_differently_keep_their_name(
    desk: Desk, kind: EventType, remembered: str
) -> None:
    """After an objection nobody is asked again, after an opt-out not before its own time."""
    desk.give("ads")
    desk.record(kind, {"ads": "refused"}, version=None)
    (before,) = desk.ask("ads")
    desk.erase(device="d-1")

    (answer,) = desk.ask("ads")

    assert answer.why == remembered
    assert answer.ask == before.ask
    if before.ask_after:
        # The day's end for an instant of that day.
        assert answer.ask_after is not None
        assert before.ask_after[:10] == answer.ask_after[:10]


def test_an_erased_subject_may_come_back(desk: Desk) -> None:
    """Under a new key, from a clean page but for the refusal, which a new yes ends."""
    desk.refuse("ads")
    old = desk.erase(device="d-1")
    desk.later(days=400)
    given = desk.give("ads")

    (answer,) = desk.ask("ads")

    assert answer.allowed
    assert answer.record_id == given.record_id
    assert len(held(desk)) == 2
    assert old.receipt is not None
    check_log(desk, [given, old.receipt])


def test_a_yes_from_before_the_remembered_no_does_not_end_it(desk: Desk) -> None:
    """Delivered late, it is recorded and changes nothing, on the very day as well."""
    desk.give("count")
    early = desk.now
    desk.later(hours=1)
    desk.refuse("ads")
    desk.later(hours=1)
    desk.erase(device="d-1")
    desk.later(hours=1)
    desk.record(EventType.REQUESTED, origin=Origin.PREFERENCES)
    late = {"ads": "given"}

    desk.record(EventType.GIVEN, late, occurred_at=early, origin=Origin.PREFERENCES)
    (before,) = desk.ask("ads")
    desk.record(EventType.GIVEN, late, occurred_at=desk.now, origin=Origin.PREFERENCES)
    (after,) = desk.ask("ads")

    assert (before.why, after.why) == (Why.REFUSED, Why.GIVEN)


def test_nobody_is_found_who_was_never_there(desk: Desk) -> None:
    """An unknown subject is told of as such, on a site without a log, too; nothing is written."""
    with pytest.raises(SubjectNotFound):
        desk.erase(device="d-9")
    with pytest.raises(RecordNotFound):
        desk.erase("0197f1d2-0000-7000-8000-000000000000")
    with pytest.raises(SubjectNotFound):
        asyncio.run(desk.erasing.erase("empty", (SubjectKind.DEVICE, "d-1")))

    assert tombstones(desk) == []
    assert desk.noted == []


def test_a_key_that_is_lost_keeps_nothing(desk: Desk) -> None:
    """What cannot be opened any more can be erased all the same."""
    desk.give("ads")
    with desk.database.write() as connection:
        connection.execute(SUBJECT.update().values(wrapped=b"\0" * 60))

    erased = desk.erase(device="d-1")

    assert len(erased.record_ids) == 2
    assert [key for _, key in desk.noted[0].subjects] == [None]
    assert subject(desk) is None


# -- single records ---------------------------------------------------------------------------


def test_a_single_record_goes_alone(desk: Desk) -> None:
    """Its subject keeps key, row and the other records, which still open."""
    asked = desk.record(EventType.REQUESTED)
    given = desk.record(EventType.GIVEN, {"ads": "given"}, key="k-given")

    erased = desk.erase(asked.record_id, "unknown")

    assert list(erased.record_ids) == [asked.record_id]
    assert held(desk) == [given.record_id]
    assert desk.record(EventType.GIVEN, {"ads": "given"}, key="k-given") == given
    assert desk.ask("ads")[0].allowed
    assert desk.noted[0].subjects == []


def test_consent_without_its_record_no_longer_stands(desk: Desk) -> None:
    """Nobody could prove it; the purpose counts as undecided."""
    given = desk.give("ads", "count")
    desk.record(EventType.WITHDRAWN, {"count": "refused"}, version=None)

    desk.erase(given.record_id)

    assert not desk.ask("ads")[0].allowed
    assert desk.ask("ads")[0].record_id is None
    assert desk.ask("count")[0].why is Why.WITHDRAWN


def test_a_no_without_its_record_is_still_a_no(desk: Desk) -> None:
    """The yes before it does not come back; told to forget, the purpose counts as undecided."""
    given = desk.give("ads")
    desk.later(days=1)
    withdrawn = desk.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None)
    desk.give("ads", device="d-2")
    other = desk.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None, device="d-2")

    kept = desk.erase(withdrawn.record_id)
    forgotten = desk.erase(other.record_id, keep_refusals=False)

    assert (kept.remembered, forgotten.remembered) == (["ads"], [])
    assert given.record_id in held(desk)
    assert desk.erase(given.record_id).remembered == ["ads"]
    assert desk.ask("ads")[0].why is Why.REFUSED
    assert desk.ask("ads")[0].since == "2026-02-01T00:00:00Z"
    assert desk.ask("ads", device="d-2")[0].why is Why.NOT_ANSWERED


def test_with_the_last_record_the_key_goes(desk: Desk) -> None:
    """One by one comes to the same as all at once."""
    receipts = [desk.record(EventType.REQUESTED), desk.record(EventType.GIVEN, {"ads": "given"})]
    desk.erase(receipts[0].record_id)
    assert subject(desk) is not None

    desk.erase(receipts[1].record_id)

    assert subject(desk) is None
    assert [len(noted.subjects) for noted in desk.noted] == [0, 1]


def test_a_tombstone_cannot_be_erased(desk: Desk) -> None:
    """What the site wrote about its own doing stays."""
    desk.give("ads")
    erased = desk.erase(device="d-1")
    assert erased.receipt is not None

    with pytest.raises(RecordNotFound):
        desk.erase(erased.receipt.record_id)

    assert len(tombstones(desk)) == 1


# -- links ------------------------------------------------------------------------------------


def account(desk: Desk, device: str, *, name: str = "a-1") -> Receipt:
    """Link a device with an account."""
    return desk.record(
        EventType.LINKED,
        device=name,
        subject_kind=SubjectKind.ACCOUNT,
        version=None,
        linked=(SubjectKind.DEVICE, device),
        method=Method.API,
    )


def test_whom_a_subject_was_linked_with_keeps_their_own(desk: Desk) -> None:
    """The link and what was taken over go, a refusal stays remembered, their own consent stands."""
    desk.give("count", device="a-1", subject_kind=SubjectKind.ACCOUNT)
    desk.give("ads")
    link = account(desk, "d-1")
    of_account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    assert desk.ask("ads", **of_account)[0].allowed

    erased = desk.erase(device="d-1")

    assert link.record_id in erased.record_ids
    assert subject(desk) is None
    assert not desk.ask("ads", **of_account)[0].allowed
    assert desk.ask("count", **of_account)[0].allowed
    (ref,) = desk.keyring.refs(SITE, SubjectKind.DEVICE, "d-1")
    with desk.database.read() as connection:
        standings = list(connection.execute(select(SUBJECT.c.standing)).scalars())
    assert not any(ref in standing for standing in standings)


def lose(desk: Desk, kind: SubjectKind, name: str) -> None:
    """Spoil a subject's key."""
    (ref,) = desk.keyring.refs(SITE, kind, name)
    with desk.database.write() as connection:
        lost = SUBJECT.update().where(SUBJECT.c.subject_ref == ref).values(wrapped=b"\0" * 60)
        connection.execute(lost)


def test_a_link_with_somebody_whose_key_is_lost_keeps_nobody(desk: Desk) -> None:
    """What may name who is erased goes along, for nobody can say that it does not."""
    given = desk.give("ads")
    link = account(desk, "d-1")
    lose(desk, SubjectKind.ACCOUNT, "a-1")

    erased = desk.erase(device="d-1")

    assert {given.record_id, link.record_id} <= set(erased.record_ids)
    assert subject(desk) is None


def test_nothing_far_rests_on_what_was_erased(desk: Desk) -> None:
    """What an address took over through an account from a device: the yes goes, a no stays."""
    mail = {"device": "ada@example.org", "subject_kind": SubjectKind.EMAIL}
    given = desk.give("ads")
    account(desk, "d-1")
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.ACCOUNT, "a-1"), **mail)
    refused = desk.record(EventType.WITHDRAWN, {"count": "refused"}, version=None)
    before = desk.ask("ads", "count", **mail)
    desk.erase(device="d-1")
    ads, count = desk.ask("ads", "count", **mail)

    assert [answer.record_id for answer in before] == [given.record_id, refused.record_id]
    assert (ads.allowed, ads.why) == (False, Why.NOT_ASKED)
    assert (count.why, count.record_id) == (Why.REFUSED, None)
    assert count.since == "2026-01-31T00:00:00Z"


def test_the_linked_go_along_when_asked(desk: Desk) -> None:
    """From one device over the account to the other, and nobody else."""
    desk.give("ads", device="d-1")
    desk.give("ads", device="d-2")
    desk.refuse("ads", device="d-3")
    account(desk, "d-1")
    account(desk, "d-2")

    erased = desk.erase(device="d-1", linked=True)

    assert len(erased.record_ids) == 6
    assert len(held(desk)) == 1
    assert desk.ask("ads", device="d-3")[0].why is Why.REFUSED
    assert len(desk.noted[0].subjects) == 3


OF_ACCOUNT: dict[str, Any] = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}


def opt_out(desk: Desk, **whose: Any) -> Receipt:  # noqa: ANN401
    """Record that somebody opted out of ads."""
    return desk.record(EventType.OPTED_OUT, {"ads": "refused"}, version=None, **whose)


def opt_in(desk: Desk, **more: Any) -> Receipt:  # noqa: ANN401
    """Record that somebody came back to the preferences and opted in to ads."""
    device = {name: more[name] for name in ("device", "subject_kind") if name in more}
    desk.record(EventType.REQUESTED, origin=Origin.PREFERENCES, **device)
    more["origin"] = Origin.PREFERENCES
    return desk.record(EventType.OPTED_IN, {"ads": "given"}, **more)


def test_another_whose_refusal_was_their_own_keeps_it(desk: Desk) -> None:
    """Whoever has a device forgotten does not take back what the account had said before."""
    opt_out(desk, **OF_ACCOUNT)
    opt_out(desk)
    account(desk, "d-1")

    erased = desk.erase(device="d-1", keep_refusals=False)

    assert desk.ask("ads", **OF_ACCOUNT)[0].why is Why.OPTED_OUT
    assert erased.remembered == []
    assert subject(desk) is None


def test_a_refusal_taken_over_is_not_the_erased_ones_to_forget(desk: Desk) -> None:
    """It stays with whom it reached, near or far, whether they have records of their own or not."""
    mail = {"device": "ada@example.org", "subject_kind": SubjectKind.EMAIL}
    opt_out(desk)
    account(desk, "d-1")
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.ACCOUNT, "a-1"), **mail)

    desk.erase(device="d-1", keep_refusals=False)
    near, far = desk.ask("ads", **OF_ACCOUNT)[0], desk.ask("ads", **mail)[0]
    desk.erase(keep_refusals=False, **OF_ACCOUNT)

    assert near.why is far.why is Why.OPTED_OUT
    assert near.record_id is far.record_id is None
    assert desk.ask("ads", **OF_ACCOUNT)[0].why is Why.NOT_ASKED
    assert desk.ask("ads", **mail)[0].why is Why.OPTED_OUT


def test_the_refusal_of_a_record_that_stays_stands(desk: Desk) -> None:
    """Of two noes one may be forgotten: the other is not, be it another id's."""
    first = opt_out(desk)
    second = opt_out(desk)
    account(desk, "d-1")
    third = opt_out(desk, **OF_ACCOUNT)

    desk.erase(second.record_id, keep_refusals=False)
    desk.erase(third.record_id, keep_refusals=False)

    of_device, of_account = desk.ask("ads")[0], desk.ask("ads", **OF_ACCOUNT)[0]
    assert (of_account.why, of_account.record_id) == (Why.OPTED_OUT, first.record_id)
    # What had reached it from the account is remembered without its record.
    assert (of_device.why, of_device.record_id) == (Why.OPTED_OUT, None)


@pytest.mark.parametrize("keep_refusals", [True, False])
def test_the_refusal_that_a_yes_had_ended_stands_again(desk: Desk, *, keep_refusals: bool) -> None:
    """Nobody can prove the yes any more; the record of the no is still there."""
    no = opt_out(desk)
    desk.later(days=1)
    yes = opt_in(desk)

    desk.erase(yes.record_id, keep_refusals=keep_refusals)

    (answer,) = desk.ask("ads")
    assert (answer.why, answer.record_id) == (Why.OPTED_OUT, no.record_id)


def test_the_refusal_that_a_yes_had_ended_is_remembered_with_it(desk: Desk) -> None:
    """By its name and day, whether its record goes at once or went before."""
    opt_out(desk)
    no = opt_out(desk, device="d-2")
    desk.later(days=1)
    opt_in(desk)
    yes = opt_in(desk, device="d-2")

    whole = desk.erase(device="d-1")
    desk.erase(no.record_id)
    allowed = desk.ask("ads", device="d-2")[0].allowed
    desk.erase(yes.record_id)

    assert whole.remembered == ["ads"]
    assert allowed
    for device in ("d-1", "d-2"):
        (answer,) = desk.ask("ads", device=device)
        assert (answer.why, answer.record_id) == (Why.OPTED_OUT, None)
        assert answer.since == "2026-01-31T00:00:00Z"
    assert desk.erase(device="d-1", keep_refusals=False).remembered == []
    assert desk.ask("ads")[0].why is Why.NOT_ASKED


def test_with_a_lost_key_the_refusal_is_remembered_all_the_same(desk: Desk) -> None:
    """The records that would tell it do not open; the standing knows its name."""
    opt_out(desk)
    opt_in(desk, occurred_at=desk.now + timedelta(seconds=1))
    with desk.database.write() as connection:
        connection.execute(SUBJECT.update().values(wrapped=b"\0" * 60))

    desk.erase(device="d-1")

    assert desk.ask("ads")[0].why is Why.OPTED_OUT


def test_the_record_of_a_link_goes_though_its_account_loses_another_as_well(desk: Desk) -> None:
    """Both are named by their records at once, and the account has one left."""
    refused = desk.refuse("ads")
    own = desk.refuse("count", **OF_ACCOUNT)
    stays = desk.refuse("count", **OF_ACCOUNT)
    link = account(desk, "d-1")

    erased = desk.erase(refused.record_id, own.record_id)

    assert set(erased.record_ids) == {refused.record_id, own.record_id, link.record_id}
    assert held(desk) == [stays.record_id]


def test_with_a_devices_last_record_goes_the_accounts_record_of_the_link(desk: Desk) -> None:
    """It names the device by its pseudonym, of which nothing is left otherwise."""
    asked = desk.record(EventType.REQUESTED)
    given = desk.record(EventType.GIVEN, {"ads": "given"})
    own = desk.give("count", **OF_ACCOUNT)
    link = account(desk, "d-1")

    first = desk.erase(asked.record_id)
    last = desk.erase(given.record_id)

    assert list(first.record_ids) == [asked.record_id]
    assert list(last.record_ids) == [given.record_id, link.record_id]
    assert own.record_id in held(desk)
    assert [event["record_ids"] for event in tombstones(desk)][-1] == list(last.record_ids)


# -- after a restore --------------------------------------------------------------------------


def saved(desk: Desk) -> list[tuple[Any, list[Row]]]:
    """Keep what a backup would: every row that can be erased."""
    with desk.database.read() as connection:
        return [
            # Sorted, since PostgreSQL answers in the order of the room that it found.
            (table, sorted((tuple(row) for row in connection.execute(select(table))), key=repr))
            for table in (RECORD, RECORD_PURPOSE, SUBJECT, IDEMPOTENCY)
        ]


def restore(desk: Desk, backup: Sequence[tuple[Any, list[Row]]]) -> None:
    """Put a backup in the place of what is there."""
    with desk.database.write() as connection, Rows(connection) as rows:
        for table, content in backup:
            connection.execute(table.delete())
            rows.insert(table, content)


def again(desk: Desk) -> None:
    """Do every erasure again that was written down, twice, for good measure."""
    with desk.database.write() as connection, Rows(connection) as rows:
        for noted in [*desk.noted, *desk.noted]:
            reapply(rows, desk.keyring, noted)


def test_a_restore_brings_nothing_back(desk: Desk) -> None:
    """Records, keys, search rows and fingerprints go again, and refusals are remembered again."""
    desk.give("ads")
    desk.refuse("ads", device="d-2")
    single = desk.give("count", device="d-3")
    linked = desk.give("count", device="d-4")
    account(desk, "d-4")
    backup = saved(desk)
    desk.erase(device="d-1")
    desk.erase(device="d-2")
    desk.erase(single.record_id)
    desk.erase(device="d-4")
    erased = saved(desk)

    restore(desk, backup)
    again(desk)

    now = saved(desk)
    for (table, before), (_, after) in zip(erased, now, strict=True):
        # The site's own tombstones are no part of the backup: the log has gone on without them.
        expected = [row for row in before if SITE_REF not in row]
        assert sorted(after, key=repr) == sorted(expected, key=repr), table.name
    assert linked.record_id not in held(desk)


def test_a_restore_remembers_the_same_again(desk: Desk) -> None:
    """Whose refusal stayed, whose yes left the no before it, and whose link was kept."""
    opt_out(desk, **OF_ACCOUNT)
    opt_out(desk)
    account(desk, "d-1")
    opt_out(desk, device="d-2")
    desk.later(days=1)
    yes = opt_in(desk, device="d-2")
    opt_out(desk, device="d-3")
    account(desk, "d-3", name="a-2")
    desk.later(days=100)
    backup = saved(desk)
    desk.erase(device="d-1", keep_refusals=False)
    desk.erase(yes.record_id)
    retain(desk, days=50)
    erased = saved(desk)

    restore(desk, backup)
    again(desk)

    for (table, before), (_, after) in zip(erased, saved(desk), strict=True):
        expected = [row for row in before if SITE_REF not in row]
        assert sorted(after, key=repr) == sorted(expected, key=repr), table.name


def test_what_came_after_an_erasure_stays(desk: Desk) -> None:
    """A backup from after the subject came back holds another key: that one is not destroyed."""
    desk.refuse("ads")
    desk.erase(device="d-1")
    desk.later(days=400)
    given = desk.give("ads", key="k-given")
    backup = saved(desk)

    restore(desk, backup)
    again(desk)

    assert saved(desk) == backup
    assert desk.ask("ads")[0].allowed
    assert desk.record(EventType.GIVEN, {"ads": "given"}, key="k-given") == given


# -- retention --------------------------------------------------------------------------------


def retain(desk: Desk, **span: float) -> int:
    """Erase what is older than that."""
    return asyncio.run(desk.erasing.retain(SITE, desk.now - timedelta(**span)))


def test_retention_keeps_what_a_consent_rests_on(desk: Desk) -> None:
    """The yes and its question stay however old; history, old noes and old questions go."""
    history = desk.give("ads")
    desk.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None)
    desk.later(days=200)
    stands = desk.give("ads")
    desk.refuse("ads", device="d-2")
    desk.record(EventType.REQUESTED, device="d-3")
    desk.later(days=100)
    recent = desk.give("count", device="d-4")
    desk.refuse("ads", device="d-2")

    first = retain(desk, days=50)
    second = retain(desk, days=50)

    left = held(desk)
    assert (first, second) == (5, 0)
    assert history.record_id not in left
    assert stands.record_id in left
    assert recent.record_id in left
    assert len(left) == 2 + 2 + 1
    assert desk.ask("ads")[0].allowed
    assert desk.ask("ads", device="d-2")[0].why is Why.REFUSED
    assert subject(desk, "d-3") is None
    (tombstone,) = tombstones(desk)
    assert (tombstone["method"], tombstone["by"]) == ("job", "system")


def test_retention_remembers_a_refusal_and_lets_expired_consent_go(desk: Desk) -> None:
    """Of whom nothing else is left, a no becomes a row without a key; an expired yes nothing."""
    desk.refuse("ads")
    desk.give("ads", device="d-2", valid_until=desk.now + timedelta(days=30))
    desk.later(days=100)

    erased = retain(desk, days=50)

    row = subject(desk)
    assert erased == 3
    assert held(desk) == []
    assert row is not None
    assert row.wrapped == b""
    assert desk.ask("ads")[0].why is Why.REFUSED
    assert subject(desk, "d-2") is None


def test_retention_keeps_the_question_that_was_answered(desk: Desk) -> None:
    """Put again since, and by another version: what was answered is the one before the yes."""
    early = desk.record(EventType.REQUESTED)
    asked = desk.record(EventType.REQUESTED)
    given = desk.record(EventType.GIVEN, {"ads": "given"}, served_id=asked.record_id)
    desk.record(EventType.REQUESTED, origin=Origin.PREFERENCES)
    version = desk.publish(text="May we, please?")
    desk.later(days=100)
    desk.record(EventType.REQUESTED, version=version, origin=Origin.PREFERENCES)

    erased = [retain(desk, days=50) for _ in range(2)]

    assert erased == [2, 0]
    assert early.record_id not in held(desk)
    assert {asked.record_id, given.record_id} < set(held(desk))


def test_retention_keeps_the_question_behind_what_was_taken_over(desk: Desk) -> None:
    """The device was asked; the consent is the account's by now, and the device gave anew."""
    asked = desk.record(EventType.REQUESTED)
    given = desk.record(EventType.GIVEN, {"ads": "given"})
    account(desk, "d-1")
    desk.later(days=100)
    desk.give("ads")

    assert retain(desk, days=50) == 0

    assert {asked.record_id, given.record_id} < set(held(desk))


def test_retention_does_not_reach_what_another_standing_rests_on(desk: Desk) -> None:
    """An account that took over its device's consent keeps the record of it."""
    given = desk.give("ads")
    account(desk, "d-1")
    desk.later(days=100)
    desk.give("ads")

    retain(desk, days=50)

    assert given.record_id in held(desk)
    assert desk.ask("ads", device="a-1", subject_kind=SubjectKind.ACCOUNT)[0].allowed


def test_retention_does_not_reach_what_a_far_standing_rests_on(desk: Desk) -> None:
    """An address took over from an account what that had from a device."""
    mail = {"device": "ada@example.org", "subject_kind": SubjectKind.EMAIL}
    given = desk.give("ads")
    account(desk, "d-1")
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.ACCOUNT, "a-1"), **mail)
    desk.later(days=100)
    desk.give("ads")
    desk.give("ads", device="a-1", subject_kind=SubjectKind.ACCOUNT)

    retain(desk, days=50)

    assert given.record_id in held(desk)
    assert desk.ask("ads", **mail)[0].allowed


def test_retention_does_not_forget_what_an_expired_consent_had_ended(desk: Desk) -> None:
    """The opt-out is as old, and so is remembered: nothing runs because both are gone."""
    opt_out(desk)
    desk.later(days=1)
    opt_in(desk, valid_until=desk.now + timedelta(days=1))
    desk.later(days=100)
    before = desk.ask("ads")[0].why

    erased = retain(desk, days=50)

    row = subject(desk)
    assert (before, erased) == (Why.EXPIRED, 3)
    assert row is not None
    assert row.wrapped == b""
    assert desk.ask("ads")[0].why is Why.OPTED_OUT


@pytest.mark.parametrize("whole", [True, False])
def test_a_signal_that_a_yes_has_outlived_stands_without_it(desk: Desk, *, whole: bool) -> None:
    """It is on record, or was: with the yes gone, nobody has said anything against it."""
    signal = {"jurisdiction": "US-CA", "signals": Signals(sec_gpc=True)}
    yes = desk.give("ads", **signal)
    desk.later(days=1)
    no = desk.record(EventType.OPTED_OUT, {"ads": "refused"}, method=Method.GPC, **signal)
    assert desk.ask("ads")[0].allowed

    erased = desk.erase(device="d-1") if whole else desk.erase(yes.record_id)
    answer = desk.ask("ads")[0]

    assert (answer.allowed, answer.why) == (False, Why.OPTED_OUT)
    assert answer.record_id == (None if whole else no.record_id)
    assert list(erased.remembered) == (["ads"] if whole else [])


def test_a_signal_that_a_yes_has_outlived_stands_where_that_is_restricted(desk: Desk) -> None:
    """The account took the yes over, and has said no itself."""
    signal = {"jurisdiction": "US-CA", "signals": Signals(sec_gpc=True)}
    desk.give("ads", **signal)
    account(desk, "d-1")
    desk.later(days=1)
    no = desk.record(
        EventType.OPTED_OUT, {"ads": "refused"}, method=Method.GPC, **OF_ACCOUNT, **signal
    )
    assert desk.ask("ads", **OF_ACCOUNT)[0].allowed

    desk.restrict(days=30)

    answer = desk.ask("ads", **OF_ACCOUNT)[0]
    assert (answer.allowed, answer.why, answer.record_id) == (False, Why.OPTED_OUT, no.record_id)


def test_an_imported_no_that_a_yes_has_outlived_stands_without_it(desk: Desk) -> None:
    """It was older; of what is left it is the newest."""
    yes = desk.give("ads")
    desk.take(EVIDENT, [{"id": "d-1", "at": "2026-01-30T12:00:00Z", "a": "no"}])
    assert desk.ask("ads")[0].allowed

    desk.erase(yes.record_id)

    assert desk.ask("ads")[0].why is Why.REFUSED


def test_retention_cuts_no_link(desk: Desk) -> None:
    """A device whose records are all too old is known still: its signal reaches the account."""
    desk.refuse("count")
    desk.give("ads", **OF_ACCOUNT)
    link = account(desk, "d-1")
    desk.later(days=100)

    erased = retain(desk, days=50)
    row = subject(desk)
    desk.record(
        EventType.OPTED_OUT,
        {"ads": "refused"},
        version=None,
        method=Method.GPC,
        jurisdiction="US-CA",
        signals=Signals(sec_gpc=True),
    )

    assert erased == 1
    assert row is not None
    assert row.wrapped
    assert link.record_id in held(desk)
    assert desk.ask("count")[0].why is Why.REFUSED
    assert desk.ask("ads", **OF_ACCOUNT)[0].why is Why.OPTED_OUT
    assert desk.noted[0].subjects == []


def test_whom_only_a_link_kept_stays_for_a_refusal_alone(desk: Desk) -> None:
    """When the account goes as well, a device with nothing to remember goes along."""
    desk.refuse("count")
    desk.record(EventType.REQUESTED, device="d-2")
    account(desk, "d-1")
    account(desk, "d-2", name="a-2")
    desk.later(days=100)
    retain(desk, days=50)
    known = [subject(desk, device) is not None for device in ("d-1", "d-2")]

    for name in ("a-1", "a-2"):
        desk.erase(device=name, subject_kind=SubjectKind.ACCOUNT, keep_refusals=False)

    assert known == [True, True]
    assert desk.ask("count")[0].why is Why.REFUSED
    assert subject(desk, "d-2") is None
    desk.erase(device="d-1", keep_refusals=False)
    assert subject(desk) is None


def test_standings_after_an_erasure_are_not_replayed(desk: Desk) -> None:
    """What was decided near what went cannot be told by the records left: nothing contradicts."""
    desk.refuse("ads")
    desk.later(days=1)
    opt_in(desk)
    desk.later(days=1)
    opt_in(desk, **OF_ACCOUNT)
    account(desk, "d-1")
    desk.give("count", device="d-2")
    desk.later(days=100)
    retain(desk, days=50)
    before = saved(desk)

    rebuilt = asyncio.run(
        Rebuilding(keyring=desk.keyring, writing=CommandWriter(desk.database)).rebuild(SITE)
    )

    assert rebuilt.mended == 0
    assert saved(desk) == before
    with desk.database.read() as connection:
        found = inspect(connection, desk.keyring, SITE)
    assert found.unwhole == 2


def test_retention_goes_in_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a transaction and a tombstone of its own, full ones first."""
    monkeypatch.setattr("consent.subjects.erasure.PAGE", 3)
    for number in range(8):
        desk.refuse("ads", device=f"d-{number}")
    desk.later(days=1)
    kept = desk.refuse("ads", device="d-9")

    erased = retain(desk, hours=1)

    assert erased == 8
    assert [len(event["record_ids"]) for event in tombstones(desk)] == [3, 3, 2]
    assert held(desk) == [kept.record_id]


def test_a_site_says_how_long_records_are_kept(desk: Desk) -> None:
    """The job erases to the setting; on a site that sets nothing, everything stays."""
    desk.refuse("ads")
    desk.later(days=100)

    unset = asyncio.run(desk.erasing.keep_to_retention())
    desk.configure(retention_days=101)
    young = asyncio.run(desk.erasing.keep_to_retention())
    desk.configure(retention_days=99)
    old = asyncio.run(desk.erasing.keep_to_retention())

    assert (unset, young, old) == (0, 0, 1)


@pytest.mark.parametrize("stored", ["{", "[]"])
def test_a_damaged_setting_costs_no_other_site_its_retention(desk: Desk, stored: str) -> None:
    """It is read site by site: the others' old records go all the same, and it is told."""
    desk.refuse("ads")
    desk.configure(retention_days=99)
    with desk.database.write() as connection:
        place = {"site_id": "a-damaged-one", "content": stored, "changed": "2026-01-31T12:00:00Z"}
        connection.execute(insert(SETTING).values(place))
    desk.later(days=100)

    with pytest.raises(SettingDamaged):
        asyncio.run(desk.erasing.keep_to_retention())

    assert held(desk) == []


def test_postgresql_is_vacuumed_afterwards(desk: Desk) -> None:
    """Deleted rows are not left to wait for the server's own time; SQLite has nothing left over."""
    desk.give("ads")
    desk.erase(device="d-1")
    due = desk.sweeper.due

    asyncio.run(desk.sweeper.finish(CommandWriter(desk.database)))

    assert due is not desk.database.is_sqlite
    assert not desk.sweeper.due
    if not desk.database.is_sqlite:
        with desk.database.read() as connection:
            done = connection.exec_driver_sql(
                "SELECT relname FROM pg_stat_user_tables"
                " WHERE schemaname = 'consent' AND vacuum_count > 0"
            )
            assert set(done.scalars()) == {"record", "record_purpose", "subject", "idempotency"}


def test_postgresql_is_vacuumed_though_whoever_erased_has_ended(
    house: Databases, desk: Desk
) -> None:
    """The next process was told of no erasure: its first round does it in any case, no other."""
    anew = consenting.open_sweeper(house)
    before = vacuumed(desk)

    for _ in range(2):
        asyncio.run(anew.finish(CommandWriter(desk.database)))

    assert vacuumed(desk) == before + (not desk.database.is_sqlite)


def vacuumed(desk: Desk) -> int:
    """Return how often PostgreSQL has left nothing of deleted records."""
    if desk.database.is_sqlite:
        return 0
    with desk.database.read() as connection:
        asked = (
            "SELECT vacuum_count FROM pg_stat_user_tables"
            " WHERE schemaname = 'consent' AND relname = 'record'"
        )
        return int(connection.exec_driver_sql(asked).scalar_one())


def test_a_large_erasure_has_several_tombstones(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the receipt of each stays one that verifies; all are of one transaction."""
    monkeypatch.setattr("consent.subjects.forgetting.TOMBSTONE_RECORDS", 2)
    for _ in range(5):
        desk.refuse("ads")

    erased = desk.erase(device="d-1")

    made = tombstones(desk)
    assert [len(event["record_ids"]) for event in made] == [2, 2, 1]
    assert sorted(erased.record_ids) == [name for event in made for name in event["record_ids"]]
    assert list(desk.noted[0].tombstones) == [event["record_id"] for event in made]
    assert erased.receipt is not None
    assert erased.receipt.record_id == made[-1]["record_id"]


def test_a_large_restriction_has_several_tombstones(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the same reason; of a copy that does not know of it, each is entered again."""
    monkeypatch.setattr("consent.subjects.forgetting.TOMBSTONE_RECORDS", 2)
    for _ in range(5):
        desk.refuse("ads")
    copied = copy(desk.database)

    restricted = desk.restrict(days=90)

    made = tombstones(desk)
    assert [len(event["record_ids"]) for event in made] == [2, 2, 1]
    assert list(restricted.record_ids) == [name for event in made for name in event["record_ids"]]
    assert restricted.receipt.record_id == made[-1]["record_id"]
    put_back(desk.database, copied)
    asyncio.run(desk.continuing.check())
    asyncio.run(desk.reapplying.reapply(reversed(desk.noted)))
    again = [event for event in tombstones(desk) if event["event_type"] == "restricted"]
    assert [event["record_id"] for event in again] == [event["record_id"] for event in made]
    assert [event["record_ids"] for event in again] == [event["record_ids"] for event in made]


def test_a_restriction_is_waited_out_and_then_shredded(desk: Desk) -> None:
    """Retention spares what is kept as evidence; when the day has come, the job takes it all."""
    desk.refuse("ads")
    desk.give("count", device="d-2")
    desk.restrict(days=90)
    desk.later(days=80)

    spared = retain(desk, days=1)
    early = asyncio.run(desk.erasing.shred_due())
    desk.later(days=10)
    due = asyncio.run(desk.erasing.shred_due())
    late = asyncio.run(desk.erasing.shred_due())

    assert (spared, early, due, late) == (0, 0, 1, 0)
    row = subject(desk)
    assert row is not None
    assert (row.wrapped, row.restricted_until) == (b"", None)
    assert len(held(desk)) == 2


def test_what_cannot_be_shredded_keeps_nobody_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is due after somebody who cannot be erased goes in the same round; it is told."""
    devices = ("d-1", "d-2", "d-3")
    for device in devices:
        desk.give("ads", device=device)
        desk.restrict(device, days=1)
    desk.later(days=2)
    first, *others = sorted(
        desk.keyring.refs(SITE, SubjectKind.DEVICE, device)[0] for device in devices
    )

    def note(erasure: Erasure) -> None:
        if first in dict(erasure.subjects):
            raise OSError("expected a disk that takes it")

    monkeypatch.setattr(desk.erasing, "_note", note)
    with pytest.raises(OSError, match="a disk that takes it"):
        asyncio.run(desk.erasing.shred_due())

    with desk.database.read() as connection:
        left = set(connection.execute(select(SUBJECT.c.subject_ref)).scalars())
    assert first in left
    assert left.isdisjoint(others)


def test_a_refusal_of_ones_own_does_not_end_with_the_consent_taken_over(desk: Desk) -> None:
    """The account had opted out and in again; the yes that followed was its device's."""
    opted_out = opt_out(desk, **OF_ACCOUNT)
    opt_in(desk, **OF_ACCOUNT)
    desk.later(days=1)
    given = desk.give("ads")
    account(desk, "d-1")
    before = desk.ask("ads", **OF_ACCOUNT)[0].record_id

    desk.restrict(days=90)

    (answer,) = desk.ask("ads", **OF_ACCOUNT)
    assert before == given.record_id
    assert (answer.why, answer.record_id) == (Why.OPTED_OUT, opted_out.record_id)


def test_consent_taken_over_ends_with_a_restriction(desk: Desk) -> None:
    """What is kept as evidence alone allows nothing under another id, after a restore neither."""
    of_account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    desk.give("ads")
    desk.give("count", **of_account)
    account(desk, "d-1")
    desk.refuse("count", device="d-2")
    account(desk, "d-2")
    backup = saved(desk)
    assert desk.ask("ads", **of_account)[0].allowed

    desk.restrict(days=90)
    restricted = desk.ask("ads", "count", **of_account)
    restore(desk, backup)
    again(desk)

    for ads, count in (restricted, desk.ask("ads", "count", **of_account)):
        assert (ads.allowed, ads.why) == (False, Why.NOT_ANSWERED)
        assert count.why is Why.REFUSED
    assert desk.ask("ads")[0].why is Why.RESTRICTED


# -- whatever happens -------------------------------------------------------------------------


class Person:
    """A device in the test's own book: which records are held, and whether ads are allowed."""

    def __init__(self, desk: Desk, device: str) -> None:
        self.desk = desk
        self.device = device
        self.held: list[str] = []
        self.allowed_by: str | None = None
        self.restricted = False

    def record(self, kind: EventType, decided: dict[str, str] | None = None) -> Receipt:
        """Record an event of this person."""
        made = self.desk.record(kind, decided, device=self.device, origin=Origin.PREFERENCES)
        self.held.append(made.record_id)
        return made

    def give(self) -> None:
        """Say yes when asked; under restriction neither is recorded."""
        if self.restricted:
            for kind, decided in ((EventType.REQUESTED, None), (EventType.GIVEN, {"ads": "given"})):
                with pytest.raises(SubjectRestricted):
                    self.record(kind, decided)
        else:
            self.record(EventType.REQUESTED)
            self.allowed_by = self.record(EventType.GIVEN, {"ads": "given"}).record_id

    def refuse(self) -> None:
        """Say no."""
        self.record(EventType.REFUSED, {"ads": "refused"})
        self.allowed_by = None

    def erase(self) -> None:
        """Have everything erased."""
        if self.held:
            assert sorted(self.desk.erase(device=self.device).record_ids) == sorted(self.held)
        self._forgotten()

    def erase_oldest(self) -> None:
        """Have the oldest record erased."""
        if self.held:
            oldest = self.held.pop(0)
            self.desk.erase(oldest)
            self.allowed_by = None if self.allowed_by == oldest else self.allowed_by
            if not self.held:
                self._forgotten()

    def restrict(self) -> None:
        """Have processing restricted."""
        if self.held:
            self.desk.restrict(self.device, days=30)
            self.restricted = True

    def _forgotten(self) -> None:
        self.held, self.allowed_by, self.restricted = [], None, False

    @property
    def allowed(self) -> bool:
        """Whether ads may be shown."""
        return self.allowed_by is not None and not self.restricted


DEEDS = st.lists(
    st.tuples(
        st.sampled_from([Person.give, Person.refuse, Person.erase, Person.erase_oldest]),
        st.integers(0, 2),
    )
    | st.tuples(st.just(Person.restrict), st.just(0)),
    max_size=10,
)


@given(DEEDS)
@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_happens_the_right_records_open_and_the_log_holds(
    desk: Desk, deeds: Sequence[tuple[Callable[[Person], None], int]]
) -> None:
    """After each deed: held records open, no other does, standing fits, the log only grew."""
    people = [Person(desk, f"d-{desk.new_id()}") for _ in range(3)]
    ever: set[str] = set()
    for deed, who in deeds:
        with desk.database.read() as connection:
            before = ledger.read_head(connection, SITE, 1)
        desk.later(seconds=1)

        deed(people[who])

        held_now = {name for person in people for name in person.held}
        ever |= held_now
        with desk.database.read() as connection:
            opened = read_vault(connection, desk.keyring, SITE, sorted(ever))
            assert {name for name, kept in opened.items() if kept.open()} == held_now
            after = ledger.read_head(connection, SITE, 1)
            if before.frontier.size:
                verify_consistency(
                    old_size=before.frontier.size,
                    old_root=before.root,
                    new_size=after.frontier.size,
                    new_root=after.root,
                    proof=Nodes(connection, after).consistency(
                        before.frontier.size, after.frontier.size
                    ),
                )
        for person in people:
            (answer,) = desk.ask("ads", device=person.device)
            assert answer.allowed == person.allowed


# -- a no that lasts, behind a yes ------------------------------------------------------------


def come_back(desk: Desk, **subject: Any) -> str:  # noqa: ANN401
    """Say yes by oneself, in the preferences."""
    return desk.give("ads", origin=Origin.PREFERENCES, **subject).record_id


@pytest.mark.parametrize("kind", [EventType.OBJECTED, EventType.OPTED_OUT, EventType.REVOKED])
def test_a_no_keeps_its_name_though_its_record_goes_first(desk: Desk, kind: EventType) -> None:
    """One after the other comes to the same as both at once."""
    ids = []
    for device in ("one-by-one", "at-once"):
        no = desk.record(kind, {"ads": "refused"}, version=None, device=device).record_id
        ids.append((no, come_back(desk, device=device)))

    for record_id in ids[0]:
        desk.erase(record_id)
    desk.erase(*ids[1])

    found = [desk.ask("ads", device=device)[0] for device in ("one-by-one", "at-once")]
    assert found[0] == found[1]
    assert found[0].why is Why(kind)


def test_retention_forgets_no_objection_behind_a_yes(desk: Desk) -> None:
    """The objection is older than the yes, and goes before it."""
    desk.record(EventType.OBJECTED, {"ads": "refused"}, version=None)
    desk.later(days=20)
    desk.record(EventType.REQUESTED, origin=Origin.PREFERENCES)
    until = {"valid_until": desk.now.replace(year=desk.now.year + 1)}
    desk.record(EventType.GIVEN, {"ads": "given"}, origin=Origin.PREFERENCES, **until)
    for _ in range(60):
        desk.later(days=10)
        retain(desk, days=365)

    (answer,) = desk.ask("ads")
    assert (answer.why, answer.ask) == (Why.OBJECTED, False)


def test_a_remembered_objection_is_not_lost_behind_a_later_yes(desk: Desk) -> None:
    """Of it no record tells any more when the person says yes, and that yes goes as well."""
    desk.record(EventType.OBJECTED, {"ads": "refused"}, version=None)
    desk.erase(device="d-1")
    come_back(desk)
    desk.erase(device="d-1")

    (answer,) = desk.ask("ads")
    assert (answer.why, answer.ask) == (Why.OBJECTED, False)


def test_a_restricted_device_leaves_its_account_the_objection(desk: Desk) -> None:
    """The account had taken over the device's yes; its own objection from before that stands."""
    desk.record(EventType.OBJECTED, {"ads": "refused"}, version=None, **OF_ACCOUNT)
    come_back(desk, **OF_ACCOUNT)
    come_back(desk)
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, "d-1"), **OF_ACCOUNT)
    desk.restrict("d-1", days=30)

    (answer,) = desk.ask("ads", **OF_ACCOUNT)
    assert (answer.why, answer.ask) == (Why.OBJECTED, False)
