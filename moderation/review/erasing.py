"""Comments go for good: from the database, and again from a copy of it that was put back.

What somebody asked to be erased is written down outside the database, before the commit. Should
that fail, erasing later what was asked to be erased is right.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Table,
    bindparam,
    delete,
    null,
    select,
    update,
)

from moderation.cases import search
from moderation.cases.case import CaseState, release
from moderation.cases.transition import ActorKind, EventKind
from moderation.database import Reading, Writing
from moderation.review.deciding import DECISION_ROWS, Work, carry_out
from moderation.review.desk import Desk
from moderation.store import LEFT
from moderation.tables import (
    COMMENT,
    COMMENT_BAND,
    COMMENT_DOMAIN,
    COMPAT_CALLBACK,
    IDEMPOTENCY,
    JUDGEMENT,
    NOTE,
    REPORT,
    REVISION,
    instant,
)
from moderation.verdict import State

BATCH = 20  # comments a transaction; what comes in waits for it
TIDIED_PAGES = 500  # of the full-text index, in one step
SUBMIT_ROUTE = "comments"
BATCH_ROUTE = "comments:batch"
"""What submissions are called among idempotency keys."""

PAGE = 500
"""Erasures that are looked up at once. Where a whole page is erased, so is all before."""


def notes_route(comment_id: str) -> str:
    """Return what the notes on a comment are called among idempotency keys."""
    return f"comments/{comment_id}/notes"


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
        await self.erase_all(site_id, [comment_id])

    async def erase_all(self, site_id: str, comment_ids: Sequence[str]) -> None:
        """Erase comments, `BATCH` at most, because a site asks for it. Raises CommentNotFound."""
        await self._erase(site_id, comment_ids, ActorKind.API)

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
        now = instant(self._clock())

        def do(desk: Desk) -> list[str]:
            said = erase(desk, comment_ids, actor)
            if actor is ActorKind.API:
                # Also of one that is erased: it may have aged out, and an older copy have it still.
                self._note(Erased(site_id, now, list(comment_ids)))
            return said

        size = DECISION_ROWS * len(comment_ids)
        said = await self._writing.write(carry_out, Work(site_id, now, do), size=size)
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


def erase(desk: Desk, comment_ids: Sequence[str], actor: ActorKind) -> list[str]:
    """Leave nothing of comments but ids and events (A9); return what was taken, as stored.

    Nothing happens to those that are erased. Raises CommentNotFound; then nothing was written.
    """
    desk.look(comment_ids)
    wanted = [each for each in comment_ids if desk.standing(each).state is not State.ERASED]
    if not wanted:
        return []
    received, said = _read(desk, wanted)
    for comment_id in wanted:
        standing = desk.standing(comment_id)
        event = desk.happen(
            comment_id, standing, EventKind.ERASED, State.ERASED, actor, human=standing.human
        )
        case = desk.find_case(comment_id)
        if case is not None:
            desk.save(
                release(case)._replace(
                    state=CaseState.RESOLVED,
                    label=None,
                    reason=None,
                    language=None,
                    author=None,
                    thread_id=None,
                    fingerprint=None,
                    escalated=False,
                    reporters=0,
                    report_weight=0.0,
                    snoozed_until=None,
                    resolved=desk.now,
                    resolved_seq=event.seq,
                )
            )
        forget, which = search.forgetting(desk.site_id, comment_id)
        desk.rows.change(forget, **which)
        desk.forget(comment_id)
    for statement in _ERASING:
        desk.rows.change(statement, of_site=desk.site_id, ids=wanted)
    # The answers to whoever wrote notes quote them.
    routes = [notes_route(comment_id) for comment_id in wanted]
    desk.rows.change(_FORGET_NOTES, of_site=desk.site_id, routes=routes)
    _forget_answers(desk, wanted, received)
    return said


def _forget_answers(desk: Desk, comment_ids: Sequence[str], received: Sequence[str]) -> None:
    """Have no stored answer to whoever submitted comments tell their scores."""
    # Made at the instant of a revision: that has an index, what an answer tells of has none.
    # With the site beside it SQLite would rather walk every key of the site.
    for site_id, route, key, answer in desk.rows.find(_ANSWERS, instants=received):
        told = [each for each in comment_ids if each in answer] if site_id == desk.site_id else []
        if not told:
            continue
        of_key = {"of_site": site_id, "of_route": route, "of_key": key}
        if route == SUBMIT_ROUTE:
            desk.rows.change(_FORGET_ANSWER, **of_key)
        elif route == BATCH_ROUTE:
            # Without its answer, a batch sent again would take back edits of the others.
            left = orjson.loads(answer)
            for each in left["results"]:
                comment = each.get("comment")  # a refused item has none
                if comment is not None and comment["id"] in told:
                    comment |= LEFT
            desk.rows.change(_LEAVE_ANSWER, **of_key, to_answer=orjson.dumps(left).decode())


def _read(desk: Desk, comment_ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return when revisions came in, and what is said: texts, as indexed too, authors, notes."""
    notes = desk.rows.ask(_NOTES, of_site=desk.site_id, ids=comment_ids)
    revisions = desk.rows.find(_REVISIONS, of_site=desk.site_id, ids=comment_ids)
    said = [text for (text,) in notes()]
    for comment_id, _, text, details in revisions:
        said += [text, search.row(desk.site_id, comment_id, text)[-1]]
        try:
            author = orjson.loads(details).get("author")
        except ValueError:  # What is damaged has to go as well.
            said.append(details)
        else:
            said += [orjson.dumps(author).decode()] if author else []
    return [received for _, received, _, _ in revisions], [each for each in said if each]


