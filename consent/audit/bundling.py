"""Evidence out: a site's logs with what can be opened of them, as a stream of bounded memory.

Entries never change, so they are read page by page up to a head that was read once; a record
that is erased meanwhile is in the bundle as its entry alone.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from importlib.resources import files
from itertools import zip_longest
from typing import BinaryIO, Protocol, cast

from sqlalchemy import Connection, bindparam, or_, select

from consent import store
from consent.choices.choice import SUBJECTLESS
from consent.choices.projection import UNWHOLE, Standing
from consent.choices.record import instant
from consent.errors import CheckpointInvalid, EvidenceInvalid
from consent.log import ledger
from consent.log.checkpoint import Verifier
from consent.log.ledger import Head
from consent.proofs.archive import (
    NOTICES,
    README,
    REMEMBERED,
    ArchiveWriter,
    BannerPart,
    LogPart,
    Manifest,
    log_file,
)
from consent.proofs.disclosure import (
    Remembered,
    notice_line,
    record_line,
    record_of,
    remembered_line,
)
from consent.records.history import Kept, read_vault
from consent.records.search import Filter, Listed, read_records
from consent.sealing.keyring import Keyring
from consent.tables import BANNER, SUBJECT

PAGE = 1000
MOST_OLDER = 64
EVERYTHING = Filter()


Histories = Callable[[str, int], Iterable[str]]
"""Answers the checkpoints of a site's epoch that were kept, whatever they are."""


class Reading(Protocol):
    """Lends connections that only read."""

    def read(self) -> AbstractContextManager[Connection]:
        """Lend a connection."""
        ...


class _Outgoing:
    """Collects what is written until it is taken; no file, so that a bundle may be abandoned."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: bytes) -> int:
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Do nothing: what was written is there."""

    def take(self) -> Iterator[bytes]:
        """Yield what was written since, if anything was."""
        parts, self._parts = self._parts, []
        if parts:
            yield b"".join(parts)


