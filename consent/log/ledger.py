"""The append-only log of a site: append, prove, and never sign two histories.

Takes a connection inside a transaction; never commits one. No row of `entry` or `tile` is ever
changed: there is no statement here that could.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from consent.database import Rows
from consent.errors import (
    CheckpointInvalid,
    ForkRefused,
    FrontierInvalid,
    LogNotFound,
    OutsideTree,
)
from consent.log.checkpoint import Checkpoint, Signer
from consent.log.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Extension,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
)
from consent.tables import ENTRY, LOG, TILE

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
FIRST_EPOCH = 1
TILES_REMEMBERED = 1_024  # whose root is known, 8 KiB each
RECOMPUTED = 10_000  # entries at once
EPOCH_BITS = 40
"""Entries that an epoch has room for: 2^40, as many as C2SP's tiles can name."""


SignerOf = Callable[[str, int, str], Signer]


@dataclass(frozen=True, slots=True)
class Head:
    """A log as it stands: the last signed checkpoint and the edge it was signed over."""

    site_id: str
    epoch: int
    origin: str
    frontier: Frontier
    root: bytes
    signature: bytes


def position(epoch: int, leaf_index: int) -> int:
    """Return a record's place in the history of its site, across the epochs of its log."""
    return (epoch - FIRST_EPOCH << EPOCH_BITS) + leaf_index


def open_log(rows: Rows, site_id: str, host: str, signer_of: SignerOf) -> None:
    """Open a site's first log, empty and signed, unless it has one.

    The origin, which is also the key's name, is fixed here for good: it never follows a change
    of the site's address.
    """
    if rows.find(_NEWEST_HEAD, site_id=site_id):
        return
    _open(rows, site_id, FIRST_EPOCH, f"{host}/aboveboard/{site_id}", signer_of)


def open_epoch(rows: Rows, site_id: str, epoch: int, before: str, signer_of: SignerOf) -> None:
    """Open a further log of a site, empty and signed; *before* is the origin of the last one."""
    _open(rows, site_id, epoch, before.rpartition("/")[0], signer_of)


def _open(rows: Rows, site_id: str, epoch: int, place: str, signer_of: SignerOf) -> None:
    origin = f"{place}/{epoch}"
    signature = signer_of(site_id, epoch, origin).signature(0, EMPTY_ROOT)
    edge = Frontier.empty().to_bytes()
    rows.insert(LOG, [(site_id, epoch, origin, 0, EMPTY_ROOT, edge, signature)])


def lock_head(rows: Rows, site_id: str) -> Callable[[], Head]:
    """Ask for the head of a site's newest log, locked until the transaction ends.

    What reads it raises LogNotFound where no notice was published yet.
    """
    rows.ask(_NEWEST_HEAD, site_id=site_id)
    # Asked again under the lock: an epoch that was opened while the first question waited is
    # seen only by a statement that began later.
    found = rows.ask(_NEWEST_HEAD, site_id=site_id)
    return lambda: _head(next(iter(found()), None))


def read_head(connection: Connection, site_id: str, epoch: int) -> Head:
    """Return the head of one log. Raises LogNotFound."""
    return _head(connection.execute(_HEAD, {"site_id": site_id, "epoch": epoch}).first())


def list_heads(connection: Connection, site_id: str) -> list[Head]:
    """Return every log of a site, oldest first. Raises LogNotFound where there is none."""
    heads = [_head(row) for row in connection.execute(_HEADS, {"site_id": site_id})]
    if not heads:
        raise LogNotFound("expected a site that has a log, got another")
    return heads


def all_heads(connection: Connection) -> list[Head]:
    """Return every log of every site."""
    return [_head(row) for row in connection.execute(_ALL)]


_ALL = select(
    LOG.c.site_id, LOG.c.epoch, LOG.c.origin, LOG.c.frontier, LOG.c.root, LOG.c.signature
).order_by(LOG.c.site_id, LOG.c.epoch)
_HEADS = _ALL.where(LOG.c.site_id == bindparam("site_id"))
_HEAD = _HEADS.where(LOG.c.epoch == bindparam("epoch"))
_NEWEST_HEAD = _HEADS.order_by(None).order_by(LOG.c.epoch.desc()).limit(1).with_for_update()
_SIGNED = (
    update(LOG)
    .where(LOG.c.site_id == bindparam("of_site"), LOG.c.epoch == bindparam("of_epoch"))
    .values(
        size=bindparam("to_size"),
        root=bindparam("to_root"),
        frontier=bindparam("to_frontier"),
        signature=bindparam("to_signature"),
    )
)


