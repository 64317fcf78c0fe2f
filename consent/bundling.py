"""Evidence out: a site's logs with what can be opened of them, as a stream of bounded memory.

Entries never change, so they are read page by page up to a head that was read once; a record
that is erased meanwhile is in the bundle as its entry alone.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from io import RawIOBase
from typing import Any, BinaryIO, Protocol, cast

from sqlalchemy import Connection, Select, and_, bindparam, or_, select, true

from consent import ledger, store
from consent.archive import (
    NOTICES,
    README,
    ArchiveWriter,
    BannerPart,
    LogPart,
    Manifest,
    log_file,
)
from consent.checkpoint import Signer
from consent.choice import SUBJECTLESS, SubjectKind
from consent.disclosure import notice_line, record_line, record_of
from consent.errors import EvidenceInvalid
from consent.keyring import Keyring
from consent.ledger import Head
from consent.record import instant
from consent.tables import BANNER, ENTRY, RECORD, SUBJECT
from consent.vault import DataKey, Opened

PAGE = 1000


class Reading(Protocol):
    """Lends connections that only read."""

    def read(self) -> AbstractContextManager[Connection]:
        """Lend a connection."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are opened: received from *since* to before *until*, of these subjects.

    Tombstones are always opened: they name nobody, and say why others are not.
    """

    since: str | None = None
    until: str | None = None
    subject_refs: tuple[str, ...] | None = None

    def told(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        members = {"since": self.since, "until": self.until, "subject_refs": self.subject_refs}
        return {name: member for name, member in members.items() if member is not None}


class _Outgoing(RawIOBase):
    """Collects what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:  # noqa: ANN401 - whatever has bytes
        part = bytes(content)
        self._parts.append(part)
        return len(part)

    def take(self) -> Iterator[bytes]:
        """Yield what was written since, if anything was."""
        parts, self._parts = self._parts, []
        if parts:
            yield b"".join(parts)


class Bundling:
    """The use case of an auditor who wants proof to take along."""

    def __init__(
        self, *, keyring: Keyring, reading: Reading, clock: Callable[[], datetime], made_by: str
    ) -> None:
        self._keyring = keyring
        self._reading = reading
        self._clock = clock
        self._made_by = made_by

    def select(
        self,
        site_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        subject: tuple[SubjectKind, str] | None = None,
    ) -> Selection:
        """Select records by period and subject. Raises SubjectInvalid."""
        return Selection(
            None if since is None else instant(since),
            None if until is None else instant(until),
            None if subject is None else tuple(self._keyring.refs(site_id, *subject)),
        )

    def bundle(
        self,
        site_id: str,
        selection: Selection = Selection(),
        *,
        epoch: int | None = None,
        told: Callable[[int], None] = lambda _: None,
    ) -> Iterator[bytes]:
        """Write the evidence of one log of a site, or of all of them, part by part.

        *told* takes how many entries went in. Raises LogNotFound before anything is written,
        EvidenceInvalid where the database does not hold what was signed.
        """
        with self._reading.read() as connection:
            heads = ledger.list_heads(connection, site_id)
            if epoch is not None:
                heads = [ledger.read_head(connection, site_id, epoch)]
        return _Bundle(self._keyring, self._reading, site_id, selection, told).write(
            heads, instant(self._clock()), self._made_by
        )


