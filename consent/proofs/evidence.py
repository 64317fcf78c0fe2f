"""Check an evidence bundle with no service, no database and no network.

Pure: an open file, keys and older checkpoints come in.
Every opened record makes its commitment, every commitment its entry, all entries the root, and
the root is signed; events are opaque but for the few members that say where they belong.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any, BinaryIO, NoReturn

import orjson

from consent.choices.choice import EventType
from consent.choices.record import commit, leaf
from consent.errors import CheckpointInvalid, EvidenceInvalid
from consent.log.checkpoint import Checkpoint, Verifier
from consent.log.merkle import EMPTY_ROOT, Frontier, leaf_hash
from consent.proofs.archive import (
    MANIFEST,
    MAX_BANNER_BYTES,
    MAX_MANIFEST_BYTES,
    NOTICES,
    README,
    REMEMBERED,
    SEAL,
    Archive,
    LogPart,
    Manifest,
    log_file,
    seal_text,
)
from consent.proofs.disclosure import (
    Disclosed,
    read_notice,
    read_record,
    read_remembered,
    record_of,
)
from consent.proofs.succession import Ending, ending

EPOCHS_NAMED = 100
"""How many epochs of one gap are named: a hostile bundle may have any number."""

Told = Callable[[int], None]
"""Takes how many entries were checked."""


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """One log of a bundle, as it was found."""

    epoch: int
    origin: str
    vkey: str
    trusted: bool
    """Whether the key was known before; else it is the bundle that says whose it is."""

    entries: int
    root: bytes
    opened: int
    erased: int
    """Entries whose record a tombstone of the bundle names: commitments alone."""

    older: tuple[int, ...]
    """Sizes of older checkpoints that this log continues."""

    lost: int
    """Entries that its key has signed and that were lost before the next log took over."""


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """What a bundle proves: that its logs are whole as signed, and what their records say."""

    manifest: Manifest
    logs: tuple[VerifiedLog, ...]
    sealed: bool
    """Whether the newest log's key signed the manifest, and so every file of the bundle."""

    banners_missing: int
    """Records that name a banner which is not in the bundle."""

    @property
    def epochs_missing(self) -> list[int]:
        """Epochs between those of the bundle: lost with an older copy, or left out."""
        epochs = [log.epoch for log in self.logs]
        return [
            epoch
            for before, after in pairwise(epochs)
            for epoch in range(before + 1, min(after, before + 1 + EPOCHS_NAMED))
        ]


@dataclass(frozen=True, slots=True)
class _Walked:
    """A log whose entries were gone through; *opened* has a byte an entry."""

    part: LogPart
    newest: Checkpoint
    older: tuple[int, ...]
    opened: bytearray
    lost: int


def verify(
    file: BinaryIO,
    *,
    keys: Sequence[Verifier] = (),
    older: Sequence[str] = (),
    told: Told = lambda _: None,
) -> VerifiedEvidence:
    """Check everything that can be checked in the bundle *file*.

    *keys* are trusted, those in the bundle are not; *older* are checkpoints kept elsewhere.
    Raises `EvidenceInvalid`, whose *check*, *epoch* and *index* say what was first found wrong.
    """
    check = _Check(Archive(file), keys, older, told)
    sealed = check.seal()
    check.notices()
    check.remembered()
    check.banners()
    walked = [check.walk(log) for log in check.manifest.logs]
    logs = tuple(check.verified(log) for log in walked)
    return VerifiedEvidence(check.manifest, logs, sealed, check.banners_missing)


