"""A site with a log of its own, filled through the use cases, without a service."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from aboveboard import app
from aboveboard.keys import KeyFolder
from aboveboard.randomness import Randomness
from aboveboard.rows import Rows
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent import store
from consent.batch import SITE, Batch, Receipt
from consent.choice import Actor, Basis, Decision, EventType, Method, Origin, SubjectKind
from consent.keyring import Keyring
from consent.notice import Controller, Notice, Purpose
from consent.publishing import Publishing
from consent.record import tombstone
from consent.recording import Choice, Recording
from consent.store import Published

SITE_ID = "blog-example-org"
HOST = "blog.example.org"
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADS = Purpose(id="ads", name="Ads", description="Ads that fit", basis=Basis.CONSENT)
NOTICE = Notice("main", "en", "May we show ads that fit?", Controller("Blog Ltd"), (ADS,))


@dataclass
class RecordedSite:
    """One site in a set of databases; its clock goes on by a second an event."""

    databases: app.Databases
    data_dir: Path
    site_id: str = SITE_ID
    keyring: Keyring = field(init=False)

    def __post_init__(self) -> None:
        random = Randomness()
        keys = KeyFolder(self.data_dir)
        keys.prepare()
        for purpose in ("subject", "key-encryption"):
            keys.versions(purpose)
        keys.get("fingerprint")
        self.keyring = app.open_keyring(Settings(data_dir=self.data_dir), random)
        self._ids = (f"019b7d00-0000-7000-8000-{number:012x}" for number in count(1))
        self._times = (BEGIN + timedelta(seconds=number) for number in count())
        self._keys = (f"key-{number}" for number in count())
        writing = CommandWriter(self.databases.consent)
        self._publishing = Publishing(
            keyring=self.keyring,
            writing=writing,
            reading=self.databases.consent,
            clock=lambda: next(self._times),
        )
        self._recording = Recording(
            keyring=self.keyring,
            writing=writing,
            clock=lambda: next(self._times),
            ids=lambda: next(self._ids),
        )

    def publish(self, notice: Notice = NOTICE) -> Published:
        """Publish a notice; the first opens the log."""
        return asyncio.run(self._publishing.publish(self.site_id, HOST, notice))[0]

    def archive(self, **shown: str) -> str:
        """Archive a banner and return its digest."""
        return asyncio.run(self._publishing.archive(self.site_id, shown)).ui_sha256

    def record(self, event_type: EventType, device: str = "d-1", **more: object) -> Receipt:
        """Record an event of a device about the purpose `ads`."""
        method, decision = {
            EventType.REQUESTED: (Method.API, None),
            EventType.GIVEN: (Method.ACCEPT_ALL, Decision.GIVEN),
            EventType.REFUSED: (Method.REJECT_ALL, Decision.REFUSED),
            EventType.WITHDRAWN: (Method.WITHDRAW_LINK, Decision.REFUSED),
        }[event_type]
        choice = Choice(
            subject_kind=SubjectKind.DEVICE,
            subject_id=device,
            event_type=event_type,
            method=method,
            origin=Origin.PREFERENCES,
            decisions=(("ads", decision),) if decision else (),
            notice_id="main",
            notice_version=1,
            language="en",
        )._replace(**more)
        return asyncio.run(
            self._recording.record(self.site_id, choice, key=next(self._keys), body=b"{}")
        )

    def visits(self, devices: int) -> Iterator[Receipt]:
        """Have devices asked, give and take back, in turn."""
        for number in range(devices):
            for event_type in (EventType.REQUESTED, EventType.GIVEN, EventType.WITHDRAWN):
                yield self.record(event_type, f"d-{number}")

    def erase(self, receipts: Sequence[Receipt]) -> None:
        """Erase records, and leave the tombstone that names them."""
        ids = [receipt.record_id for receipt in receipts]
        with self.databases.consent.write() as connection, Rows(connection, []) as rows:
            for table in ("record", "record_purpose", "idempotency"):
                for record_id in ids:
                    connection.exec_driver_sql(
                        f"DELETE FROM {table} WHERE record_id = '{record_id}'"  # noqa: S608
                    )
            batch = Batch(rows, self.keyring, self.site_id)
            subjects = store.ask_subjects(rows, self.site_id, [SITE])
            batch.begin()
            batch.know(subjects())
            batch.enter(
                SITE,
                tombstone(
                    record_id=next(self._ids),
                    site_id=self.site_id,
                    event_type=EventType.ERASED,
                    record_ids=ids,
                    method=Method.ADMIN,
                    by=Actor.CONTROLLER,
                    received_at=next(self._times),
                ),
            )
            batch.close()
