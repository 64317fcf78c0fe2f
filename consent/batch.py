"""A site's part of one transaction: events sealed, committed to, appended and proved together."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from consent import ledger, store
from consent.checkpoint import format_proof
from consent.choice import SUBJECTLESS
from consent.keeping import Kept
from consent.keyring import Keyring
from consent.projection import Standing, follow
from consent.record import SALT_BYTES, Json, commit, encode, leaf
from consent.store import Rows, Subject
from consent.tables import RECORD, RECORD_PURPOSE
from consent.vault import DataKey, Opened

SITE = "site"
"""Stands for the site itself where a subject's pseudonym would: its own events are sealed so."""


class Receipt(NamedTuple):
    """Everything that a visitor needs to prove what was recorded; *event* is canonical JSON."""

    record_id: str
    event: bytes
    salt: bytes
    leaf: bytes
    leaf_index: int
    proof: str


class Closed(NamedTuple):
    """What a batch came to: a receipt an event, and the signed tree they are proved in."""

    receipts: list[Receipt]
    tree_size: int
    signature: bytes


class _Entered(NamedTuple):
    """An event on its way into the log."""

    subject_ref: str
    event: Mapping[str, Any]
    opened: Opened
    leaf: bytes
    sealed: bytes


class Batch:
    """Events that enter one log together: one append, one checkpoint.

    Making one locks the log's head until the transaction ends, before anything else is read:
    whoever waits for it must see what the one before has written.
    """

    def __init__(self, rows: Rows, keyring: Keyring, site_id: str) -> None:
        self._rows = rows
        self._keyring = keyring
        self._site_id = site_id
        self._ask_head = ledger.lock_head(rows, site_id)
        self._subjects: dict[str, Subject] = {}
        self._keys: dict[str, tuple[DataKey, int, bytes]] = {}
        self._changed: dict[str, Standing] = {}
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

    @property
    def head(self) -> ledger.Head:
        """The head that this batch builds on."""
        return self._head

    def know(self, subjects: Mapping[str, Subject]) -> None:
        """Take in the subjects that were read for this batch."""
        self._subjects.update(subjects)

    def know_links(self) -> None:
        """Read the subjects that known ones are linked with: a no of one is a no of both."""
        links = {link for known in self._subjects.values() for link in known.standing.links}
        unknown = sorted(links - self._subjects.keys())
        if unknown:
            self.know(store.ask_subjects(self._rows, self._site_id, unknown)())

    def standing(self, ref: str) -> Standing | None:
        """Return where a known subject stands, this batch's events included."""
        changed = self._changed.get(ref)
        if changed is not None:
            return changed
        subject = self._subjects.get(ref)
        return None if subject is None else subject.standing

    def restricted(self, ref: str) -> bool:
        """Whether processing is restricted for a known subject."""
        subject = self._subjects.get(ref)
        return subject is not None and subject.restricted_until is not None

    def change(self, ref: str, standing: Standing) -> None:
        """Set where a known subject stands, for what is no event of their own."""
        self._changed[ref] = standing

    def enter(self, ref: str, content: Mapping[str, Json]) -> None:
        """Seal an event under the key of *ref* and queue it for the log."""
        record_id, received_at = str(content["record_id"]), str(content["received_at"])
        opened = Opened(self._keyring.random(SALT_BYTES), encode(content))
        entered = _Entered(
            ref,
            content,
            opened,
            leaf(record_id, received_at, commit(opened.salt, opened.event)),
            self._key(ref).seal(self._site_id, record_id, opened, self._keyring.random),
        )
        index = self._head.frontier.size + len(self._entered)
        if content["event_type"] in SUBJECTLESS:
            self._changed[ref] = self.standing(ref) or Standing()
        else:
            position = ledger.position(self._head.epoch, index)
            self._changed.update(follow(self.standing, ref, content, position))
        self._entered.append(entered)

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
        self._store()
        head = appended.head
        verifier = self._keyring.signer(head.site_id, head.epoch, head.origin).verifier
        checkpoint = verifier.render(head.frontier.size, head.root, head.signature)
        size = head.frontier.size
        kept = Kept(head.site_id, head.epoch, head.origin, size, head.root, checkpoint)
        self._rows.afterwards(partial(self._keyring.keeping.keep, kept))
        first = self._head.frontier.size
        receipts = [
            Receipt(
                str(entered.event["record_id"]),
                entered.opened.event,
                entered.opened.salt,
                entered.leaf,
                first + offset,
                format_proof(first + offset, path, checkpoint, extra=entered.leaf),
            )
            for offset, (entered, path) in enumerate(
                zip(self._entered, appended.extension.inclusion_proofs(), strict=True)
            )
        ]
        return Closed(receipts, head.frontier.size, head.signature)

    def _store(self) -> None:
        first = self._head.frontier.size
        self._rows.insert(
            RECORD,
            [self._row(entered, first + offset) for offset, entered in enumerate(self._entered)],
        )
        self._rows.insert(
            RECORD_PURPOSE,
            [
                (
                    self._site_id,
                    made["purpose_id"],
                    made["decision"],
                    str(entered.event["record_id"]),
                )
                for entered in self._entered
                for made in entered.event.get("decisions", ())
            ],
        )
        store.put_subjects(
            self._rows,
            [
                (self._site_id, ref, *self._wrapped(ref), standing.to_json())
                for ref, standing in self._changed.items()
            ],
        )

    def _row(self, entered: _Entered, leaf_index: int) -> tuple[Any, ...]:
        event = entered.event
        notice: Mapping[str, Any] = event.get("notice", {})
        decided = {made["purpose_id"]: made["decision"] for made in event.get("decisions", ())}
        return (
            self._site_id,
            event["record_id"],
            self._head.epoch,
            leaf_index,
            event["received_at"],
            entered.subject_ref,
            event["event_type"],
            event["method"],
            orjson.dumps(decided).decode(),
            notice.get("notice_id"),
            notice.get("version"),
            entered.sealed,
        )

    def _wrapped(self, ref: str) -> tuple[int, bytes]:
        """Return the version and the wrapped key of a subject whose row is written."""
        self._key(ref)
        return self._keys[ref][1:]

    def _key(self, ref: str) -> DataKey:
        known = self._keys.get(ref)
        if known is not None:
            return known[0]
        subject = self._subjects.get(ref)
        if subject is not None and subject.wrapped:
            version, wrapped = subject.key_version, subject.wrapped
            key = self._keyring.unwrap(self._site_id, ref, version, wrapped)
        else:
            key = DataKey.made(self._keyring.random)
            version, wrapped = self._keyring.wrap(self._site_id, ref, key)
        self._keys[ref] = (key, version, wrapped)
        return key
