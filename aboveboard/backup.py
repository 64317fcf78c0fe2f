"""A backup as a file: a zip of copied databases, and a manifest that says what they are.

Keys are never in it. What is read is held against the manifest's digests before it is used.
"""

import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Self
from zipfile import ZIP_DEFLATED, BadZipFile, LargeZipFile, ZipFile, ZipInfo

from pydantic import BaseModel, ConfigDict, ValidationError

from aboveboard.errors import BackupFailed, BackupInvalid

FORMAT = "aboveboard-backup/1"
MANIFEST = "manifest.json"
MANIFEST_BYTES = 64 << 20  # far more than the heads of a hundred thousand logs
CHUNK_BYTES = 1 << 20
LEVEL = 1  # a backup is made often and read rarely

_ZIP_ERRORS = (
    BadZipFile,
    EOFError,
    LargeZipFile,
    RuntimeError,  # encryption, and a compression that zipfile does not know
    ValueError,
    struct.error,
    zlib.error,
)


class Engine(StrEnum):
    """What the databases of a backup were kept by; they go back to no other."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class _Member(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FilePart(_Member):
    """A file of the backup: its size, and its digest in lower-case hex."""

    name: str
    bytes: int
    sha256: str


class LogPart(_Member):
    """The head of a log, as its key signed it."""

    site: str
    epoch: int
    origin: str
    size: int
    checkpoint: str


class Manifest(_Member):
    """What a backup says of itself; *keys* are the marks of the keys that it needs."""

    format: str = FORMAT
    made: str
    made_by: str
    engine: Engine
    revisions: Mapping[str, str]
    keys: Mapping[str, str]
    logs: tuple[LogPart, ...]
    files: tuple[FilePart, ...] = ()


def write(file: IO[bytes], manifest: Manifest, copies: Sequence[Path]) -> Manifest:
    """Write a backup of *copies* under their own names; returns the manifest with their digests."""
    parts = []
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for path in copies:
            # A name alone: neither when the copy was made nor whose it is.
            member = ZipInfo(path.name)
            member.compress_type = ZIP_DEFLATED
            member.external_attr = 0o600 << 16
            member.file_size = path.stat().st_size
            with path.open("rb") as read, archive.open(member, "w") as written:
                digest, size = _copy(read, written, member.file_size)
            parts.append(FilePart(name=path.name, bytes=size, sha256=digest))
        whole = manifest.model_copy(update={"files": tuple(parts)})
        archive.writestr(ZipInfo(MANIFEST), whole.model_dump_json(indent=1))
    return whole


class Backup:
    """A backup that is open for reading."""

    def __init__(self, path: Path, archive: ZipFile, manifest: Manifest) -> None:
        self._path = path
        self._archive = archive
        self.manifest = manifest

    @classmethod
    def read(cls, path: Path, archive: ZipFile) -> Self:
        """Read the manifest. Raises BackupInvalid."""
        names = archive.namelist()
        if MANIFEST not in names or archive.getinfo(MANIFEST).file_size > MANIFEST_BYTES:
            raise BackupInvalid(f"expected a {MANIFEST} of a backup, got {len(names)} other files")
        try:
            manifest = Manifest.model_validate_json(archive.read(MANIFEST))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or MANIFEST
            raise BackupInvalid(f"{MANIFEST}: {place}: {first['msg'].lower()}") from None
        if manifest.format != FORMAT:
            raise BackupInvalid(f"expected the format {FORMAT}, got {manifest.format[:64]!r}")
        expected = [*(part.name for part in manifest.files), MANIFEST]
        if names != expected or any(Path(name).name != name for name in names):
            raise BackupInvalid(f"expected the {len(expected)} files of the manifest, got others")
        return cls(path, archive, manifest)

    def check(self) -> None:
        """Read every file and hold it against its digest. Raises BackupInvalid."""
        for part in self.manifest.files:
            with _reading(self._path), self._archive.open(part.name) as read:
                _check(part, *_copy(read, None, part.bytes))

    def extract(self, folder: Path) -> None:
        """Write every file into an empty *folder*, onto the disk.

        Raises BackupInvalid and BackupFailed.
        """
        for part in self.manifest.files:
            try:
                handle = os.open(folder / part.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as written:
                    with _reading(self._path), self._archive.open(part.name) as read:
                        _check(part, *_copy(read, written, part.bytes))
                    written.flush()
                    os.fsync(handle)
            except OSError as error:
                raise BackupFailed(f"expected to write in {folder}, got: {error}") from error


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Open a backup for reading. Raises BackupInvalid."""
    with ExitStack() as stack:
        try:
            with _reading(path):
                archive = stack.enter_context(ZipFile(path))
                found = Backup.read(path, archive)
        except OSError as error:
            raise BackupInvalid(f"expected a backup at {path}, got: {error.strerror}") from error
        yield found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except _ZIP_ERRORS as error:
        raise BackupInvalid(f"expected a backup at {path}, got: {error}") from error


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Lend a folder of its own, for its owner alone; it is gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(read: IO[bytes], written: IO[bytes] | None, expected: int) -> tuple[str, int]:
    """Copy what is read, of which no more than *expected* bytes; returns its digest and size."""
    digest, size = hashlib.sha256(), 0
    while size <= expected and (chunk := read.read(CHUNK_BYTES)):
        digest.update(chunk)
        size += len(chunk)
        if written is not None:
            written.write(chunk)
    return digest.hexdigest(), size


def _check(part: FilePart, digest: str, size: int) -> None:
    if (digest, size) != (part.sha256, part.bytes):
        raise BackupInvalid(
            f"{part.name}: expected {part.bytes} bytes with the digest {part.sha256}, "
            f"got {size} with {digest}"
        )
