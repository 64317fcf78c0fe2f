"""Delivers: reads on in the feeds, queues what each webhook wants, tries it, writes the outcome.

Between a commit and its delivery stands no outbox: a webhook has a cursor into the feed, moved in
the transaction that queues what lies before it. Whatever process holds a webhook's lease works for
it; one that dies loses nothing, for another reads on where the rows say. What was posted and not
yet written as such is posted again, under the same id.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from aboveboard.clock import Clock, Random
from aboveboard.database import Database
from aboveboard.rows import Rows, Writing
from aboveboard.tables import instant
from aboveboard.webhooks import backlog, store
from aboveboard.webhooks.endpoint import (
    COUNTED,
    Delivery,
    DeliveryState,
    Disabled,
    Tried,
    Webhook,
    drawn,
    hold_after,
    is_to_be_parked,
    retry_after,
)
from aboveboard.webhooks.message import Cursor, Feed, Message, message_id
from aboveboard.webhooks.sending import Sender

LOOK_S = 1.0  # between looks for something to do
LEASE = timedelta(seconds=25)  # well over the longest try
BEYOND = timedelta(hours=2)  # nothing is put off for so long: its clock was wrong
WINDOW = 500  # deliveries of a webhook that wait; the rest waits in the feed
STEP = 100  # entries of a feed at once
TOGETHER = 8  # tries of one webhook at once
REST = timedelta(seconds=30)  # for a webhook where something went wrong here
STOPPING_S = 2.0  # for tries under way when the service stops
COUNT_EVERY = timedelta(seconds=15)
KEPT = {DeliveryState.DELIVERED: timedelta(days=7), DeliveryState.PARKED: timedelta(days=30)}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Queued:
    """What a step of a feed comes to for a webhook."""

    webhook_id: str
    feed: str
    place: str
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class _Settled:
    """What came of some tries, and what follows for their webhook."""

    webhook_id: str
    url: str
    """The address that was tried: of another, meanwhile, nothing follows."""
    deliveries: Sequence[Delivery]
    failures: int
    held_until: str | None
    is_back: bool
    is_gone: bool


class Delivering:
    """Works for every webhook that nobody else works for, each apart from the others."""

    def __init__(
        self,
        *,
        feeds: Sequence[Feed],
        sender: Sender,
        writing: Writing,
        reading: Database,
        clock: Clock,
        random: Random,
        holder: str,
    ) -> None:
        """Take the parts; *holder* names this process among those that share the database."""
        self._feeds = {feed.name: feed for feed in feeds}
        self._sender = sender
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._random = random
        self._holder = holder
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, datetime] = {}
        self._counted: datetime | None = None
        self._stopping = False
        self.outcomes = Counter(dict.fromkeys(COUNTED, 0))
        """How many tries came to what."""

        self.open: Mapping[str, int] = {DeliveryState.PENDING: 0, DeliveryState.PARKED: 0}
        """How many deliveries wait and are parked, as of a little while ago."""

    async def run(self) -> None:
        """Work for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Begin a turn for every webhook that has something to do."""
        try:
            ready = await self._ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service goes on
            log.error("webhooks_unreadable", error=type(error).__name__)  # noqa: TRY400 - no values
            return
        for webhook_id in ready:
            if webhook_id not in self._turns and not self._stopping:
                turn = asyncio.create_task(self._turn(webhook_id))
                self._turns[webhook_id] = turn
                turn.add_done_callback(partial(self._over, webhook_id))

    async def finish(self) -> None:
        """Wait until the turns that were begun have ended."""
        while self._turns:
            await asyncio.wait(list(self._turns.values()))

    async def close(self) -> None:
        """Let the tries under way end, if that is soon, and let go of the connections."""
        self._stopping = True
        if self._turns:
            _, late = await asyncio.wait(list(self._turns.values()), timeout=STOPPING_S)
            for turn in late:
                turn.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._sender.close()

    async def forget(self) -> None:
        """Delete deliveries that ended long ago."""
        for webhook in await self._reading.query(lambda one: store.list_all(one, None)):
            whole = False
            while not whole:
                whole = await self._writing.write(self._forget, webhook.id, size=backlog.AT_ONCE)

    # -- what there is to do ------------------------------------------------------------------

    async def _ready(self) -> list[str]:
        now = self._clock()
        work = await self._reading.query(
            lambda one: store.list_work(
                one,
                holder=self._holder,
                now=instant(now),
                beyond=instant(now + BEYOND),
                most=WINDOW,
            )
        )
        if self._counted is None or now >= self._counted + COUNT_EVERY or now < self._counted:
            self._counted = now
            self.open = await self._reading.query(backlog.count_open)
        ready = {one.webhook_id for one in work if one.is_due}
        for feed in self._feeds.values():
            cursors = {
                one.webhook_id: Cursor(one.site_id, one.cursors.get(feed.name, feed.start))
                for one in work
                if one.pending < WINDOW and not set(feed.events).isdisjoint(one.events)
            }
            if cursors:
                waiting = await feed.waiting(set(cursors.values()))
                ready |= {which for which, cursor in cursors.items() if cursor in waiting}
        self._resting = {which: until for which, until in self._resting.items() if until > now}
        return [one.webhook_id for one in work if one.webhook_id in ready - set(self._resting)]

    async def _turn(self, webhook_id: str) -> None:
        """Work for one webhook until nothing is left, or its receiver does not answer."""
        try:
            webhook = await self._writing.write(self._lease, webhook_id)
            try:
                while webhook is not None and not self._stopping:
                    queued = await self._queue(webhook)
                    deliveries = await self._due(webhook)
                    if deliveries:
                        webhook = await self._try_all(webhook, deliveries)
                    elif not queued:
                        break
            finally:
                await self._writing.write(self._release, webhook_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others get their turns
            self._resting[webhook_id] = self._clock() + REST
            log.error(  # noqa: TRY400 - no values
                "webhook_turn_failed", webhook=webhook_id, error=type(error).__name__
            )

    def _over(self, webhook_id: str, _turn: asyncio.Task[None]) -> None:
        del self._turns[webhook_id]

    # -- from the feeds into the backlog ------------------------------------------------------

    async def _queue(self, webhook: Webhook) -> bool:
        """Queue what comes next in each feed; say whether there was anything."""
        moved = False
        for feed in self._feeds.values():
            if set(feed.events).isdisjoint(webhook.events):
                continue
            after, pending = await self._reading.query(partial(_begin, webhook, feed))
            if pending >= WINDOW:
                continue
            part = await feed.read(webhook.site_id, after, limit=min(STEP, WINDOW - pending))
            if part.place == after:
                continue
            now = instant(self._clock())
            deliveries = [
                _delivery(webhook, feed.name, message, now)
                for message in part.messages
                if message.event in webhook.events
            ]
            command = _Queued(webhook.id, feed.name, part.place, deliveries)
            if not await self._writing.write(self._enqueue, command, size=len(deliveries) + 1):
                return False
            moved = True
        return moved

    # -- from the backlog to the receiver -----------------------------------------------------

    async def _due(self, webhook: Webhook) -> list[Delivery]:
        # Where the last try had no answer, one is enough to find out whether the next has.
        limit = 1 if webhook.failures else TOGETHER
        now = self._clock()
        return await self._reading.query(
            lambda one: backlog.list_due(
                one, webhook.id, instant(now), beyond=instant(now + BEYOND), limit=limit
            )
        )

    async def _try_all(self, webhook: Webhook, deliveries: Sequence[Delivery]) -> Webhook | None:
        """Try some deliveries; return the webhook, if there may be more to do for it."""
        tried = await asyncio.gather(
            *(
                self._try(webhook, delivery, message)
                for delivery, message in await self._messages(webhook, deliveries)
            )
        )
        settled = self._settled(webhook, tried)
        webhook_now = await self._writing.write(self._settle, settled, size=len(tried) + 2)
        return None if settled.held_until else webhook_now

    async def _messages(
        self, webhook: Webhook, deliveries: Sequence[Delivery]
    ) -> list[tuple[Delivery, Message | None]]:
        found: dict[tuple[str, str], Message] = {}
        for name in {delivery.feed for delivery in deliveries}:
            feed = self._feeds.get(name)
            places = [delivery.place for delivery in deliveries if delivery.feed == name]
            if feed is not None:
                messages = await feed.get(webhook.site_id, places)
                found |= {(name, place): message for place, message in messages.items()}
        return [(one, found.get((one.feed, one.place))) for one in deliveries]

    async def _try(
        self, webhook: Webhook, delivery: Delivery, message: Message | None
    ) -> tuple[Delivery, Tried | None]:
        """Return the delivery as it now is, and what came of the try where there was one."""
        now = self._clock()
        if message is None:
            # Its feed was put back from an older copy: it never happened.
            return self._ended(delivery, DeliveryState.PARKED, now, "not_there"), None
        tried = await self._sender.send(webhook, delivery.id, message)
        self.outcomes[
            "delivered" if tried.is_well else "refused" if tried.status else "failed"
        ] += 1
        attempted = replace(
            delivery,
            attempts=delivery.attempts + 1,
            first_tried=delivery.first_tried or instant(now),
            last_tried=instant(now),
        )
        if tried.is_well:
            return self._ended(attempted, DeliveryState.DELIVERED, now, tried.outcome), tried
        if is_to_be_parked(datetime.fromisoformat(attempted.first_tried or ""), now):
            log.warning(
                "webhook_delivery_parked",
                site=webhook.site_id,
                webhook=webhook.id,
                status=tried.status,
                error=tried.outcome,
            )
            return self._ended(attempted, DeliveryState.PARKED, now, tried.outcome), tried
        due = now + retry_after(attempted.attempts, drawn(self._random))
        return replace(attempted, due=instant(due), outcome=tried.outcome), tried

    def _ended(
        self, delivery: Delivery, state: DeliveryState, now: datetime, outcome: str
    ) -> Delivery:
        forgotten = instant(now + KEPT[state])
        return replace(
            delivery, state=state, due=forgotten, last_tried=instant(now), outcome=outcome
        )

    def _settled(
        self, webhook: Webhook, tried: Sequence[tuple[Delivery, Tried | None]]
    ) -> _Settled:
        answers = [answer for _, answer in tried if answer is not None]
        silent = bool(answers) and all(answer.is_not_now for answer in answers)
        failures = webhook.failures + 1 if silent else 0
        held_until = None
        if silent:
            if failures == 1:
                log.warning(
                    "webhook_held",
                    site=webhook.site_id,
                    webhook=webhook.id,
                    status=answers[0].status,
                    error=str(answers[0].outcome),
                )
            held_until = instant(self._clock() + hold_after(failures, drawn(self._random)))
        return _Settled(
            webhook.id,
            webhook.url,
            [delivery for delivery, _ in tried],
            failures,
            held_until,
            is_back=bool(webhook.failures) and not silent and bool(answers),
            is_gone=any(answer.is_gone for answer in answers),
        )

    # -- in a transaction ---------------------------------------------------------------------

    def _lease(self, rows: Rows, commands: Sequence[str]) -> list[Webhook | None]:
        return [self._leased(rows, webhook_id) for webhook_id in commands]

    def _leased(self, rows: Rows, webhook_id: str) -> Webhook | None:
        now = self._clock()
        return store.lease(
            rows,
            webhook_id,
            holder=self._holder,
            now=instant(now),
            until=instant(now + LEASE),
            beyond=instant(now + BEYOND),
        )

    def _release(self, rows: Rows, commands: Sequence[str]) -> list[None]:
        for webhook_id in commands:
            store.release(rows, webhook_id, holder=self._holder)
        return [None] * len(commands)

    def _enqueue(self, rows: Rows, commands: Sequence[_Queued]) -> list[bool]:
        return [self._enqueue_one(rows, command) for command in commands]

    def _enqueue_one(self, rows: Rows, command: _Queued) -> bool:
        # Only while it is this process's turn: another's cursor must not be moved back.
        if self._leased(rows, command.webhook_id) is None:
            return False
        backlog.queue(rows, command.deliveries)
        store.move(rows, command.webhook_id, {command.feed: command.place})
        return True

    def _settle(self, rows: Rows, commands: Sequence[_Settled]) -> list[Webhook | None]:
        return [self._settle_one(rows, command) for command in commands]

    def _settle_one(self, rows: Rows, command: _Settled) -> Webhook | None:
        # Whoever's turn it is by now: what was delivered was delivered.
        for delivery in command.deliveries:
            backlog.settle(rows, delivery)
        tried = {"webhook_id": command.webhook_id, "url": command.url}
        store.hold(rows, **tried, failures=command.failures, until=command.held_until)
        if command.is_back:
            backlog.hasten(rows, command.webhook_id, instant(self._clock()))
        if command.is_gone:
            log.warning("webhook_disabled", webhook=command.webhook_id, status=410)
            store.disable(rows, **tried, why=Disabled.GONE)
        return self._leased(rows, command.webhook_id)

    def _forget(self, rows: Rows, commands: Sequence[str]) -> list[bool]:
        now = instant(self._clock())
        return [backlog.forget(rows, webhook_id, now) for webhook_id in commands]


def _begin(webhook: Webhook, feed: Feed, connection: Connection) -> tuple[str, int]:
    """Return where a webhook reads on in a feed, and how many of its deliveries wait."""
    cursor = store.find_cursor(connection, webhook.id, feed.name)
    return cursor or feed.start, backlog.count_pending(connection, webhook.id, most=WINDOW)


def _delivery(webhook: Webhook, feed: str, message: Message, now: str) -> Delivery:
    name = message_id(webhook.id, feed, webhook.site_id, message.place)
    return Delivery(
        name,
        webhook.id,
        feed,
        message.place,
        message.event,
        DeliveryState.PENDING,
        queued=now,
        due=now,
    )
