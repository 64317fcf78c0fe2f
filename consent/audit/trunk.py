"""One log of a site, held against itself: entries, tiles, head, signature, older checkpoints.

Takes a connection; reads only. Raises LedgerDamaged at the first entry that is not in order.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import orjson
from sqlalchemy import Connection, bindparam, func, select

from consent.audit.accord import Accord
from consent.errors import CheckpointInvalid, EvidenceInvalid, LedgerDamaged, VaultUnreadable
from consent.log import ledger
from consent.log.checkpoint import Checkpoint
from consent.log.ledger import TILE_HEIGHT, TILE_WIDTH, Head, fold, split_hashes
from consent.log.merkle import EMPTY_ROOT, Frontier, leaf_hash
from consent.proofs.archive import LogPart
from consent.proofs.disclosure import Disclosed, record_of
from consent.proofs.succession import Ending, ending
from consent.records.history import read_vault
from consent.sealing.keyring import Keyring
from consent.tables import ENTRY, IDEMPOTENCY, TILE

PAGE = 4 * TILE_WIDTH

Page = tuple[int, list[tuple[int, bytes]]]
"""Where a page of entries begins, and its rows: index and leaf."""


class Trunk:
    """Checks one log, page by page."""

    def __init__(
        self, connection: Connection, keyring: Keyring, head: Head, older: Sequence[Checkpoint]
    ) -> None:
        self._connection = connection
        self._head = head
        self._verifier = keyring.verifier(head.site_id, head.epoch, head.origin)
        self._older = sorted(older, key=lambda checkpoint: checkpoint.size)
        self._ahead = deque(self._older)
        self._tiles = _Tiles(connection, head)
        self._frontier, self._root = Frontier.empty(), EMPTY_ROOT
        self._before = self._frontier
        if self._verifier.name != head.origin:
            # Of a log that was taken over without its private key, the public one has its own name.
            raise self._damaged("head", f"expected origin {self._verifier.name}, got another")
        if self._older and self._older[-1].size > head.frontier.size:
            raise self._damaged(
                "truncated",
                f"expected the {self._older[-1].size} entries of a checkpoint kept elsewhere, "
                f"got {head.frontier.size}",
                head.frontier.size,
            )
        self._reach()

    def end(self, end: Ending | None) -> int:
        """Hold the log against what a later one says of its end; returns how much is lost."""
        if end is None:
            return 0
        head = self._head
        held = Checkpoint(head.origin, head.frontier.size, head.root, head.signature)
        try:
            lost = end.check(held, self._verifier.vkey, head.epoch)
        except EvidenceInvalid as error:
            raise self._damaged(error.check, error.finding) from error
        if not lost and end.checkpoint.root != head.root:
            raise self._damaged("continued", "expected the root that the next log took over")
        return lost

    def pages(self) -> Iterator[Page]:
        """Go through the entries that the head has signed."""
        for first in range(0, self._head.frontier.size, PAGE):
            stop = min(first + PAGE, self._head.frontier.size)
            yield first, self._read(first, stop)

    def check(self, first: int, rows: list[tuple[int, bytes]], accord: Accord) -> None:
        """Check a page; of several things that are wrong, the one with the lowest index is told."""
        stop = min(first + PAGE, self._head.frontier.size)
        found: list[LedgerDamaged] = []
        dense = first
        for expected, row in zip_longest(range(first, stop), rows):
            if row is None or row[0] != expected:
                found.append(self._damaged("entry", "expected an entry, it is gone", dense))
                break
            dense += 1
        leaves = [leaf for _, leaf in rows[: dense - first]]
        hashes = [leaf_hash(leaf) for leaf in leaves]
        try:
            self._tiles.add(0, hashes)
        except LedgerDamaged as error:
            found.append(error)
        try:
            accord.check(self._head.epoch, first, leaves)
        except LedgerDamaged as error:
            found.append(error)
        if found:
            raise min(found, key=lambda error: stop if error.index is None else error.index)
        self._before = self._frontier
        self._grow(hashes)

    def _read(self, first: int, stop: int) -> list[tuple[int, bytes]]:
        """Read entries; SQLite keeps a text where bytes belong, if that is what somebody wrote."""
        try:
            return ledger.read_leaves(self._connection, self._head, first, stop)
        except TypeError as error:
            if stop - first > 1:
                middle = (first + stop) // 2
                return [*self._read(first, middle), *self._read(middle, stop)]
            raise self._damaged("entry", "expected an entry of bytes, got a text", first) from error

    def check_head(self) -> None:
        """Check, after the last page, the root, its signature, and that there is nothing more."""
        head = self._head
        if self._root != head.root:
            raise self._not_the_root()
        if self._frontier != head.frontier:
            raise self._damaged("head", "expected the edge of the entries, got another")
        try:
            self._verifier.open(
                self._verifier.render(head.frontier.size, head.root, head.signature)
            )
        except CheckpointInvalid as error:
            raise self._damaged("signature", str(error)) from error
        place = {"site_id": head.site_id, "epoch": head.epoch}
        beyond = self._connection.scalar(_LAST_ENTRY, place)
        if beyond is not None and beyond >= head.frontier.size:
            size = head.frontier.size
            raise self._damaged("entry", f"expected no entry past the {size} signed", size)
        tiles = self._connection.scalar(_TILES, place)
        if tiles != self._tiles.full:
            raise self._damaged("tile", f"expected {self._tiles.full} full tiles, got {tiles}")

    def _grow(self, hashes: Sequence[bytes]) -> None:
        rest = hashes
        while rest:
            size = self._frontier.size
            room = self._ahead[0].size - size if self._ahead else len(rest)
            part, rest = rest[:room], rest[room:]
            extension = self._frontier.extend(part)
            self._frontier, self._root = extension.frontier, extension.root
            self._reach()

    def _reach(self) -> None:
        """Hold the tree against the checkpoints of its size."""
        while self._ahead and self._ahead[0].size == self._frontier.size:
            kept = self._ahead.popleft()
            if kept.root != self._root:
                raise self._damaged(
                    "root",
                    f"expected {kept.root.hex()} over the first {kept.size} entries, as a "
                    f"checkpoint kept elsewhere says, got {self._root.hex()}",
                )

    def _not_the_root(self) -> LedgerDamaged:
        """Say which entries are as they were signed: first answers keep signatures of their own."""
        head = self._head
        first = self._before.size
        leaves = ledger.read_leaves(self._connection, head, first, head.frontier.size)
        signatures: dict[int, list[bytes]] = {}
        asked = {"site_id": head.site_id, "first": first, "size": head.frontier.size}
        for size, signature in self._connection.execute(_SIGNED, asked):
            signatures.setdefault(size, []).append(bytes(signature))
        frontier, good = self._before, None
        for _, leaf in leaves:
            extension = frontier.extend([leaf_hash(leaf)])
            frontier = extension.frontier
            for signature in signatures.get(frontier.size, ()):
                if self._signed(frontier.size, extension.root, signature):
                    good = frontier.size
        told = "; the entries before this one are as signed" if good else ""
        return self._damaged(
            "root",
            f"expected {head.root.hex()} over {head.frontier.size} entries, "
            f"got {self._root.hex()}{told}",
            good,
        )

    def _signed(self, size: int, root: bytes, signature: bytes) -> bool:
        try:
            self._verifier.open(self._verifier.render(size, root, signature))
        except CheckpointInvalid:
            return False
        return True

    def _damaged(self, check: str, finding: str, index: int | None = None) -> LedgerDamaged:
        return LedgerDamaged(check, finding, epoch=self._head.epoch, index=index)


class _Tiles:
    """Fills tiles as the log did, and holds each full one against the stored one."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._head = head
        self._pending: dict[int, list[bytes]] = {}
        self._next: dict[int, int] = {}
        self.full = 0

    def add(self, level: int, hashes: Sequence[bytes]) -> None:
        pending = self._pending.setdefault(level, [])
        pending += hashes
        while len(pending) >= TILE_WIDTH:
            tile, place = pending[:TILE_WIDTH], self._next.get(level, 0)
            del pending[:TILE_WIDTH]
            self._compare(level, place, tile)
            self._next[level] = place + 1
            self.full += 1
            self.add(level + 1, [fold(tile)])

    def _compare(self, level: int, place: int, tile: list[bytes]) -> None:
        head = self._head
        asked = {"site_id": head.site_id, "epoch": head.epoch, "level": level, "tile_index": place}
        stored = self._connection.scalar(_TILE, asked)
        if stored is None:
            offset, finding = 0, f"expected tile {level}/{place}, it is gone"
        else:
            pairs = zip_longest(tile, split_hashes(bytes(stored)))
            differing = (at for at, (made, kept) in enumerate(pairs) if made != kept)
            offset = next(differing, TILE_WIDTH)
            finding = f"expected the hash that tile {level}/{place} has, got another"
        if offset < TILE_WIDTH or (stored is not None and len(stored) != len(b"".join(tile))):
            index = (place << TILE_HEIGHT) + min(offset, TILE_WIDTH - 1) << level * TILE_HEIGHT
            raise LedgerDamaged("tile", finding, epoch=head.epoch, index=index)


