"""Webhooks for those who own them: make, list, change, remove; test; see and repeat deliveries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple

from aboveboard.clock import Clock, Ids
from aboveboard.database import Database
from aboveboard.errors import DeliveryNotFound, SiteNotFound, WebhookNotFound, WebhookUnusable
from aboveboard.rows import Rows, Writing
from aboveboard.tables import instant
from aboveboard.targets import Targets, parse
from aboveboard.webhooks import backlog, store
from aboveboard.webhooks.endpoint import Delivery, DeliveryState, Disabled, Tried, Webhook
from aboveboard.webhooks.message import TEST, Feed, Message
from aboveboard.webhooks.sealing import Sealing
from aboveboard.webhooks.sending import Sender

WEBHOOKS_LIMIT = 16  # of one site


class Made(NamedTuple):
    """A webhook with the one sight of its newest secret."""

    webhook: Webhook
    secret: str


class Page(NamedTuple):
    """Some deliveries, and before which one the next page begins, if there is one."""

    deliveries: list[Delivery]
    following: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class _New:
    webhook: Webhook
    cursors: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Change:
    site_id: str
    webhook_id: str
    change: Callable[[Webhook], Webhook]
    ends: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Again:
    site_id: str
    webhook_id: str
    ids: Sequence[str] | None


class Webhooks:
    """The use cases of a site's administrator, and of the operator."""

    def __init__(
        self,
        *,
        feeds: Sequence[Feed],
        targets: Targets,
        sealing: Sealing,
        sender: Sender,
        writing: Writing,
        reading: Database,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._feeds = feeds
        self._targets = targets
        self._sealing = sealing
        self._sender = sender
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._ids = ids

    @property
    def events(self) -> tuple[str, ...]:
        """Every event that a webhook may be told of."""
        return tuple(str(event) for feed in self._feeds for event in feed.events)

    async def create(self, site_id: str, url: str, events: Sequence[str] | None = None) -> Made:
        """Make a webhook that is told of all that happens from now on.

        Raises WebhookUnusable, AddressRefused and SiteNotFound.
        """
        webhook_id = self._ids()
        secret, sealed = self._sealing.make(webhook_id)
        webhook = Webhook(
            webhook_id,
            site_id,
            self._url(url),
            self.events if events is None else self._chosen(events),
            created=self._now(),
            disabled=None,
            secret=sealed,
            older_secret=None,
            older_until=None,
            failures=0,
            held_until=None,
        )
        await self._writing.write(_add, _New(webhook, await self._ends(site_id)))
        return Made(webhook, secret)

    async def list_all(self, site_id: str | None) -> list[Webhook]:
        """Return the webhooks of a site, or of all, oldest first."""
        return await self._reading.query(lambda one: store.list_all(one, site_id))

    async def get(self, site_id: str, webhook_id: str) -> Webhook:
        """Return a webhook. Raises WebhookNotFound."""
        found = await self._reading.query(lambda one: store.find(one, site_id, webhook_id))
        if found is None:
            raise _not_found()
        return found

    async def site_of(self, webhook_id: str) -> str:
        """Return whose a webhook is, for who may speak for all. Raises WebhookNotFound."""
        for webhook in await self.list_all(None):
            if webhook.id == webhook_id:
                return webhook.site_id
        raise _not_found()

    async def change(
        self,
        site_id: str,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change what is given. Raises WebhookNotFound, WebhookUnusable and AddressRefused.

        What happened while it was disabled is delivered once it is enabled.
        """
        address = None if url is None else self._url(url)
        chosen = None if events is None else self._chosen(events)

        def changed(webhook: Webhook) -> Webhook:
            disabled = webhook.disabled
            if enabled is not None:
                disabled = None if enabled else disabled or Disabled.BY_HAND
            anew = address is not None or enabled is True
            return replace(
                webhook,
                url=address or webhook.url,
                events=chosen or webhook.events,
                disabled=disabled,
                failures=0 if anew else webhook.failures,
                held_until=None if anew else webhook.held_until,
            )

        ends = {} if chosen is None else await self._ends(site_id)
        command = _Change(site_id, webhook_id, changed, ends)
        return await self._writing.write(self._replace, command)

    async def rotate(self, site_id: str, webhook_id: str, overlap: timedelta) -> Made:
        """Give a webhook another secret; for the *overlap* both sign. Raises WebhookNotFound."""
        secret, sealed = self._sealing.make(webhook_id)
        until = instant(self._clock() + overlap)

        def rotated(webhook: Webhook) -> Webhook:
            return replace(webhook, secret=sealed, older_secret=webhook.secret, older_until=until)

        webhook = await self._writing.write(self._replace, _Change(site_id, webhook_id, rotated))
        return Made(webhook, secret)

    async def remove(self, site_id: str, webhook_id: str) -> Webhook:
        """Delete a webhook with its deliveries. Raises WebhookNotFound."""
        found = await self.change(site_id, webhook_id, enabled=False)
        while not await self._writing.write(_clear, webhook_id, size=backlog.AT_ONCE):
            pass
        return found

    async def test(self, site_id: str, webhook_id: str) -> Tried:
        """Send a message that says nothing, now. Raises WebhookNotFound."""
        webhook = await self.get(site_id, webhook_id)
        now = self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        message = Message("", TEST, now, {"site": site_id})
        return await self._sender.send(webhook, f"msg_{self._ids()}", message)

    async def list_deliveries(
        self,
        site_id: str,
        webhook_id: str,
        *,
        state: DeliveryState | None,
        before: tuple[str, str] | None = None,
        limit: int,
    ) -> Page:
        """Return deliveries of a webhook, the last queued first. Raises WebhookNotFound."""
        await self.get(site_id, webhook_id)
        found = await self._reading.query(
            lambda one: backlog.list_deliveries(
                one, webhook_id, state=state, before=before, limit=limit + 1
            )
        )
        shown = found[:limit]
        return Page(shown, (shown[-1].queued, shown[-1].id) if len(found) > limit else None)

    async def redeliver(
        self, site_id: str, webhook_id: str, ids: Sequence[str] | None = None
    ) -> int:
        """Have deliveries tried anew, those named or all that are parked; return how many.

        Raises WebhookNotFound, and DeliveryNotFound where one that is named is not there.
        """
        if ids is not None:
            again = _Again(site_id, webhook_id, sorted(set(ids)))
            return await self._writing.write(self._send_again, again)
        await self.get(site_id, webhook_id)
        again, number = _Again(site_id, webhook_id, None), 0
        parked = await self._reading.query(lambda one: backlog.count_parked(one, webhook_id))
        # As many as there are now: what is tried and parked again meanwhile is not tried for ever.
        while number < parked:
            some = await self._writing.write(self._send_again, again, size=backlog.AT_ONCE)
            number += some
            if some < backlog.AT_ONCE:
                break
        return number

    async def _ends(self, site_id: str) -> dict[str, str]:
        return {
            feed.name: (await feed.ends([site_id])).get(site_id, feed.start) for feed in self._feeds
        }

    def _url(self, url: str) -> str:
        target = parse(url)
        self._targets.check(target)
        return target.url

    def _chosen(self, events: Sequence[str]) -> tuple[str, ...]:
        known = self.events
        if not events or not set(events) <= set(known):
            raise WebhookUnusable(f"expected events among {', '.join(known)}, got others or none")
        return tuple(event for event in known if event in events)

    def _replace(self, rows: Rows, commands: Sequence[_Change]) -> list[Webhook | Exception]:
        return [self._replace_one(rows, command) for command in commands]

    def _replace_one(self, rows: Rows, command: _Change) -> Webhook | Exception:
        found = store.lock(rows, command.site_id, command.webhook_id)
        if found is None:
            return _not_found()
        changed = command.change(found)
        store.replace(rows, changed)
        for feed in self._feeds:
            # Whoever asks for what it was not told before is told of it from now on.
            if (
                feed.name in command.ends
                and set(feed.events).isdisjoint(found.events)
                and not set(feed.events).isdisjoint(changed.events)
            ):
                store.move(rows, found.id, {feed.name: command.ends[feed.name]})
        return changed

    def _send_again(self, rows: Rows, commands: Sequence[_Again]) -> list[int | Exception]:
        return [self._send_one_again(rows, command) for command in commands]

    def _send_one_again(self, rows: Rows, command: _Again) -> int | Exception:
        if store.lock(rows, command.site_id, command.webhook_id) is None:
            return _not_found()
        now = self._now()
        if command.ids is None:
            return backlog.send_parked_again(rows, command.webhook_id, now)
        there = backlog.count_named(rows, command.webhook_id, command.ids)
        if there < len(command.ids):
            return DeliveryNotFound(
                f"expected deliveries of this webhook, got {len(command.ids) - there} others"
            )
        backlog.send_again(rows, command.webhook_id, now, command.ids)
        return there

    def _now(self) -> str:
        return instant(self._clock())


def _add(rows: Rows, commands: Sequence[_New]) -> list[Exception | None]:
    rows.lock(sorted({f"webhooks {command.webhook.site_id}" for command in commands}))
    return [_add_one(rows, command) for command in commands]


def _add_one(rows: Rows, command: _New) -> Exception | None:
    site_id = command.webhook.site_id
    if not store.has_site(rows, site_id):
        return SiteNotFound(f"expected a site, got {site_id!r}, which is none")
    if store.count(rows, site_id) >= WEBHOOKS_LIMIT:
        return WebhookUnusable(f"expected at most {WEBHOOKS_LIMIT} webhooks of a site, got more")
    store.add(rows, command.webhook, command.cursors)
    return None


def _clear(rows: Rows, commands: Sequence[str]) -> list[bool]:
    return [_clear_one(rows, webhook_id) for webhook_id in commands]


def _clear_one(rows: Rows, webhook_id: str) -> bool:
    cleared = backlog.clear(rows, webhook_id)
    if cleared:
        store.remove(rows, webhook_id)
    return cleared


def _not_found() -> WebhookNotFound:
    return WebhookNotFound("expected a webhook of this site, got another id")
