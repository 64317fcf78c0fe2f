"""Clients that want to be told when a verdict is taken back: who, of what, and what they know.

A check may name an address. Once a person here has decided otherwise, it is told so, as Akismet's
webhook is; what a client itself has submitted, it knows. A decision marks what it is about in its
own transaction, and so does a check that was answered before a decision and is kept after it, so
that nothing is forgotten; whoever posts takes what is due, for a while.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, and_, bindparam, or_, select, update

from moderation.database import Reading, Rows, Writing
from moderation.tables import COMMENT, COMPAT_CALLBACK, IS_CURRENT, REVISION, instant
from moderation.verdict import RESTRICTED, State

URL_LIMIT = 2_048  # characters
LEASE = timedelta(seconds=60)  # well over the longest try
BEYOND = timedelta(hours=2)  # nothing is put off for so long: its clock was wrong
AT_ONCE = 20
UNSURE = ""
"""What a client was told that is being called, or could not be called: perhaps the news."""

ALONE = 1_000_000
"""Rows that taking is told to be, so that it has a transaction of its own: whose clients are due,
and so which sites it locks, is known only inside."""


class Due(NamedTuple):
    """A client to be told; *content* is the body but for the key, None where it knows already."""

    site_id: str
    comment_id: str
    url: str
    sealed: str
    lease: str
    attempts: int
    first_tried: datetime | None
    result: str
    content: dict[str, Any] | None


class _Kept(NamedTuple):
    site_id: str
    comment_id: str
    url: str
    sealed: str
    told: str
    now: str


class _Turn(NamedTuple):
    """Who is due *now*, or only *beyond*, is taken until *lease*."""

    now: str
    lease: str
    beyond: str


class _Settled(NamedTuple):
    due: Due
    told: bool
    again: str | None
    first_tried: str | None

    @property
    def site_id(self) -> str:
        """By which the writer locks a batch's sites in one order."""
        return self.due.site_id


