"""Whether the records of a site accord with its log: opened, committed to again, column by column.

Takes a connection; reads only. Raises LedgerDamaged at the first entry that is not in order.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, select

from consent.choices.record import commit, leaf
from consent.errors import LedgerDamaged, VaultUnreadable
from consent.proofs.disclosure import record_of
from consent.records.filing import Filed, record_row
from consent.sealing.keyring import Keyring
from consent.sealing.vault import DataKey
from consent.tables import RECORD, RECORD_PURPOSE, SUBJECT

Shown = tuple[str, int, str]
"""A notice, its version and its language."""

Digests = tuple[str, str]


class _Wrong(Exception):
    """What is wrong with a record; its place is known further up."""


_Decided = dict[tuple[str, str], dict[str, int]]
"""What a page decides: under each purpose and decision, which record at which index."""


class Accord:
    """Checks the records of one site, page by page of its log; counts what it finds."""

    def __init__(
        self,
        connection: Connection,
        keyring: Keyring,
        site_id: str,
        *,
        notices: Mapping[Shown, Digests],
        banners: Container[str],
        erased: Container[str],
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self._site_id = site_id
        self._notices = notices
        self._banners = banners
        self._erased = erased
        self.opened = 0
        self.gone = 0
        self._decided = 0

    def check(self, epoch: int, first: int, leaves: Sequence[bytes]) -> None:
        """Check the records of a page of entries."""
        ids = [record_of(entry) for entry in leaves]
        asked = {"site_id": self._site_id, "record_ids": [one for one in ids if one is not None]}
        rows = {row.record_id: row for row in self._connection.execute(_RECORDS, asked)}
        refs = {row.subject_ref for row in rows.values()}
        keys = _Keys(self._connection, self._keyring, self._site_id, refs)
        decided: _Decided = {}
        damage = None
        for index, (record_id, entry) in enumerate(zip(ids, leaves, strict=True), first):
            try:
                row = rows.get(record_id or "")
                if self._is_erased(record_id, row):
                    self.gone += 1
                else:
                    event = self._check_record(epoch, index, entry, row, keys)
                    for made in event.get("decisions", ()):
                        group = decided.setdefault((made["purpose_id"], made["decision"]), {})
                        group[event["record_id"]] = index
                    self.opened += 1
            except _Wrong as wrong:
                damage = LedgerDamaged("record", str(wrong), epoch=epoch, index=index)
                break
        self._check_decided(epoch, decided)
        if damage is not None:
            raise damage

    def _is_erased(self, record_id: str | None, row: object) -> bool:
        """Whether of an entry there is, rightly, no record."""
        named = record_id in self._erased
        if row is None and not named:
            raise _Wrong("expected its record, or a tombstone that names it, got neither")
        if row is not None and named:
            raise _Wrong("expected its record to be gone, as a tombstone says, it is there")
        return named

    def _check_record(
        self,
        epoch: int,
        index: int,
        entry: bytes,
        row: Any,  # noqa: ANN401 - a row of RECORD's columns
        keys: "_Keys",
    ) -> Mapping[str, Any]:
        try:
            sealed = bytes(row.sealed)
            opened = keys.get(row.subject_ref).open(self._site_id, row.record_id, sealed)
        except (TypeError, VaultUnreadable) as error:
            raise _Wrong(f"expected a record that opens: {error}") from error
        event: Mapping[str, Any] = orjson.loads(opened.event)
        commitment = commit(opened.salt, opened.event)
        if leaf(row.record_id, str(event.get("received_at")), commitment) != entry:
            raise _Wrong("expected the entry that its event and salt make, got another")
        made = record_row(self._site_id, Filed(event, sealed, epoch, index))
        for name, expected in zip(RECORD.c.keys(), made, strict=True):
            if name != "sealed" and getattr(row, name) != expected:
                raise _Wrong(f"expected the column {name} to say what the event does, it does not")
        shown = event.get("notice")
        if shown is not None:
            known = self._notices.get((shown["notice_id"], shown["version"], shown["language"]))
            if known != (shown["text_sha256"], shown["material_sha256"]):
                raise _Wrong("expected a stored notice of the digests shown, got another or none")
            if "ui_sha256" in shown and shown["ui_sha256"] not in self._banners:
                raise _Wrong("expected the archived banner that was shown, it is gone")
        return event

    def _check_decided(self, epoch: int, decided: _Decided) -> None:
        """Check that what a page decides is found by a search for it."""
        missing: list[int] = []
        for (purpose, decision), records in decided.items():
            asked = {"site_id": self._site_id, "purpose": purpose, "decision": decision}
            found = self._connection.scalars(_DECIDED, {**asked, "record_ids": list(records)})
            missing += [records[record_id] for record_id in records.keys() - set(found)]
            self._decided += len(records)
        if missing:
            finding = "expected its decisions among those that are searched, they are not"
            raise LedgerDamaged("index", finding, epoch=epoch, index=min(missing))

    def check_nothing_else(self) -> None:
        """Check that no record and no decision is stored that no entry is of.

        Raises LedgerDamaged.
        """
        asked = {"site_id": self._site_id}
        records = self._connection.execute(_COUNT_RECORDS, asked).scalar_one()
        if records != self.opened:
            raise LedgerDamaged(
                "record", f"expected the {self.opened} records of entries, got {records}"
            )
        decided = self._connection.execute(_COUNT_DECIDED, asked).scalar_one()
        if decided != self._decided:
            raise LedgerDamaged(
                "index", f"expected the {self._decided} decisions of records, got {decided}"
            )


class _Keys:
    """The data keys of a page's subjects, each unwrapped when it is first needed."""

    def __init__(
        self, connection: Connection, keyring: Keyring, site_id: str, refs: set[str]
    ) -> None:
        self._keyring = keyring
        self._site_id = site_id
        rows = connection.execute(_WRAPPED, {"site_id": site_id, "refs": sorted(refs)})
        self._wrapped = {ref: (version, wrapped) for ref, version, wrapped in rows}
        self._keys: dict[str, DataKey] = {}

    def get(self, ref: str) -> DataKey:
        """Return the key of a subject. Raises VaultUnreadable, TypeError where it is no bytes."""
        if ref not in self._keys:
            version, wrapped = self._wrapped.get(ref, (0, b""))
            if not wrapped:
                raise VaultUnreadable("expected its subject's key, it is gone")
            self._keys[ref] = self._keyring.unwrap(self._site_id, ref, version, bytes(wrapped))
        return self._keys[ref]


_RECORDS = select(RECORD).where(
    RECORD.c.site_id == bindparam("site_id"),
    RECORD.c.record_id.in_(bindparam("record_ids", expanding=True)),
)
_WRAPPED = select(SUBJECT.c.subject_ref, SUBJECT.c.key_version, SUBJECT.c.wrapped).where(
    SUBJECT.c.site_id == bindparam("site_id"),
    SUBJECT.c.subject_ref.in_(bindparam("refs", expanding=True)),
)
_DECIDED = select(RECORD_PURPOSE.c.record_id).where(
    RECORD_PURPOSE.c.site_id == bindparam("site_id"),
    RECORD_PURPOSE.c.purpose_id == bindparam("purpose"),
    RECORD_PURPOSE.c.decision == bindparam("decision"),
    RECORD_PURPOSE.c.record_id.in_(bindparam("record_ids", expanding=True)),
)
_COUNT_RECORDS = (
    select(func.count()).select_from(RECORD).where(RECORD.c.site_id == bindparam("site_id"))
)
_COUNT_DECIDED = (
    select(func.count())
    .select_from(RECORD_PURPOSE)
    .where(RECORD_PURPOSE.c.site_id == bindparam("site_id"))
)
