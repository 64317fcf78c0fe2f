"""Webhooks as rows: what they are, how far they have come, and whose turn it is.

Takes a connection or the rows of a transaction; never commits one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    update,
)

from aboveboard.rows import Rows
from aboveboard.tables import SITE, WEBHOOK, WEBHOOK_CURSOR, WEBHOOK_DELIVERY
from aboveboard.webhooks.endpoint import DeliveryState, Disabled, Webhook

_MEMBERS = tuple(each.name for each in fields(Webhook))
_CHANGING = tuple(name for name in _MEMBERS if name not in {"id", "site_id", "created"})
_COLUMNS = tuple(WEBHOOK.c[name] for name in _MEMBERS)
_OURS = and_(WEBHOOK.c.id == bindparam("of_webhook"), WEBHOOK.c.site_id == bindparam("of_site"))


class Work(NamedTuple):
    """A webhook that may have something to do."""

    webhook_id: str
    site_id: str
    events: tuple[str, ...]
    is_due: bool
    pending: int
    cursors: Mapping[str, str]


# -- webhooks ---------------------------------------------------------------------------------


def add(rows: Rows, webhook: Webhook, cursors: Mapping[str, str]) -> None:
    """Insert a webhook and where its deliveries begin in each feed."""
    told = {**_told(webhook), "lease_by": None, "lease_until": None}
    rows.insert(WEBHOOK, [tuple(told[column.name] for column in WEBHOOK.columns)])
    move(rows, webhook.id, cursors)


def move(rows: Rows, webhook_id: str, cursors: Mapping[str, str]) -> None:
    """Say how far a webhook's deliveries go in some feeds."""
    rows.insert(
        WEBHOOK_CURSOR,
        [(webhook_id, feed, place) for feed, place in cursors.items()],
        tail=" ON CONFLICT (webhook_id, feed) DO UPDATE SET place = excluded.place",
    )


def replace(rows: Rows, webhook: Webhook) -> None:
    """Write what may change of a webhook."""
    told = _told(webhook)
    changed = {f"new_{name}": told[name] for name in _CHANGING}
    rows.change(_REPLACE, of_webhook=webhook.id, of_site=webhook.site_id, **changed)


def remove(rows: Rows, webhook_id: str) -> None:
    """Delete a webhook that has no deliveries any more, and its cursors."""
    for statement in _REMOVE:
        rows.change(statement, of_webhook=webhook_id)


def lock(rows: Rows, site_id: str, webhook_id: str) -> Webhook | None:
    """Return a webhook of a site, locked until the transaction ends, or None."""
    found = rows.find(_LOCK, of_webhook=webhook_id, of_site=site_id)
    return _webhook(found[0]) if found else None


def count(rows: Rows, site_id: str) -> int:
    """Count the webhooks of a site."""
    ((number,),) = rows.find(_COUNT, of_site=site_id)
    return int(number)


def has_site(rows: Rows, site_id: str) -> bool:
    """Whether there is such a site."""
    return bool(rows.find(_SITE, of_site=site_id))


def find(connection: Connection, site_id: str, webhook_id: str) -> Webhook | None:
    """Return a webhook of a site, or None."""
    row = connection.execute(_FIND, {"of_webhook": webhook_id, "of_site": site_id}).first()
    return None if row is None else _webhook(row)


def list_all(connection: Connection, site_id: str | None) -> list[Webhook]:
    """Return the webhooks of a site, or of all, oldest first."""
    asked = _LIST if site_id is None else _LIST.where(WEBHOOK.c.site_id == site_id)
    return [_webhook(row) for row in connection.execute(asked)]