class _Bundle:
    def __init__(
        self,
        keyring: Keyring,
        reading: Reading,
        site_id: str,
        selection: Selection,
        told: Callable[[int], None],
    ) -> None:
        self._keyring = keyring
        self._reading = reading
        self._site_id = site_id
        self._selection = selection
        self._told = told
        self._records = _selected(site_id, selection)
        self._outgoing = _Outgoing()
        self._archive = ArchiveWriter(cast("BinaryIO", self._outgoing))
        self._entries = 0

    def write(self, heads: Sequence[Head], made: str, made_by: str) -> Iterator[bytes]:
        readme = files("consent").joinpath("evidence.txt").read_bytes()
        self._archive.add(README, readme)
        with self._reading.read() as connection:
            notices = self._add_notices(connection)
            banners = tuple(self._list_banners(connection))
        for banner in banners:
            self._add_banner(banner)
            yield from self._outgoing.take()
        logs = []
        for head in heads:
            log = yield from self._log(head)
            logs.append(log)
        manifest = Manifest(
            site=self._site_id,
            made=made,
            made_by=made_by,
            selection=self._selection.told(),
            notices=notices,
            banners=banners,
            logs=tuple(logs),
        )
        self._archive.close(manifest, self._signer(heads[-1]).sign_note)
        yield from self._outgoing.take()

    def _signer(self, head: Head) -> Signer:
        return self._keyring.signer(head.site_id, head.epoch, head.origin)

    def _add_notices(self, connection: Connection) -> int:
        notices = store.list_notices(connection, self._site_id)
        with self._archive.file(NOTICES) as write:
            for item in notices:
                write(
                    notice_line(
                        item.notice,
                        version=item.version,
                        published=item.published,
                        text_sha256=item.text_sha256,
                        material_sha256=item.material_sha256,
                    )
                )
        return len(notices)

    def _list_banners(self, connection: Connection) -> Iterator[BannerPart]:
        rows = connection.execute(
            select(BANNER.c.ui_sha256, BANNER.c.media_type, BANNER.c.archived)
            .where(BANNER.c.site_id == self._site_id)
            .order_by(BANNER.c.ui_sha256)
        )
        return (BannerPart(*row) for row in rows)

    def _add_banner(self, banner: BannerPart) -> None:
        with self._reading.read() as connection:
            found = store.find_banner(connection, self._site_id, banner.ui_sha256)
        if found is None:
            raise EvidenceInvalid("banner", f"expected the banner {banner.ui_sha256}, it is gone")
        self._archive.add(f"banners/{banner.ui_sha256}", found.content)

    # -- one log ------------------------------------------------------------------------------

    def _log(self, head: Head) -> Generator[bytes, None, LogPart]:
        epoch, size = head.epoch, head.frontier.size
        verifier = self._signer(head).verifier
        self._archive.add(log_file(epoch, "vkey"), f"{verifier.vkey}\n".encode())
        checkpoint = verifier.render(size, head.root, head.signature)
        self._archive.add(log_file(epoch, "checkpoint"), checkpoint.encode())
        with self._archive.file(log_file(epoch, "entries.jsonl")) as write:
            for _, entries in self._pages(head):
                write(b"".join([entry + b"\n" for entry in entries]))
                yield from self._outgoing.take()
        records = 0
        with self._archive.file(log_file(epoch, "records.jsonl")) as write:
            for first, entries in self._pages(head):
                opened = self._open(entries)
                for index, entry in enumerate(entries, first):
                    record = opened.get(record_of(entry))
                    if record is not None:
                        write(record_line(index, record))
                        records += 1
                yield from self._outgoing.take()
                self._entries += len(entries)
                self._told(self._entries)
        return LogPart(epoch, head.origin, verifier.vkey, size, records)

    def _pages(self, head: Head) -> Iterator[tuple[int, list[bytes]]]:
        """Go through the entries of a log, up to what its head has signed."""
        for first in range(0, head.frontier.size, PAGE):
            stop = min(first + PAGE, head.frontier.size)
            with self._reading.read() as connection:
                rows = connection.execute(
                    _ENTRIES,
                    {"site_id": self._site_id, "epoch": head.epoch, "first": first, "stop": stop},
                ).all()
            for expected, (index, entry) in enumerate(rows, first):
                if index != expected or b"\n" in entry:
                    raise EvidenceInvalid(
                        "entries",
                        f"expected entry {expected} on one line, got entry {index}",
                        epoch=head.epoch,
                        index=expected,
                    )
            if len(rows) != stop - first:
                raise EvidenceInvalid(
                    "entries",
                    f"expected {head.frontier.size} as signed, there are fewer",
                    epoch=head.epoch,
                    index=first + len(rows),
                )
            yield first, [bytes(entry) for _, entry in rows]

    def _open(self, entries: Sequence[bytes]) -> dict[str | None, Opened]:
        """Open those records of a page that are asked for and not erased."""
        with self._reading.read() as connection:
            rows = connection.execute(
                self._records, {"record_ids": [record_of(entry) for entry in entries]}
            ).all()
            keys = self._keys(connection, {row.subject_ref for row in rows})
        return {
            row.record_id: keys[row.subject_ref].open(
                self._site_id, row.record_id, bytes(row.sealed)
            )
            for row in rows
            if row.subject_ref in keys
        }

    def _keys(self, connection: Connection, refs: Iterable[str]) -> dict[str, DataKey]:
        """Unwrap the data keys of subjects; of those who were erased there is none."""
        rows = connection.execute(_KEYS, {"site_id": self._site_id, "refs": list(refs)})
        return {
            ref: self._keyring.unwrap(self._site_id, ref, version, bytes(wrapped))
            for ref, version, wrapped in rows
            if wrapped
        }


_ENTRIES = (
    select(ENTRY.c.leaf_index, ENTRY.c.leaf)
    .where(
        ENTRY.c.site_id == bindparam("site_id"),
        ENTRY.c.epoch == bindparam("epoch"),
        ENTRY.c.leaf_index >= bindparam("first"),
        ENTRY.c.leaf_index < bindparam("stop"),
    )
    .order_by(ENTRY.c.leaf_index)
)
_KEYS = select(SUBJECT.c.subject_ref, SUBJECT.c.key_version, SUBJECT.c.wrapped).where(
    SUBJECT.c.site_id == bindparam("site_id"),
    SUBJECT.c.subject_ref.in_(bindparam("refs", expanding=True)),
)


def _selected(site_id: str, selection: Selection) -> Select[Any]:
    """Return the question for those records of a page that are selected."""
    asked = []
    if selection.since is not None:
        asked.append(RECORD.c.received_at >= selection.since)
    if selection.until is not None:
        asked.append(RECORD.c.received_at < selection.until)
    if selection.subject_refs is not None:
        asked.append(RECORD.c.subject_ref.in_(selection.subject_refs))
    return select(RECORD.c.record_id, RECORD.c.subject_ref, RECORD.c.sealed).where(
        RECORD.c.site_id == site_id,
        RECORD.c.record_id.in_(bindparam("record_ids", expanding=True)),
        or_(RECORD.c.event_type.in_(SUBJECTLESS), and_(true(), *asked)),
    )
