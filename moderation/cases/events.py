"""The events of comments as rows: appended, counted for each site, read back in their order.

Takes rows or a connection inside a transaction; never commits one. Whoever appends has locked the
site first: so its events are numbered without a gap, in the order of their commits, and a reader
who has seen one has seen all before it.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from moderation.cases.transition import ActorKind, Event, EventKind
from moderation.database import Rows
from moderation.tables import COMMENT, EVENT, REVIEW_SETTING
from moderation.verdict import State

_HEAD = select(
    select(func.max(EVENT.c.seq)).where(EVENT.c.site_id == bindparam("site_id")).scalar_subquery(),
    select(REVIEW_SETTING.c.setting)
    .where(REVIEW_SETTING.c.site_id == bindparam("site_id"))
    .scalar_subquery(),
)
_OF_COMMENT = (
    select(EVENT)
    .where(EVENT.c.site_id == bindparam("site_id"), EVENT.c.comment_id == bindparam("comment_id"))
    .order_by(EVENT.c.seq)
)

# In no order: asked for one, SQLite reads every event of the site until it has statistics.
_OF_COMMENTS = select(EVENT).where(
    EVENT.c.site_id == bindparam("site_id"),
    EVENT.c.comment_id.in_(bindparam("ids", expanding=True)),
)


def read_head(rows: Rows, site_id: str) -> tuple[int, str | None]:
    """Return the seq of a site's newest event, 0 before the first, and its stored setting."""
    ((seq, setting),) = rows.find(_HEAD, site_id=site_id)
    return seq or 0, setting


def append(rows: Rows, events: Sequence[tuple[Any, ...]]) -> None:
    """Append *events*, or rows like them, numbered on from the head."""
    rows.insert(EVENT, events)


def list_comments(rows: Rows, site_id: str, comment_ids: Sequence[str]) -> dict[str, list[Event]]:
    """Return the events of each of some comments, oldest first."""
    found: dict[str, list[Event]] = {each: [] for each in comment_ids}
    read = map(event, rows.find(_OF_COMMENTS, site_id=site_id, ids=comment_ids))
    for told in sorted(read, key=attrgetter("seq")):
        found[told.comment_id].append(told)
    return found


def list_comment(connection: Connection, site_id: str, comment_id: str) -> list[Event]:
    """Return the events of a comment, oldest first."""
    found = connection.execute(_OF_COMMENT, {"site_id": site_id, "comment_id": comment_id})
    return [event(row) for row in found]


def list_changes(connection: Connection, site_id: str, after: int, limit: int) -> list[Event]:
    """Return what happened to comments after they came in, beginning after a seq."""
    return _list(connection, site_id, after, limit, EVENT.c.kind != EventKind.SUBMITTED.value)


def list_all(connection: Connection, site_id: str, after: int, limit: int) -> list[Event]:
    """Return what happened to comments, their coming in too, beginning after a seq."""
    return _list(connection, site_id, after, limit)


def _list(
    connection: Connection, site_id: str, after: int, limit: int, *which: ColumnElement[bool]
) -> list[Event]:
    found = connection.execute(
        select(EVENT)
        .where(EVENT.c.site_id == site_id, EVENT.c.seq > after, *which)
        .order_by(EVENT.c.seq)
        .limit(limit)
    )
    return [event(row) for row in found]


def count_decided(connection: Connection, site_id: str, decision_id: str) -> int:
    """Return of how many comments something was decided at once."""
    counted = select(func.count()).where(
        EVENT.c.site_id == site_id, EVENT.c.decision_id == decision_id
    )
    return connection.execute(counted).scalar_one()


def list_seqs(connection: Connection, site_id: str, seqs: Iterable[int]) -> list[Event]:
    """Return single events of a site."""
    found = connection.execute(
        select(EVENT).where(EVENT.c.site_id == site_id, EVENT.c.seq.in_(sorted(seqs)))
    )
    return [event(row) for row in found]


def list_ends(connection: Connection, site_ids: Iterable[str]) -> dict[str, int]:
    """Return the seq of the newest event of each site that has one."""
    newest = select(EVENT.c.seq).where(EVENT.c.site_id == bindparam("of_site"))
    newest = newest.order_by(EVENT.c.seq.desc()).limit(1)
    # One site at a time: of a maximum by groups, neither engine takes the end of its index.
    found = {
        site_id: connection.execute(newest, {"of_site": site_id}).scalar()
        for site_id in set(site_ids)
    }
    return {site_id: seq for site_id, seq in found.items() if seq is not None}


def external_ids(
    connection: Connection, site_id: str, comment_ids: Iterable[str]
) -> dict[str, str]:
    """Return the site's own ids of comments."""
    found = connection.execute(
        select(COMMENT.c.id, COMMENT.c.external_id).where(
            COMMENT.c.site_id == site_id, COMMENT.c.id.in_(sorted(comment_ids))
        )
    )
    return {row.id: row.external_id for row in found}


def event(row: Sequence[Any]) -> Event:
    """Read a row."""
    made = Event._make(row)
    return made._replace(
        kind=EventKind(made.kind),
        actor_kind=ActorKind(made.actor_kind),
        from_state=None if made.from_state is None else State(made.from_state),
        to_state=State(made.to_state),
    )
