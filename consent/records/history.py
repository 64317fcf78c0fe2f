"""A site's history in the order of its ledger: each entry with the record behind it, opened.

The ledger's order is dense: whoever reads on from where they stopped misses nothing and meets
nothing twice. It is read in steps, each found by key, so that no transaction is held from one
to the next, and memory holds one step.
Takes a connection; reads only.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select

from consent.errors import LedgerDamaged, LogNotFound, RecordErased, RecordNotFound, VaultUnreadable
from consent.log import ledger
from consent.log.ledger import FIRST_EPOCH, Head
from consent.records.membership import among, members
from consent.records.search import LISTED, Filter, Listed
from consent.sealing.keyring import Keyring
from consent.sealing.vault import DataKey, Opened
from consent.tables import LOG, RECORD, SUBJECT

STEP = 500  # entries
NEARBY = 1_024  # entries; how far those of one moment may lie from the order of their ids


class Position(NamedTuple):
    """Where an entry stands in the history of its site; compares like that history."""

    epoch: int
    leaf_index: int


START = Position(FIRST_EPOCH, -1)
"""Before every entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf of the log, and what is left of the record that it commits to.

    *record* is None once the record is erased; *opened* is None as well where it was not asked for,
    and where the record is *unreadable*.
    """

    position: Position
    leaf: bytes
    record_id: str
    received_at: str
    record: Listed | None
    opened: Opened | None
    restricted_until: str | None = None
    unreadable: bool = False


class Step(NamedTuple):
    """Some entries of a history, where it goes on after them, and whether it does."""

    entries: list[Entry]
    position: Position
    ended: bool


class History:
    """One site's history, up to the heads that its logs had when it was begun."""

    def __init__(
        self,
        connection: Connection,
        keyring: Keyring,
        site_id: str,
        *,
        opening: Callable[[Listed], bool] = lambda _record: True,
        lenient: bool = False,
    ) -> None:
        """Begin the history of a site as it is now. Raises LogNotFound.

        *opening* says of which records the event is wanted; *lenient* that one which does not open
        is told of as unreadable, and costs nobody the others.
        """
        self._keyring = keyring
        self._heads = ledger.list_heads(connection, site_id)
        self._opening = opening
        self._lenient = lenient
        self.site_id = site_id

    def read(
        self,
        connection: Connection,
        after: Position,
        *,
        wanted: Filter | None = None,
        limit: int = STEP,
    ) -> Step:
        """Go through up to *limit* entries after a position; return those that are wanted.

        Raises VaultUnreadable where a record does not open that should, unless it is lenient.
        """
        wanted = wanted or Filter()
        for head in self._heads:
            first = after.leaf_index + 1 if head.epoch == after.epoch else 0
            if head.epoch < after.epoch or first >= head.frontier.size:
                continue
            stop = min(first + limit, head.frontier.size)
            leaves = _leaves(connection, head, first, stop)
            if not self._lenient:
                _check_whole(leaves, head, first, stop)
            last = Position(head.epoch, stop - 1)
            ended = stop == head.frontier.size and head is self._heads[-1]
            return Step(self._entries(connection, leaves, wanted), last, ended)
        return Step([], after, ended=True)

    def _entries(
        self,
        connection: Connection,
        leaves: Iterable[tuple[Position, bytes]],
        wanted: Filter,
    ) -> list[Entry]:
        told = [
            (position, leaf, content["id"], content["t"])
            for position, leaf in leaves
            if wanted.spans((content := orjson.loads(leaf))["t"])
        ]
        vault = read_vault(
            connection, self._keyring, self.site_id, [record_id for _, _, record_id, _ in told]
        )
        entries: list[Entry] = []
        for position, leaf, record_id, received_at in told:
            kept = vault.get(record_id)
            if kept is None:
                if wanted.only_period:
                    entries.append(Entry(position, leaf, record_id, received_at, None, None))
            elif wanted.matches(kept.record):
                opened, unreadable = self._open(kept)
                entries.append(
                    Entry(
                        position,
                        leaf,
                        record_id,
                        received_at,
                        kept.record,
                        opened,
                        kept.restricted_until,
                        unreadable,
                    )
                )
        return entries

    def _open(self, kept: "Kept") -> tuple[Opened | None, bool]:
        """Return what a record says, where that is wanted, and whether it cannot be read."""
        if not self._opening(kept.record):
            return None, False
        try:
            return kept.open(), False
        except (TypeError, VaultUnreadable):
            if not self._lenient:
                raise
            return None, True