def _head(row: Any) -> Head:  # noqa: ANN401 - a row of _HEADS
    if row is None:
        raise LogNotFound("expected a site that has a log of this epoch, got another")
    site, epoch, origin, frontier, root, signature = row
    try:
        edge = Frontier.from_bytes(bytes(frontier))
    except (FrontierInvalid, TypeError) as error:
        raise FrontierInvalid(f"the log {site}, epoch {epoch}: {error}") from error
    return Head(site, epoch, origin, edge, bytes(root), bytes(signature))


@dataclass(frozen=True, slots=True)
class Appended:
    """What appending a batch came to: the new head, and what proves each new leaf in it."""

    head: Head
    extension: Extension


def append(rows: Rows, head: Head, leaves: Sequence[bytes], signer_of: SignerOf) -> Appended:
    """Append *leaves* to a locked log and sign one checkpoint over all of them.

    Raises ForkRefused when the stored head is not what the log's key last signed, or the edge not
    that head's: signing on would give the log two histories.
    """
    if head.frontier.root() != head.root:
        raise ForkRefused(
            f"{head.origin}: expected the edge of the last signed root at size "
            f"{head.frontier.size}, got another"
        )
    signer = signer_of(head.site_id, head.epoch, head.origin)
    try:
        signer.check(head.frontier.size, head.root, head.signature)
    except CheckpointInvalid as error:
        raise ForkRefused(
            f"{head.origin}: expected a stored head that the log's key signed, got another"
        ) from error
    extension = _grow(rows, head, leaves)
    size = extension.frontier.size
    signature = signer.signature(size, extension.root)
    rows.change(
        _SIGNED,
        of_site=head.site_id,
        of_epoch=head.epoch,
        to_size=size,
        to_root=extension.root,
        to_frontier=extension.frontier.to_bytes(),
        to_signature=signature,
    )
    grown = Head(
        head.site_id, head.epoch, head.origin, extension.frontier, extension.root, signature
    )
    return Appended(grown, extension)


def take_in(
    rows: Rows,
    site_id: str,
    epoch: int,
    newest: Checkpoint,
    batches: Iterable[Sequence[bytes]],
) -> None:
    """Store a log that was signed elsewhere, its leaves from the first on.

    Raises ForkRefused where these leaves do not have the root that was signed.
    """
    head = Head(site_id, epoch, newest.origin, Frontier.empty(), EMPTY_ROOT, newest.signature)
    for leaves in batches:
        extension = _grow(rows, head, leaves)
        head = replace(head, frontier=extension.frontier, root=extension.root)
    if (head.frontier.size, head.root) != (newest.size, newest.root):
        raise ForkRefused(f"{head.origin}: expected the leaves of the signed root, got others")
    edge = head.frontier.to_bytes()
    rows.insert(
        LOG, [(site_id, epoch, head.origin, newest.size, newest.root, edge, newest.signature)]
    )


def _grow(rows: Rows, head: Head, leaves: Sequence[bytes]) -> Extension:
    """Store *leaves* behind those that a log has, and the tiles that they fill."""
    extension = head.frontier.extend([leaf_hash(leaf) for leaf in leaves])
    first = head.frontier.size
    rows.insert(
        ENTRY,
        [(head.site_id, head.epoch, first + offset, leaf) for offset, leaf in enumerate(leaves)],
    )
    _insert_full_tiles(rows, head, extension)
    return extension


def _insert_full_tiles(rows: Rows, head: Head, extension: Extension) -> None:
    old, new = head.frontier.size, extension.frontier.size
    level = 0
    while old >> TILE_HEIGHT != new >> TILE_HEIGHT:
        height = level * TILE_HEIGHT
        fresh = extension.rows[height]
        for tile in range(old >> TILE_HEIGHT, new >> TILE_HEIGHT):
            start = tile << TILE_HEIGHT
            # What the tile held before this batch is read back; the rest was just made.
            before = max(0, fresh.first - start)
            old_hashes = _stored(rows.connection, head, level, start, start + before)
            new_hashes = fresh.hashes[
                start + before - fresh.first : start + TILE_WIDTH - fresh.first
            ]
            hashes = b"".join([*old_hashes, *new_hashes])
            rows.insert(TILE, [(head.site_id, head.epoch, level, tile, hashes)])
        old, new, level = old >> TILE_HEIGHT, new >> TILE_HEIGHT, level + 1


def _stored(connection: Connection, head: Head, level: int, start: int, stop: int) -> list[bytes]:
    """Return the node hashes of tile level *level* from *start* to before *stop*."""
    if start >= stop:
        return []
    if level == 0:
        return [leaf_hash(leaf) for _, leaf in read_leaves(connection, head, start, stop)]
    rows = connection.execute(
        select(TILE.c.hashes)
        .where(
            TILE.c.site_id == head.site_id,
            TILE.c.epoch == head.epoch,
            TILE.c.level == level - 1,
            TILE.c.tile_index >= start,
            TILE.c.tile_index < stop,
        )
        .order_by(TILE.c.tile_index)
    )
    return [_root_of_tile(bytes(hashes)) for (hashes,) in rows]


