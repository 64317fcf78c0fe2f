"""Databases, keys and kept checkpoints of a house, and the processes that are started over them."""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from whole_copy import Copy, copy, put_back

from aboveboard import clock, consenting, installation
from aboveboard.erasures import Erasures
from aboveboard.installation import Databases
from aboveboard.randomness import Randomness
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent.choices.choice import Basis, EventType, Method, Origin, SubjectKind
from consent.choices.claim import Choice
from consent.choices.notice import Controller, Notice, Purpose
from consent.recording.continuing import Continued, Continuing, Doubt
from consent.recording.proving import Log, Proving
from consent.recording.publishing import Publishing
from consent.recording.recording import Recording
from consent.records.batch import Receipt
from consent.sealing.keyring import Keyring
from consent.subjects.erasure import Erasing

HOST = "shop.example"
NOTICE = Notice(
    "main",
    "en",
    "May we?",
    Controller(name="Shop Ltd"),
    (Purpose(id="ads", name="Ads", description="Ads", basis=Basis.CONSENT),),
)


NUMBERS = count()


@dataclass
class Process:
    """What one process has in its memory over the databases and folders that all share."""

    databases: Databases
    settings: Settings

    def __post_init__(self) -> None:
        self.keyring: Keyring = installation.open_keyring(self.settings)
        common: dict[str, Any] = {
            "keyring": self.keyring,
            "writing": CommandWriter(self.databases.consent),
        }
        reading = self.databases.consent
        ids = clock.uuid7(Randomness())
        self.recording = Recording(**common, clock=clock.now, ids=ids)
        self.publishing = Publishing(**common, reading=reading, clock=clock.now)
        self.continuing = Continuing(**common, reading=reading, clock=clock.now, ids=ids)
        self.erasing = Erasing(
            **common,
            reading=reading,
            clock=clock.now,
            ids=ids,
            note=Erasures(self.settings.data_dir).note,
            sweep=consenting.open_sweeper(self.databases).sweep,
            sweep_later=consenting.open_sweeper(self.databases).note,
        )
        self.proving = Proving(keyring=self.keyring, reading=reading)

    def publish(self, site: str) -> None:
        """Publish a notice, which opens the site's log."""
        asyncio.run(self.publishing.publish(site, HOST, NOTICE))

    def record(self, site: str, number: int = 1, *, device: str = "d") -> list[Receipt]:
        """Record so many requests to a device, one commit each."""
        return [self._record(site, device) for _ in range(number)]

    def _record(self, site: str, device: str) -> Receipt:
        choice = Choice(
            SubjectKind.DEVICE,
            device,
            EventType.REQUESTED,
            Method.API,
            Origin.BANNER,
            notice_id="main",
            notice_version=1,
            language="en",
        )
        key = f"key-{next(NUMBERS)}"
        return asyncio.run(self.recording.record(site, choice, key=key, body=b"{}"))

    def erase(self, site: str, device: str) -> None:
        """Erase what is held about a device."""
        asyncio.run(self.erasing.erase(site, (SubjectKind.DEVICE, device)))

    def check(self, doubt: Doubt = Doubt.NONE) -> list[Continued]:
        """Do what the start of the service does; *doubt* is a restore's."""
        return asyncio.run(self.continuing.check(doubt))

    def knows_all(self) -> bool:
        """Ask whether what is kept is all that the stored logs ever signed."""
        return asyncio.run(self.continuing.knows_all())

    def rotate(self, site: str) -> Continued:
        """Give a log another key."""
        return asyncio.run(self.continuing.rotate(site))

    def logs(self, site: str) -> list[Log]:
        """List the epochs of a site."""
        return asyncio.run(self.proving.list_logs(site))


@dataclass
class House:
    """Databases, keys and kept checkpoints, and the processes that are started over them."""

    databases: Databases
    settings: Settings
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.settings.data_dir / "checkpoints"

    def start(self) -> Process:
        """Start a process: it remembers nothing of those before it."""
        return Process(self.databases, self.settings)

    def copy(self) -> Copy:
        """Copy every row of consent."""
        return copy(self.databases.consent)

    def put_back(self, copied: Copy) -> None:
        """Put a copy back."""
        put_back(self.databases.consent, copied)
