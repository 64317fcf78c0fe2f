"""What auditors ask: which records there are, one of them proved, all of them in their order."""

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from consent.choices.choice import SUBJECTLESS, Decision, SubjectKind
from consent.database import Reading
from consent.records.batch import Receipt
from consent.records.exhibit import Exhibits
from consent.records.history import (
    START,
    Entry,
    History,
    Position,
    Step,
    get_record,
    read_ends,
    read_vault,
)
from consent.records.search import Filter, Listed, list_records
from consent.sealing.keyring import Keyring
from consent.sealing.vault import Opened
from consent.store import Published


class File(Protocol):
    """What a history is written as: *head*, then what each part of it comes to."""

    @property
    def head(self) -> bytes:
        """What stands before everything."""
        ...

    def write(self, entries: Sequence[Entry]) -> bytes:
        """Return what some entries come to."""
        ...


class Found(NamedTuple):
    """A record that was searched for; *opened* where that was asked and its key is still there."""

    record: Listed
    opened: Opened | None = None
    restricted_until: str | None = None


class Proved(NamedTuple):
    """One record with all that proves it, and the notice that was shown, where there was one."""

    found: Found
    receipt: Receipt
    notice: Published | None


class Auditing:
    """The use cases of an auditor; all but the change feed read whole events."""

    def __init__(self, *, keyring: Keyring, reading: Reading) -> None:
        self._keyring = keyring
        self._reading = reading

    def refs(self, site_id: str, kind: SubjectKind, subject_id: str) -> list[str]:
        """Return every pseudonym of a subject. Raises SubjectInvalid."""
        return self._keyring.refs(site_id, kind, subject_id)

    async def search(
        self, site_id: str, wanted: Filter, *, before: str | None, limit: int, opening: bool
    ) -> tuple[list[Found], str | None]:
        """Return records, newest first, and what the next page begins below.

        Raises VaultUnreadable.
        """

        def ask(connection: Connection) -> tuple[list[Found], str | None]:
            page = list_records(connection, site_id, wanted, before=before, limit=limit)
            if not opening:
                return [Found(record) for record in page.records], page.following
            ids = [record.record_id for record in page.records]
            vault = read_vault(connection, self._keyring, site_id, ids)
            return [
                Found(record, kept.open(), kept.restricted_until)
                if (kept := vault.get(record.record_id))
                else Found(record)
                for record in page.records
            ], page.following

        return await self._reading.query(ask)

    async def get(self, site_id: str, record_id: str) -> Proved:
        """Return one record, proved in the log as it stands now.

        Raises RecordNotFound, RecordErased and VaultUnreadable.
        """
        return await self._reading.query(
            lambda connection: self._prove(connection, site_id, record_id)
        )

    async def changes(self, site_id: str, after: Position, *, limit: int) -> Step:
        """Return what entered the ledger after a position, in its order. Raises LogNotFound.

        Only what names other records, or gives something, is opened. What does not open is told
        of as unreadable: who follows must hear of what comes after it.
        """

        def ask(connection: Connection) -> Step:
            history = History(connection, self._keyring, site_id, opening=_says_more, lenient=True)
            return history.read(connection, after, limit=limit)

        return await self._reading.query(ask)

    async def ends(self, site_ids: Sequence[str]) -> dict[str, Position]:
        """Return where the histories of sites end as yet; of those that have one."""
        return await self._reading.query(lambda connection: read_ends(connection, site_ids))

    async def export(self, site_id: str, wanted: Filter, file: File) -> AsyncGenerator[bytes, None]:
        """Write the history up to now, part by part; every record it tells of is opened.

        Raises LogNotFound and VaultUnreadable.
        """
        history = await self._reading.query(
            lambda connection: History(connection, self._keyring, site_id)
        )
        following = file.head

        def read_on(connection: Connection) -> tuple[bytes, Position, bool]:
            step = history.read(connection, position, wanted=wanted)
            return file.write(step.entries), step.position, step.ended

        position, ended = START, False
        while not ended:
            lines, position, ended = await self._reading.query(read_on)
            yield following + lines
            following = b""

    def _prove(self, connection: Connection, site_id: str, record_id: str) -> Proved:
        kept = get_record(connection, self._keyring, site_id, record_id)
        shown = Exhibits(connection, self._keyring, site_id).show(kept)
        return Proved(
            Found(kept.record, shown.opened, kept.restricted_until), shown.receipt, shown.notice
        )


def _says_more(record: Listed) -> bool:
    """Whether an event names other records, or may name the only vendors that a yes is about."""
    return record.event_type in SUBJECTLESS or _GIVEN in record.decisions


_GIVEN = f':"{Decision.GIVEN}"'
