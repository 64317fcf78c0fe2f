"""What is held about a person, all of it, for them to read (GDPR Art. 15)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from consent.choices.choice import SubjectKind
from consent.choices.projection import Standing
from consent.choices.record import instant
from consent.database import Reading
from consent.errors import SubjectNotFound
from consent.records.exhibit import Exhibit, Exhibits
from consent.records.history import read_vault
from consent.records.membership import among, members
from consent.sealing.keyring import Keyring
from consent.tables import IDEMPOTENCY, RECORD, SUBJECT


class Account(NamedTuple):
    """What is held under one pseudonym; *keys* are its requests' idempotency keys, by record."""

    subject_ref: str
    standing: Standing
    restricted_until: str | None
    exhibits: Sequence[Exhibit]
    keys: Mapping[str, str]


class Held(NamedTuple):
    """What a site holds about a person at that instant."""

    site_id: str
    as_of: str
    accounts: Sequence[Account]


class Accessing:
    """The use case of access."""

    def __init__(
        self, *, keyring: Keyring, reading: Reading, clock: Callable[[], datetime]
    ) -> None:
        self._keyring = keyring
        self._reading = reading
        self._clock = clock

    async def export(
        self, site_id: str, kind: SubjectKind, subject_id: str, *, linked: bool = False
    ) -> Held:
        """Return everything held about a subject, under every pseudonym.

        *linked* adds those whom the subject was linked with, near or far.
        Raises SubjectInvalid, SubjectNotFound and VaultUnreadable.
        """
        refs = self._keyring.refs(site_id, kind, subject_id)

        def read(connection: Connection) -> list[Account]:
            return self._accounts(connection, site_id, refs, linked=linked)

        accounts = await self._reading.query(read)
        if not accounts:
            raise SubjectNotFound(
                "expected a subject of whom this site holds something, got another"
            )
        return Held(site_id, instant(self._clock()), accounts)

    def _accounts(
        self, connection: Connection, site_id: str, refs: Sequence[str], *, linked: bool
    ) -> list[Account]:
        exhibits = Exhibits(connection, self._keyring, site_id)
        accounts: list[Account] = []
        waiting, seen = list(refs), set(refs)
        while waiting:
            found = self._account(connection, exhibits, site_id, waiting.pop(0))
            if found is None:
                continue
            accounts.append(found)
            if linked:
                waiting += [link for link in found.standing.links if link not in seen]
                seen.update(found.standing.links)
        return accounts

    def _account(
        self, connection: Connection, exhibits: Exhibits, site_id: str, ref: str
    ) -> Account | None:
        row = connection.execute(_SUBJECT, {"site_id": site_id, "ref": ref}).first()
        if row is None:
            return None
        ids = list(connection.execute(_RECORDS, {"site_id": site_id, "ref": ref}).scalars())
        vault = read_vault(connection, self._keyring, site_id, ids)
        keys = connection.execute(_KEYS, {"site_id": site_id, "record_ids": members(ids)})
        return Account(
            ref,
            Standing.from_json(row.standing),
            row.restricted_until,
            # What was erased meanwhile is held no longer.
            [exhibits.show(vault[record_id]) for record_id in ids if record_id in vault],
            {record_id: key for record_id, key in keys},  # noqa: C416 - a row is no pair to dict()
        )


_SUBJECT = select(SUBJECT.c.standing, SUBJECT.c.restricted_until).where(
    SUBJECT.c.site_id == bindparam("site_id"), SUBJECT.c.subject_ref == bindparam("ref")
)
_RECORDS = (
    select(RECORD.c.record_id)
    .where(RECORD.c.site_id == bindparam("site_id"), RECORD.c.subject_ref == bindparam("ref"))
    .order_by(RECORD.c.epoch, RECORD.c.leaf_index)
)
_KEYS = select(IDEMPOTENCY.c.record_id, IDEMPOTENCY.c.key).where(
    IDEMPOTENCY.c.site_id == bindparam("site_id"),
    among(IDEMPOTENCY.c.record_id, "record_ids"),
)
