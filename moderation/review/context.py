"""What a moderator has to know to decide: the comment, and everything around it, in one read.

Takes a connection; reads only. What could be many is bounded: the newest count.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import Match, SequenceMatcher
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Subquery, Table, func, select

from moderation import store
from moderation.cases import events
from moderation.cases.case import Case, is_open
from moderation.cases.transition import Event, was_decided
from moderation.model.explanation import Why
from moderation.review import likeness, queue
from moderation.review.likeness import Member
from moderation.store import Detail
from moderation.tables import (
    CASE,
    COMMENT,
    COMMENT_DOMAIN,
    HAS_CASE,
    IS_CURRENT,
    NOTE,
    REPORT,
    REVISION,
)
from moderation.verdict import State

LOOKED_BACK = 1_000  # comments of an author or a domain
RECENT = 5  # comments of an author that are shown
EARLIER = 10  # comments of a thread that are shown
DOMAINS = 10
SHOWN = 50  # notes, reports, revisions
COMPARED = 200_000  # pairs of equal words, of all revisions together: more are not compared
SEARCHED = 1_000_000  # the same, and words, as often as each is looked at
_PIECE = re.compile(r"(?:\w+|[^\w\s])\s*|\s+")


class Past(NamedTuple):
    """What became of the comments of an author, or of those that link to a domain.

    The comment itself does not count. Of the newest thousand *states* counts those that nobody
    has to decide on, *open* is the number of the others; *first_seen* is of the very first.
    """

    name: str
    states: Mapping[str, int]
    open: int
    first_seen: str


class Recent(NamedTuple):
    """A comment, briefly; *open* where somebody has to decide on it."""

    comment_id: str
    external_id: str
    state: str
    received: str
    excerpt: str
    open: bool


class Revised(NamedTuple):
    """A revision, with what it says against the one before; None where that was not compared.

    Each change is `=`, `-` or `+`, and the text that stayed, went or came.
    """

    revision: int
    received: str
    verdict: str
    text: str
    changes: Sequence[tuple[str, str]] | None


class Report(NamedTuple):
    """What a reader said; *weight* is how far reports of theirs were right, in 0..1."""

    at: str
    reason: str
    weight: float
    upheld: bool | None


class Note(NamedTuple):
    """What a moderator wrote down."""

    id: str
    at: str
    moderator: str
    text: str


class Context(NamedTuple):
    """Everything that is shown beside a comment.

    *blind* where what the policy made of it is kept back until it is decided; *reticent* where the
    site keeps it back of other comments, too, that somebody has to decide on.
    """

    case: Case | None
    blind: bool
    comment: Detail
    parent: Recent | None
    thread: Sequence[Recent]
    author: Past | None
    author_recent: Sequence[Recent]
    domains: Sequence[Past]
    events: Sequence[Event]
    revisions: Sequence[Revised]
    reports: Sequence[Report]
    notes: Sequence[Note]
    group: Sequence[Member]
    reticent: bool
    why: Why | None = None


def read(connection: Connection, site_id: str, comment_id: str, *, blind: bool) -> Context:
    """Read it all; *blind* is what the site wants. Raises CommentNotFound."""
    comment = store.get_detail(connection, site_id, comment_id)
    author, recent = _author(connection, site_id, comment_id)
    happened = events.list_comment(connection, site_id, comment_id)
    row = connection.execute(
        select(CASE).where(CASE.c.site_id == site_id, CASE.c.comment_id == comment_id)
    ).first()
    case = None if row is None else Case._make(row)
    return Context(
        case,
        blind and is_open(case) and not was_decided(happened),
        comment,
        _parent(connection, site_id, comment),
        _earlier(connection, site_id, comment_id),
        author,
        recent,
        _domains(connection, site_id, comment_id),
        happened,
        _revisions(connection, site_id, comment_id),
        [
            Report(row.at, row.reason, row.weight, row.upheld)
            for row in _beside(connection, REPORT, site_id, comment_id, REPORT.c.at)
        ],
        [
            Note(row.id, row.at, row.moderator, row.text)
            for row in _beside(connection, NOTE, site_id, comment_id, NOTE.c.id)
        ],
        likeness.group(connection, site_id, comment_id),
        blind,
    )


class Comparing:
    """Compares texts word by word, as long as its budget of work lasts.

    The work grows with the pairs of equal words: it is counted before, and what is the same at
    either end costs nothing. How often the same pairs are looked at, the texts decide: that is
    counted on the way.
    """

    def __init__(self, budget: int = COMPARED, searching: int = SEARCHED) -> None:
        self._left = budget
        self._searching = searching

    def compare(self, before: str, after: str) -> Sequence[tuple[str, str]] | None:
        """Return what stayed, went and came, or None where that would be too much work."""
        old, new = _PIECE.findall(before), _PIECE.findall(after)
        start = _alike(old, new)
        end = _alike(old[start:][::-1], new[start:][::-1])
        middle = old[start : len(old) - end], new[start : len(new) - end]
        counts = Counter(middle[0])
        work = sum(counts[word] for word in middle[1])
        if work > self._left:
            return None
        self._left -= work
        search = _Search(*middle, self._searching)
        try:
            changes = _changes(*middle, search)
        except _TooLong:
            self._searching = 0
            return None
        self._searching = search.left
        kept = [("=", "".join(each)) for each in (old[:start], old[len(old) - end :])]
        return _joined([kept[0], *changes, kept[1]])


class _TooLong(Exception):
    """The budget of a search is used up."""


class _Search(SequenceMatcher[str]):
    """Looks for what stayed; each stretch anew, between what it has found already."""

    def __init__(self, old: Sequence[str], new: Sequence[str], left: int) -> None:
        super().__init__(None, old, new, autojunk=False)
        counts = Counter(new)
        self._work = [0, *accumulate(1 + counts[word] for word in old)]
        self.left = left

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        """Return the longest stretch that stayed."""
        self.left -= self._work[-1 if ahi is None else ahi] - self._work[alo]
        if self.left < 0:
            raise _TooLong
        return super().find_longest_match(alo, ahi, blo, bhi)


def _alike(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many words are the same at the beginning."""
    pairs = zip(old, new, strict=False)
    return next(
        (at for at, (one, other) in enumerate(pairs) if one != other), min(len(old), len(new))
    )


