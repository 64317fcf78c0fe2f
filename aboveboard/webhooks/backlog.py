"""Deliveries as rows: queued, tried, kept for a while, forgotten.

Takes a connection or the rows of a transaction; never commits one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, null, or_, select, tuple_, update

from aboveboard.rows import Rows
from aboveboard.tables import WEBHOOK, WEBHOOK_DELIVERY
from aboveboard.webhooks.endpoint import Delivery, DeliveryState

AT_ONCE = 500  # rows deleted or changed in one statement: others wait for it


def queue(rows: Rows, deliveries: Sequence[Delivery]) -> None:
    """Insert deliveries; those that are there stay as they are."""
    rows.insert(
        WEBHOOK_DELIVERY,
        [_values(one) for one in deliveries],
        tail=" ON CONFLICT (id) DO NOTHING",
    )


def settle(rows: Rows, delivery: Delivery) -> None:
    """Write what came of a try."""
    rows.change(
        _SETTLE,
        of_delivery=delivery.id,
        new_state=delivery.state,
        new_due=delivery.due,
        new_attempts=delivery.attempts,
        new_first_tried=delivery.first_tried,
        new_last_tried=delivery.last_tried,
        new_outcome=delivery.outcome,
    )


def hasten(rows: Rows, webhook_id: str, now: str) -> None:
    """Have everything that waits be tried now: the receiver answers again."""
    rows.change(_HASTEN, of_webhook=webhook_id, now=now)


def count_named(rows: Rows, webhook_id: str, ids: Sequence[str]) -> int:
    """Count those of the named deliveries that the webhook has."""
    return len(rows.find(_NAMED, of_webhook=webhook_id, ids=list(ids)))


def send_again(rows: Rows, webhook_id: str, now: str, ids: Sequence[str]) -> None:
    """Have the named deliveries tried anew."""
    rows.change(_AGAIN, of_webhook=webhook_id, now=now, ids=list(ids))


def send_parked_again(rows: Rows, webhook_id: str, now: str) -> int:
    """Have parked deliveries tried anew, `AT_ONCE` at most; return how many."""
    return len(rows.find(_PARKED_AGAIN, of_webhook=webhook_id, now=now, most=AT_ONCE))


def count_parked(connection: Connection, webhook_id: str) -> int:
    """Count a webhook's parked deliveries."""
    return connection.execute(_PARKED, {"of_webhook": webhook_id}).scalar_one()


def forget(rows: Rows, webhook_id: str, now: str) -> bool:
    """Delete some of the deliveries that ended long ago; say whether that was all of them."""
    found = [
        row
        for state in (DeliveryState.DELIVERED, DeliveryState.PARKED)
        for row in rows.find(_FORGET, of_webhook=webhook_id, of_state=state, now=now)
    ]
    return len(found) < AT_ONCE


def clear(rows: Rows, webhook_id: str) -> bool:
    """Delete some of a webhook's deliveries, whatever their state; say whether that was all."""
    return len(rows.find(_CLEAR, of_webhook=webhook_id)) < AT_ONCE


def list_due(
    connection: Connection, webhook_id: str, now: str, *, beyond: str, limit: int
) -> list[Delivery]:
    """Return what is to be tried now, the longest overdue first."""
    place = {"of_webhook": webhook_id, "now": now, "beyond": beyond}
    return [_delivery(row) for row in connection.execute(_DUE.limit(limit), place)]


def list_deliveries(
    connection: Connection,
    webhook_id: str,
    *,
    state: DeliveryState | None,
    before: tuple[str, str] | None,
    limit: int,
) -> list[Delivery]:
    """Return deliveries of a webhook, the last queued first."""
    asked = _DELIVERIES.where(WEBHOOK_DELIVERY.c.webhook_id == webhook_id)
    if state is not None:
        asked = asked.where(WEBHOOK_DELIVERY.c.state == state)
    if before is not None:
        asked = asked.where(tuple_(WEBHOOK_DELIVERY.c.queued, WEBHOOK_DELIVERY.c.id) < before)
    return [_delivery(row) for row in connection.execute(asked.limit(limit))]


def count_pending(connection: Connection, webhook_id: str, *, most: int) -> int:
    """Count a webhook's deliveries that wait, up to *most*."""
    return connection.execute(_PENDING, {"of_webhook": webhook_id, "most": most}).scalar_one()


def count_open(connection: Connection) -> Mapping[str, int]:
    """Count the deliveries that wait and those that are parked."""
    found = connection.execute(_OPEN).all()
    return {
        DeliveryState.PENDING: sum(waiting for waiting, _ in found),
        DeliveryState.PARKED: sum(parked for _, parked in found),
    }


