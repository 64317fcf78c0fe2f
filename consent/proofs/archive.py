"""An evidence bundle as a file: a zip of known files in one order, its manifest, its bounds.

Pure: a file that is open already is handed in. What is read is believed nothing of: sizes are
bounded before anything is unpacked, nothing is unpacked to disk, and one content has one spelling.
`docs/decisions/evidence-bundle.md` says what each file holds.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from os import SEEK_END
from typing import Any, BinaryIO, NoReturn, Self, TypeVar
from zipfile import ZIP_DEFLATED, BadZipFile, LargeZipFile, ZipFile, ZipInfo

import orjson

from consent.errors import EvidenceInvalid

FORMAT = "aboveboard-evidence/1"

README = "README.txt"
NOTICES = "notices.jsonl"
REMEMBERED = "remembered.jsonl"
MANIFEST = "manifest.json"
SEAL = "seal"

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 20
MAX_SMALL_BYTES = 1 << 20
"""What is read at once: a checkpoint, a key, a page of text."""

MAX_MANIFEST_BYTES = 16 << 20
MAX_BANNER_BYTES = 16 << 20
MAX_FILES = 20_000
MAX_DIRECTORY_BYTES = 4 << 20
MAX_RATIO = 200
"""How far a file of more than a chunk may grow when unpacked: ours grow ten times at most."""

MEMBER_LEVEL = 6

_ZIP_ERRORS = (
    BadZipFile,
    LargeZipFile,
    EOFError,
    KeyError,
    OSError,
    OverflowError,
    RuntimeError,  # encryption, and a compression that zipfile does not know
    ValueError,
    struct.error,
    zlib.error,
)
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_LOCATOR_BYTES = 20
_LOCAL_BYTES = 30
"""What stands before the name of a file."""

_BESIDE_BYTES = 20 + 24
"""What else may belong to a file: its sizes in 64 bits, before it and behind it."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

_Kind = TypeVar("_Kind")


def log_file(epoch: int, name: str) -> str:
    """Name a file of one log."""
    return f"logs/{epoch}/{name}"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of the bundle: its size and its digest in lower-case hex."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LogPart:
    """One log of the bundle; *records* are those that are opened, *checkpoints* older sizes."""

    epoch: int
    origin: str
    vkey: str
    entries: int
    records: int
    checkpoints: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BannerPart:
    """An archived banner; its content is the file of its digest."""

    ui_sha256: str
    media_type: str
    archived: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself."""

    site: str
    made: str
    made_by: str
    selection: Mapping[str, Any]
    """Which records were asked for; empty where all were."""

    moving: bool = False
    """Whether it is made to be taken in elsewhere, with what only that needs."""

    notices: int = 0
    remembered: int = 0
    banners: tuple[BannerPart, ...] = ()
    logs: tuple[LogPart, ...] = ()
    files: tuple[FilePart, ...] = ()

    def names(self) -> list[str]:
        """Return the names of all files that this bundle has, in their order."""
        return [
            README,
            NOTICES,
            REMEMBERED,
            *(f"banners/{banner.ui_sha256}" for banner in self.banners),
            *(name for log in self.logs for name in _log_files(log)),
            MANIFEST,
            SEAL,
        ]

    def to_bytes(self) -> bytes:
        """Write it to be read by people, too."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return orjson.dumps(
            {"format": FORMAT, **members},
            option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def from_bytes(cls, written: bytes) -> Self:
        """Read what `to_bytes` wrote, and nothing else; raises `EvidenceInvalid`."""
        try:
            members = orjson.loads(written)
        except orjson.JSONDecodeError as error:
            raise EvidenceInvalid("manifest", f"expected JSON, got {error}") from error
        if not isinstance(members, dict) or members.get("format") != FORMAT:
            _refuse(f"expected the format {FORMAT}, got another")
        manifest = cls(
            site=_member(members, "site", str),
            made=_member(members, "made", str),
            made_by=_member(members, "made_by", str),
            selection=_member(members, "selection", dict),
            moving=_member(members, "moving", bool),
            notices=_member(members, "notices", int),
            remembered=_member(members, "remembered", int),
            banners=tuple(_part(BannerPart, given) for given in _member(members, "banners", list)),
            logs=tuple(_log(given) for given in _member(members, "logs", list)),
            files=tuple(_part(FilePart, given) for given in _member(members, "files", list)),
        )
        if manifest.to_bytes() != written:
            _refuse("expected the one spelling of these members, got another")
        manifest._check_order()
        return manifest

    def _check_order(self) -> None:
        if not self.logs:
            _refuse("expected at least one log, got none")
        digests = [banner.ui_sha256 for banner in self.banners]
        if not all(map(_DIGEST.fullmatch, digests)):
            _refuse("expected banners by their digest, got another name")
        epochs = [log.epoch for log in self.logs]
        for sizes in (epochs, *(list(log.checkpoints) for log in self.logs)):
            if sizes != sorted(set(sizes)) or min(sizes, default=1) < 1:
                _refuse("expected logs and checkpoints from 1, once each and in order")
        if digests != sorted(set(digests)):
            _refuse("expected banners once each and in order")
        if [part.name for part in self.files] != self.names()[:-2]:
            _refuse("expected every file but the last two, in order, got another list")


