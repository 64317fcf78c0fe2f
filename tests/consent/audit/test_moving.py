"""A refusal that a link took over from somebody whose record is gone moves with the site."""

import asyncio
import io
from pathlib import Path

from consent_desk import SITE, Desk

from aboveboard import installation
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent.audit.bundling import Bundling
from consent.audit.intake import Intake
from consent.choices.choice import EventType, SubjectKind
from consent.proofs import evidence
from consent.recording.standing import Why
from consent.records.search import Filter

MAIL = {"device": "ada@example.org", "subject_kind": SubjectKind.EMAIL}


def desk_at(folder: Path) -> Desk:
    """Open the consent half on fresh tables."""
    databases = installation.open_databases(Settings(data_dir=folder))
    databases.migrate()
    return Desk(databases)


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

    bundling = Bundling(
        keyring=old.keyring, reading=old.database, clock=old.clock, made_by="a test"
    )
    file = io.BytesIO(b"".join(bundling.bundle(SITE, Filter(), moving=True)))
    intake = Intake(
        keyring=new.keyring, writing=CommandWriter(new.database), sweep=lambda _traces: None
    )
    asyncio.run(intake.take_in(file, evidence.verify(file), lambda _number: None, old.noted))
    new.now = old.now

    assert new.ask("ads")[0].why is Why.OBJECTED
    assert new.ask("ads", **MAIL)[0].why is Why.OBJECTED