def _joined(changes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return changes without empty ones, and with what stayed in one piece."""
    joined: list[tuple[str, str]] = []
    for kind, text in changes:
        if kind == "=" and joined and joined[-1][0] == "=":
            joined[-1] = ("=", joined[-1][1] + text)
        elif text:
            joined.append((kind, text))
    return joined


def _changes(
    old: Sequence[str], new: Sequence[str], search: SequenceMatcher[str]
) -> list[tuple[str, str]]:
    changes: list[tuple[str, str]] = []
    for kind, a, b, c, d in search.get_opcodes():
        if kind == "equal":
            changes.append(("=", "".join(old[a:b])))
            continue
        if b > a:
            changes.append(("-", "".join(old[a:b])))
        if d > c:
            changes.append(("+", "".join(new[c:d])))
    return changes


# -- parts ------------------------------------------------------------------------------------


_IN_QUEUE = HAS_CASE & queue.UNRESOLVED
_BRIEF = (
    select(
        COMMENT.c.id,
        COMMENT.c.external_id,
        COMMENT.c.state,
        COMMENT.c.received,
        func.substr(REVISION.c.text, 1, 300).label("excerpt"),
        CASE.c.comment_id.is_not(None).label("open"),
    )
    .join_from(COMMENT, REVISION, IS_CURRENT)
    .join(CASE, _IN_QUEUE, isouter=True)
)


def _parent(connection: Connection, site_id: str, comment: Detail) -> Recent | None:
    if comment.parent_id is None:
        return None
    row = connection.execute(
        _BRIEF.where(COMMENT.c.site_id == site_id, COMMENT.c.external_id == comment.parent_id)
    ).first()
    return None if row is None else Recent._make(row)


def _earlier(connection: Connection, site_id: str, comment_id: str) -> Sequence[Recent]:
    """Return what was said before in the same thread, the newest first: ids ascend in time."""
    thread_id = (
        select(COMMENT.c.thread_id)
        .where(COMMENT.c.site_id == site_id, COMMENT.c.id == comment_id)
        .scalar_subquery()
    )
    rows = connection.execute(
        _BRIEF.where(
            COMMENT.c.site_id == site_id,
            COMMENT.c.thread_id == thread_id,
            COMMENT.c.id < comment_id,
            COMMENT.c.state != State.ERASED.value,
        )
        .order_by(COMMENT.c.id.desc())
        .limit(EARLIER)
    )
    return [Recent._make(row) for row in rows]


def _author(
    connection: Connection, site_id: str, comment_id: str
) -> tuple[Past | None, Sequence[Recent]]:
    ref = connection.execute(
        select(COMMENT.c.author_ref).where(COMMENT.c.site_id == site_id, COMMENT.c.id == comment_id)
    ).scalar_one()
    if ref is None:
        return None, ()
    of_author = (COMMENT.c.site_id == site_id, COMMENT.c.author_ref == ref)
    newest = (
        select(COMMENT.c.id.label("comment_id"))
        .where(*of_author, COMMENT.c.id != comment_id)
        .order_by(COMMENT.c.received.desc())
        .limit(LOOKED_BACK)
        .subquery()
    )
    recent = connection.execute(
        _BRIEF.where(*of_author, COMMENT.c.id != comment_id)
        .order_by(COMMENT.c.received.desc())
        .limit(RECENT)
    )
    first = connection.execute(select(func.min(COMMENT.c.received)).where(*of_author))
    past = Past(ref, *_states(connection, site_id, newest), first.scalar_one())
    return past, [Recent._make(row) for row in recent]


def _domains(connection: Connection, site_id: str, comment_id: str) -> list[Past]:
    linked = connection.execute(
        select(COMMENT_DOMAIN.c.domain)
        .where(COMMENT_DOMAIN.c.site_id == site_id, COMMENT_DOMAIN.c.comment_id == comment_id)
        .order_by(COMMENT_DOMAIN.c.domain)
        .limit(DOMAINS)
    ).scalars()
    found = []
    for domain in linked.all():
        of_domain = (COMMENT_DOMAIN.c.site_id == site_id, COMMENT_DOMAIN.c.domain == domain)
        newest = (
            select(COMMENT_DOMAIN.c.comment_id)
            .where(*of_domain, COMMENT_DOMAIN.c.comment_id != comment_id)
            .order_by(COMMENT_DOMAIN.c.received.desc())
            .limit(LOOKED_BACK)
            .subquery()
        )
        first = connection.execute(select(func.min(COMMENT_DOMAIN.c.received)).where(*of_domain))
        past = Past(domain, *_states(connection, site_id, newest), first.scalar_one())
        found.append(past)
    return found


def _states(connection: Connection, site_id: str, newest: Subquery) -> tuple[dict[str, int], int]:
    in_queue = CASE.c.comment_id.is_not(None).label("open")
    counted = connection.execute(
        select(COMMENT.c.state, in_queue, func.count().label("number"))
        .join_from(
            newest,
            COMMENT,
            (COMMENT.c.site_id == site_id) & (COMMENT.c.id == newest.c.comment_id),
        )
        .join(CASE, _IN_QUEUE, isouter=True)
        .group_by(COMMENT.c.state, in_queue)
    ).all()
    states = {row.state: row.number for row in counted if not row.open}
    return states, sum(row.number for row in counted if row.open)


def _revisions(connection: Connection, site_id: str, comment_id: str) -> list[Revised]:
    rows = connection.execute(
        select(REVISION.c.revision, REVISION.c.received, REVISION.c.verdict, REVISION.c.text)
        .where(REVISION.c.site_id == site_id, REVISION.c.comment_id == comment_id)
        .order_by(REVISION.c.revision.desc())
        .limit(SHOWN)
    ).all()
    before: Sequence[str | None] = [*(row.text for row in rows[1:]), None]
    comparing = Comparing()
    return [
        Revised(*row, None if earlier is None else comparing.compare(earlier, row.text))
        for row, earlier in zip(rows, before, strict=True)
    ]


def _beside(
    connection: Connection,
    table: Table,
    site_id: str,
    comment_id: str,
    order: ColumnElement[Any],
) -> Sequence[Any]:
    return connection.execute(
        select(table)
        .where(table.c.site_id == site_id, table.c.comment_id == comment_id)
        .order_by(order.desc())
        .limit(SHOWN)
    ).all()
