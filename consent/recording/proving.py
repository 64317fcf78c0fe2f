"""What anyone may ask a log: its key, its checkpoint, its proofs, its tiles."""

from typing import NamedTuple

from sqlalchemy import Connection

from consent import store
from consent.choices.choice import EventType
from consent.database import Reading
from consent.log import ledger, tiles
from consent.log.checkpoint import format_proof
from consent.log.ledger import Head, Nodes
from consent.log.tiles import Place
from consent.records.history import read_vault
from consent.sealing.keyring import Keyring
from consent.sealing.vault import Opened


class Log(NamedTuple):
    """One epoch: its head, its verifier key, and the opened event by which it *continues*."""

    head: Head
    vkey: str
    continues: Opened | None


class Proving:
    """The public use cases of a log."""

    def __init__(self, *, keyring: Keyring, reading: Reading) -> None:
        self._keyring = keyring
        self._reading = reading

    async def list_logs(self, site_id: str) -> list[Log]:
        """Return every epoch, oldest first. Raises LogNotFound where there is none."""

        def ask(connection: Connection) -> tuple[list[Head], dict[int, Opened]]:
            heads = ledger.list_heads(connection, site_id)
            # Usually there is only the first epoch, which continues nothing.
            later = heads[-1].epoch != ledger.FIRST_EPOCH
            return heads, self._continuations(connection, site_id) if later else {}

        heads, continued = await self._reading.query(ask)
        return [Log(head, self._vkey(head), continued.get(head.epoch)) for head in heads]

    def _continuations(self, connection: Connection, site_id: str) -> dict[int, Opened]:
        ids = store.list_ids(connection, site_id, EventType.CONTINUED)
        vault = read_vault(connection, self._keyring, site_id, ids)
        return {kept.record.epoch: kept.open() for kept in vault.values()}

    async def vkey(self, site_id: str, epoch: int) -> str:
        """Return the verifier key of a log (C2SP signed-note). Raises LogNotFound."""
        return self._vkey(await self._head(site_id, epoch))

    async def checkpoint(self, site_id: str, epoch: int) -> str:
        """Return the newest signed checkpoint. Raises LogNotFound."""
        return self._keyring.checkpoint(await self._head(site_id, epoch))

    async def proof(self, site_id: str, epoch: int, index: int) -> str:
        """Return a leaf's tlog-proof up to the newest checkpoint; its extra line is the leaf.

        Raises LogNotFound and OutsideTree.
        """

        def ask(connection: Connection) -> tuple[Head, list[bytes], bytes]:
            head = ledger.read_head(connection, site_id, epoch)
            path = Nodes(connection, head).inclusion(index, head.frontier.size)
            return head, path, ledger.read_leaf(connection, head, index)

        head, path, leaf = await self._reading.query(ask)
        return format_proof(index, path, self._keyring.checkpoint(head), extra=leaf)

    async def inclusion(self, site_id: str, epoch: int, *, index: int, size: int) -> list[bytes]:
        """Return the path of a leaf. Raises LogNotFound and OutsideTree."""
        return await self._reading.query(
            lambda connection: Nodes(
                connection, ledger.read_head(connection, site_id, epoch)
            ).inclusion(index, size)
        )

    async def consistency(
        self, site_id: str, epoch: int, *, old_size: int, new_size: int
    ) -> list[bytes]:
        """Return what joins two sizes. Raises LogNotFound and OutsideTree."""
        return await self._reading.query(
            lambda connection: Nodes(
                connection, ledger.read_head(connection, site_id, epoch)
            ).consistency(old_size, new_size)
        )

    async def tile(self, site_id: str, epoch: int, level: int, place: Place) -> bytes:
        """Return the hashes of a tile (C2SP tlog-tiles). Raises LogNotFound and OutsideTree."""
        return await self._reading.query(
            lambda connection: tiles.read_tile(
                connection, ledger.read_head(connection, site_id, epoch), level, place
            )
        )

    async def entries(self, site_id: str, epoch: int, place: Place) -> bytes:
        """Return a bundle of entries (C2SP tlog-tiles). Raises LogNotFound and OutsideTree."""
        return await self._reading.query(
            lambda connection: tiles.read_entries(
                connection, ledger.read_head(connection, site_id, epoch), place
            )
        )

    async def _head(self, site_id: str, epoch: int) -> Head:
        return await self._reading.query(
            lambda connection: ledger.read_head(connection, site_id, epoch)
        )

    def _vkey(self, head: Head) -> str:
        return self._keyring.verifier(head.site_id, head.epoch, head.origin).vkey
