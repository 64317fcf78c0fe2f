"""What comes of comments in time: old ones are erased, those that wait too long are told of.

Cases whose places were left half made anew get them.

One site's failure takes no other's turn: it is raised in the end.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection, select

from moderation.cases import setting
from moderation.database import Reading, Writing
from moderation.review import deciding, queue
from moderation.review.deciding import DECISION_ROWS, Work, carry_out
from moderation.review.desk import Desk
from moderation.review.erasing import BATCH, Erasing
from moderation.review.placing import place_again
from moderation.tables import CASE, COMMENT, HAS_CASE, REVIEW_SETTING, instant
from moderation.verdict import State

TOLD = 50  # comments that are told of in one transaction; what comes in waits for it

log = structlog.get_logger(__name__)


class Upkeep:
    """What is looked at every hour."""

    def __init__(
        self,
        *,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        erasing: Erasing,
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._erasing = erasing

    async def keep_to_retention(self) -> None:
        """Erase what sites do not keep for longer, by its state and when it came in."""
        settings = await self._reading.query(_settings)
        await _each(self._keep(site_id, stored) for site_id, stored in settings.items())

    async def _keep(self, site_id: str, stored: str) -> None:
        for state, days in setting.read(stored).keep_days.items():
            before = instant(self._clock() - timedelta(days=days))
            while comment_ids := await self._reading.query(
                partial(_older, site_id=site_id, state=state, before=before)
            ):
                await self._erasing.age(site_id, comment_ids)

    async def place(self) -> None:
        """Have cases stand where they belong where that was not brought to its end."""
        settings = await self._reading.query(_settings)
        await _each(self._place(site_id, stored) for site_id, stored in settings.items())

    async def _place(self, site_id: str, stored: str) -> None:
        mark = setting.unplaced(stored)
        if mark is not None:
            now = instant(self._clock())
            await place_again(self._writing, self._reading, site_id, mark, now=now)

    async def alarm(self) -> None:
        """Tell of comments that have been held for longer than their site wants (A10)."""
        settings = await self._reading.query(_settings)
        sites = await self._reading.query(_sites)
        await _each(self._tell(site_id, settings.get(site_id)) for site_id in sites)

    async def _tell(self, site_id: str, stored: str | None) -> None:
        now = self._clock()
        before = instant(now - timedelta(hours=setting.read_or_default(stored).alarm_hours))
        # All at once: no index says who was told of, and each look goes through the whole queue.
        waiting = await self._reading.query(partial(_waiting, site_id=site_id, before=before))
        for at in range(0, len(waiting), TOLD):
            comment_ids = waiting[at : at + TOLD]
            work = Work(site_id, instant(now), partial(_expire, comment_ids))
            await self._writing.write(carry_out, work, size=DECISION_ROWS * len(comment_ids))
        if waiting:
            log.warning("comments_wait", site=site_id, comments=len(waiting))


async def _each(works: Iterable[Awaitable[None]]) -> None:
    failure = None
    for work in works:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are due
            failure = failure or error
    if failure is not None:
        raise failure


def _settings(connection: Connection) -> dict[str, str]:
    # Read site by site: one that is no setting any more must not take the others' turn.
    rows = connection.execute(select(REVIEW_SETTING.c.site_id, REVIEW_SETTING.c.setting))
    return {row.site_id: row.setting for row in rows}


def _sites(connection: Connection) -> list[str]:
    return list(connection.execute(select(CASE.c.site_id).distinct()).scalars())


def _older(connection: Connection, *, site_id: str, state: State, before: str) -> list[str]:
    # Ids are made in the order of time: what came in first is looked at first.
    first = (
        select(COMMENT.c.id, COMMENT.c.received)
        .where(COMMENT.c.site_id == site_id, COMMENT.c.state == state.value)
        .order_by(COMMENT.c.id)
        .limit(BATCH)
        .subquery()
    )
    found = connection.execute(select(first.c.id).where(first.c.received < before))
    return list(found.scalars())


def _waiting(connection: Connection, *, site_id: str, before: str) -> list[str]:
    found = connection.execute(
        select(CASE.c.comment_id)
        .join_from(CASE, COMMENT, HAS_CASE)
        .where(
            CASE.c.site_id == site_id,
            queue.UNRESOLVED,
            CASE.c.opened < before,
            CASE.c.alarmed.is_(False),
            COMMENT.c.state == State.PENDING.value,
        )
    )
    return list(found.scalars())


def _expire(comment_ids: Sequence[str], desk: Desk) -> None:
    desk.look(comment_ids)
    for comment_id in comment_ids:
        deciding.expire(desk, comment_id)
