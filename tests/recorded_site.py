"""A site with a log of its own, filled through the use cases, without a service."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from aboveboard import installation
from aboveboard.installation import Databases
from aboveboard.keys import KeyFolder
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent.audit.bundling import EVERYTHING, Bundling
from consent.choices.choice import Basis, Decision, EventType, Method, Origin, SubjectKind
from consent.choices.notice import Controller, Notice, Purpose
from consent.log.checkpoint import Signer
from consent.recording.continuing import Continuing
from consent.recording.publishing import Publishing
from consent.recording.recording import Choice, Recording
from consent.records.batch import Receipt
from consent.records.search import Filter
from consent.sealing.keyring import Keyring
from consent.store import Published
from consent.subjects.erasure import Erasing
from consent.subjects.forgetting import Erasure, Restriction
from consent.subjects.restriction import Restricting

SITE_ID = "blog-example-org"
HOST = "blog.example.org"
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADS = Purpose(id="ads", name="Ads", description="Ads that fit", basis=Basis.CONSENT)
NOTICE = Notice("main", "en", "May we show ads that fit?", Controller("Blog Ltd"), (ADS,))


@dataclass
class RecordedSite:
    """One site in a set of databases; its clock goes on by a second an event."""

    databases: Databases
    data_dir: Path
    site_id: str = SITE_ID
    notice_version: int = 1
    first_id: int = 1
    keyring: Keyring = field(init=False)
    noted: list[Erasure | Restriction] = field(default_factory=list)

    def __post_init__(self) -> None:
        keys = KeyFolder(self.data_dir)
        keys.prepare()
        for purpose in ("subject", "key-encryption"):
            keys.versions(purpose)
        keys.get("fingerprint")
        self.keyring = installation.open_keyring(Settings(data_dir=self.data_dir))
        self._keys = (f"key-{self.first_id}-{number}" for number in count())
        ids = (f"019b7d00-0000-7000-8000-{number:012x}" for number in count(self.first_id))
        times = (BEGIN + timedelta(seconds=number) for number in count())
        consent, new_id = self.databases.consent, ids.__next__
        common: dict[str, Any] = {
            "keyring": self.keyring,
            "writing": CommandWriter(consent),
            "clock": times.__next__,
        }
        self._publishing = Publishing(**common, reading=consent)
        self._recording = Recording(**common, ids=new_id)
        self._continuing = Continuing(**common, reading=consent, ids=new_id)
        self._erasing = Erasing(
            **common,
            reading=consent,
            ids=new_id,
            note=self.noted.append,
            sweep=lambda _traces: None,
            sweep_later=lambda _traces: None,
        )
        self._restricting = Restricting(**common, ids=new_id, note=self.noted.append)

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
            notice_version=self.notice_version,
            language="en",
        )._replace(**more)
        return self._record(choice)

    def link(self, device: str, other: str) -> Receipt:
        """Say that two devices are one person's."""
        choice = Choice(
            SubjectKind.DEVICE,
            device,
            EventType.LINKED,
            Method.API,
            Origin.ACCOUNT_PAGE,
            linked=(SubjectKind.DEVICE, other),
        )
        return self._record(choice)

    def _record(self, choice: Choice) -> Receipt:
        key = next(self._keys)
        return asyncio.run(self._recording.record(self.site_id, choice, key=key, body=b"{}"))

    def rotate(self) -> None:
        """Go on in a new epoch under a new key."""
        asyncio.run(self._continuing.rotate(self.site_id))

    def restart(self) -> None:
        """Do what every start does: a log that is behind goes on in a new epoch."""
        asyncio.run(self._continuing.check())

    def visits(self, devices: int) -> Iterator[Receipt]:
        """Have devices asked, give and take back, in turn."""
        for number in range(devices):
            for event_type in (EventType.REQUESTED, EventType.GIVEN, EventType.WITHDRAWN):
                yield self.record(event_type, f"d-{number}")

    def bundle(self, wanted: Filter = EVERYTHING, **how: Any) -> bytes:  # noqa: ANN401
        """Write an evidence bundle."""
        return b"".join(self.bundling().bundle(self.site_id, wanted, **how))

    def bundling(self, **how: Any) -> Bundling:  # noqa: ANN401
        """Put together what writes evidence bundles."""
        return Bundling(
            keyring=self.keyring,
            reading=self.databases.consent,
            clock=lambda: BEGIN,
            made_by="a test",
            **how,
        )

    def signer(self, epoch: int = 1) -> Signer:
        """Return what signs a log of the site."""
        return self.keyring.signer(self.site_id, epoch, f"{HOST}/aboveboard/{self.site_id}/{epoch}")

    def erase(self, receipts: Sequence[Receipt]) -> None:
        """Erase records, and leave the tombstone that names them."""
        ids = [receipt.record_id for receipt in receipts]
        asyncio.run(self._erasing.erase(self.site_id, None, ids))

    def forget(self, device: str, *, keep_refusals: bool = True) -> None:
        """Erase everything of a device."""
        subject = (SubjectKind.DEVICE, device)
        asyncio.run(self._erasing.erase(self.site_id, subject, keep_refusals=keep_refusals))

    def restrict(self, device: str) -> None:
        """Keep what is held about a device as evidence alone."""
        until = BEGIN + timedelta(days=1000)
        asyncio.run(
            self._restricting.restrict(
                self.site_id, SubjectKind.DEVICE, device, evidence_until=until
            )
        )