def _of_comments(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    comment = table.c.id if table is COMMENT else table.c.comment_id
    return table.c.site_id == bindparam("of_site"), comment.in_(bindparam("ids", expanding=True))


_NOTES = select(NOTE.c.text).where(*_of_comments(NOTE))
_REVISIONS = select(
    REVISION.c.comment_id, REVISION.c.received, REVISION.c.text, REVISION.c.details
).where(*_of_comments(REVISION))
_ERASING: tuple[Executable, ...] = (
    update(COMMENT)
    .where(*_of_comments(COMMENT))
    .values(author_ref=null(), address_ref=null(), fingerprint=null()),
    update(REVISION)
    .where(*_of_comments(REVISION))
    .values(text="", text_sha256="", details="{}", labels="null", reasons="[]"),
    update(JUDGEMENT).where(*_of_comments(JUDGEMENT)).values(withdrawn=True),
    *(
        delete(table).where(*_of_comments(table))
        for table in (COMMENT_DOMAIN, COMMENT_BAND, NOTE, REPORT, COMPAT_CALLBACK)
    ),
)
_FORGET_NOTES = delete(IDEMPOTENCY).where(
    IDEMPOTENCY.c.site_id == bindparam("of_site"),
    IDEMPOTENCY.c.route.in_(bindparam("routes", expanding=True)),
)
_ANSWERS = select(
    IDEMPOTENCY.c.site_id, IDEMPOTENCY.c.route, IDEMPOTENCY.c.key, IDEMPOTENCY.c.answer
).where(IDEMPOTENCY.c.made.in_(bindparam("instants", expanding=True)))
_OF_KEY = (
    IDEMPOTENCY.c.site_id == bindparam("of_site"),
    IDEMPOTENCY.c.route == bindparam("of_route"),
    IDEMPOTENCY.c.key == bindparam("of_key"),
)
_FORGET_ANSWER = delete(IDEMPOTENCY).where(*_OF_KEY)
_LEAVE_ANSWER = update(IDEMPOTENCY).where(*_OF_KEY).values(answer=bindparam("to_answer"))
