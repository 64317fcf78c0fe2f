"""Logs that tests grow, cut off and write anew past the service: what an operator could do."""

from collections.abc import Iterator
from contextlib import contextmanager

from conftest import Service
from sqlalchemy import delete

from aboveboard import installation
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from consent.log import ledger, merkle
from consent.sealing.keyring import Keyring
from consent.tables import ENTRY, LOG, TILE


class House:
    """The logs of one installation, with their keys."""

    def __init__(self, databases: Databases, keyring: Keyring) -> None:
        self.consent = databases.consent
        self.keyring = keyring

    def open(self, site: str, host: str | None = None) -> None:
        """Open a site's log."""
        with self.consent.write() as connection, Rows(connection) as rows:
            ledger.open_log(rows, site, host or f"{site}.example", self.keyring.first_signer)

    def grow(self, site: str, *leaves: bytes) -> None:
        """Append to a log."""
        with self.consent.write() as connection, Rows(connection) as rows:
            ledger.append(rows, ledger.lock_head(rows, site)(), leaves, self.keyring.signer)

    def lose(self, site: str, host: str | None = None) -> None:
        """Have a log begin again, under the same key."""
        with self.consent.write() as connection:
            for table in (ENTRY, TILE, LOG):
                connection.execute(delete(table).where(table.c.site_id == site))
        self.open(site, host)

    def forget(self, site: str, index: int) -> None:
        """Delete an entry, and the tiles above it."""
        with self.consent.write() as connection:
            here = (ENTRY.c.site_id == site, ENTRY.c.leaf_index == index)
            connection.execute(delete(ENTRY).where(*here))
            connection.execute(delete(TILE).where(TILE.c.site_id == site))

    def begin(self, site: str, epoch: int) -> None:
        """Have a site's log go on in another epoch."""
        origin = f"{site}.example/aboveboard/{site}/{epoch}"
        edge = merkle.Frontier.empty()
        signature = self.keyring.first_signer(site, epoch, origin).signature(0, edge.root())
        with self.consent.write() as connection, Rows(connection) as rows:
            row = (site, epoch, origin, 0, edge.root(), edge.to_bytes(), signature)
            rows.insert(LOG, [row])

    def size(self, text: str) -> int:
        """Open a checkpoint under its log's key and return its size."""
        origin = text.split("\n", 1)[0]
        _, _, site, epoch = origin.split("/")
        return self.keyring.signer(site, int(epoch), origin).verifier.open(text).size


@contextmanager
def house_of(service: Service) -> Iterator[House]:
    """Open the logs of a service, beside it or in its absence."""
    with service.databases() as databases:
        yield House(databases, installation.open_keyring(service.settings))
