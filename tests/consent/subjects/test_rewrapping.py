"""Rotating the key-encryption key: everything opens as before, under the new key alone."""

import asyncio

import pytest
from consent_desk import SITE, Desk
from sqlalchemy import select, update

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.writer import CommandWriter
from consent.choices.choice import SITE as SITE_REF
from consent.choices.choice import EventType, SubjectKind
from consent.errors import VaultUnreadable
from consent.recording.standing import Why
from consent.records.history import read_vault
from consent.subjects.forgetting import reapply
from consent.subjects.rewrapping import Rewrapping
from consent.tables import RECORD, SUBJECT


@pytest.fixture
def desk(databases: Databases) -> Desk:
    """Open the consent half with one published notice."""
    made = Desk(databases)
    made.publish()
    return made


def versions(desk: Desk) -> dict[str, int]:
    """Return the version of each key that there is, by pseudonym."""
    with desk.database.read() as connection:
        rows = connection.execute(
            select(SUBJECT.c.subject_ref, SUBJECT.c.key_version, SUBJECT.c.wrapped)
        )
        return {ref: version for ref, version, wrapped in rows if wrapped}


def opened(desk: Desk) -> dict[str, bytes]:
    """Open every record."""
    with desk.database.read() as connection:
        ids = list(connection.execute(select(RECORD.c.record_id)).scalars())
        vault = read_vault(connection, desk.keyring, SITE, ids)
        assert vault.keys() == set(ids)
        return {record_id: kept.open().event for record_id, kept in vault.items()}


def rotate(desk: Desk, *, transactions: int | None = None) -> list[int]:
    """Wrap everything under a new key, or so many transactions of it; return their keys."""
    rewrapping = Rewrapping(
        keyring=desk.keyring, writing=CommandWriter(desk.database), reading=desk.database
    )

    async def rewrap() -> list[int]:
        done = []
        async for keys in rewrapping.rewrap():
            done.append(keys)
            if len(done) == transactions:
                break
        return done

    return asyncio.run(rewrap())


def test_everything_opens_under_the_new_key_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Subjects, the site itself and who comes later; whoever is only remembered has no key."""
    monkeypatch.setattr("consent.subjects.rewrapping.PAGE", 3)
    for number in range(7):
        desk.refuse("ads", device=f"d-{number}")
    desk.erase(device="d-0")
    before = opened(desk)
    desk.wrapping_keys = {1: b"w" * 32, 2: b"x" * 32}

    done = rotate(desk)

    assert done == [3, 3, 1]
    assert set(versions(desk).values()) == {2}
    assert SITE_REF in versions(desk)
    desk.wrapping_keys = {2: b"x" * 32}
    desk.keyring._wrappings.clear()
    assert opened(desk) == before
    assert rotate(desk) == [0]
    desk.refuse("ads", device="d-9")
    desk.refuse("ads", device="d-1")
    desk.erase(device="d-1")
    assert set(versions(desk).values()) == {2}
    assert desk.ask("ads", device="d-0")[0].why is Why.REFUSED


def test_a_key_that_does_not_open_keeps_no_other_under_the_old_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays as it is, and is told once all the others are wrapped anew."""
    monkeypatch.setattr("consent.subjects.rewrapping.PAGE", 3)
    for number in range(7):
        desk.refuse("ads", device=f"d-{number}")
    damaged = min(versions(desk))
    with desk.database.write() as connection:
        row = update(SUBJECT).where(SUBJECT.c.subject_ref == damaged)
        connection.execute(row.values(wrapped=b"torn"))
    desk.wrapping_keys = {1: b"w" * 32, 2: b"x" * 32}

    with pytest.raises(VaultUnreadable, match=damaged):
        rotate(desk)

    assert {ref for ref, version in versions(desk).items() if version == 1} == {damaged}


def test_an_interrupted_rotation_is_gone_on_with(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between, both versions open, and what is written already has the new one."""
    monkeypatch.setattr("consent.subjects.rewrapping.PAGE", 2)
    for number in range(5):
        desk.refuse("ads", device=f"d-{number}")
    before = opened(desk)
    desk.wrapping_keys = {1: b"w" * 32, 2: b"x" * 32}

    rotate(desk, transactions=1)
    between = sorted(versions(desk).values())
    assert opened(desk) == before
    desk.refuse("ads", device="d-9")
    rest = rotate(desk)

    assert between == [1, 1, 1, 2, 2]
    assert sum(rest) == 3
    assert set(versions(desk).values()) == {2}


def test_a_key_that_is_not_there_is_told(desk: Desk) -> None:
    """Nothing is half done: the rows of that transaction stay as they were."""
    desk.refuse("ads")
    desk.wrapping_keys = {2: b"x" * 32}
    desk.keyring._wrappings.clear()

    with pytest.raises(VaultUnreadable, match="version 2, got 1"):
        rotate(desk)

    assert set(versions(desk).values()) == {1}


def test_an_erasure_after_a_rotation_reaches_a_backup_from_before(desk: Desk) -> None:
    """The key that was destroyed is known again under its old wrapping."""
    desk.give("ads")
    with desk.database.read() as connection:
        backup = [
            (table, [tuple(row) for row in connection.execute(select(table))])
            for table in (RECORD, SUBJECT)
        ]
    desk.wrapping_keys = {1: b"w" * 32, 2: b"x" * 32}
    rotate(desk)
    desk.erase(device="d-1")
    with desk.database.write() as connection, Rows(connection) as rows:
        for table, content in backup:
            connection.execute(table.delete())
            rows.insert(table, content)

        for noted in desk.noted:
            assert len(reapply(rows, desk.keyring, noted)) == 4  # two records, key, pseudonym

    assert versions(desk) == {}


# -- the key of pseudonyms --------------------------------------------------------------------


def test_a_new_subject_key_is_for_new_subjects(desk: Desk) -> None:
    """Who is known stays known under the old pseudonym, in every use."""
    given = desk.give("ads")
    desk.subject_keys = {1: b"s" * 32, 2: b"t" * 32}

    assert desk.ask("ads")[0].record_id == given.record_id
    desk.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None)
    desk.give("ads", device="d-2")
    assert desk.ask("ads")[0].why is Why.WITHDRAWN
    assert desk.ask("ads", device="d-2")[0].allowed
    (new, old) = desk.keyring.refs(SITE, SubjectKind.DEVICE, "d-1")
    assert (new[:2], old[:2]) == ("2.", "1.")
    assert {ref[:2] for ref in versions(desk)} == {"1.", "2."}
    assert len(desk.erase(device="d-1").record_ids) == 3
    assert desk.erase(device="d-2").remembered == []
    assert set(versions(desk)) == {SITE_REF}