def _leaves(
    connection: Connection, head: Head, first: int, stop: int
) -> list[tuple[Position, bytes]]:
    return [
        (Position(head.epoch, index), leaf)
        for index, leaf in ledger.read_leaves(connection, head, first, stop)
    ]


def _check_whole(
    leaves: Sequence[tuple[Position, bytes]], head: Head, first: int, stop: int
) -> None:
    there = {position.leaf_index for position, _ in leaves}
    for index in range(first, stop):
        if index not in there:
            finding = "expected an entry of the log, it is gone"
            raise LedgerDamaged("entry", finding, epoch=head.epoch, index=index)


def read_ends(connection: Connection, site_ids: Iterable[str]) -> dict[str, Position]:
    """Return the last position of each site that has an entry."""
    rows = connection.execute(_ENDS, {"ids": members(site_ids)})
    return {site_id: Position(epoch, size - 1) for site_id, epoch, size in rows}


# In the order of their epochs: the last of a site stands.
_ENDS = (
    select(LOG.c.site_id, LOG.c.epoch, LOG.c.size)
    .where(among(LOG.c.site_id, "ids"), LOG.c.size > 0)
    .order_by(LOG.c.site_id, LOG.c.epoch)
)


# -- records ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored record, sealed, with what answers the key that opens it."""

    record: Listed
    sealed: bytes
    site_id: str
    key: Callable[[], DataKey]
    restricted_until: str | None

    def open(self) -> Opened:
        """Open it. Raises VaultUnreadable, and TypeError where a column holds no bytes."""
        return self.key().open(self.site_id, self.record.record_id, bytes(self.sealed))


def read_vault(
    connection: Connection, keyring: Keyring, site_id: str, record_ids: Sequence[str]
) -> dict[str, Kept]:
    """Return records by id; those that are unknown or erased are left out.

    What no key is left for is erased, too. No key is unwrapped before a record of its subject is
    opened: one that does not open costs nobody the others.
    """
    if not record_ids:
        return {}
    rows = connection.execute(_RECORDS, {"site_id": site_id, "ids": members(record_ids)}).all()
    refs = members({row.subject_ref for row in rows})

    def key_of(ref: str, version: int, wrapped: bytes) -> Callable[[], DataKey]:
        return cache(lambda: keyring.unwrap(site_id, ref, version, bytes(wrapped)))

    keys = {
        ref: (key_of(ref, version, wrapped), restricted_until)
        for ref, version, wrapped, restricted_until in connection.execute(
            _KEYS, {"site_id": site_id, "refs": refs}
        )
        if wrapped
    }
    return {
        row.record_id: Kept(Listed(*row[:-1]), row.sealed, site_id, *keys[row.subject_ref])
        for row in rows
        if row.subject_ref in keys
    }


_RECORDS = select(*LISTED, RECORD.c.sealed).where(
    RECORD.c.site_id == bindparam("site_id"),
    among(RECORD.c.record_id, "ids"),
)
_KEYS = select(
    SUBJECT.c.subject_ref, SUBJECT.c.key_version, SUBJECT.c.wrapped, SUBJECT.c.restricted_until
).where(
    SUBJECT.c.site_id == bindparam("site_id"),
    among(SUBJECT.c.subject_ref, "refs"),
)


def get_record(connection: Connection, keyring: Keyring, site_id: str, record_id: str) -> Kept:
    """Return a record. Raises RecordNotFound, RecordErased and VaultUnreadable."""
    kept = read_vault(connection, keyring, site_id, [record_id]).get(record_id)
    if kept is not None:
        return kept
    if _was_recorded(connection, site_id, record_id):
        raise RecordErased(record_id)
    raise RecordNotFound("expected a record of this site, got another")


def _was_recorded(connection: Connection, site_id: str, record_id: str) -> bool:
    """Whether a log of the site has an entry of this id.

    No index leads there: of what is erased only the entry is left. But the ids of entries nearly
    ascend, as both are made in the order of time.
    """
    with suppress(LogNotFound):
        return any(
            _has_entry(connection, head, record_id)
            for head in ledger.list_heads(connection, site_id)
        )
    return False


def _has_entry(connection: Connection, head: Head, record_id: str) -> bool:
    size = head.frontier.size

    def id_at(index: int) -> str:
        ((_, leaf),) = _leaves(connection, head, index, index + 1)
        return str(orjson.loads(leaf)["id"])

    near = bisect_left(range(size), record_id, key=id_at)
    leaves = _leaves(connection, head, max(0, near - NEARBY), min(near + NEARBY, size))
    return any(orjson.loads(leaf)["id"] == record_id for _, leaf in leaves)