class Bundling:
    """The use case of an auditor who wants proof to take along."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        reading: Reading,
        clock: Callable[[], datetime],
        made_by: str,
        histories: Histories = lambda _site, _epoch: [],
    ) -> None:
        self._keyring = keyring
        self._reading = reading
        self._clock = clock
        self._made_by = made_by
        self._histories = histories

    def bundle(
        self,
        site_id: str,
        wanted: Filter = EVERYTHING,
        *,
        epoch: int | None = None,
        moving: bool = False,
        told: Callable[[int], None] = lambda _: None,
    ) -> Iterator[bytes]:
        """Write the evidence of one log of a site, or of all of them, part by part.

        All entries are in it, and of the records those that are *wanted*. Tombstones are always
        opened: they name nobody, and say why others are not. *moving* adds what is remembered
        of subjects without their records, for an installation that takes all of it in. *told*
        takes how many entries went in. Raises LogNotFound before anything is written,
        EvidenceInvalid where the database does not hold what was signed.
        """
        with self._reading.read() as connection:
            heads = ledger.list_heads(connection, site_id)
            if epoch is not None:
                heads = [ledger.read_head(connection, site_id, epoch)]
        bundle = _Bundle(self._keyring, self._reading, site_id, wanted, self._histories, told)
        asked = {**asdict(wanted), "epoch": epoch}
        manifest = Manifest(
            site=site_id,
            made=instant(self._clock()),
            made_by=self._made_by,
            selection={name: value for name, value in asked.items() if value is not None},
            moving=moving,
        )
        return bundle.write(manifest, heads)


class _Bundle:
    def __init__(
        self,
        keyring: Keyring,
        reading: Reading,
        site_id: str,
        wanted: Filter,
        histories: Histories,
        told: Callable[[int], None],
    ) -> None:
        self._keyring = keyring
        self._reading = reading
        self._site_id = site_id
        self._wanted = wanted
        self._histories = histories
        self._told = told
        self._outgoing = _Outgoing()
        self._archive = ArchiveWriter(cast("BinaryIO", self._outgoing))
        self._entries = 0

    def write(self, manifest: Manifest, heads: Sequence[Head]) -> Iterator[bytes]:
        self._archive.add(README, files("consent").joinpath("evidence.txt").read_bytes())
        with self._reading.read() as connection:
            notices = self._add_notices(connection)
            banners = tuple(self._list_banners(connection))
            remembered = self._add_remembered(connection) if manifest.moving else 0
        if not manifest.moving:
            self._archive.add(REMEMBERED, b"")
        for banner in banners:
            self._add_banner(banner)
            yield from self._outgoing.take()
        logs = []
        for head in heads:
            log = yield from self._log(head)
            logs.append(log)
        whole = replace(
            manifest, notices=notices, remembered=remembered, banners=banners, logs=tuple(logs)
        )
        self._archive.close(whole, self._seal(heads[-1]))
        yield from self._outgoing.take()

    def _seal(self, head: Head) -> Callable[[str], str]:
        """Return what signs for the newest log, or leaves as it is what nobody here can sign."""
        if not self._keyring.signs(head.site_id, head.epoch):
            return str
        return self._keyring.signer(head.site_id, head.epoch, head.origin).sign_note

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

    def _add_remembered(self, connection: Connection) -> int:
        """Tell where those stand whose events do not say, or not alone."""
        count, after = 0, ""
        with self._archive.file(REMEMBERED) as write:
            while page := connection.execute(
                _REMEMBERED, {"site_id": self._site_id, "after": after, "limit": PAGE}
            ).all():
                for ref, standing, restricted_until in page:
                    at = Standing.from_json(standing)
                    write(remembered_line(Remembered(ref, at, restricted_until)))
                count, after = count + len(page), page[-1].subject_ref
        return count

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
        verifier = self._keyring.verifier(head.site_id, epoch, head.origin)
        self._archive.add(log_file(epoch, "vkey"), f"{verifier.vkey}\n".encode())
        checkpoint = self._keyring.checkpoint(head)
        self._archive.add(log_file(epoch, "checkpoint"), checkpoint.encode())
        older = self._older(head, verifier)
        for old, text in older.items():
            self._archive.add(log_file(epoch, f"checkpoints/{old}"), text.encode())
        with self._archive.file(log_file(epoch, "entries.jsonl")) as write:
            for _, entries in self._pages(head):
                write(b"".join([entry + b"\n" for entry in entries]))
                yield from self._outgoing.take()
        records = 0
        with self._archive.file(log_file(epoch, "records.jsonl")) as write:
            for first, entries in self._pages(head):
                vault = self._vault(entries)
                for index, entry in enumerate(entries, first):
                    kept = vault.get(record_of(entry) or "")
                    if kept is not None:
                        _check_place(kept.record, epoch, index)
                        write(record_line(index, kept.open()))
                        records += 1
                yield from self._outgoing.take()
                self._entries += len(entries)
                self._told(self._entries)
        return LogPart(epoch, head.origin, verifier.vkey, size, records, tuple(older))

    def _older(self, head: Head, verifier: Verifier) -> dict[int, str]:
        """Return older checkpoints that were kept, by size: some of them, where they are many."""
        kept = list(self._histories(head.site_id, head.epoch))
        found: dict[int, str] = {}
        for text in kept[:: -(-len(kept) // MOST_OLDER) or 1]:
            with suppress(CheckpointInvalid):
                checkpoint = verifier.open(text)
                if 0 < checkpoint.size < head.frontier.size:
                    found[checkpoint.size] = text
        return dict(sorted(found.items()))

    def _pages(self, head: Head) -> Iterator[tuple[int, list[bytes]]]:
        """Go through the entries of a log, up to what its head has signed."""
        for first in range(0, head.frontier.size, PAGE):
            stop = min(first + PAGE, head.frontier.size)
            with self._reading.read() as connection:
                leaves = ledger.read_leaves(connection, head, first, stop)
            for expected, found in zip_longest(range(first, stop), leaves):
                if found is None or found[0] != expected or b"\n" in found[1]:
                    finding = "expected it in the database and on one line"
                    raise EvidenceInvalid("entries", finding, epoch=head.epoch, index=expected)
            yield first, [leaf for _, leaf in leaves]

    def _vault(self, entries: Sequence[bytes]) -> dict[str, Kept]:
        """Return those records of a page that are wanted and not erased."""
        ids = [record_id for record_id in map(record_of, entries) if record_id is not None]
        with self._reading.read() as connection:
            if self._wanted != EVERYTHING:
                listed = read_records(connection, self._site_id, ids)
                ids = [record.record_id for record in listed.values() if self._wants(record)]
            return read_vault(connection, self._keyring, self._site_id, ids)

    def _wants(self, record: Listed) -> bool:
        return record.event_type in SUBJECTLESS or self._wanted.matches(record)


def _check_place(record: Listed, epoch: int, index: int) -> None:
    if (record.epoch, record.leaf_index) != (epoch, index):
        finding = f"expected its record here, got it at {record.leaf_index} of {record.epoch}"
        raise EvidenceInvalid("records", finding, epoch=epoch, index=index)


_REMEMBERED = (
    select(SUBJECT.c.subject_ref, SUBJECT.c.standing, SUBJECT.c.restricted_until)
    .where(
        SUBJECT.c.site_id == bindparam("site_id"),
        SUBJECT.c.subject_ref > bindparam("after"),
        or_(SUBJECT.c.standing.contains(UNWHOLE), SUBJECT.c.restricted_until.is_not(None)),
    )
    .order_by(SUBJECT.c.subject_ref)
    .limit(bindparam("limit"))
)
