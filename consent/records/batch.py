"""A site's part of one transaction: events sealed, committed to, appended and proved together."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple, Self

from consent.choices.record import SALT_BYTES, Json, commit, encode, leaf
from consent.database import Rows
from consent.log import ledger
from consent.log.checkpoint import format_proof
from consent.log.keeping import Kept
from consent.records.filing import Filing
from consent.sealing.keyring import Keyring
from consent.sealing.vault import Opened


class Receipt(NamedTuple):
    """Everything that a visitor needs to prove what was recorded; *event* is canonical JSON."""

    record_id: str
    event: bytes
    salt: bytes
    leaf: bytes
    leaf_index: int
    proof: str

    @classmethod
    def proved(
        cls,
        record_id: str,
        opened: Opened,
        leaf: bytes,
        leaf_index: int,
        path: Iterable[bytes],
        checkpoint: str,
    ) -> Self:
        """Return the receipt of a record whose leaf *path* joins to the root of *checkpoint*."""
        proof = format_proof(leaf_index, path, checkpoint, extra=leaf)
        return cls(record_id, opened.event, opened.salt, leaf, leaf_index, proof)


class Closed(NamedTuple):
    """What a batch came to: a receipt an event, and the signed tree they are proved in."""

    receipts: list[Receipt]
    tree_size: int
    signature: bytes


class _Entered(NamedTuple):
    """An event on its way into the log."""

    record_id: str
    opened: Opened
    leaf: bytes


class Batch(Filing):
    """Events that enter one log together: one append, one checkpoint.

    Making one locks the log's head until the transaction ends, before anything else is read:
    whoever waits for it must see what the one before has written.
    """

    def __init__(self, rows: Rows, keyring: Keyring, site_id: str) -> None:
        super().__init__(rows, keyring, site_id)
        self._ask_head = ledger.lock_head(rows, site_id)
        self._entered: list[_Entered] = []

    def begin(self) -> None:
        """Read the locked head.

        Raises LogNotFound where no notice was published yet, LogBehind where the log is older
        than what its key has signed.
        """
        self._head = head = self._ask_head()
        kept = self._keyring.keeping.newest(self._site_id)
        if kept is not None:
            kept.check_reached(head.epoch, head.frontier.size, head.root)

    def enter(self, content: Mapping[str, Json]) -> None:
        """Seal an event under the key of its owner and queue it for the log."""
        record_id, received_at = str(content["record_id"]), str(content["received_at"])
        opened = Opened(self._keyring.random(SALT_BYTES), encode(content))
        entry = leaf(record_id, received_at, commit(opened.salt, opened.event))
        index = self._head.frontier.size + len(self._entered)
        self.file(content, opened, epoch=self._head.epoch, leaf_index=index)
        self._entered.append(_Entered(record_id, opened, entry))

    def close(self) -> Closed:
        """Append and store what was entered, in order; the transaction's commit makes it last."""
        if not self._entered:
            return Closed([], self._head.frontier.size, self._head.signature)
        appended = ledger.append(
            self._rows,
            self._head,
            [entered.leaf for entered in self._entered],
            self._keyring.signer,
        )
        self.store()
        head = appended.head
        checkpoint = self._keyring.checkpoint(head)
        size = head.frontier.size
        kept = Kept(head.site_id, head.epoch, head.origin, size, head.root, checkpoint)
        self._rows.afterwards(partial(self._keyring.keeping.keep, kept))
        receipts = [
            Receipt.proved(*entered, index, path, checkpoint)
            for index, (entered, path) in enumerate(
                zip(self._entered, appended.extension.inclusion_proofs(), strict=True),
                self._head.frontier.size,
            )
        ]
        return Closed(receipts, size, head.signature)