_REPLACE = (
    update(WEBHOOK).where(_OURS).values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_REMOVE = (
    delete(WEBHOOK_CURSOR).where(WEBHOOK_CURSOR.c.webhook_id == bindparam("of_webhook")),
    delete(WEBHOOK).where(WEBHOOK.c.id == bindparam("of_webhook")),
)
_FIND = select(*_COLUMNS).where(_OURS)
_LOCK = _FIND.with_for_update()
_COUNT = select(func.count()).select_from(WEBHOOK).where(WEBHOOK.c.site_id == bindparam("of_site"))
_SITE = select(SITE.c.id).where(SITE.c.id == bindparam("of_site"))
_LIST = select(*_COLUMNS).order_by(WEBHOOK.c.site_id, WEBHOOK.c.created, WEBHOOK.c.id)


def _told(webhook: Webhook) -> dict[str, Any]:
    """Return what the row of a webhook says of it, by column."""
    return asdict(webhook) | {"events": " ".join(webhook.events)}


def _webhook(row: Sequence[Any]) -> Webhook:
    told = dict(zip(_MEMBERS, row, strict=True))
    told |= {
        "events": tuple(told["events"].split()),
        "disabled": Disabled(told["disabled"]) if told["disabled"] else None,
        "secret": bytes(told["secret"]),
        "older_secret": bytes(told["older_secret"]) if told["older_secret"] else None,
    }
    return Webhook(**told)


# -- leases -----------------------------------------------------------------------------------


def lease(
    rows: Rows, webhook_id: str, *, holder: str, now: str, until: str, beyond: str
) -> Webhook | None:
    """Take or renew the right to deliver to a webhook; None where another process has it."""
    found = rows.find(
        _LEASE, of_webhook=webhook_id, holder=holder, now=now, until=until, beyond=beyond
    )
    return _webhook(found[0]) if found else None


def release(rows: Rows, webhook_id: str, *, holder: str) -> None:
    """Give the right back, if it is still held."""
    rows.change(_RELEASE, of_webhook=webhook_id, holder=holder)


def hold(rows: Rows, webhook_id: str, *, url: str, failures: int, until: str | None) -> None:
    """Leave a receiver alone for a while, or no longer, where it is still at *url*."""
    values = {"new_failures": failures, "new_held_until": until}
    rows.change(_HOLD, of_webhook=webhook_id, tried_url=url, **values)


def disable(rows: Rows, webhook_id: str, *, url: str, why: Disabled) -> None:
    """Deliver nothing any more, where the receiver is still at *url*."""
    rows.change(_DISABLE, of_webhook=webhook_id, tried_url=url, why=why)


_OF = WEBHOOK.c.id == bindparam("of_webhook")
_FREE = or_(
    WEBHOOK.c.lease_until.is_(None),
    WEBHOOK.c.lease_until <= bindparam("now"),
    WEBHOOK.c.lease_until > bindparam("beyond"),
    WEBHOOK.c.lease_by == bindparam("holder"),
)
_LEASE = (
    update(WEBHOOK)
    .where(
        _OF,
        WEBHOOK.c.disabled.is_(None),
        _FREE,
    )
    .values(lease_by=bindparam("holder"), lease_until=bindparam("until"))
    .returning(*_COLUMNS)
)
_RELEASE = (
    update(WEBHOOK)
    .where(_OF, WEBHOOK.c.lease_by == bindparam("holder"))
    .values(lease_by=null(), lease_until=null())
)
_TRIED = WEBHOOK.c.url == bindparam("tried_url")
_HOLD = (
    update(WEBHOOK)
    .where(_OF, _TRIED)
    .values(failures=bindparam("new_failures"), held_until=bindparam("new_held_until"))
)
_DISABLE = update(WEBHOOK).where(_OF, _TRIED).values(disabled=bindparam("why"))


def list_work(
    connection: Connection, *, holder: str, now: str, beyond: str, most: int
) -> list[Work]:
    """Return every webhook that *holder* may deliver to now; what waits is counted up to *most*.

    What waits for an instant later than *beyond* was put off by a clock that was wrong.
    """
    asked = {"holder": holder, "now": now, "beyond": beyond, "most": most}
    rows = connection.execute(_WORK, asked).all()
    cursors: dict[str, dict[str, str]] = {}
    for webhook_id, feed, place in connection.execute(_CURSORS) if rows else ():
        cursors.setdefault(webhook_id, {})[feed] = place
    return [
        Work(row[0], row[1], tuple(row[2].split()), bool(row[3]), row[4], cursors.get(row[0], {}))
        for row in rows
    ]


def find_cursor(connection: Connection, webhook_id: str, feed: str) -> str | None:
    """Return how far a webhook's deliveries go in a feed, or None."""
    return connection.execute(_CURSOR, {"of_webhook": webhook_id, "feed": feed}).scalar()


_PENDING_OF = and_(
    WEBHOOK_DELIVERY.c.webhook_id == WEBHOOK.c.id, WEBHOOK_DELIVERY.c.state == DeliveryState.PENDING
)
_WORK = select(
    WEBHOOK.c.id,
    WEBHOOK.c.site_id,
    WEBHOOK.c.events,
    exists().where(
        _PENDING_OF,
        or_(
            WEBHOOK_DELIVERY.c.due <= bindparam("now"), WEBHOOK_DELIVERY.c.due > bindparam("beyond")
        ),
    ),
    select(func.count())
    .select_from(
        select(WEBHOOK_DELIVERY.c.id)
        .where(_PENDING_OF)
        .correlate(WEBHOOK)
        .limit(bindparam("most"))
        .subquery()
    )
    .scalar_subquery(),
).where(
    WEBHOOK.c.disabled.is_(None),
    _FREE,
    or_(
        WEBHOOK.c.held_until.is_(None),
        WEBHOOK.c.held_until <= bindparam("now"),
        WEBHOOK.c.held_until > bindparam("beyond"),
    ),
)
_CURSORS = select(WEBHOOK_CURSOR.c.webhook_id, WEBHOOK_CURSOR.c.feed, WEBHOOK_CURSOR.c.place)
_CURSOR = select(WEBHOOK_CURSOR.c.place).where(
    WEBHOOK_CURSOR.c.webhook_id == bindparam("of_webhook"),
    WEBHOOK_CURSOR.c.feed == bindparam("feed"),
)