def endings(connection: Connection, keyring: Keyring, heads: Sequence[Head]) -> dict[str, Ending]:
    """Return, by origin, what later logs of a site say of earlier ones. Raises LedgerDamaged."""
    found = {}
    for head in heads:
        verifier = keyring.verifier(head.site_id, head.epoch, head.origin)
        part = LogPart(head.epoch, head.origin, verifier.vkey, head.frontier.size, 0)
        try:
            end = ending(part, _first(connection, keyring, head))
        except (EvidenceInvalid, TypeError, VaultUnreadable) as error:
            finding = error.finding if isinstance(error, EvidenceInvalid) else str(error)
            raise LedgerDamaged("continued", finding, epoch=head.epoch, index=0) from error
        if end is not None:
            found[end.checkpoint.origin] = end
    return found


def _first(connection: Connection, keyring: Keyring, head: Head) -> Disclosed | None:
    """Return the record of the first entry of a log, where it can be opened."""
    for index, leaf in ledger.read_leaves(connection, head, 0, 1):
        record_id = record_of(leaf) or ""
        kept = read_vault(connection, keyring, head.site_id, [record_id]).get(record_id)
        if kept is not None:
            opened = kept.open()
            return Disclosed(index, opened.salt, opened.event, orjson.loads(opened.event))
    return None


_LAST_ENTRY = select(func.max(ENTRY.c.leaf_index)).where(
    ENTRY.c.site_id == bindparam("site_id"), ENTRY.c.epoch == bindparam("epoch")
)
_TILES = (
    select(func.count())
    .select_from(TILE)
    .where(TILE.c.site_id == bindparam("site_id"), TILE.c.epoch == bindparam("epoch"))
)
_TILE = select(TILE.c.hashes).where(
    TILE.c.site_id == bindparam("site_id"),
    TILE.c.epoch == bindparam("epoch"),
    TILE.c.level == bindparam("level"),
    TILE.c.tile_index == bindparam("tile_index"),
)
_SIGNED = select(IDEMPOTENCY.c.tree_size, IDEMPOTENCY.c.signature).where(
    IDEMPOTENCY.c.site_id == bindparam("site_id"),
    IDEMPOTENCY.c.tree_size > bindparam("first"),
    IDEMPOTENCY.c.tree_size <= bindparam("size"),
)
