"""Which records match: every search goes down a list by its index, a bounded part at a time.

Each filter has lists of its own, in the order of the record ids, which is that of time. A search
goes down the filter whose lists are the sparsest, newest first, and holds what it meets against
the other filters. A page ends when it is full, when the list ends, or when enough was looked at:
so its work is bounded whatever is asked, and whatever the database knows of its own tables.
Below a period's ids lie only tombstones that a restore wrote anew in it: they are few, all of one
method, and looked for last.
Takes a connection; reads only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    func,
    select,
    union,
    union_all,
)

from consent.choices.choice import SITE, TOMBSTONES, Decision, Method
from consent.choices.record import instant, parse_instant
from consent.records.membership import among, members
from consent.tables import RECORD, RECORD_PURPOSE

LOOKED_AT = 2_000  # records a page goes through before it ends, full or not
CHUNK = 1_000  # records looked at together
TOGETHER = 100  # lists merged by one statement; SQLite takes 500
GROWTH = 4  # how much more is looked at where too little was found
SLACK = timedelta(seconds=5)  # between a record's instant and its id, one clock read after another
NEWEST = "g"  # after every id: they begin with a hexadecimal digit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class Listed(NamedTuple):
    """What a record is found by; *decisions* is the JSON of purpose ids and decisions."""

    record_id: str
    epoch: int
    leaf_index: int
    received_at: str
    subject_ref: str
    event_type: str
    method: str
    decisions: str
    notice_id: str | None
    notice_version: int | None


LISTED = tuple(RECORD.c[name] for name in Listed._fields)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are wanted: all of what is set.

    *refs* are the pseudonyms of one subject, *since* and *until* instants as stored, the first
    within and the second past the period.
    """

    refs: Sequence[str] | None = None
    since: str | None = None
    until: str | None = None
    purpose_id: str | None = None
    decision: str | None = None
    method: str | None = None
    event_type: str | None = None
    notice_id: str | None = None
    notice_version: int | None = None

    @property
    def only_period(self) -> bool:
        """Whether nothing is asked that an erased record can no longer answer."""
        return self == Filter(since=self.since, until=self.until)

    def spans(self, received_at: str) -> bool:
        """Whether an instant lies within the period."""
        return (self.since or "") <= received_at and (
            self.until is None or received_at < self.until
        )

    def matches(self, record: Listed) -> bool:
        """Whether a record is wanted."""
        return (
            self.spans(record.received_at)
            and (self.refs is None or record.subject_ref in self.refs)
            and self.method in {None, record.method}
            and self.event_type in {None, record.event_type}
            and self.notice_id in {None, record.notice_id}
            and self.notice_version in {None, record.notice_version}
            and self._decided(record.decisions)
        )

    def _decided(self, decisions: str) -> bool:
        if self.purpose_id is None and self.decision is None:
            return True
        made: dict[str, str] = orjson.loads(decisions)
        if self.purpose_id is None:
            return self.decision in made.values()
        return self.purpose_id in made and self.decision in {None, made[self.purpose_id]}


class Page(NamedTuple):
    """Records, newest first, and the id that the next page goes on below, None at the end."""

    records: list[Listed]
    following: str | None


def whole_second(moment: datetime) -> str:
    """Write the first second that is not before *moment*: stored instants have no fractions."""
    cut = moment.replace(microsecond=0)
    try:
        return instant(cut if cut == moment else cut + _SECOND)
    except OverflowError:  # the last second of the calendar
        return instant(cut)


_IN_ORDER = """
    SET LOCAL enable_sort = off;
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_bitmapscan = off
"""
"""Until the transaction ends, lists are read in the order of their index, whatever PostgreSQL
believes of their length: of a table that has just grown it believes anything."""


