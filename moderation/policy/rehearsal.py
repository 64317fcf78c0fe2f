"""What another policy would have done: past comments judged again, nothing written.

Both the present policy and the other are asked, with the scores of then, so that every difference
is the policy's. What became of an author's other comments is taken as it is now. Addresses are
gone: lists of networks cannot be rehearsed.

What both policies ask about a comment is asked once, and that of a page of comments together: each
wait for the server costs as much as many rows.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Executable, select

from moderation.database import Found, Reading
from moderation.policy.history import Asking, Histories, Question
from moderation.policy.judging import Policy, judge
from moderation.policy.rules import Comment
from moderation.policy.traits import NOBODY, Author, Tracing, Traits
from moderation.tables import COMMENT, IS_CURRENT, REVISION, instant
from moderation.verdict import LABEL_NAMES, State, Verdict

PAGE = 200  # comments read at once
EXAMPLES = 10  # ids told of each change
AT_ONCE = 2  # dry runs: each keeps a connection for as long as it judges, and reads need some, too


class Change(NamedTuple):
    """Comments whose verdict another policy changes, and the ids of some of them."""

    before: Verdict
    after: Verdict
    comments: int
    examples: Sequence[str]


class Rehearsal(NamedTuple):
    """How many comments were judged again, what changes, the most frequent first."""

    comments: int
    changes: Sequence[Change]


class Rehearsing:
    """The use case of a dry run; *asking* lends what asks many questions of a connection."""

    def __init__(
        self,
        *,
        reading: Reading,
        asking: Callable[[Connection], AbstractContextManager[Asking]],
        tracing: Tracing,
    ) -> None:
        self._reading = reading
        self._asking = asking
        self._tracing = tracing
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def rehearse(
        self, site_id: str, present: Policy, other: Policy, *, since: datetime, limit: int
    ) -> Rehearsal:
        """Judge the newest comments since an instant again, at most *limit*; others wait."""

        def ask(connection: Connection) -> Rehearsal:
            ids: dict[tuple[Verdict, Verdict], list[str]] = defaultdict(list)
            comments = 0
            for pasts in _pages(connection, site_id, instant(since), limit):
                comments += len(pasts)
                for past, before, after in self._judge(connection, site_id, pasts, present, other):
                    if before is not after:
                        ids[before, after].append(past.id)
            changes = [
                Change(before, after, len(found), found[:EXAMPLES])
                for (before, after), found in ids.items()
            ]
            return Rehearsal(comments, sorted(changes, key=lambda change: -change.comments))

        async with self._turns:
            return await self._reading.query(ask)

    def _judge(
        self,
        connection: Connection,
        site_id: str,
        pasts: Sequence["_Past"],
        present: Policy,
        other: Policy,
    ) -> Iterator[tuple["_Past", Verdict, Verdict]]:
        """Ask what both policies want to know of all *pasts*, then judge each."""
        with self._asking(connection) as rows:
            asked = []
            for past in pasts:
                histories = Histories(_Once(rows))
                traits = None
                if present.rules.compares or other.rules.compares:
                    traits = self._trace(site_id, past)
                asked.append(
                    [_ask(histories, site_id, past, traits, each) for each in (present, other)]
                )
            for past, (before, after) in zip(pasts, asked, strict=True):
                yield past, before(), after()

    def _trace(self, site_id: str, past: "_Past") -> Traits:
        found = self._tracing.find(site_id, NOBODY, past.comment.text)
        traits = self._tracing.compare(found, past.comment.text)
        return traits._replace(author_ref=past.author_ref, address_ref=past.address_ref)


def _ask(
    histories: Histories, site_id: str, past: "_Past", traits: Traits | None, policy: Policy
) -> Callable[[], Verdict]:
    """Send what a policy asks about a comment; return what judges it."""
    findings = policy.rules.look(past.comment)
    if traits is None or not policy.rules.compares:
        return lambda: judge(policy, past.scores, findings).verdict
    refs = [past.address_ref] if past.address_ref is not None else []
    question = Question(policy, past.scores, findings, traits, refs, past.received)
    asked = histories.ask(site_id, past.id, question)
    return lambda: question.judge(histories.read(asked, past.id)).verdict


class _Once:
    """Asks nothing twice."""

    def __init__(self, rows: Asking) -> None:
        self._rows = rows
        self._found: dict[tuple[Any, ...], Found] = {}

    def ask(self, select: Executable, /, **values: Any) -> Found:  # noqa: ANN401
        """Send *select* the first time; its rows can be read several times."""
        asked = (select, *values.values())
        if asked not in self._found:
            self._found[asked] = cache(self._rows.ask(select, **values))
        return self._found[asked]


class _Past(NamedTuple):
    id: str
    received: datetime
    comment: Comment
    scores: Sequence[float] | None
    author_ref: str | None
    address_ref: str | None


_COLUMNS = (
    COMMENT.c.id,
    COMMENT.c.received,
    COMMENT.c.author_ref,
    COMMENT.c.address_ref,
    REVISION.c.text,
    REVISION.c.labels,
    REVISION.c.reasons,
    REVISION.c.details,
)


def _pages(
    connection: Connection, site_id: str, since: str, limit: int
) -> Iterator[Sequence[_Past]]:
    """Read comments, the newest first, page by page."""
    every = (
        select(*_COLUMNS)
        .join_from(COMMENT, REVISION, IS_CURRENT)
        .where(
            COMMENT.c.site_id == site_id,
            COMMENT.c.received >= since,
            COMMENT.c.state != State.ERASED.value,
        )
        .order_by(COMMENT.c.id.desc())
    )
    before: str | None = None
    while limit > 0:
        page = every if before is None else every.where(COMMENT.c.id < before)
        rows = connection.execute(page.limit(min(PAGE, limit))).all()
        yield [_past(row) for row in rows]
        if len(rows) < PAGE:
            return
        limit -= len(rows)
        before = rows[-1][0]


def _past(row: Any) -> _Past:  # noqa: ANN401 - a row of _COLUMNS
    comment_id, received, author_ref, address_ref, text, labels, reasons, details = row
    told: Mapping[str, Any] = orjson.loads(details)
    at = datetime.fromisoformat(received)
    author: Mapping[str, Any] = told.get("author", {})
    comment = Comment(
        text,
        received=at,
        author=Author(
            **{name: author.get(name) for name in ("id", "name", "email", "url", "user_agent")}
        ),
        honeypot_filled=any(reason["code"] == "honeypot" for reason in orjson.loads(reasons)),
        submitted=_instant_in(told, "submitted_at"),
        form_shown=_instant_in(told, "form_shown_at"),
        thread_published=_instant_in(told.get("thread", {}), "published_at"),
        language=told.get("language"),
        known=told.get("detected_language", {}).get("known"),
    )
    scored = orjson.loads(labels)
    scores = None if scored is None else [scored[name] for name in LABEL_NAMES]
    return _Past(comment_id, at, comment, scores, author_ref, address_ref)


def _instant_in(told: Mapping[str, Any], name: str) -> datetime | None:
    value = told.get(name)
    return None if value is None else datetime.fromisoformat(value)
