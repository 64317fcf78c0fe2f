"""Which open cases say nearly the same as a comment: what is decided once for all of them.

Takes a connection; reads only.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from moderation.policy.resemblance import alike, bands
from moderation.review.queue import UNRESOLVED
from moderation.tables import CASE, COMMENT, COMMENT_BAND, COMMENT_DOMAIN, HAS_CASE

GROUP_LIMIT = 200  # cases
LOOKED_AT = 2_000  # comments that share a band; most of them are alike


class Member(NamedTuple):
    """An open case of a group, as its comment stands."""

    comment_id: str
    external_id: str
    revision: int
    version: int


def group(
    connection: Connection, site_id: str, comment_id: str, *, same_links: bool = False
) -> list[Member]:
    """Return the other open cases of the group of a comment, in the order of the queue.

    With *same_links* only those that link to no other domains than the comment does: where a link
    leads makes no difference to what is alike.
    """
    # A case has one where its comment has none: what no rule compares is compared by people.
    fingerprint = connection.execute(
        select(func.coalesce(CASE.c.fingerprint, COMMENT.c.fingerprint))
        .join_from(COMMENT, CASE, HAS_CASE, isouter=True)
        .where(COMMENT.c.site_id == site_id, COMMENT.c.id == comment_id)
    ).scalar_one_or_none()
    open_cases = (
        select(
            CASE.c.place,
            COMMENT.c.id,
            COMMENT.c.external_id,
            COMMENT.c.revision,
            COMMENT.c.version,
        )
        .join_from(CASE, COMMENT, HAS_CASE)
        .where(CASE.c.site_id == site_id, UNRESOLVED)
    )
    found: list[Any] = []
    # Each by its own index: asked with an OR, an engine walks the whole queue.
    if fingerprint is not None:
        same = open_cases.where(CASE.c.fingerprint == fingerprint)
        in_order = same.order_by(CASE.c.place, CASE.c.comment_id).limit(GROUP_LIMIT + 1)
        found += connection.execute(in_order)
    if near := _near(connection, site_id, comment_id):
        found += connection.execute(open_cases.where(CASE.c.comment_id.in_(near)))
    members = {row.id: (row.place, Member._make(row[1:])) for row in found if row.id != comment_id}
    if same_links and members:
        domains = _domains(connection, site_id, [comment_id, *members])
        members = {
            each: member for each, member in members.items() if domains[each] <= domains[comment_id]
        }
    return [member for _, member in sorted(members.values())[:GROUP_LIMIT]]


def _domains(
    connection: Connection, site_id: str, comment_ids: Iterable[str]
) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in connection.execute(
        select(COMMENT_DOMAIN.c.comment_id, COMMENT_DOMAIN.c.domain).where(
            COMMENT_DOMAIN.c.site_id == site_id, COMMENT_DOMAIN.c.comment_id.in_(list(comment_ids))
        )
    ):
        found[row.comment_id].add(row.domain)
    return found


def _near(connection: Connection, site_id: str, comment_id: str) -> list[str]:
    signature = connection.execute(
        select(COMMENT_BAND.c.signature)
        .where(COMMENT_BAND.c.site_id == site_id, COMMENT_BAND.c.comment_id == comment_id)
        .limit(1)
    ).scalar_one_or_none()
    if signature is None:
        return []
    every = bands(signature)
    found = [
        row
        for band in every  # one at a time: then each is the end of a range of the index
        for row in connection.execute(
            select(COMMENT_BAND.c.comment_id, COMMENT_BAND.c.signature)
            .where(COMMENT_BAND.c.site_id == site_id, COMMENT_BAND.c.band == band)
            .order_by(COMMENT_BAND.c.received.desc())
            .limit(LOOKED_AT // len(every))
        )
    ]
    return sorted({row.comment_id for row in found if alike(signature, row.signature)})
