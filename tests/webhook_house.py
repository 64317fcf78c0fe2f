"""Sites whose visitors choose, webhooks that are told of it, and the workers that tell them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from conftest import PATIENCE_S
from consent_house import Process
from receiver import Post, Receiver
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier

from aboveboard import clock, installation
from aboveboard.installation import Databases
from aboveboard.keys import KeyFolder
from aboveboard.posting import Poster
from aboveboard.randomness import Randomness
from aboveboard.settings import Settings
from aboveboard.tables import WEBHOOK_DELIVERY
from aboveboard.targets import Targets
from aboveboard.webhooks.delivering import Delivering
from aboveboard.webhooks.feeds import ConsentFeed
from aboveboard.webhooks.managing import Made, Webhooks
from aboveboard.webhooks.message import Feed
from aboveboard.webhooks.messages import MESSAGES
from aboveboard.webhooks.sealing import Sealing
from aboveboard.webhooks.sending import Sender
from aboveboard.writer import CommandWriter
from consent.audit.auditing import Auditing
from consent.choices.choice import Decision, EventType, Method, Origin, SubjectKind
from consent.choices.claim import Choice
from consent.records.batch import Receipt

T = TypeVar("T")

NUMBERS = count()


class Time:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)  # noqa: TID251 - signatures are held against the real time

    def __call__(self) -> datetime:
        """Return the instant."""
        return self.now

    def pass_by(self, **span: float) -> None:
        """Move on."""
        self.now += timedelta(**span)


@dataclass
class Worker:
    """A process' part that tells webhooks."""

    webhooks: Webhooks
    delivering: Delivering
    sender: Sender

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something on an event loop of its own."""

        async def go() -> T:
            try:
                return await work()
            finally:
                await self.sender.close()

        return asyncio.run(go())

    def look(self, times: int = 1) -> None:
        """Look for something to do, and do it."""

        async def go() -> None:
            for _ in range(times):
                await self.delivering.look()
                await self.delivering.finish()

        self.run(go)


@dataclass
class WebhookHouse:
    """An installation with a site, and time that passes when told to."""

    databases: Databases
    settings: Settings
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        accounts = installation.open_accounts(self.settings, self.databases)
        self.site = accounts.create_site("https://shop.example").site.id
        self.process = Process(self.databases, self.settings)
        self.process.publish(self.site)

    def worker(
        self,
        holder: str = "one",
        *,
        named: tuple[str, ...] = ("127.0.0.1",),
        feeds: list[Feed] | None = None,
    ) -> Worker:
        """Hire another worker."""
        random = Randomness()
        targets = Targets(named)
        pepper = KeyFolder(self.settings.data_dir).get("pepper", make=False)
        sealing = Sealing(pepper, random)
        sender = Sender(
            poster=Poster(check=targets.check_address, patience_s=PATIENCE_S),
            targets=targets,
            sealing=sealing,
            clock=self.time,
        )
        auditing = Auditing(keyring=self.process.keyring, reading=self.databases.consent)
        common: dict[str, Any] = {
            "feeds": [ConsentFeed(auditing)] if feeds is None else feeds,
            "sender": sender,
            "writing": CommandWriter(self.databases.aboveboard),
            "reading": self.databases.aboveboard,
            "clock": self.time,
        }
        webhooks = Webhooks(**common, targets=targets, sealing=sealing, ids=clock.uuid7(random))
        delivering = Delivering(**common, random=random, holder=holder)
        return Worker(webhooks, delivering, sender)

    def make(self, worker: Worker, receiver: Receiver, *events: str, path: str = "/") -> Made:
        """Make a webhook of the site to a receiver."""
        url = f"{receiver.url}{path}"
        return worker.run(lambda: worker.webhooks.create(self.site, url, events or None))

    def choose(
        self,
        device: str = "d-1",
        event_type: EventType = EventType.GIVEN,
        *,
        site: str | None = None,
    ) -> Receipt:
        """Have a visitor choose, after having been asked."""
        if event_type is EventType.GIVEN:
            self.record(device, EventType.REQUESTED, Method.API, site=site)
            return self.record(device, event_type, Method.ACCEPT_ALL, Decision.GIVEN, site=site)
        return self.record(device, event_type, Method.WITHDRAW_LINK, Decision.REFUSED, site=site)

    def record(
        self,
        device: str,
        event_type: EventType,
        method: Method,
        decision: Decision | None = None,
        *,
        site: str | None = None,
    ) -> Receipt:
        """Record one event."""
        choice = Choice(
            SubjectKind.DEVICE,
            device,
            event_type,
            method,
            Origin.BANNER,
            () if decision is None else (("ads", decision),),
            notice_id="main",
            notice_version=1,
            language="en",
        )
        key = f"webhook-{next(NUMBERS)}"
        recording = self.process.recording
        return asyncio.run(recording.record(site or self.site, choice, key=key, body=b"{}"))

    def deliveries(self) -> list[dict[str, Any]]:
        """Return every row, in the order in which they were queued."""
        asked = select(WEBHOOK_DELIVERY).order_by(
            WEBHOOK_DELIVERY.c.queued, WEBHOOK_DELIVERY.c.place
        )
        with self.databases.aboveboard.read() as connection:
            return [dict(row._mapping) for row in connection.execute(asked)]

    def states(self) -> list[str]:
        """Return the state of every delivery."""
        return [row["state"] for row in self.deliveries()]


def is_as_told(post: Post) -> bool:
    """Say whether a body is what the OpenAPI document tells, and nothing beside it."""
    model = MESSAGES[post.content["type"]]
    read = model.model_validate(post.content)
    return bool(read.model_dump(mode="json", by_alias=True, exclude_unset=True) == post.content)


def verify(post: Post, secret: str) -> dict[str, Any]:
    """Verify a post as its receiver would, with somebody else's library; return what it says."""
    return dict(Verifier(secret).verify(post.body, post.headers))
