"""The consent half at one desk: its use cases over real tables, with a clock that a test sets."""

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aboveboard.consenting import open_sweeper
from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from consent.choices.choice import Basis, Decision, EventType, Method, Origin, SubjectKind
from consent.choices.claim import Choice
from consent.choices.notice import Controller, Notice, Purpose
from consent.choices.record import parse_instant
from consent.choices.setting import Setting
from consent.log.keeping import Kept
from consent.recording.configuring import Configuring
from consent.recording.continuing import Continuing
from consent.recording.importing import Importing, Taken
from consent.recording.mapping import Column, ColumnMapping, Refused, Row, ShownIn, read
from consent.recording.publishing import Publishing
from consent.recording.recording import Recording
from consent.recording.showing import Showing
from consent.recording.standing import UNKNOWN, Answer, StandingRead, Visitor
from consent.records.batch import Receipt
from consent.sealing.keyring import Keyring
from consent.subjects.erasure import Erased, Erasing
from consent.subjects.reapplying import Reapplying
from consent.subjects.restriction import Restricted, Restricting

START = parse_instant("2026-01-31T12:00:00Z")
SITE = "shop-example"
PURPOSES = (
    Purpose("ads", "Ads", "Shows ads.", Basis.CONSENT, advertising=True),
    Purpose("count", "Counting", "Counts visits.", Basis.CONSENT),
)
EVIDENT = ColumnMapping(
    subject="id",
    kind=SubjectKind.DEVICE,
    time="at",
    purposes={"ads": Column("a")},
    notice=ShownIn("main", 1, "en"),
    evidence=True,
)
"""Of another tool's log, a row of which is evidence."""

METHODS = {
    EventType.REQUESTED: Method.API,
    EventType.DEFERRED: Method.CLOSE,
    EventType.GIVEN: Method.SAVE,
    EventType.RENEWED: Method.SAVE,
    EventType.OPTED_IN: Method.SAVE,
    EventType.REVOKED: Method.ADMIN,
    EventType.INVALIDATED: Method.ADMIN,
}


class Drawer:
    """Keeps the last checkpoint of each log for as long as the desk stands."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Kept] = {}

    def keep(self, kept: Kept) -> None:
        """Keep a checkpoint."""
        self._kept[kept.site_id, kept.epoch] = kept

    def newest(self, site_id: str) -> Kept | None:
        """Return what is kept of a site's newest log."""
        return max((kept for kept in self._kept.values() if kept.site_id == site_id), default=None)

    def epochs(self, site_id: str) -> list[int]:
        """Return the epochs of a site."""
        return sorted(epoch for site, epoch in self._kept if site == site_id)

    def sites(self) -> list[str]:
        """Return every site."""
        return sorted({site for site, _ in self._kept})

    def sync(self) -> None:
        """Wait for nothing."""


