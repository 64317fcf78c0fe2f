"""Comments go for good: from the database, and again from a copy of it that was put back.

What somebody asked to be erased is written down outside the database, before the commit. Should
that fail, erasing later what was asked to be erased is right.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, select

from moderation.cases import search
from moderation.cases.transition import ActorKind
from moderation.database import Reading, Writing
from moderation.policy.history import instant
from moderation.review import deciding
from moderation.review.deciding import DECISION_ROWS, Answer, Work, carry_out
from moderation.review.desk import Desk
from moderation.tables import COMMENT
from moderation.verdict import State

BATCH = 100  # comments a transaction
TIDIED_PAGES = 500  # of the full-text index, in one step
PAGE = 500
"""Erasures that are looked up at once. Where a whole page is erased, so is all before."""


class Erased(NamedTuple):
    """Comments of a site that somebody had erased at an instant."""

    site_id: str
    at: str
    comment_ids: list[str]


class Erasing:
    """The use case of erasing comments.

    *note* writes down what is erased outside the database, durably; *sweep* is told what was said
    in it, so that its bytes can leave the files.
    """

    def __init__(
        self,
        *,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        note: Callable[[Erased], None],
        sweep: Callable[[Sequence[bytes]], None],
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._note = note
        self._sweep = sweep
        self._untidy = True

    async def erase(self, site_id: str, comment_id: str) -> None:
        """Erase a comment because a site asks for it. Raises CommentNotFound."""
        await self._erase(site_id, [comment_id], ActorKind.API)

    async def age(self, site_id: str, comment_ids: Sequence[str]) -> None:
        """Erase comments that are not kept for longer; their age will tell that another time."""
        await self._erase(site_id, comment_ids, ActorKind.SYSTEM)

    async def again(self, newest_first: Iterable[Erased]) -> int:
        """Erase what is back after it was erased; returns how many comments.

        Reads no further back than to where everything is erased. What was erased first is erased
        first: where this is cut off, the next time finds the rest.
        """
        noted = iter(newest_first)
        found: list[tuple[str, list[str]]] = []
        more = True
        while more and (page := list(islice(noted, PAGE))):
            more = False
            for site_id, wanted in _by_site(page).items():
                states = await self._reading.query(partial(_states, site_id=site_id, ids=wanted))
                back = [each for each in wanted if states.get(each, State.ERASED) != State.ERASED]
                found += [(site_id, back[at : at + BATCH]) for at in range(0, len(back), BATCH)]
                more = more or bool(back) or len(states) < len(wanted)
        for site_id, comment_ids in reversed(found):
            await self._erase(site_id, comment_ids, ActorKind.SYSTEM)
        return len({(site_id, each) for site_id, comment_ids in found for each in comment_ids})

    async def tidy(self) -> None:
        """Leave nothing of erased texts in the full-text index."""
        if not self._untidy:
            return
        self._untidy = False
        pages = -TIDIED_PAGES
        try:
            while await self._writing.write(search.tidy, pages):
                pages = TIDIED_PAGES
        except Exception:
            self._untidy = True
            raise

    async def _erase(self, site_id: str, comment_ids: Sequence[str], actor: ActorKind) -> None:
        said: list[str] = []
        now = instant(self._clock())

        def do(desk: Desk) -> Answer:
            said[:] = [
                text
                for comment_id in comment_ids
                for text in deciding.erase(desk, comment_id, actor, None)
            ]
            if actor is ActorKind.API:
                # Also of one that is erased: it may have aged out, and an older copy have it still.
                self._note(Erased(site_id, now, list(comment_ids)))
            return 200, b""

        size = DECISION_ROWS * len(comment_ids)
        await self._writing.write(carry_out, Work(site_id, now, do, None), size=size)
        self._untidy = True
        self._sweep([text.encode() for text in said])


def _by_site(page: Iterable[Erased]) -> dict[str, list[str]]:
    by_site: dict[str, list[str]] = {}
    for done in page:
        by_site.setdefault(done.site_id, []).extend(done.comment_ids)
    return {site_id: list(dict.fromkeys(wanted)) for site_id, wanted in by_site.items()}


def _states(connection: Connection, *, site_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Return where those of the comments stand that there are."""
    found = connection.execute(
        select(COMMENT.c.id, COMMENT.c.state).where(
            COMMENT.c.site_id == site_id, COMMENT.c.id.in_(ids)
        )
    )
    return {row.id: row.state for row in found}
