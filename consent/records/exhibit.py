"""A record as it is shown to somebody: opened, proved in the log as it stands, with its notice.

Takes a connection; reads only.
"""

from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from consent import store
from consent.log import ledger
from consent.log.ledger import Head, Nodes
from consent.records.batch import Receipt
from consent.records.history import Kept
from consent.records.search import Listed
from consent.sealing.keyring import Keyring
from consent.sealing.vault import Opened
from consent.store import Place, Published


class Exhibit(NamedTuple):
    """A record, its event and salt, all that proves it, and the notice that was shown."""

    record: Listed
    opened: Opened
    receipt: Receipt
    notice: Published | None


class Exhibits:
    """Shows records of one site; what one needs of logs and notices serves the next as well."""

    def __init__(self, connection: Connection, keyring: Keyring, site_id: str) -> None:
        self._connection = connection
        self._keyring = keyring
        self._site_id = site_id
        self._logs: dict[int, tuple[Head, Nodes, str]] = {}
        self._notices: dict[Place, Published | None] = {}

    def show(self, kept: Kept) -> Exhibit:
        """Return a record as an exhibit. Raises VaultUnreadable."""
        record, opened = kept.record, kept.open()
        head, nodes, checkpoint = self._log(record.epoch)
        leaf = ledger.read_leaf(self._connection, head, record.leaf_index)
        path = nodes.inclusion(record.leaf_index, head.frontier.size)
        receipt = Receipt.proved(
            record.record_id, opened, leaf, record.leaf_index, path, checkpoint
        )
        shown = orjson.loads(opened.event).get("notice")
        notice = (
            self._notice((shown["notice_id"], shown["version"], shown["language"]))
            if shown
            else None
        )
        return Exhibit(record, opened, receipt, notice)

    def _log(self, epoch: int) -> tuple[Head, Nodes, str]:
        if epoch not in self._logs:
            head = ledger.read_head(self._connection, self._site_id, epoch)
            nodes = Nodes(self._connection, head)
            self._logs[epoch] = head, nodes, self._keyring.checkpoint(head)
        return self._logs[epoch]

    def _notice(self, place: Place) -> Published | None:
        if place not in self._notices:
            self._notices[place] = store.find_notice(self._connection, self._site_id, place)
        return self._notices[place]
