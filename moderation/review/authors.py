"""What a person who wrote comments may ask for: all that is held of theirs, or that none stays."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import ColumnElement, Connection, literal, select, tuple_

from moderation.database import Reading
from moderation.errors import CursorInvalid
from moderation.review.erasing import BATCH, Erasing
from moderation.store import Detail, find_details
from moderation.tables import COMMENT, REVISION
from moderation.verdict import State


class Who(NamedTuple):
    """An author, by the site's own id or by e-mail address; by both where both are known."""

    id: str | None
    email: str | None


class Naming(Protocol):
    """Names an author: `moderation.policy.pseudonym.Pseudonyms.author`."""

    def __call__(self, site_id: str, *, author_id: str | None, email: str | None) -> str | None:
        """Return the pseudonym."""
        ...


class From(NamedTuple):
    """Where a page begins: under which of a person's names, after which comment."""

    name: int
    received: str
    comment_id: str


BEGINNING = From(0, "", "")


class Version(NamedTuple):
    """One text of a comment; *details* is JSON."""

    revision: int
    received: str
    text: str
    details: str


class Written(NamedTuple):
    """A comment as it stands, and every text that it had."""

    comment: Detail
    versions: Sequence[Version]


class Authors:
    """The use cases of authors: GDPR Art. 15 and 17.

    A comment is the author's who was named last. Where an id was named the e-mail address beside it
    names nobody, so that a person may have to be looked for by both.
    """

    def __init__(self, *, reading: Reading, naming: Naming, erasing: Erasing) -> None:
        self._reading = reading
        self._naming = naming
        self._erasing = erasing

    async def read(
        self, site_id: str, who: Who, *, after: From, limit: int
    ) -> tuple[list[Written], From | None]:
        """Return comments, oldest first under each name, and where the next page begins.

        Raises CursorInvalid where *after* is of somebody with another name beside.
        """
        names = self._names(site_id, who)
        if after.name >= len(names):
            raise CursorInvalid("expected the `next` of a page of this author, got another's")

        def ask(connection: Connection) -> tuple[list[Written], From | None]:
            places: list[From] = []
            for number in range(after.name, len(names)):
                begin = after if number == after.name else From(number, "", "")
                room = limit + 1 - len(places)
                places += _places(connection, site_id, names[number], begin, room)
            page = [place.comment_id for place in places[:limit]]
            following = places[limit - 1] if len(places) > limit else None
            return _written(connection, site_id, page), following

        return await self._reading.query(ask)

    async def erase(self, site_id: str, who: Who) -> int:
        """Erase all comments of an author, a part after the other; return how many there were.

        What comes in meanwhile is erased as well. Cut off, it has erased a part: ask again.
        """
        erased = 0
        for name in self._names(site_id, who):
            while ids := await self._reading.query(_ids_of(site_id, name)):
                await self._erasing.erase_all(site_id, ids)
                erased += len(ids)
        return erased

    def _names(self, site_id: str, who: Who) -> list[str]:
        by_id = self._naming(site_id, author_id=who.id, email=None)
        by_email = self._naming(site_id, author_id=None, email=who.email)
        return [name for name in (by_id, by_email) if name is not None]


def _of(site_id: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return (
        COMMENT.c.site_id == site_id,
        COMMENT.c.author_ref == name,
        COMMENT.c.state != State.ERASED.value,
    )


def _ids_of(site_id: str, name: str) -> Callable[[Connection], Sequence[str]]:
    statement = select(COMMENT.c.id).where(*_of(site_id, name)).limit(BATCH)
    return lambda connection: connection.execute(statement).scalars().all()


def _places(connection: Connection, site_id: str, name: str, after: From, limit: int) -> list[From]:
    place = (COMMENT.c.received, COMMENT.c.id)
    rows = connection.execute(
        select(*place)
        .where(
            *_of(site_id, name),
            tuple_(*place) > tuple_(literal(after.received), literal(after.comment_id)),
        )
        .order_by(*place)
        .limit(limit)
    )
    return [From(after.name, *row) for row in rows]


def _written(connection: Connection, site_id: str, ids: Sequence[str]) -> list[Written]:
    versions: dict[str, list[Version]] = {each: [] for each in ids}
    rows = connection.execute(
        select(
            REVISION.c.comment_id,
            REVISION.c.revision,
            REVISION.c.received,
            REVISION.c.text,
            REVISION.c.details,
        )
        .where(REVISION.c.site_id == site_id, REVISION.c.comment_id.in_(ids))
        .order_by(REVISION.c.comment_id, REVISION.c.revision)
    )
    for comment_id, *version in rows:
        versions[comment_id].append(Version(*version))
    return [
        Written(found, versions[found.stored.id])
        for found in find_details(connection, site_id, ids)
    ]
