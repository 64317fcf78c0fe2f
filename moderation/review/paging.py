"""A page of the queue: cases with what a list shows of them, from where the last page ended.

Takes a connection; reads only. Looking for words is bounded. Rare ones are found by the full-text
index and then put in order. Of common ones the index has too many: there the queue is walked in
its order and each text is looked at. Where that takes too long a page ends early, and the next one
goes on from there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from moderation.cases import search
from moderation.cases.case import Case
from moderation.cases.search import Query
from moderation.review.queue import (
    UNRESOLVED,
    Filter,
    Order,
    Place,
    chosen,
    in_order,
    order_of,
)
from moderation.tables import CASE, COMMENT, HAS_CASE, IS_CURRENT, REVISION

EXCERPT = 1_000  # characters of a text in a list
STEP = 250  # cases that are walked first; then ever more at a time, for each time is a question
WALKED = 1_500  # cases that are walked for one page
READ = 2_000_000  # characters that are looked at for one page, about
RARE = 1_000  # texts of a site, open or not, that have words which the index is asked for


class Listed(NamedTuple):
    """A case with what is shown of its comment in a list; *alike* counts the cases of its group."""

    case: Case
    external_id: str
    version: int
    excerpt: str
    origin: str
    alike: int


def page(
    connection: Connection,
    sites: Sequence[str],
    wanted: Filter,
    order: Order,
    *,
    now: str,
    after: Place | None = None,
    limit: int,
) -> tuple[list[Listed], Place | None]:
    """Return cases of all *sites* in one order, and where the next page begins if there may be one.

    What a page may cost is shared between the sites.
    """
    _, falling = order_of(wanted.shelf, order)
    query = None if wanted.words is None else search.read(wanted.words)
    found: dict[str, _Found] = {}
    for site_id in sites:
        asked = _Asked(connection, site_id, wanted, order, now, after, limit, len(sites))
        found[site_id] = asked.all() if query is None else asked.search(query)
    places, following = _merged(found.values(), limit, falling=falling)
    shown = {place.comment_id for place in places}
    listed: dict[str, Listed] = {}
    for site_id, of_site in found.items():
        comment_ids = [place.comment_id for place in of_site.places if place.comment_id in shown]
        if comment_ids:
            listed |= {
                each.case.comment_id: each for each in _listed(connection, site_id, comment_ids)
            }
    # A comment that was erased meanwhile is listed no more.
    return [listed[place.comment_id] for place in places if place.comment_id in listed], following


class _Found(NamedTuple):
    """The cases of a page, and where the next one begins."""

    places: Sequence[Place]
    following: Place | None


def _merged(found: Collection[_Found], limit: int, *, falling: bool) -> _Found:
    """Return one page of several: nothing beyond where one of them has not been looked at.

    What is common at one site may be rare at another: a page of several does not say.
    """
    if len(found) == 1:
        return next(iter(found))
    ends = [each.following._replace(common=False) for each in found if each.following is not None]
    end = (max(ends) if falling else min(ends)) if ends else None
    places = sorted((place for each in found for place in each.places), reverse=falling)
    if end is not None:
        places = [place for place in places if (place >= end if falling else place <= end)]
    return _cut(places, end, limit)


def _cut(places: Sequence[Place], following: Place | None, limit: int) -> _Found:
    if len(places) > limit:
        places = places[:limit]
        following = places[-1]
    return _Found(places, following)


def _listed(connection: Connection, site_id: str, comment_ids: Sequence[str]) -> list[Listed]:
    rows = connection.execute(
        select(
            CASE,
            COMMENT.c.external_id,
            COMMENT.c.version,
            func.substr(REVISION.c.text, 1, EXCERPT),
            COMMENT.c.origin,
        )
        .join_from(CASE, COMMENT, HAS_CASE)
        .join(REVISION, IS_CURRENT)
        .where(CASE.c.site_id == site_id, CASE.c.comment_id.in_(comment_ids))
    ).all()
    width = len(CASE.c)
    cases = [(Case._make(row[:width]), row[width:]) for row in rows]
    alike = _alike(connection, site_id, [one.fingerprint for one, _ in cases if one.fingerprint])
    return [
        Listed(one, external_id, version, excerpt, origin, alike.get(one.fingerprint or "", 1))
        for one, (external_id, version, excerpt, origin) in cases
    ]


@dataclass(slots=True)
class _Walk:
    """What was seen of the queue in its order: where it was left, and what has the words."""

    place: Place | None
    found: list[Place] = field(default_factory=list)
    walked: int = 0
    read: int = 0
    ended: bool = False

    def limit(self, *, until: int, most: int) -> int:
        """Return how many cases to walk next.

        Twice as many as so far, up to *until* cases in all, and no more than *most* characters if
        texts go on as long as they were.
        """
        if not self.walked:
            return until
        room = (most - self.read) * self.walked // max(self.read, 1)
        return max(1, min(2 * self.walked, until - self.walked, room))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a page is wanted of: one site of *sites*, which share what it may cost."""

    connection: Connection
    site_id: str
    wanted: Filter
    order: Order
    now: str
    after: Place | None
    limit: int
    sites: int

    def all(self) -> _Found:
        """Return the page: a range of an index."""
        cases = self._chosen(self.after, limit=self.limit + 1)
        return _cut([Place(*row[:2]) for row in self.connection.execute(cases)], None, self.limit)

    def search(self, query: Query) -> _Found:
        """Return the page of what has the words."""
        search.plan_for_words(self.connection)
        common = self.after is not None and self.after.common
        walk = _Walk(self.after)
        self._go(walk, query, until=max(1, STEP // self.sites))
        if not walk.ended and len(walk.found) <= self.limit:
            if not common:
                some = search.found(self.site_id, query).limit(RARE + 1)
                comment_ids = self.connection.scalars(some).all()
                if len(comment_ids) <= RARE:
                    return self._among(comment_ids)
                common = True
            self._go(walk, query, until=WALKED // self.sites)
        places, following = _cut(walk.found, None if walk.ended else walk.place, self.limit)
        return _Found(places, following and following._replace(common=common))

    def _among(self, comment_ids: Sequence[str]) -> _Found:
        """Return the page of so few comments that they are put in order here.

        Asked for an order, an engine may think it less work to walk the queue for them.
        """
        if not comment_ids:
            return _Found((), None)
        cases = self._chosen(self.after, limit=None).order_by(None)
        found = self.connection.execute(cases.where(CASE.c.comment_id.in_(comment_ids)))
        _, falling = order_of(self.wanted.shelf, self.order)
        places = sorted((Place(*row[:2]) for row in found), reverse=falling)
        return _cut(places, None, self.limit)

    def _chosen(self, after: Place | None, *, limit: int | None) -> Select[Any]:
        column, _ = order_of(self.wanted.shelf, self.order)
        wanted = replace(self.wanted, words=None)
        return chosen(
            self.site_id, wanted, self.order, now=self.now, after=after, limit=limit
        ).with_only_columns(column.label("value"), CASE.c.comment_id, CASE.c.revision)

    def _go(self, walk: _Walk, query: Query, *, until: int) -> None:
        """Walk on to so many cases, or until there is more than a page, or no more queue."""
        _, falling = order_of(self.wanted.shelf, self.order)
        most = READ // self.sites
        while (
            not walk.ended
            and walk.walked < until
            and walk.read < most
            and len(walk.found) <= self.limit
        ):
            limit = walk.limit(until=until, most=most)
            step = self._chosen(walk.place, limit=limit).subquery()
            rows = self.connection.execute(
                select(step.c.value, step.c.comment_id, REVISION.c.text)
                .join_from(
                    step,
                    REVISION,
                    (REVISION.c.site_id == self.site_id)
                    & (REVISION.c.comment_id == step.c.comment_id)
                    & (REVISION.c.revision == step.c.revision),
                )
                .order_by(*in_order(step.c.value, step.c.comment_id, falling=falling))
            ).all()
            walk.found += [
                Place(value, comment_id)
                for value, comment_id, text in rows
                if search.says(text, query)
            ]
            walk.walked += limit
            walk.read += sum(len(row.text) for row in rows)
            walk.ended = len(rows) < limit
            if rows:
                walk.place = Place(rows[-1].value, rows[-1].comment_id)


def _alike(connection: Connection, site_id: str, fingerprints: Sequence[str]) -> dict[str, int]:
    if not fingerprints:
        return {}
    return {
        row.fingerprint: row.number
        for row in connection.execute(
            select(CASE.c.fingerprint, func.count().label("number"))
            .where(
                CASE.c.site_id == site_id,
                UNRESOLVED,
                CASE.c.fingerprint.in_(sorted(set(fingerprints))),
            )
            .group_by(CASE.c.fingerprint)
        )
    }