class _Check:
    """The checks of one bundle, and what they have to know of each other."""

    def __init__(
        self, archive: Archive, keys: Sequence[Verifier], older: Sequence[str], told: Told
    ) -> None:
        self._archive = archive
        self._told = told
        self._written = archive.read(MANIFEST, MAX_MANIFEST_BYTES)
        self.manifest = Manifest.from_bytes(self._written)
        if archive.names != self.manifest.names():
            _fail("zip", "expected the files of the manifest in their order, got others")
        archive.expect(self.manifest.files)
        archive.read(README)
        self._trusted = {key.name: key for key in keys}
        self._verifiers = {log.epoch: self._verifier(log) for log in self.manifest.logs}
        self._older: dict[str, list[str]] = {log.origin: [] for log in self.manifest.logs}
        self._sort(older)
        self._notices: dict[bytes, tuple[str, str]] = {}
        self._endings = self._find_endings()
        self._banners = {banner.ui_sha256 for banner in self.manifest.banners}
        self.banners_missing = 0
        self._erased: set[str] = set()
        self._checked = 0

    def _verifier(self, log: LogPart) -> Verifier:
        try:
            verifier = Verifier.from_vkey(log.vkey)
        except CheckpointInvalid as error:
            raise EvidenceInvalid("key", str(error), epoch=log.epoch) from error
        if self._archive.text(log_file(log.epoch, "vkey")) != f"{log.vkey}\n":
            _fail("key", "expected the key of the manifest, got another", epoch=log.epoch)
        if verifier.name != log.origin:
            _fail("key", f"expected a key of {log.origin}, got {verifier.name}", epoch=log.epoch)
        trusted = self._trusted.get(log.origin, verifier)
        if trusted.vkey != log.vkey:
            _fail("key", f"expected {trusted.vkey}, got {log.vkey}", epoch=log.epoch)
        return verifier

    def _sort(self, older: Sequence[str]) -> None:
        """Sort keys and checkpoints by the log that they are of, and refuse those of no log."""
        origins = ", ".join(self._older)
        for name in self._trusted:
            if name not in self._older:
                _fail("key", f"expected a bundle of the log {name}, got one of {origins}")
        for text in older:
            origin = text.partition("\n")[0]
            if origin not in self._older:
                _fail("checkpoint", f"expected one of {origins}, got one of {origin!r:.300}")
            self._older[origin].append(text)

    def seal(self) -> bool:
        """Check what is signed over the manifest; an unsigned seal is a digest and no more."""
        seal = self._archive.text(SEAL)
        expected = seal_text(self._written)
        if seal == expected:
            return False
        try:
            sealed = self._verifiers[self.manifest.logs[-1].epoch].open_note(seal)
        except CheckpointInvalid as error:
            raise EvidenceInvalid("seal", str(error)) from error
        if sealed != expected:
            _fail("seal", "expected the digest of this manifest, got another")
        return True

    def notices(self) -> None:
        """Check that each notice is what its digests say."""
        number = 0
        for lines in self._archive.lines(NOTICES):
            for line in lines:
                notice = read_notice(line, number)
                digests = (notice.text_sha256, notice.material_sha256)
                self._notices[_place(*notice.place)] = digests
                number += 1
        if number != self.manifest.notices or number != len(self._notices):
            _fail("notice", f"expected {self.manifest.notices} different ones, got {number}")

    def remembered(self) -> None:
        """Check the form of what is remembered; nothing proves it, and only moving needs it."""
        number = 0
        for lines in self._archive.lines(REMEMBERED):
            for line in lines:
                read_remembered(line, number)
                number += 1
        if number != self.manifest.remembered or (number and not self.manifest.moving):
            _fail("remembered", f"expected {self.manifest.remembered} subjects, got {number}")

    def banners(self) -> None:
        """Check that each banner is what its digest says."""
        for banner in self.manifest.banners:
            name = f"banners/{banner.ui_sha256}"
            found = sha256(self._archive.read(name, MAX_BANNER_BYTES)).hexdigest()
            if found != banner.ui_sha256:
                _fail("banner", f"expected content of digest {banner.ui_sha256}, got {found}")

    def _find_endings(self) -> dict[str, Ending]:
        """Return, by origin, what later logs say of earlier ones."""
        found = (ending(log, next(self._records(log), None)) for log in self.manifest.logs)
        return {end.checkpoint.origin: end for end in found if end is not None}

    # -- one log ------------------------------------------------------------------------------

    def walk(self, log: LogPart) -> _Walked:
        """Go through the entries of a log, with its records beside them."""
        newest = self._open(log, self._archive.text(log_file(log.epoch, "checkpoint")))
        older = [self._open(log, text) for text in self._older[log.origin]]
        for size in log.checkpoints:
            text = self._archive.text(log_file(log.epoch, f"checkpoints/{size}"))
            older.append(self._open(log, text))
            if older[-1].size != size:
                _fail("checkpoint", f"expected size {size}, got {older[-1].size}", epoch=log.epoch)
        end, lost = self._endings.get(log.origin), 0
        if end is not None:
            lost = end.check(newest, log.vkey, log.epoch)
            older += [] if lost else [end.checkpoint]
        older.sort(key=lambda checkpoint: checkpoint.size)
        if older and older[-1].size > newest.size:
            _fail(
                "truncated",
                f"expected the {older[-1].size} entries of an older checkpoint, got {newest.size}",
                epoch=log.epoch,
            )
        opened = self._walk(log, deque([*older, newest]))
        return _Walked(log, newest, tuple(checkpoint.size for checkpoint in older), opened, lost)

    def _open(self, log: LogPart, text: str) -> Checkpoint:
        try:
            return self._verifiers[log.epoch].open(text)
        except CheckpointInvalid as error:
            raise EvidenceInvalid("checkpoint", str(error), epoch=log.epoch) from error

    def _walk(self, log: LogPart, ahead: deque[Checkpoint]) -> bytearray:
        """Grow the tree entry by entry up to the last of the checkpoints that lie *ahead*."""
        expected = ahead[-1].size
        frontier, root, opened = Frontier.empty(), EMPTY_ROOT, bytearray()
        records = self._records(log)
        record = next(records, None)
        _reach(log, ahead, 0, root)
        for lines in self._archive.lines(log_file(log.epoch, "entries.jsonl")):
            rest = lines
            while rest:
                first = frontier.size
                if not ahead:
                    finding = f"expected {expected} as signed, got more"
                    _fail("entries", finding, epoch=log.epoch, index=first)
                part, rest = rest[: ahead[0].size - first], rest[ahead[0].size - first :]
                opened.extend(bytes(len(part)))
                while record is not None and record.leaf_index < first + len(part):
                    self._check(log, record, part[record.leaf_index - first])
                    opened[record.leaf_index] = 1
                    record = next(records, None)
                extension = frontier.extend([leaf_hash(entry) for entry in part])
                frontier, root = extension.frontier, extension.root
                _reach(log, ahead, frontier.size, root)
                self._checked += len(part)
                self._told(self._checked)
        if ahead or log.entries != expected:
            found = min(frontier.size, log.entries)
            finding = f"expected {expected} as signed, got {found}"
            _fail("entries", finding, epoch=log.epoch, index=found)
        if record is not None:
            _fail("records", "expected an entry", epoch=log.epoch, index=record.leaf_index)
        return opened

    def _records(self, log: LogPart) -> Iterator[Disclosed]:
        count, before = 0, -1
        for lines in self._archive.lines(log_file(log.epoch, "records.jsonl")):
            for line in lines:
                record = read_record(line, log.epoch, before)
                before = record.leaf_index
                count += 1
                yield record
        if count != log.records:
            _fail("records", f"expected {log.records}, got {count}", epoch=log.epoch)

    def _check(self, log: LogPart, record: Disclosed, entry: bytes) -> None:
        epoch, index, event = log.epoch, record.leaf_index, record.event
        record_id, received = event.get("record_id"), event.get("received_at")
        if not isinstance(record_id, str) or not isinstance(received, str):
            _fail("records", "expected an id and an instant", epoch=epoch, index=index)
        if leaf(record_id, received, commit(record.salt, record.text)) != entry:
            finding = "expected the entry that event and salt make, got another"
            _fail("leaf", finding, epoch=epoch, index=index)
        if event.get("site_id") != self.manifest.site:
            _fail("records", "expected an event of this site", epoch=epoch, index=index)
        notice = event.get("notice")
        if isinstance(notice, dict):
            self._check_notice(notice, epoch, index)
        if event.get("event_type") == EventType.ERASED:
            named = event.get("record_ids")
            self._erased.update(filter(_is_text, named if isinstance(named, list) else ()))

    def _check_notice(self, notice: Mapping[str, Any], epoch: int, index: int) -> None:
        known = self._notices.get(
            _place(notice.get("notice_id"), notice.get("version"), notice.get("language"))
        )
        if known != (notice.get("text_sha256"), notice.get("material_sha256")):
            finding = "expected a notice of this bundle and its digests, got another"
            _fail("notice", finding, epoch=epoch, index=index)
        banner = notice.get("ui_sha256")
        self.banners_missing += _is_text(banner) and banner not in self._banners

    # -- what all logs together tell -----------------------------------------------------------

    def verified(self, log: _Walked) -> VerifiedLog:
        """Sum a log up, once the tombstones of all logs are known."""
        part = log.part
        return VerifiedLog(
            part.epoch,
            part.origin,
            part.vkey,
            part.origin in self._trusted,
            log.newest.size,
            log.newest.root,
            log.opened.count(1),
            self._count_erased(log) if self._erased else 0,
            log.older,
            log.lost,
        )

    def _count_erased(self, log: _Walked) -> int:
        """Count the entries whose record a tombstone names; none of them may be open."""
        erased = index = 0
        epoch = log.part.epoch
        for lines in self._archive.lines(log_file(epoch, "entries.jsonl")):
            for entry in lines:
                if record_of(entry) in self._erased:
                    erased += 1
                    if log.opened[index]:
                        finding = "expected a commitment alone: a tombstone erases its record"
                        _fail("erasure", finding, epoch=epoch, index=index)
                index += 1
        return erased


def _place(*members: object) -> bytes:
    """Name a language of a version of a notice, whatever a hostile event has in their stead."""
    return orjson.dumps(members)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _reach(log: LogPart, ahead: deque[Checkpoint], size: int, root: bytes) -> None:
    """Hold the tree against the checkpoints of its size, which then lie no longer ahead."""
    while ahead and ahead[0].size == size:
        checkpoint = ahead.popleft()
        if checkpoint.root != root:
            _fail(
                "root",
                f"expected {checkpoint.root.hex()} as signed over {size} entries, got {root.hex()}",
                epoch=log.epoch,
            )


def _fail(
    check: str, finding: str, *, epoch: int | None = None, index: int | None = None
) -> NoReturn:
    raise EvidenceInvalid(check, finding, epoch=epoch, index=index)