def _log_files(log: LogPart) -> Iterator[str]:
    names = ["vkey", "checkpoint", *(f"checkpoints/{size}" for size in log.checkpoints)]
    return (log_file(log.epoch, name) for name in [*names, "entries.jsonl", "records.jsonl"])


def _refuse(finding: str) -> NoReturn:
    raise EvidenceInvalid("manifest", finding)


def _member(members: Mapping[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    found = members.get(name)
    # By type itself, since a boolean would pass for a number.
    if type(found) is not kind:
        _refuse(f"{name}: expected {kind.__name__}, got {type(found).__name__}")
    return found


def _part(kind: type[_Kind], given: object) -> _Kind:
    """Make a part of plain members from what was read."""
    if not isinstance(given, dict):
        _refuse(f"expected an object, got {type(given).__name__}")
    fields: Mapping[str, Any] = kind.__annotations__
    if given.keys() - fields.keys():
        _refuse("expected only known members, got another")
    return kind(**{name: _member(given, name, field) for name, field in fields.items()})


def _log(given: object) -> LogPart:
    if not isinstance(given, dict):
        _refuse(f"expected an object, got {type(given).__name__}")
    sizes = tuple(_member(given, "checkpoints", list))
    if not all(type(size) is int for size in sizes):
        _refuse("checkpoints: expected sizes, got something else")
    return LogPart(
        epoch=_member(given, "epoch", int),
        origin=_member(given, "origin", str),
        vkey=_member(given, "vkey", str),
        entries=_member(given, "entries", int),
        records=_member(given, "records", int),
        checkpoints=sizes,
    )


class ArchiveWriter:
    """Writes a bundle, front to back, to whatever takes bytes."""

    def __init__(self, sink: BinaryIO) -> None:
        # Every file bears the same date, so that the same content makes the same bytes.
        self._zip = ZipFile(sink, "w", ZIP_DEFLATED, compresslevel=MEMBER_LEVEL)
        self._files: list[FilePart] = []

    @contextmanager
    def file(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Begin a file; what is yielded takes its content, part by part."""
        if len(self._files) == MAX_FILES - 2:
            raise EvidenceInvalid("zip", f"expected at most {MAX_FILES} files, got more")
        digest, size = sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as member:

            def write(content: bytes) -> None:
                nonlocal size
                digest.update(content)
                size += len(content)
                member.write(content)

            yield write
        self._files.append(FilePart(name, size, digest.hexdigest()))

    def add(self, name: str, content: bytes) -> None:
        """Write a file at once."""
        with self.file(name) as write:
            write(content)

    def close(self, manifest: Manifest, seal: Callable[[str], str]) -> None:
        """Write manifest and seal; *seal* signs a text, or leaves it as it is."""
        whole = replace(manifest, files=tuple(self._files)).to_bytes()
        for name, content in ((MANIFEST, whole), (SEAL, seal(seal_text(whole)).encode())):
            with self._zip.open(name, "w") as member:
                member.write(content)
        self._zip.close()


def seal_text(manifest: bytes) -> str:
    """Write the text that is signed over a manifest, and through it over every file."""
    return f"{FORMAT}\n{sha256(manifest).hexdigest()}\n"


class Archive:
    """Reads a bundle from a file that can be sought in; raises `EvidenceInvalid` throughout."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            size = _check_directory(file)
            self._zip = ZipFile(file)
        except _ZIP_ERRORS as error:
            raise _broken(error) from error
        self._members = self._zip.infolist()
        _check_members(self._members, size, self._zip.start_dir)
        self._places = {member.filename: member for member in self._members}
        self._expected: dict[str, FilePart] = {}

    @property
    def names(self) -> list[str]:
        """The names of the files, in their order."""
        return [member.filename for member in self._members]

    def expect(self, parts: Iterable[FilePart]) -> None:
        """Hold each of these files against its size and digest, as soon as it is read."""
        self._expected = {part.name: part for part in parts}

    def read(self, name: str, limit: int = MAX_SMALL_BYTES) -> bytes:
        """Return a file of at most *limit* bytes."""
        member = self._places.get(name)
        if member is None:
            raise EvidenceInvalid("zip", f"expected a file {name}, there is none")
        if member.file_size > limit:
            raise EvidenceInvalid(
                "zip", f"{name}: expected at most {limit} bytes, got {member.file_size}"
            )
        return b"".join(self._chunks(name))

    def text(self, name: str) -> str:
        """Return a small file of UTF-8 text."""
        try:
            return self.read(name).decode()
        except UnicodeDecodeError as error:
            raise EvidenceInvalid("zip", f"{name}: expected UTF-8, got other bytes") from error

    def lines(self, name: str) -> Iterator[list[bytes]]:
        """Go through a file of lines, many at a time."""
        rest = b""
        for chunk in self._chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                raise EvidenceInvalid(
                    "zip", f"{name}: expected lines of at most {MAX_LINE_BYTES} bytes"
                )
            if whole:
                yield whole
        if rest:
            raise EvidenceInvalid("zip", f"{name}: expected a newline at the end, got none")

    def _chunks(self, name: str) -> Iterator[bytes]:
        digest, size = sha256(), 0
        try:
            with self._zip.open(self._places[name]) as member:
                while chunk := member.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except _ZIP_ERRORS as error:
            raise _broken(error) from error
        found = FilePart(name, size, digest.hexdigest())
        expected = self._expected.get(name, found)
        if found != expected:
            raise EvidenceInvalid("files", f"expected {expected}, got {found}")


def _broken(error: Exception) -> EvidenceInvalid:
    return EvidenceInvalid("zip", f"expected a zip file, got: {type(error).__name__}: {error}")


def _check_directory(file: BinaryIO) -> int:
    """Check the size of the list of files before it is read into memory; returns the file's."""
    size = file.seek(0, SEEK_END)
    tail = min(size, _END.size + _END64_LOCATOR_BYTES + _END64.size)
    file.seek(size - tail)
    ending = file.read(tail)
    end = _END.unpack(ending[-_END.size :])
    if end[0] != b"PK\5\6" or end[-1] != 0:
        raise BadZipFile("expected the end of a zip file without a comment")
    directories = [end[5]]
    if len(ending) == _END.size + _END64_LOCATOR_BYTES + _END64.size:
        directories.append(_END64.unpack(ending[: _END64.size])[8])
    locator = ending[-_END.size - _END64_LOCATOR_BYTES :]
    if max(directories if locator.startswith(b"PK\6\7") else directories[:1]) > MAX_DIRECTORY_BYTES:
        raise BadZipFile(f"expected a list of files of at most {MAX_DIRECTORY_BYTES} bytes")
    return size


def _check_members(members: Iterable[ZipInfo], size: int, directory: int) -> None:
    """Check what the list of files promises, before one of them is unpacked.

    Files lie side by side up to the *directory*: whoever reads from the front, and not by the
    list, would unpack what lies between them as well.
    """
    packed = count = end = 0
    for member in members:
        count += 1
        packed += member.compress_size
        _check_gap(end, member.header_offset)
        head = _LOCAL_BYTES + len(member.filename.encode())
        end = member.header_offset + head + member.compress_size
        if member.file_size > CHUNK_BYTES + MAX_RATIO * member.compress_size:
            raise EvidenceInvalid(
                "zip", f"expected files that grow {MAX_RATIO} times at most when unpacked, got more"
            )
        if member.compress_type != ZIP_DEFLATED or member.flag_bits & 1:
            raise EvidenceInvalid("zip", "expected deflated files, not encrypted, got another")
    _check_gap(end, directory)
    # Files that lie over each other would be more than there is.
    if count > MAX_FILES or packed > size:
        raise EvidenceInvalid(
            "zip", f"expected at most {MAX_FILES} files that lie side by side, got more"
        )


def _check_gap(end: int, start: int) -> None:
    """Check that nothing but their own sizes lies between the end of a file and the next."""
    if not 0 <= start - end <= (_BESIDE_BYTES if end else 0):
        raise EvidenceInvalid("zip", "expected files that lie side by side, got another")
