"""The queue of a site: cases in an order, narrowed by filters, and how many there are.

Takes a connection; reads only. What is chosen is a range of one index.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from moderation.cases import search
from moderation.cases.case import Case, latest
from moderation.cases.priority import Tier
from moderation.tables import CASE, COMMENT, COMMENT_DOMAIN, SKIP


class Order(StrEnum):
    """In which order cases are listed."""

    PRIORITY = "priority"
    OLDEST = "oldest"
    NEWEST = "newest"
    UNSURE = "unsure"


class Shelf(StrEnum):
    """Which cases are listed."""

    OPEN = "open"
    ESCALATED = "escalated"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Filter:
    """What is wanted; None is anything. *seen_by* leaves out what that moderator has skipped.

    *free* leaves out what somebody holds who is not *seen_by*.
    """

    shelf: Shelf = Shelf.OPEN
    label: str | None = None
    language: str | None = None
    reason: str | None = None
    opened_after: str | None = None
    opened_before: str | None = None
    assignee: str | None = None
    author: str | None = None
    domain: str | None = None
    fingerprint: str | None = None
    words: str | None = None
    origin: str | None = None
    seen_by: str | None = None
    free: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it leaves out nothing but what somebody skipped or holds."""
        return self == Filter(self.shelf, seen_by=self.seen_by, free=self.free)


class Place(NamedTuple):
    """Where a page ends: the value that it is ordered by, and the comment.

    *common* where the page was looking for words that an index is of no use for.
    """

    value: float | str
    comment_id: str
    common: bool = False


# Written out: an index of open cases alone is of use only where the engine sees that they are.
UNRESOLVED: ColumnElement[bool] = CASE.c.state != literal_column("'resolved'")
RESOLVED: ColumnElement[bool] = CASE.c.state == literal_column("'resolved'")

_ORDERED: Mapping[Order, tuple[ColumnElement[Any], bool]] = {
    Order.PRIORITY: (CASE.c.place, False),
    Order.OLDEST: (CASE.c.opened, False),
    Order.NEWEST: (CASE.c.opened, True),
    Order.UNSURE: (CASE.c.doubt, False),
}


def find_next(
    connection: Connection, site_id: str, wanted: Filter, order: Order, *, now: str
) -> Case | None:
    """Return the case that comes first, or None."""
    row = connection.execute(chosen(site_id, wanted, order, now=now, after=None, limit=1)).first()
    return None if row is None else Case._make(row)


def count(connection: Connection, site_id: str, wanted: Filter, *, now: str) -> dict[str, int]:
    """Return how many cases there are, by where they stand, and among those open by tier."""
    if wanted.words is not None:
        search.plan_for_words(connection)
    shelved = case(
        (CASE.c.snoozed_until > now, Shelf.SNOOZED.value),
        (CASE.c.escalated, Shelf.ESCALATED.value),
        else_=Shelf.OPEN.value,
    ).label("shelf")
    claimed = case((_held(now), 1), else_=0).label("claimed")
    counts = dict.fromkeys(("open", "claimed", "escalated", "snoozed"), 0)
    counts |= {f"tier_{tier}": 0 for tier in Tier}
    for row in connection.execute(
        select(shelved, claimed, CASE.c.tier, func.count().label("number"))
        .where(
            CASE.c.site_id == site_id,
            UNRESOLVED,
            *_narrowed(site_id, wanted, now=now),
        )
        .group_by(shelved, claimed, CASE.c.tier)
    ):
        counts[row.shelf] += row.number
        if row.shelf == Shelf.OPEN:
            counts["claimed"] += row.number * row.claimed
            counts[f"tier_{row.tier}"] += row.number
    return counts


def chosen(
    site_id: str,
    wanted: Filter,
    order: Order,
    *,
    now: str,
    after: Place | None,
    limit: int | None,
) -> Select[Any]:
    """Return the select of the cases of a page."""
    column, falling = order_of(wanted.shelf, order)
    statement = select(CASE).where(
        CASE.c.site_id == site_id,
        *_shelved(wanted.shelf, now=now),
        *_narrowed(site_id, wanted, now=now),
    )
    if after is not None:
        here, there = tuple_(column, CASE.c.comment_id), tuple_(after.value, after.comment_id)
        statement = statement.where(here < there if falling else here > there)
    return statement.order_by(*in_order(column, CASE.c.comment_id, falling=falling)).limit(limit)


def order_of(shelf: Shelf, order: Order) -> tuple[ColumnElement[Any], bool]:
    """Return what cases are ordered by, and whether the largest comes first."""
    # What was resolved is looked at from its end: it has no urgency any more.
    return (CASE.c.resolved, True) if shelf is Shelf.RESOLVED else _ORDERED[order]


def in_order(
    column: ColumnElement[Any], comment_id: ColumnElement[Any], *, falling: bool
) -> Sequence[ColumnElement[Any]]:
    """Return what a select is ordered by."""
    return (column.desc(), comment_id.desc()) if falling else (column, comment_id)


def _shelved(shelf: Shelf, *, now: str) -> list[ColumnElement[bool]]:
    if shelf is Shelf.RESOLVED:
        return [RESOLVED]
    if shelf is Shelf.SNOOZED:
        return [UNRESOLVED, CASE.c.snoozed_until > now]
    awake = or_(CASE.c.snoozed_until.is_(None), CASE.c.snoozed_until <= now)
    return [UNRESOLVED, CASE.c.escalated.is_(shelf is Shelf.ESCALATED), awake]


def _held(now: str) -> ColumnElement[bool]:
    """Whether somebody holds a case: `is_claimed`."""
    return and_(CASE.c.claim_until > now, CASE.c.claim_until <= latest(now))


def _narrowed(site_id: str, wanted: Filter, *, now: str) -> list[ColumnElement[bool]]:
    made: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (CASE.c.label, wanted.label),
            (CASE.c.language, wanted.language),
            (CASE.c.reason, wanted.reason),
            (CASE.c.author, wanted.author),
            (CASE.c.fingerprint, wanted.fingerprint),
        )
        if value is not None
    ]
    if wanted.opened_after is not None:
        made.append(CASE.c.opened >= wanted.opened_after)
    if wanted.opened_before is not None:
        made.append(CASE.c.opened < wanted.opened_before)
    if wanted.assignee is not None:
        made.append(and_(CASE.c.claimed_by == wanted.assignee, _held(now)))
    if wanted.domain is not None:
        made.append(
            CASE.c.comment_id.in_(
                select(COMMENT_DOMAIN.c.comment_id).where(
                    COMMENT_DOMAIN.c.site_id == site_id, COMMENT_DOMAIN.c.domain == wanted.domain
                )
            )
        )
    if wanted.origin is not None:
        made.append(
            exists(
                select(COMMENT.c.id).where(
                    COMMENT.c.site_id == site_id,
                    COMMENT.c.id == CASE.c.comment_id,
                    COMMENT.c.origin == wanted.origin,
                )
            )
        )
    query = None if wanted.words is None else search.read(wanted.words)
    if query is not None:
        made.append(CASE.c.comment_id.in_(search.found(site_id, query)))
    if wanted.seen_by is not None:
        made.append(
            ~exists(
                select(SKIP.c.until).where(
                    SKIP.c.site_id == site_id,
                    SKIP.c.moderator == wanted.seen_by,
                    SKIP.c.comment_id == CASE.c.comment_id,
                    SKIP.c.until > now,
                )
            )
        )
    if wanted.free:
        made.append(
            or_(
                CASE.c.claim_until.is_(None),
                ~_held(now),
                CASE.c.claimed_by == (wanted.seen_by or ""),
            )
        )
    return made