class Callbacks:
    """The use cases of callbacks; *seal* hides a key under the name of what it is for."""

    def __init__(
        self,
        *,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        seal: Callable[[str, str], str],
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._seal = seal

    async def keep(self, site_id: str, comment_id: str, url: str, key: str, *, told: str) -> None:
        """Remember where a client wants to be told, and what it was *told* now (`replies.told`)."""
        sealed = self._seal(name(site_id, comment_id), key)
        now = instant(self._clock())
        await self._writing.write(
            _keep, _Kept(site_id, comment_id, url[:URL_LIMIT], sealed, told, now)
        )

    async def take(self) -> list[Due]:
        """Return clients to be told, which nobody else tells for a while."""
        now = self._clock()
        turn = _Turn(instant(now), instant(now + LEASE), instant(now + BEYOND))
        if not await self._reading.query(lambda asked: bool(_find(asked, turn, limit=1))):
            return []
        return await self._writing.write(_take, turn, size=ALONE)

    async def settle(self, due: Due, *, told: bool, again: timedelta | None = None) -> None:
        """Note that a client was told, or is to be told *again* after a while, or never."""
        now = self._clock()
        later = None if again is None else instant(now + again)
        first = instant(due.first_tried or now)
        await self._writing.write(_settle, _Settled(due, told, later, first))


def name(site_id: str, comment_id: str) -> str:
    """Return what a client's key is sealed under."""
    return f"akismet-callback\0{site_id}\0{comment_id}"


def _keep(rows: Rows, commands: Sequence[_Kept]) -> list[None]:
    sites = sorted({command.site_id for command in commands})
    rows.lock(sites)
    latest = {(command.site_id, command.comment_id): command for command in commands}
    kept = []
    for site_id in sites:
        own = {at: command for (of_site, at), command in latest.items() if of_site == site_id}
        for comment_id, stored in rows.find(_STATES, site_id=site_id, ids=list(own)):
            state, command = State(stored), own[comment_id]
            if state is State.ERASED:
                continue  # since it was answered: nothing of it is kept
            # Decided since it was answered, it was marked before there was anybody to tell.
            due = None if _is_known(state, command.told) else command.now
            kept.append(
                (site_id, comment_id, command.url, command.sealed, command.told, due, 0, None)
            )
    rows.insert(COMPAT_CALLBACK, kept, tail=_AGAIN)
    return [None] * len(commands)


_STATES = select(COMMENT.c.id, COMMENT.c.state).where(
    COMMENT.c.site_id == bindparam("site_id"),
    COMMENT.c.id.in_(bindparam("ids", expanding=True)),
)
# What a decision has made due stays so: whoever takes it sees whether it is known by now.
_AGAIN = (
    " ON CONFLICT (site_id, comment_id) DO UPDATE SET url = excluded.url,"
    " sealed = excluded.sealed, told = excluded.told,"
    " due = coalesce(excluded.due, compat_callback.due),"
    " attempts = CASE WHEN excluded.due IS NULL THEN compat_callback.attempts ELSE 0 END,"
    " first_tried = CASE WHEN excluded.due IS NULL THEN compat_callback.first_tried END"
)


def _take(rows: Rows, commands: Sequence[_Turn]) -> list[list[Due]]:
    return [_leased(rows, turn) for turn in commands]


def _leased(rows: Rows, turn: _Turn) -> list[Due]:
    taken = []
    found = _find(rows.connection, turn, limit=AT_ONCE)
    # Like decisions, which change these rows under it: else each would wait for the other.
    rows.lock(sorted({row.site_id for row in found}))
    for row in found:
        due = _due(row, turn.lease)
        changed: dict[str, Any] = {"due": None}
        if due.content is not None:
            # Until it is settled nobody knows what they know: taken back meanwhile, it is told.
            changed = {"due": turn.lease, "told": UNSURE}
        leased = rows.connection.execute(
            update(COMPAT_CALLBACK)
            .where(*_of(due), COMPAT_CALLBACK.c.due == row.due)
            .values(changed)
        )
        if due.content is not None and leased.rowcount:
            taken.append(due)
    return taken


def _find(connection: Connection, turn: _Turn, *, limit: int) -> Sequence[Any]:
    return connection.execute(
        select(
            COMPAT_CALLBACK,
            COMMENT.c.state,
            COMMENT.c.parent_id,
            REVISION.c.details,
        )
        .join_from(
            COMPAT_CALLBACK,
            COMMENT,
            and_(
                COMMENT.c.site_id == COMPAT_CALLBACK.c.site_id,
                COMMENT.c.id == COMPAT_CALLBACK.c.comment_id,
            ),
        )
        .join(REVISION, IS_CURRENT)
        .where(or_(COMPAT_CALLBACK.c.due <= turn.now, COMPAT_CALLBACK.c.due > turn.beyond))
        .order_by(COMPAT_CALLBACK.c.due)
        .limit(limit)
    ).all()


def _due(row: Any, lease: str) -> Due:  # noqa: ANN401 - a row of _find
    state = State(row.state)
    result = _result(state)
    known = _is_known(state, row.told)
    return Due(
        row.site_id,
        row.comment_id,
        row.url,
        row.sealed,
        lease,
        row.attempts,
        None if row.first_tried is None else datetime.fromisoformat(row.first_tried),
        result,
        None if known else _content(row, result),
    )


def _result(state: State) -> str:
    return "true" if state in RESTRICTED else "false"


def _is_known(state: State, told: str) -> bool:
    """Whether there is no news for whoever was *told* that; of an open comment there never is."""
    return told == _result(state) or state in {State.PENDING, State.ERASED}


def _content(row: Any, result: str) -> dict[str, Any]:  # noqa: ANN401 - a row of _find
    details = orjson.loads(row.details)
    author, thread = details.get("author", {}), details.get("thread", {})
    return {
        "endpoint": "comment-check",
        "comments": [
            {
                "guid": row.comment_id,
                "result": result,
                "comment_author": author.get("name", ""),
                "comment_author_email": author.get("email", ""),
                "comment_post_ID": thread.get("id", ""),
                "comment_parent": row.parent_id or "0",
            }
        ],
    }


def _settle(rows: Rows, commands: Sequence[_Settled]) -> list[None]:
    rows.lock(sorted({command.due.site_id for command in commands}))
    for command in commands:
        due = command.due
        changed: dict[str, Any] = {"due": command.again}
        if command.told:
            changed["told"] = due.result
        else:
            changed |= {"attempts": due.attempts + 1, "first_tried": command.first_tried}
        # Where somebody has decided meanwhile it is due anew: that stays.
        rows.connection.execute(
            update(COMPAT_CALLBACK)
            .where(*_of(due), COMPAT_CALLBACK.c.due == due.lease)
            .values(changed)
        )
    return [None] * len(commands)


def _of(due: Due) -> tuple[Any, Any]:
    return (
        COMPAT_CALLBACK.c.site_id == due.site_id,
        COMPAT_CALLBACK.c.comment_id == due.comment_id,
    )
