"""A refusal that a link took over from somebody whose record is gone moves with the site."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from consent_desk import SITE, Desk
from sqlalchemy import select
from whole_copy import copy, put_back

from aboveboard import installation
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent.audit.bundling import Bundling
from consent.audit.intake import Intake
from consent.choices.choice import EventType, SubjectKind
from consent.proofs import evidence
from consent.recording.standing import Why
from consent.records.search import Filter
from consent.subjects.forgetting import Erasure, Restriction
from consent.tables import SUBJECT

MAIL = {"device": "ada@example.org", "subject_kind": SubjectKind.EMAIL}


def desk_at(folder: Path) -> Desk:
    """Open the consent half on fresh tables."""
    databases = installation.open_databases(Settings(data_dir=folder))
    databases.migrate()
    return Desk(databases)


def move(old: Desk, new: Desk, noted: Sequence[Erasure | Restriction]) -> None:
    """Take the site of one desk in at another."""
    bundling = Bundling(
        keyring=old.keyring, reading=old.database, clock=old.clock, made_by="a test"
    )
    file = io.BytesIO(b"".join(bundling.bundle(SITE, Filter(), moving=True)))
    intake = Intake(
        keyring=new.keyring, writing=CommandWriter(new.database), sweep=lambda _traces: None
    )
    asyncio.run(intake.take_in(file, evidence.verify(file), lambda _number: None, noted))
    new.now = old.now


def until(desk: Desk) -> list[str | None]:
    """Return until when subjects are restricted."""
    with desk.database.read() as connection:
        return list(connection.execute(select(SUBJECT.c.restricted_until)).scalars())


def test_what_a_link_took_over_moves_along(tmp_path: Path) -> None:
    """The device's objection aged out; the address that was linked after it has it still."""
    old, new = desk_at(tmp_path / "old"), desk_at(tmp_path / "new")
    old.publish()
    old.record(EventType.OBJECTED, {"ads": "refused"}, version=None)
    old.later(days=400)
    assert asyncio.run(old.erasing.retain(SITE, old.now)) == 1
    link = {"version": None, "linked": (SubjectKind.DEVICE, "d-1")}
    old.record(EventType.LINKED, **link, **MAIL)
    assert old.ask("ads", **MAIL)[0].why is Why.OBJECTED

    move(old, new, old.noted)

    assert new.ask("ads")[0].why is Why.OBJECTED
    assert new.ask("ads", **MAIL)[0].why is Why.OBJECTED


def test_a_restriction_of_whom_nothing_is_held_moves_along(tmp_path: Path) -> None:
    """An older copy was put back, from before anything was recorded of them."""
    old, new = desk_at(tmp_path / "old"), desk_at(tmp_path / "new")
    old.publish()
    copied = copy(old.database)
    old.give("ads")
    old.restrict("d-1", days=300)
    put_back(old.database, copied)
    asyncio.run(old.continuing.check())
    asyncio.run(old.reapplying.reapply(reversed(old.noted)))
    assert old.ask("ads")[0].why is Why.RESTRICTED
    old.give("ads", device="d-9")

    move(old, new, [])

    assert new.ask("ads")[0].why is Why.RESTRICTED


def test_the_last_day_of_a_restriction_moves_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier one that a copy did again with fewer tombstones is known, and not set anew."""
    monkeypatch.setattr("consent.subjects.forgetting.TOMBSTONE_RECORDS", 2)
    old, new = desk_at(tmp_path / "old"), desk_at(tmp_path / "new")
    old.publish()
    old.give("ads")
    copied = copy(old.database)
    old.give("ads")
    old.give("ads")
    old.restrict(days=90)
    put_back(old.database, copied)
    asyncio.run(old.continuing.check())
    asyncio.run(old.reapplying.reapply(reversed(old.noted)))
    old.restrict(days=30)

    move(old, new, old.noted)

    assert until(new) == until(old)


def test_a_restriction_that_an_erasure_ended_does_not_move_along(tmp_path: Path) -> None:
    """A copy from before both was put back: only the erasure is done again and has a tombstone."""
    old, new = desk_at(tmp_path / "old"), desk_at(tmp_path / "new")
    old.publish()
    old.give("ads")
    copied = copy(old.database)
    old.restrict(days=300)
    old.erase(device="d-1")
    put_back(old.database, copied)
    asyncio.run(old.continuing.check())
    asyncio.run(old.reapplying.reapply(reversed(old.noted)))
    assert old.ask("ads")[0].why is Why.NOT_ASKED

    move(old, new, old.noted)

    assert new.ask("ads")[0].why is Why.NOT_ASKED
    new.give("ads")
    assert new.ask("ads")[0].allowed
