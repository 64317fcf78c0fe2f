"""How often notices are shown, and how they are answered: counts of many, never anybody.

Counted by the database, in one pass over the records of a period; what an erased record said is
no longer counted.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from consent.choices.choice import GIVING, Decision, EventType
from consent.database import Reading
from consent.records.search import id_bounds
from consent.tables import RECORD, SHOWN

DECIDING = GIVING | {EventType.REFUSED, EventType.OPTED_OUT, EventType.OBJECTED}
"""Event types by which a subject decides; a withdrawal ends what was decided before."""

DAY_CHARS = 10  # of an instant
FETCHED = 1_000  # groups at a time


class By(StrEnum):
    """How long the periods are that are counted apart."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def start(self, day: str) -> str:
        """Return the first day of the period that *day* lies in; a week begins on Monday."""
        if self is By.MONTH:
            return f"{day[:7]}-01"
        if self is By.WEEK:
            found = date.fromisoformat(day)
            return (found - timedelta(days=found.weekday())).isoformat()
        return day


@dataclass(slots=True)
class Tally:
    """How often something was given, refused and withdrawn."""

    given: int = 0
    refused: int = 0
    withdrawn: int = 0

    @property
    def decided(self) -> int:
        """How often it was answered at all."""
        return self.given + self.refused

    @property
    def consent_rate(self) -> float | None:
        """The share of those who gave among those who answered."""
        return round(self.given / self.decided, 6) if self.decided else None


@dataclass(slots=True)
class Counts(Tally):
    """The same of a notice as a whole, and how often it was shown.

    An answer counts as given where it gives anything.
    """

    shown: int = 0
    purposes: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))


@dataclass(slots=True)
class Statistics(Counts):
    """All of a period, and the same apart: by event type, method, notice version, and over time."""

    types: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    methods: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    notices: dict[tuple[str, int], Counts] = field(default_factory=lambda: defaultdict(Counts))
    periods: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))


class Asked(NamedTuple):
    """Of which days, the last left out, and of which notice."""

    since: date | None = None
    until: date | None = None
    notice_id: str | None = None
    by: By = By.DAY


class Counting:
    """The use case of statistics."""

    def __init__(self, *, reading: Reading) -> None:
        self._reading = reading

    async def count(self, site_id: str, asked: Asked) -> Statistics:
        """Count what was recorded and shown."""
        return await self._reading.query(lambda connection: count(connection, site_id, asked))


def count(connection: Connection, site_id: str, asked: Asked) -> Statistics:
    """Count what was recorded and shown on a site."""
    counted = Statistics()
    for group in _recorded(connection, site_id, asked):
        _add(counted, group, asked.by)
    for day, notice_id, version, times in _shown(connection, site_id, asked):
        for counts in (
            counted,
            counted.notices[notice_id, version],
            counted.periods[asked.by.start(day)],
        ):
            counts.shown += times
    return counted


class _Group(NamedTuple):
    """Records of one day that are alike."""

    day: str
    event_type: str
    method: str
    notice_id: str | None
    notice_version: int | None
    decisions: str
    times: int


def _add(counted: Statistics, group: _Group, by: By) -> None:
    kind, times = group.event_type, group.times
    counted.types[kind] += times
    places: list[Counts] = [counted]
    if kind == EventType.REQUESTED or kind in DECIDING or kind == EventType.WITHDRAWN:
        places.append(counted.periods[by.start(group.day)])
        if group.notice_id is not None and group.notice_version is not None:
            places.append(counted.notices[group.notice_id, group.notice_version])
    if kind == EventType.REQUESTED:
        for counts in places:
            counts.shown += times
    elif kind in DECIDING or kind == EventType.WITHDRAWN:
        made: Mapping[str, str] = orjson.loads(group.decisions)
        for tally in (*places, counted.methods[group.method]):
            _tally(tally, kind, Decision.GIVEN if kind in GIVING else Decision.REFUSED, times)
        for counts in places:
            for purpose, decision in made.items():
                _tally(counts.purposes[purpose], kind, decision, times)


def _tally(tally: Tally, kind: str, decision: str, times: int) -> None:
    if kind == EventType.WITHDRAWN:
        tally.withdrawn += times
    elif decision == Decision.GIVEN:
        tally.given += times
    elif decision == Decision.REFUSED:
        tally.refused += times


def _recorded(connection: Connection, site_id: str, asked: Asked) -> Iterator[_Group]:
    since, until = _midnight(asked.since), _midnight(asked.until)
    floor, below = id_bounds(since, until)
    day = func.substr(RECORD.c.received_at, 1, DAY_CHARS).label("day")
    alike = (
        day,
        RECORD.c.event_type,
        RECORD.c.method,
        RECORD.c.notice_id,
        RECORD.c.notice_version,
        RECORD.c.decisions,
    )
    statement = select(*alike, func.count()).where(
        RECORD.c.site_id == site_id, RECORD.c.record_id >= floor, RECORD.c.record_id < below
    )
    if since is not None:
        statement = statement.where(RECORD.c.received_at >= since)
    if until is not None:
        statement = statement.where(RECORD.c.received_at < until)
    if asked.notice_id is not None:
        statement = statement.where(RECORD.c.notice_id == asked.notice_id)
    # The groups come one by one: there may be as many as choices that people make.
    rows = connection.execution_options(yield_per=FETCHED).execute(statement.group_by(*alike))
    return (_Group(*row) for row in rows)


def _shown(connection: Connection, site_id: str, asked: Asked) -> Iterator[tuple[Any, ...]]:
    place = (SHOWN.c.day, SHOWN.c.notice_id, SHOWN.c.version)
    statement = select(*place, func.sum(SHOWN.c.times)).where(SHOWN.c.site_id == site_id)
    if asked.since is not None:
        statement = statement.where(SHOWN.c.day >= asked.since.isoformat())
    if asked.until is not None:
        statement = statement.where(SHOWN.c.day < asked.until.isoformat())
    if asked.notice_id is not None:
        statement = statement.where(SHOWN.c.notice_id == asked.notice_id)
    rows = connection.execute(statement.group_by(*place))
    return ((*row[:3], int(row[3])) for row in rows)


def _midnight(day: date | None) -> str | None:
    return None if day is None else f"{day.isoformat()}T00:00:00Z"
