"""Evidence in: a site's history taken over from a bundle, under this installation's own keys.

Entries, checkpoints, events and pseudonyms stay what they are, byte for byte; only what is sealed
is sealed anew. All of it becomes one transaction, and memory holds a part of it at a time.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import Table, bindparam, select

from consent import store
from consent.choices.choice import EventType
from consent.database import Rows, Writing
from consent.errors import IntakeRefused
from consent.log import ledger
from consent.log.checkpoint import Verifier
from consent.log.keeping import Kept
from consent.proofs.archive import (
    MAX_BANNER_BYTES,
    NOTICES,
    REMEMBERED,
    Archive,
    LogPart,
    log_file,
)
from consent.proofs.disclosure import (
    Disclosed,
    read_notice,
    read_record,
    read_remembered,
)
from consent.proofs.evidence import VerifiedEvidence
from consent.records import holdings
from consent.records.filing import Filing, owner
from consent.sealing.keyring import Keyring
from consent.sealing.vault import Opened
from consent.store import Banner, Published
from consent.subjects.forgetting import WHOLE_BATCH, Erasure, Restriction, reapply, shown_by
from consent.tables import BANNER, LOG, NOTICE, RECORD

CHUNK = 1000
MAX_EPOCH = 999_999_999
_SITE_ID = re.compile(r"[a-z0-9-]{1,40}")


class TakeIn(NamedTuple):
    """Take in what was *verified* of the bundle *file*; *told* takes how many records came.

    What was *done* to subjects since it was made, in its order, is done again.
    """

    file: BinaryIO
    verified: VerifiedEvidence
    told: Callable[[int], None]
    done: Sequence[Erasure | Restriction]


def check_whole(verified: VerifiedEvidence) -> None:
    """Check that nothing was left out of a bundle but what is erased. Raises IntakeRefused.

    Where a withdrawal is missing, the consent before it would stand again; so it would where a
    remembered refusal is.
    """
    if not _SITE_ID.fullmatch(verified.manifest.site):
        raise IntakeRefused(f"expected a site id of the form {_SITE_ID.pattern}, got another")
    if verified.manifest.logs[-1].epoch > MAX_EPOCH:
        raise IntakeRefused(f"expected epochs up to {MAX_EPOCH}, got one beyond")
    if verified.manifest.selection or not verified.manifest.moving:
        raise IntakeRefused(
            "expected a bundle that was made to be taken in, of all records: "
            "consent bundle --moving; got another"
        )
    for log in verified.logs:
        closed = log.entries - log.opened - log.erased
        if closed:
            raise IntakeRefused(
                f"{log.origin}: expected every record opened or erased, got {closed} that are "
                "neither; have the bundle written anew"
            )
    strange = [log.origin for log in verified.logs if not log.trusted]
    if strange and len(strange) < len(verified.logs):
        raise IntakeRefused(
            f"expected a key for every log where one is given, got none for {strange[0]}"
        )
    if not verified.sealed:
        # Entries and records prove themselves; whom a refusal or a restriction is remembered of
        # is in the manifest alone, and could be left out or put in by anybody.
        raise IntakeRefused(
            "expected a bundle whose manifest the newest log's key signed, got one that nobody did"
        )


class Intake:
    """The use case of an installation that takes a site over; *sweep* is as for erasing."""

    def __init__(
        self, *, keyring: Keyring, writing: Writing, sweep: Callable[[Sequence[bytes]], None]
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._sweep = sweep

    async def take_in(
        self,
        file: BinaryIO,
        verified: VerifiedEvidence,
        told: Callable[[int], None],
        done: Sequence[Erasure | Restriction] = (),
    ) -> None:
        """Take in a verified bundle, as a whole or not at all, without whoever was erased since.

        *done* is what is written down of erasures and restrictions, oldest first.
        Raises IntakeRefused where the site has anything already, EvidenceInvalid where the file
        is no longer the one that was verified.
        """
        await self._writing.write(
            self.carry_out, TakeIn(file, verified, told, done), size=WHOLE_BATCH
        )

    def carry_out(self, rows: Rows, commands: Sequence[TakeIn]) -> list[None]:
        """Carry out commands inside the writer's transaction."""
        for command in commands:
            _Intake(rows, self._keyring, self._sweep, command).carry_out()
        return [None] * len(commands)