@lru_cache(maxsize=TILES_REMEMBERED)
def _root_of_tile(hashes: bytes) -> bytes:
    """Return the node above a full tile.

    Worked out once: a proof may need every tile below the last row of tiles, and anybody may
    ask for proofs.
    """
    return fold(split_hashes(hashes))


def read_leaves(
    connection: Connection, head: Head, first: int, stop: int
) -> list[tuple[int, bytes]]:
    """Return the stored entries of a log from *first* to before *stop*, each with its index."""
    place = {"site_id": head.site_id, "epoch": head.epoch, "first": first, "stop": stop}
    return [(index, bytes(leaf)) for index, leaf in connection.execute(_LEAVES, place)]


def read_leaf(connection: Connection, head: Head, index: int) -> bytes:
    """Return the stored entry of a log at *index*, which has to be there."""
    ((_, leaf),) = read_leaves(connection, head, index, index + 1)
    return leaf


_LEAVES = (
    select(ENTRY.c.leaf_index, ENTRY.c.leaf)
    .where(
        ENTRY.c.site_id == bindparam("site_id"),
        ENTRY.c.epoch == bindparam("epoch"),
        ENTRY.c.leaf_index >= bindparam("first"),
        ENTRY.c.leaf_index < bindparam("stop"),
    )
    .order_by(ENTRY.c.leaf_index)
)


class Nodes:
    """Reads the complete nodes of a log from tiles and entries, each tile once."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._head = head
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of node *index* of *level*. Raises OutsideTree where there is none."""
        edge = self._head.frontier
        if edge.size >> level & 1 and index == (edge.size >> level) - 1:
            # On the right edge the tiles are not full: the head has what they would be folded to.
            return edge.hashes[(edge.size >> level + 1).bit_count()]
        tile_level, height = divmod(level, TILE_HEIGHT)
        start = index << height
        tile = self.tile(tile_level, start >> TILE_HEIGHT)
        offset = start % TILE_WIDTH
        hashes = tile[offset : offset + (1 << height)]
        if len(hashes) != 1 << height:
            raise OutsideTree(f"expected a stored node {level}/{index}, got a part of one")
        return fold(hashes)

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the up to 256 hashes that the tree has of a tile of tile level *level*."""
        place = (level, index)
        if place not in self._tiles:
            row = self._connection.execute(
                select(TILE.c.hashes).where(
                    TILE.c.site_id == self._head.site_id,
                    TILE.c.epoch == self._head.epoch,
                    TILE.c.level == level,
                    TILE.c.tile_index == index,
                )
            ).first()
            start = index << TILE_HEIGHT
            size = self._head.frontier.size >> (level * TILE_HEIGHT)
            self._tiles[place] = (
                split_hashes(bytes(row[0]))
                if row is not None
                else _stored(
                    self._connection, self._head, level, start, min(start + TILE_WIDTH, size)
                )
            )
        return self._tiles[place]

    def root(self, size: int) -> bytes:
        """Return the root that the log had at *size*. Raises OutsideTree."""
        if not 0 <= size <= self._head.frontier.size:
            raise OutsideTree(f"expected a size up to {self._head.frontier.size}, got {size}")
        hashes = tuple(
            self.read(level, (size >> level) - 1)
            for level in reversed(range(size.bit_length()))
            if size >> level & 1
        )
        return Frontier(size, hashes).root()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the path of leaf *index* in the tree of *size*. Raises OutsideTree."""
        self._check(size)
        return inclusion_proof(index=index, size=size, read=self.read)

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """Return what shows *old_size* as a prefix of *new_size*. Raises OutsideTree."""
        self._check(new_size)
        return consistency_proof(old_size=old_size, new_size=new_size, read=self.read)

    def _check(self, size: int) -> None:
        if size > self._head.frontier.size:
            raise OutsideTree(
                f"expected a tree of at most {self._head.frontier.size} leaves, got {size}"
            )


def recompute(connection: Connection, head: Head) -> tuple[int, bytes]:
    """Return how many entries a log has in a row from 0, and their root, from nothing but them."""
    edge = Frontier.empty()
    while True:
        found = read_leaves(connection, head, edge.size, edge.size + RECOMPUTED)
        if not found or found[-1][0] != edge.size + len(found) - 1:
            return edge.size, edge.root()
        edge = edge.extend([leaf_hash(leaf) for _, leaf in found]).frontier


def split_hashes(hashes: bytes) -> list[bytes]:
    """Cut a tile into its hashes."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def fold(hashes: list[bytes]) -> bytes:
    """Hash neighbouring nodes, as many as a power of two, up to the one above them all."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [node_hash(left, right) for left, right in pairs]
    return hashes[0]