class Desk:
    """One site's consent; everything is asked and told synchronously."""

    def __init__(self, databases: Databases) -> None:
        self.now = START
        self.subject_keys = {1: b"s" * 32}
        self.wrapping_keys = {1: b"w" * 32}
        self.keyring = Keyring(
            subject_keys=lambda: self.subject_keys,
            wrapping_keys=lambda: self.wrapping_keys,
            fingerprint_key=b"f" * 32,
            log_key=lambda _site, epoch, _make: bytes([epoch]) * 32,
            keeping=Drawer(),
            random=os.urandom,
        )
        self.database = databases.consent
        self._made = 0
        self._keys = 0
        writing = CommandWriter(self.database)
        self.standing = StandingRead(keyring=self.keyring, looking=self.database, clock=self.clock)
        self.recording = Recording(
            keyring=self.keyring, writing=writing, clock=self.clock, ids=self.new_id
        )
        self.publishing = Publishing(
            keyring=self.keyring,
            writing=writing,
            reading=self.database,
            clock=self.clock,
            changed=self.standing.forget,
        )
        self.showing = Showing(keyring=self.keyring, writing=writing, clock=self.clock)
        self.configuring = Configuring(
            writing=writing,
            reading=self.database,
            clock=self.clock,
            changed=self.standing.forget,
        )
        self.noted: list[Any] = []
        self.importing = Importing(
            keyring=self.keyring,
            writing=writing,
            clock=self.clock,
            ids=self.new_id,
            erasures=lambda: reversed(self.noted),
        )
        self.sweeper = open_sweeper(databases)
        self.erasing = Erasing(
            keyring=self.keyring,
            writing=writing,
            reading=self.database,
            clock=self.clock,
            ids=self.new_id,
            note=self.noted.append,
            sweep=self.sweeper.sweep,
            sweep_later=self.sweeper.note,
        )
        self.continuing = Continuing(
            keyring=self.keyring,
            writing=writing,
            reading=self.database,
            clock=self.clock,
            ids=self.new_id,
        )
        self.reapplying = Reapplying(
            keyring=self.keyring,
            writing=writing,
            reading=self.database,
            clock=self.clock,
            sweep=self.sweeper.sweep,
        )
        self.restricting = Restricting(
            keyring=self.keyring,
            writing=writing,
            clock=self.clock,
            ids=self.new_id,
            note=self.noted.append,
        )

    def clock(self) -> datetime:
        """Return the time at this desk."""
        return self.now

    def new_id(self) -> str:
        """Return a UUIDv7 of this desk's time."""
        self._made += 1
        time = f"{int(self.now.timestamp() * 1000):012x}7{self._made % 4096:03x}"
        return str(UUID(f"{time}8000{os.urandom(6).hex()}"))

    def later(self, **span: float) -> None:
        """Let time pass, as `timedelta` spells it."""
        self.now += timedelta(**span)

    def publish(self, purposes: Sequence[Purpose] = PURPOSES, *, text: str = "May we?") -> int:
        """Publish the notice `main` and return its version."""
        notice = Notice("main", "en", text, Controller("Shop Ltd"), tuple(purposes))
        published, _ = asyncio.run(self.publishing.publish(SITE, "shop.example", notice))
        return published.version

    def configure(self, **setting: Any) -> None:  # noqa: ANN401
        """Set the site's settings."""
        asyncio.run(self.configuring.put(SITE, Setting(**setting)))

    def record(
        self,
        kind: EventType,
        decided: dict[str, str] | None = None,
        *,
        device: str = "d-1",
        subject_kind: SubjectKind = SubjectKind.DEVICE,
        version: int | None = 1,
        key: str | None = None,
        **more: Any,  # noqa: ANN401
    ) -> Receipt:
        """Record an event about the notice `main`; *decided* maps purposes to decisions."""
        self._keys += 1
        choice = Choice(
            **{
                "subject_kind": subject_kind,
                "subject_id": device,
                "event_type": kind,
                "method": METHODS.get(kind, Method.WITHDRAW_LINK),
                "origin": Origin.BANNER,
                "decisions": tuple(
                    (purpose, Decision(decision)) for purpose, decision in (decided or {}).items()
                ),
                "notice_id": None if version is None else "main",
                "notice_version": version,
                "language": None if version is None else "en",
                **more,
            }
        )
        key = key or f"k-{self._keys}"
        return asyncio.run(self.recording.record(SITE, choice, key=key, body=repr(choice).encode()))

    def take(self, mapping: ColumnMapping, rows: Sequence[Row]) -> tuple[Taken, list[Refused]]:
        """Take in another tool's rows; returns what was taken and what was refused."""
        refused: list[Refused] = []
        choices = read(rows, mapping)
        taken = asyncio.run(self.importing.take(SITE, mapping, choices, refused.append))
        return taken, refused

    def give(self, *purposes: str, **more: Any) -> Receipt:  # noqa: ANN401
        """Ask, and record that everything asked about was given."""
        version = more.get("version", 1)
        device = {name: more[name] for name in ("device", "subject_kind") if name in more}
        self.record(EventType.REQUESTED, version=version, **device)
        return self.record(EventType.GIVEN, dict.fromkeys(purposes, "given"), **more)

    def refuse(self, *purposes: str, **more: Any) -> Receipt:  # noqa: ANN401
        """Record that purposes were refused."""
        return self.record(EventType.REFUSED, dict.fromkeys(purposes, "refused"), **more)

    def erase(
        self,
        *record_ids: str,
        device: str | None = None,
        subject_kind: SubjectKind = SubjectKind.DEVICE,
        **how: bool,
    ) -> Erased:
        """Erase a subject, and single records."""
        subject = None if device is None else (subject_kind, device)
        return asyncio.run(self.erasing.erase(SITE, subject, record_ids, **how))

    def restrict(self, device: str = "d-1", **span: float) -> Restricted:
        """Restrict processing for a device until so long from now."""
        until = self.now + timedelta(**span)
        return asyncio.run(
            self.restricting.restrict(SITE, SubjectKind.DEVICE, device, evidence_until=until)
        )

    def ask(
        self,
        *purposes: str,
        device: str = "d-1",
        subject_kind: SubjectKind = SubjectKind.DEVICE,
        visitor: Visitor = UNKNOWN,
    ) -> list[Answer]:
        """Ask where a subject stands."""
        return asyncio.run(self.standing.ask(SITE, subject_kind, device, purposes, visitor))
