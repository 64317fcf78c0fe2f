"""Standings rebuilt from the events that led to them: what a projection has to be equal to.

Takes a connection; reads only.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select

from consent.choices.linking import follow
from consent.choices.projection import Standing
from consent.errors import LedgerDamaged
from consent.log import ledger
from consent.records.history import read_vault
from consent.records.membership import among, members
from consent.sealing.keyring import Keyring
from consent.tables import RECORD, SUBJECT

PAGE = 500


class Stored(NamedTuple):
    """Where a subject stands by its row, and the key that its records are sealed under."""

    subject_ref: str
    key_version: int
    wrapped: bytes
    standing: Standing


def each_subject(connection: Connection, site_id: str) -> Iterator[list[Stored]]:
    """Go through the subjects of a site, page by page."""
    after = ""
    while page := page_of_subjects(connection, site_id, after):
        yield page
        after = page[-1].subject_ref


def page_of_subjects(connection: Connection, site_id: str, after: str) -> list[Stored]:
    """Return the subjects that come after the pseudonym *after*, as many as a page takes."""
    rows = connection.execute(_PAGE, {"site_id": site_id, "after": after, "limit": PAGE})
    return [_stored(*row) for row in rows]


def with_linked(
    connection: Connection, site_id: str, subjects: Iterable[Stored]
) -> dict[str, Stored]:
    """Return *subjects* and whoever is linked with them, near or far, by pseudonym."""
    known = {subject.subject_ref: subject for subject in subjects}
    missing = _links(known.values()) - known.keys()
    while missing:
        rows = connection.execute(_SUBJECTS, {"site_id": site_id, "refs": members(missing)})
        found = {row.subject_ref: _stored(*row) for row in rows}
        known |= found
        missing = _links(found.values()) - known.keys()
    return known


def find_unwhole(subjects: Mapping[str, Stored]) -> set[str]:
    """Return the subjects who cannot be replayed: something of them, or of a link, is gone."""
    near: dict[str, set[str]] = {ref: set() for ref in subjects}
    for ref, subject in subjects.items():
        for link in subject.standing.links:
            near[ref].add(link)
            near.setdefault(link, set()).add(ref)
    unwhole = {ref for ref, subject in subjects.items() if not subject.standing.whole}
    waiting = list(unwhole)
    while waiting:
        reached = near[waiting.pop()] - unwhole
        unwhole |= reached
        waiting += reached
    return unwhole


def replay(
    connection: Connection, keyring: Keyring, site_id: str, refs: Iterable[str]
) -> dict[str, Standing]:
    """Return where subjects stand by their events, in the order of the ledger, by pseudonym.

    Of those who are linked, all have to be given. Raises VaultUnreadable.
    """
    rows = connection.execute(_PLACES, {"site_id": site_id, "refs": members(refs)})
    places = iter(sorted((epoch, index, record_id) for record_id, epoch, index in rows))
    standings: dict[str, Standing] = {}
    while page := list(islice(places, PAGE)):
        vault = read_vault(connection, keyring, site_id, [record_id for _, _, record_id in page])
        for epoch, index, record_id in page:
            kept = vault[record_id]
            event = orjson.loads(kept.open().event)
            place = ledger.position(epoch, index)
            standings |= follow(standings.get, kept.record.subject_ref, event, place)
    return standings


def _links(subjects: Iterable[Stored]) -> set[str]:
    return {link for subject in subjects for link in subject.standing.links}


def _stored(ref: str, version: int, wrapped: bytes, standing: str) -> Stored:
    try:
        read = Standing.from_json(standing)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        finding = f"{ref}: expected a standing that can be read, got {type(error).__name__}"
        raise LedgerDamaged("subject", finding) from error
    return Stored(ref, version, bytes(wrapped), read)


_OF_SITE = select(
    SUBJECT.c.subject_ref, SUBJECT.c.key_version, SUBJECT.c.wrapped, SUBJECT.c.standing
).where(SUBJECT.c.site_id == bindparam("site_id"))
_SUBJECTS = _OF_SITE.where(among(SUBJECT.c.subject_ref, "refs"))
_PAGE = (
    _OF_SITE.where(SUBJECT.c.subject_ref > bindparam("after"))
    .order_by(SUBJECT.c.subject_ref)
    .limit(bindparam("limit"))
)
_PLACES = select(RECORD.c.record_id, RECORD.c.epoch, RECORD.c.leaf_index).where(
    RECORD.c.site_id == bindparam("site_id"),
    among(RECORD.c.subject_ref, "refs"),
)