def read_in_order(connection: Connection) -> None:
    """Have lists read in the order of their index until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_IN_ORDER)


def id_bounds(since: str | None, until: str | None) -> tuple[str, str]:
    """Return between which ids the records of a period lie, and a few more on either side.

    All but tombstones that were written anew.
    """
    return (
        "" if since is None else _lowest_id(parse_instant(since) - _EPOCH - SLACK),
        NEWEST if until is None else _lowest_id(parse_instant(until) - _EPOCH + SLACK),
    )


def _lowest_id(since_1970: timedelta) -> str:
    millis = max(0, since_1970 // timedelta(milliseconds=1))
    return f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7000-8000-000000000000"


def list_records(
    connection: Connection, site_id: str, wanted: Filter, *, before: str | None, limit: int
) -> Page:
    """Return up to *limit* matching records with ids below *before*, newest first.

    A page may hold fewer, even none, and still have one that follows.
    """
    read_in_order(connection)
    lists = _lists(connection, site_id, wanted)
    if not all(lists):
        return Page([], None)
    floor, below = id_bounds(wanted.since, wanted.until)
    within = _Within(site_id, floor, min(before or NEWEST, below))
    chosen = lists[0]
    if len(lists) > 1:
        chosen = min(lists, key=lambda selects: _reach(connection, selects, within))
    stretches = [(chosen, within)]
    if floor and _may_be_older(wanted):
        stretches.append(([ANEW], _Within(site_id, "", min(floor, within.below))))
    found: list[Listed] = []
    looked_at, chunk = 0, min(limit + 1, CHUNK)
    while len(found) <= limit and looked_at < LOOKED_AT and stretches:
        (going_down, within), *further = stretches
        ids = _newest(connection, going_down, within, chunk)
        looked_at += len(ids)
        if ids:
            met = _read(connection, site_id, ids, wanted)
            found += [record for record in met if wanted.matches(record)]
        ended = len(ids) < chunk
        stretches = further if ended else [(going_down, within._replace(below=ids[-1])), *further]
        chunk = min(GROWTH * chunk, CHUNK)
    if len(found) > limit:
        return Page(found[:limit], found[limit - 1].record_id)
    return Page(found, stretches[0][1].below if stretches else None)


def _may_be_older(wanted: Filter) -> bool:
    """Whether records are wanted whose ids may be older than they are.

    A tombstone that a restore writes anew keeps its id: the list of erasures knows it by that.
    """
    return (
        wanted.event_type in {None, *TOMBSTONES}
        and wanted.method in {None, Method.JOB}
        and (wanted.refs is None or SITE in wanted.refs)
        and wanted.purpose_id is wanted.decision is wanted.notice_id is None
    )


def read_records(
    connection: Connection, site_id: str, record_ids: Sequence[str]
) -> dict[str, Listed]:
    """Return records by id; those that are unknown or erased are left out."""
    if not record_ids:
        return {}
    return {record.record_id: record for record in _read(connection, site_id, record_ids, Filter())}


# -- lists ------------------------------------------------------------------------------------


class _Within(NamedTuple):
    """The part of a list that is still wanted."""

    site_id: str
    floor: str
    below: str


Merged = Select[Any] | CompoundSelect[Any]
_Lists = list[Select[Any]]
"""What one filter lets through: the ids of each value it takes, each by index, newest first."""


def _list(record_id: ColumnElement[str], site_id: ColumnElement[str]) -> Select[Any]:
    return select(record_id).where(
        site_id == bindparam("site_id"),
        record_id >= bindparam("floor"),
        record_id < bindparam("below"),
    )


EVERY = _list(RECORD.c.record_id, RECORD.c.site_id)
ANEW = EVERY.where(RECORD.c.method == Method.JOB.value)
DECIDED = _list(RECORD_PURPOSE.c.record_id, RECORD_PURPOSE.c.site_id)


def _lists(connection: Connection, site_id: str, wanted: Filter) -> list[_Lists]:
    lists: list[_Lists] = []
    if wanted.refs is not None:
        lists.append([EVERY.where(RECORD.c.subject_ref == ref) for ref in wanted.refs])
    if wanted.purpose_id is not None or wanted.decision is not None:
        purpose, decision = RECORD_PURPOSE.c.purpose_id, RECORD_PURPOSE.c.decision
        purposes = [wanted.purpose_id] if wanted.purpose_id else _purposes(connection, site_id)
        decisions = [wanted.decision] if wanted.decision else list(Decision)
        lists.append(
            [
                DECIDED.where(purpose == one, decision == made)
                for one in purposes
                for made in decisions
            ]
        )
    if wanted.method is not None:
        lists.append([EVERY.where(RECORD.c.method == wanted.method)])
    if wanted.event_type is not None:
        lists.append([EVERY.where(RECORD.c.event_type == wanted.event_type)])
    if wanted.notice_id is not None:
        notice = EVERY.where(RECORD.c.notice_id == wanted.notice_id)
        versions = (
            [wanted.notice_version]
            if wanted.notice_version
            else _versions(connection, site_id, wanted.notice_id)
        )
        lists.append([notice.where(RECORD.c.notice_version == version) for version in versions])
    # A filter without lists lets nothing through: the site has no such notice, or no decisions.
    return lists or [[EVERY]]


def _newest(connection: Connection, lists: _Lists, within: _Within, limit: int) -> list[str]:
    """Return the newest *limit* ids of all *lists* together."""
    found = [
        record_id
        for at in range(0, len(lists), TOGETHER)
        for record_id in connection.scalars(
            _merged(connection, lists[at : at + TOGETHER], limit), within._asdict()
        )
    ]
    return sorted(set(found), reverse=True)[:limit] if len(lists) > TOGETHER else found


def _reach(connection: Connection, lists: _Lists, within: _Within) -> str:
    """Return how far back one chunk goes: the further, the sparser."""
    # The first lists of very many tell enough.
    asked = _merged(connection, lists[:TOGETHER], CHUNK + 1).limit(1).offset(CHUNK)
    return connection.scalar(asked, within._asdict()) or ""


def _merged(connection: Connection, lists: _Lists, limit: int) -> Merged:
    """Return what goes down several lists at once, newest first, and reads none to its end.

    One statement, for a way to the database costs more than a list does.
    """
    if len(lists) == 1:
        return _ordered(lists[0], limit)
    if connection.dialect.name == "postgresql":
        # It sees that a list comes in order only where the list is asked for by itself, and that
        # a union does only where it is asked what is distinct in it.
        each = (select(_ordered(one, limit).subquery().c.record_id) for one in lists)
        return _ordered(select(union_all(*each).subquery().c.record_id).distinct(), limit)
    return _ordered(union(*lists), limit)


def _ordered(asked: Merged, limit: int) -> Merged:
    return asked.order_by(asked.selected_columns[0].desc()).limit(limit)


def _read(
    connection: Connection, site_id: str, record_ids: Sequence[str], wanted: Filter
) -> list[Listed]:
    """Return records, newest first; some that are not wanted are left out."""
    statement = _RECORDS
    for column, value in (
        (_METHOD, wanted.method),
        (_EVENT_TYPE, wanted.event_type),
        (_NOTICE_ID, wanted.notice_id),
        (_NOTICE_VERSION, wanted.notice_version),
    ):
        if value is not None:
            statement = statement.where(column == value)
    rows = connection.execute(statement, {"site_id": site_id, "ids": members(record_ids)})
    return sorted((Listed(*row) for row in rows), reverse=True)


# Each as an expression, which no index is of: SQLite would go down that index, and leave the ids.
_METHOD, _EVENT_TYPE, _NOTICE_ID = (
    column.concat("") for column in (RECORD.c.method, RECORD.c.event_type, RECORD.c.notice_id)
)
_NOTICE_VERSION = RECORD.c.notice_version + 0
_RECORDS = select(*LISTED).where(
    RECORD.c.site_id == bindparam("site_id"), among(RECORD.c.record_id, "ids")
)


def _purposes(connection: Connection, site_id: str) -> list[str]:
    purpose = RECORD_PURPOSE.c.purpose_id
    return _distinct(connection, purpose, RECORD_PURPOSE.c.site_id == site_id)


def _versions(connection: Connection, site_id: str, notice_id: str) -> list[int]:
    return _distinct(
        connection,
        RECORD.c.notice_version,
        RECORD.c.site_id == site_id,
        RECORD.c.notice_id == notice_id,
    )


def _distinct(
    connection: Connection, column: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> list[Any]:
    """Return the distinct values of an indexed column, one step of the index each."""
    lowest = select(func.min(column).label("value")).where(*conditions)
    steps = lowest.cte("steps", recursive=True)
    following = lowest.where(column > steps.c.value).scalar_subquery()
    steps = steps.union_all(select(following).where(steps.c.value.is_not(None)))
    return list(connection.scalars(select(steps.c.value).where(steps.c.value.is_not(None))))
