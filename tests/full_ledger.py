"""A ledger of any size, made through the real tables, with visitors who behave like people.

Half of all events ask a visitor, most of the rest answer; a few withdraw, few use a form, hardly
any send a signal; nearly all see one notice, whose version changes now and then. What is made
depends on the seed alone, keys and salts apart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

from aboveboard.database import Database
from aboveboard.rows import Rows
from consent import store
from consent.choices.choice import (
    Actor,
    Assurance,
    Basis,
    ConsentType,
    Context,
    Decision,
    EventType,
    Method,
    Origin,
    PurposeDecision,
    ShownNotice,
    SubjectKind,
)
from consent.choices.notice import Controller, Notice, Purpose
from consent.choices.record import event, instant
from consent.log import ledger
from consent.records.batch import Batch
from consent.sealing.keyring import Keyring
from consent.store import Published

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PURPOSES = ("ads", "analytics", "comfort", "newsletter")
SHARES = (0.35, 0.55, 0.7, 0.01)  # how often a purpose is agreed to by those who choose
VERSIONS = 8
TOGETHER = 4_000  # events of one transaction

Made = tuple[str, dict[str, Any]]


@dataclass
class Visitors:
    """Makes events, oldest first, spread evenly over *days*."""

    keyring: Keyring
    site_id: str
    events: int
    days: float = 365
    seed: int = 1
    notices: dict[str, list[Published]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - repeatable, nothing secret
        self._asked: list[tuple[str, ShownNotice]] = []
        self._given: list[tuple[str, ShownNotice]] = []
        self._people = 0
        for notice_id in ("main", "campaign"):
            self.notices[notice_id] = [
                _published(notice_id, version) for version in range(1, VERSIONS + 1)
            ]

    def __iter__(self) -> Iterator[Made]:
        step = timedelta(days=self.days) / self.events
        for number in range(self.events):
            yield self._next(number, BEGIN + number * step)

    def _next(self, number: int, at: datetime) -> Made:
        chance = self._random.random()
        if chance < 0.04 and self._given:
            return self._withdraw(at, *_drawn(self._random, self._given))
        if chance < 0.5 and self._asked:
            return self._answer(at, *_drawn(self._random, self._asked))
        return self._ask(number, at)

    def _ask(self, number: int, at: datetime) -> Made:
        self._people += 1
        (ref,) = self.keyring.refs(self.site_id, SubjectKind.DEVICE, device(self._people))[:1]
        notices = self.notices["main" if self._random.random() < 0.98 else "campaign"]
        published = notices[number * VERSIONS // self.events]
        shown = ShownNotice(
            published.notice.notice_id,
            published.version,
            "en",
            published.text_sha256,
            published.material_sha256,
            layer=1,
        )
        self._asked.append((ref, shown))
        return self._made(at, ref, EventType.REQUESTED, Method.API, shown)

    def _answer(self, at: datetime, ref: str, shown: ShownNotice) -> Made:
        chance = self._random.random()
        if chance < 0.5:
            method, agreed = Method.ACCEPT_ALL, set(PURPOSES)
        elif chance < 0.8:
            method, agreed = Method.REJECT_ALL, set()
        elif chance < 0.802:
            method, agreed = Method.GPC, set()
        else:
            method = Method.FORM if chance > 0.99 else Method.SAVE
            shares = zip(PURPOSES, SHARES, strict=True)
            agreed = {purpose for purpose, share in shares if self._random.random() < share}
        kind = EventType.GIVEN if agreed else EventType.REFUSED
        if kind is EventType.GIVEN:
            self._given.append((ref, shown))
        decided = {purpose: purpose in agreed for purpose in PURPOSES[:3]}
        if method in {Method.FORM, Method.ACCEPT_ALL} and self._random.random() < 0.01:
            decided["newsletter"] = "newsletter" in agreed
        if kind is EventType.GIVEN and not any(decided.values()):
            decided["comfort"] = True
        return self._made(at, ref, kind, method, shown, decided)

    def _withdraw(self, at: datetime, ref: str, shown: ShownNotice) -> Made:
        decided = dict.fromkeys(PURPOSES[: self._random.randint(1, 3)], False)
        return self._made(at, ref, EventType.WITHDRAWN, Method.WITHDRAW_LINK, shown, decided)

    def _made(
        self,
        at: datetime,
        ref: str,
        kind: EventType,
        method: Method,
        shown: ShownNotice,
        decided: dict[str, bool] | None = None,
    ) -> Made:
        content = event(
            record_id=record_id(at, self._random),
            site_id=self.site_id,
            subject_ref=ref,
            subject_kind=SubjectKind.DEVICE,
            assurance=Assurance.SESSION,
            event_type=kind,
            decisions=[
                PurposeDecision(
                    purpose, Decision.GIVEN if agreed else Decision.REFUSED, Basis.CONSENT
                )
                for purpose, agreed in (decided or {}).items()
            ],
            consent_type=ConsentType.EXPRESSED if kind is EventType.GIVEN else None,
            method=method,
            origin=Origin.BANNER,
            by=Actor.CONTROLLER if kind is EventType.REQUESTED else Actor.DATA_SUBJECT,
            received_at=at,
            notice=shown,
            context=Context(page="https://shop.example/articles", ua_class="firefox-desktop"),
        )
        return ref, content


def device(number: int) -> str:
    """Return the id of a visitor's device."""
    return f"device-{number}"


def record_id(at: datetime, random: Random) -> str:
    """Return a UUIDv7 of an instant."""
    millis = int(at.timestamp() * 1000)
    tail = random.getrandbits(74)
    return (
        f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{tail >> 62:03x}"
        f"-{0x8000 | tail >> 48 & 0x3FFF:04x}-{tail & 0xFFFF_FFFF_FFFF:012x}"
    )


def fill(database: Database, keyring: Keyring, visitors: Visitors) -> None:
    """Write everything that *visitors* make, and the notices that they see."""
    site_id = visitors.site_id
    with database.write() as connection, Rows(connection) as rows:
        ledger.open_log(rows, site_id, "shop.example", keyring.first_signer)
        for published in (one for notices in visitors.notices.values() for one in notices):
            store.add_notice(rows, site_id, published)
    following = iter(visitors)
    while made := list(islice(following, TOGETHER)):
        enter(database, keyring, site_id, made)


def enter(database: Database, keyring: Keyring, site_id: str, made: list[Made]) -> None:
    """Append events in one transaction."""
    follow_ups: list[Callable[[], None]] = []
    with database.write() as connection, Rows(connection, follow_ups) as rows:
        batch = Batch(rows, keyring, site_id)
        subjects = store.ask_subjects(rows, site_id, list({ref for ref, _ in made}))
        batch.begin()
        batch.know(subjects())
        for _, content in made:
            batch.enter(content)
        batch.close()
    for follow_up in follow_ups:
        follow_up()


def _drawn(random: Random, people: list[tuple[str, ShownNotice]]) -> tuple[str, ShownNotice]:
    """Take somebody out of a list."""
    index = random.randrange(len(people))
    people[index], people[-1] = people[-1], people[index]
    return people.pop()


def _published(notice_id: str, version: int) -> Published:
    notice = Notice(
        notice_id,
        "en",
        f"May we show ads that fit and count visits? Wording {version}.",
        Controller("Shop Ltd"),
        tuple(
            Purpose(id=purpose, name=purpose, description=purpose, basis=Basis.CONSENT)
            for purpose in PURPOSES
        ),
    )
    return Published(
        version, notice, notice.text_sha256(), notice.material_sha256(), instant(BEGIN)
    )
