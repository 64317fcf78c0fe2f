"""How much was asked in other dialects and what was answered, by site, key and month.

Takes rows inside a transaction; never commits one. What is counted is committed with what it
counts.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from moderation.database import Rows
from moderation.tables import COMPAT_USAGE
from moderation.verdict import RESTRICTED, Origin, State


class Tally(NamedTuple):
    """In whose name is counted; *month* is `YYYY-MM`, *spam* the states that are told as spam."""

    key_id: str
    month: str
    origin: Origin
    spam: frozenset[State] = RESTRICTED


class Counts(NamedTuple):
    """What was counted, in the order of the table's columns."""

    calls: int = 0
    spam: int = 0
    ham: int = 0
    missed_spam: int = 0
    false_positives: int = 0


class Used(NamedTuple):
    """What one key has asked of one site in a month."""

    site_id: str
    key_id: str
    counts: Counts


class Usage:
    """What one transaction counts: a statement for all of it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._counted: defaultdict[tuple[str, str, str, str], Counter[str]] = defaultdict(Counter)

    def answered(self, site_id: str, tally: Tally, state: State) -> None:
        """Count a call that was answered by where its comment stands."""
        self._add(site_id, tally, "calls", "spam" if state in tally.spam else "ham")

    def corrected(self, site_id: str, tally: Tally, source: State, target: State) -> None:
        """Count what the site's people took back."""
        if source is State.PUBLISHED and target in RESTRICTED:
            self._add(site_id, tally, "missed_spam")
        elif source in RESTRICTED and target is State.PUBLISHED:
            self._add(site_id, tally, "false_positives")

    def _add(self, site_id: str, tally: Tally, *names: str) -> None:
        place = (site_id, tally.month, tally.key_id, tally.origin.value)
        counted = self._counted[place]
        for name in names:
            counted[name] += 1

    def flush(self) -> None:
        """Write everything."""
        self._rows.insert(
            COMPAT_USAGE,
            [
                (*place, *(counted[name] for name in Counts._fields))
                for place, counted in self._counted.items()
            ],
            tail=_ADDED,
        )
        self._counted.clear()


def read(
    connection: Connection, site_ids: Sequence[str], *, month: str, origin: Origin
) -> list[Used]:
    """Return what every key has asked of sites in a month."""
    found = connection.execute(
        select(COMPAT_USAGE).where(
            COMPAT_USAGE.c.site_id.in_(site_ids),
            COMPAT_USAGE.c.month == month,
            COMPAT_USAGE.c.origin == origin.value,
        )
    )
    return [Used(row.site_id, row.key_id, Counts(*row[4:])) for row in found]


def by_month(
    connection: Connection, site_ids: Sequence[str], *, since: str, origin: Origin
) -> dict[str, Counts]:
    """Return what was asked of sites, by month from *since* on."""
    columns = [COMPAT_USAGE.c[name] for name in Counts._fields]
    found = connection.execute(
        select(COMPAT_USAGE.c.month, *(func.sum(column) for column in columns))
        .where(
            COMPAT_USAGE.c.site_id.in_(site_ids),
            COMPAT_USAGE.c.month >= since,
            COMPAT_USAGE.c.origin == origin.value,
        )
        .group_by(COMPAT_USAGE.c.month)
    )
    return {row[0]: Counts(*(int(number) for number in row[1:])) for row in found}


def count_calls(
    connection: Connection, site_ids: Sequence[str], *, month: str, origin: Origin
) -> int:
    """Return how many calls sites were sent in a month."""
    found = connection.execute(
        select(func.coalesce(func.sum(COMPAT_USAGE.c.calls), 0)).where(
            COMPAT_USAGE.c.site_id.in_(site_ids),
            COMPAT_USAGE.c.month == month,
            COMPAT_USAGE.c.origin == origin.value,
        )
    )
    return int(found.scalar_one())


_ADDED = " ON CONFLICT (site_id, month, key_id, origin) DO UPDATE SET " + ", ".join(
    f"{name} = compat_usage.{name} + excluded.{name}" for name in Counts._fields
)