_DELIVERY_OF = WEBHOOK_DELIVERY.c.webhook_id == bindparam("of_webhook")
_SETTLE = (
    update(WEBHOOK_DELIVERY)
    .where(WEBHOOK_DELIVERY.c.id == bindparam("of_delivery"))
    .values(
        state=bindparam("new_state"),
        due=bindparam("new_due"),
        attempts=bindparam("new_attempts"),
        first_tried=bindparam("new_first_tried"),
        last_tried=bindparam("new_last_tried"),
        outcome=bindparam("new_outcome"),
    )
)
_HASTEN = (
    update(WEBHOOK_DELIVERY)
    .where(
        _DELIVERY_OF,
        WEBHOOK_DELIVERY.c.state == DeliveryState.PENDING,
        WEBHOOK_DELIVERY.c.due > bindparam("now"),
    )
    .values(due=bindparam("now"))
)
_ANEW = update(WEBHOOK_DELIVERY).values(
    state=DeliveryState.PENDING, due=bindparam("now"), attempts=0, first_tried=null()
)
_IS_NAMED = WEBHOOK_DELIVERY.c.id.in_(bindparam("ids", expanding=True))
_NAMED = select(WEBHOOK_DELIVERY.c.id).where(_DELIVERY_OF, _IS_NAMED)
_AGAIN = _ANEW.where(_DELIVERY_OF, _IS_NAMED)
_IS_PARKED = WEBHOOK_DELIVERY.c.state == DeliveryState.PARKED
_PARKED = select(func.count()).select_from(WEBHOOK_DELIVERY).where(_DELIVERY_OF, _IS_PARKED)
_PARKED_AGAIN = _ANEW.where(
    WEBHOOK_DELIVERY.c.id.in_(
        select(WEBHOOK_DELIVERY.c.id).where(_DELIVERY_OF, _IS_PARKED).limit(bindparam("most"))
    )
).returning(WEBHOOK_DELIVERY.c.id)
_SOME = select(WEBHOOK_DELIVERY.c.id).where(_DELIVERY_OF).limit(AT_ONCE)
_FORGET = (
    delete(WEBHOOK_DELIVERY)
    .where(
        WEBHOOK_DELIVERY.c.id.in_(
            _SOME.where(
                WEBHOOK_DELIVERY.c.state == bindparam("of_state"),
                WEBHOOK_DELIVERY.c.due <= bindparam("now"),
            )
        )
    )
    .returning(WEBHOOK_DELIVERY.c.id)
)
_CLEAR = (
    delete(WEBHOOK_DELIVERY)
    .where(WEBHOOK_DELIVERY.c.id.in_(_SOME))
    .returning(WEBHOOK_DELIVERY.c.id)
)
_DELIVERY_COLUMNS = tuple(WEBHOOK_DELIVERY.c[each.name] for each in fields(Delivery))
_values = attrgetter(*(column.name for column in WEBHOOK_DELIVERY.columns))
_DUE = (
    select(*_DELIVERY_COLUMNS)
    .where(
        _DELIVERY_OF,
        WEBHOOK_DELIVERY.c.state == DeliveryState.PENDING,
        or_(
            WEBHOOK_DELIVERY.c.due <= bindparam("now"), WEBHOOK_DELIVERY.c.due > bindparam("beyond")
        ),
    )
    .order_by(WEBHOOK_DELIVERY.c.due, WEBHOOK_DELIVERY.c.queued)
)
_DELIVERIES = select(*_DELIVERY_COLUMNS).order_by(
    WEBHOOK_DELIVERY.c.queued.desc(), WEBHOOK_DELIVERY.c.id.desc()
)
_PENDING = select(func.count()).select_from(
    select(WEBHOOK_DELIVERY.c.id)
    .where(_DELIVERY_OF, WEBHOOK_DELIVERY.c.state == DeliveryState.PENDING)
    .limit(bindparam("most"))
    .subquery()
)
_OPEN = select(
    *(
        select(func.count())
        .select_from(WEBHOOK_DELIVERY)
        .where(WEBHOOK_DELIVERY.c.webhook_id == WEBHOOK.c.id, WEBHOOK_DELIVERY.c.state == state)
        .scalar_subquery()
        for state in (DeliveryState.PENDING, DeliveryState.PARKED)
    )
).select_from(WEBHOOK)


def _delivery(row: Sequence[Any]) -> Delivery:
    found = Delivery(*row)
    return replace(found, state=DeliveryState(found.state))