class _Intake:
    def __init__(
        self,
        rows: Rows,
        keyring: Keyring,
        sweep: Callable[[Sequence[bytes]], None],
        command: TakeIn,
    ) -> None:
        self._rows = rows
        self._keyring = keyring
        self._sweep = sweep
        self._manifest = command.verified.manifest
        self._site_id = self._manifest.site
        self._archive = Archive(command.file)
        self._archive.expect(self._manifest.files)
        self._told = command.told
        self._done = command.done
        self._taken = 0

    def carry_out(self) -> None:
        self._rows.lock([self._site_id])
        for table in (LOG, NOTICE, RECORD, BANNER):
            self._check_empty(table)
        self._take_notices()
        self._take_banners()
        for log in self._manifest.logs:
            self._take_log(log)
        for log in self._manifest.logs:
            self._take_records(log)
        self._take_remembered()
        self._do_again()

    def _check_empty(self, table: Table) -> None:
        if self._rows.find(
            select(table.c.site_id).where(table.c.site_id == bindparam("site_id")).limit(1),
            site_id=self._site_id,
        ):
            raise IntakeRefused(
                f"expected a site of which nothing is held, got {self._site_id}, which has a "
                f"{table.name} already"
            )

    def _take_notices(self) -> None:
        number = 0
        for lines in self._archive.lines(NOTICES):
            for line in lines:
                told = read_notice(line, number)
                published = Published(
                    told.version,
                    told.read(),
                    told.text_sha256,
                    told.material_sha256,
                    told.published,
                )
                store.add_notice(self._rows, self._site_id, published)
                number += 1

    def _take_banners(self) -> None:
        for part in self._manifest.banners:
            content = self._archive.read(f"banners/{part.ui_sha256}", MAX_BANNER_BYTES)
            banner = Banner(part.ui_sha256, part.media_type, content, part.archived)
            store.add_banner(self._rows, self._site_id, banner)

    def _take_log(self, log: LogPart) -> None:
        text = self._archive.text(log_file(log.epoch, "checkpoint"))
        newest = Verifier.from_vkey(log.vkey).open(text)
        entries = self._archive.lines(log_file(log.epoch, "entries.jsonl"))
        ledger.take_in(self._rows, self._site_id, log.epoch, newest, _chunks(entries))
        kept = Kept(self._site_id, log.epoch, log.origin, newest.size, newest.root, text)
        self._rows.afterwards(partial(self._keyring.keeping.keep, kept))

    def _take_records(self, log: LogPart) -> None:
        """File the records of a log, in its order."""
        before = -1
        lines = self._archive.lines(log_file(log.epoch, "records.jsonl"))
        for chunk in _chunks(lines):
            records = []
            for line in chunk:
                records.append(read_record(line, log.epoch, before))
                before = records[-1].leaf_index
            self._file(log.epoch, records)
            self._taken += len(records)
            self._told(self._taken)

    def _file(self, epoch: int, records: Sequence[Disclosed]) -> None:
        filing = Filing(self._rows, self._keyring, self._site_id)
        refs = {ref for record in records for ref in _concerned(record.event)}
        filing.know(store.ask_subjects(self._rows, self._site_id, sorted(refs))())
        filing.know_links()
        for record in records:
            filing.file(
                record.event,
                Opened(record.salt, record.text),
                epoch=epoch,
                leaf_index=record.leaf_index,
            )
        filing.store()

    def _take_remembered(self) -> None:
        """Set where those stand whose events do not say, or not alone."""
        number = 0
        for chunk in _chunks(self._archive.lines(REMEMBERED)):
            page = []
            for line in chunk:
                page.append(read_remembered(line, number))
                number += 1
            refs = [item.subject_ref for item in page]
            known = store.ask_subjects(self._rows, self._site_id, refs)()
            standings = [(item.subject_ref, item.standing) for item in page]
            holdings.restate(self._rows, self._site_id, [at for at in standings if at[0] in known])
            unknown = [at for at in standings if at[0] not in known]
            holdings.suppress(self._rows, self._site_id, unknown)
            for item in page:
                if item.restricted_until is not None:
                    # Also of whom nothing is held but that: `restrict` passes them over.
                    holdings.withhold(
                        self._rows, self._site_id, [item.subject_ref], item.restricted_until
                    )

    def _do_again(self) -> None:
        """Do again what was done to subjects after the bundle was made."""
        missing = list[Erasure | Restriction]()
        over: set[str] = set()
        for done in reversed(self._done):
            if done.site_id != self._site_id:
                continue
            known = self._is_known(done)
            if not known and isinstance(done, Restriction):
                # As after a restore: what an erasure or a later restriction ended stays over, and
                # of that a log that was put back has no tombstone.
                left = [ref for ref in done.refs if ref not in over]
                missing.append(done._replace(refs=left))
                continue
            over.update(done.refs if isinstance(done, Restriction) else dict(done.subjects))
            if not known:
                missing.append(done)
        traces: list[bytes] = []
        for done in reversed(missing):
            traces += reapply(
                self._rows, self._keyring, done, sealed_anew=True, now=self._manifest.made
            )
        if traces:
            self._rows.afterwards(partial(self._sweep, traces))

    def _is_known(self, done: Erasure | Restriction) -> bool:
        """Whether the logs taken in know what was done; what has no tombstone goes by its time."""
        shown = shown_by(done)
        if not shown:
            return isinstance(done, Restriction) or done.erased_at < self._manifest.made
        return bool(store.find_stored(self._rows.connection, self._site_id, shown))


def _concerned(event: Mapping[str, Any]) -> Iterator[str]:
    yield owner(event)
    if event["event_type"] == EventType.LINKED:
        yield event["linked"]["subject_ref"]


def _chunks(batches: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Cut batches of any size into such as one statement takes."""
    for batch in batches:
        for start in range(0, len(batch), CHUNK):
            yield batch[start : start + CHUNK]
