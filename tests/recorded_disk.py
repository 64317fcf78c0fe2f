"""A disk under SQLite that keeps every write and sync in order, and that can fail at any of them.

A shim over real files: what a power cut could have left of them is made from its record. SQLite is
the one that APSW brings along, for the standard library's takes no shim; engines, statements and
transactions are the product's own.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import apsw
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

SECTOR = 512  # bytes: of these a disk writes all or nothing


@dataclass(frozen=True)
class Write:
    """Bytes handed to the disk."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    """A file cut to a size."""

    file: str
    size: int


@dataclass(frozen=True)
class Sync:
    """A promise of the disk: whatever this file was told before stays."""

    file: str


@dataclass(frozen=True)
class FailedSync:
    """No promise: what this file was told before may be gone for good, also for the next sync."""

    file: str


@dataclass(frozen=True)
class Acknowledged:
    """Not the disk's: here somebody was told that this leaf is in the log."""

    leaf_index: int
    leaf: bytes


Happened = Write | Truncate | Sync | FailedSync | Acknowledged
Pending = Write | Truncate


class Disk(apsw.VFS):
    """The shim. Files are recorded under their names, without the folder."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.record: list[Happened] = []
        self.calls = 0
        self._fails: Callable[[int], bool] = lambda _: False
        self._failing: type[Happened] = Write
        self._code = 0

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: ANN401, N802 - APSW's names
        """Open a file through the shim."""
        return File(self, name, flags)

    @contextmanager
    def failing(
        self, code: int, calls: type[Happened], fails: Callable[[int], bool]
    ) -> Iterator[None]:
        """Fail by SQLite's *code* at those of these *calls*, counted from one, that *fails* says.

        To truncate counts as to write.
        """
        self.calls, self._failing = 0, calls
        self._code, self._fails = code, fails
        try:
            yield
        finally:
            self._fails = lambda _: False

    def note(self, happened: Write | Truncate | Sync) -> None:
        """Write down a call, or let it fail."""
        is_sync = isinstance(happened, Sync)
        if is_sync == (self._failing is Sync):
            self.calls += 1
            if self._fails(self.calls):
                if is_sync:
                    self.record.append(FailedSync(happened.file))
                raise apsw.exception_for(self._code)
        self.record.append(happened)


class File(apsw.VFSFile):
    """A real file whose changes are noted before they are made."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:  # noqa: ANN401
        super().__init__("", name, flags)
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write."""
        self._disk.note(Write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Cut."""
        self._disk.note(Truncate(self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Sync."""
        self._disk.note(Sync(self._name))
        super().xSync(flags)


# -- the product's engines on that disk -----------------------------------------------------------


@contextmanager
def engines_on(disk: Disk) -> Iterator[None]:
    """Have every SQLite engine that is made inside the block use *disk*."""

    def make(url: str, **given: Any) -> Engine:  # noqa: ANN401 - handed through
        given.pop("connect_args")
        path = make_url(url).database
        return create_engine(url, creator=lambda: RecordedConnection(path, disk), **given)

    with mock.patch("aboveboard.database.create_engine", make):
        yield


class RecordedConnection:
    """What the product uses of the standard library's connection, spoken by APSW's."""

    isolation_level: str | None = None

    def __init__(self, path: str | None, disk: Disk) -> None:
        with _translated():
            self._base = apsw.Connection(path or "", vfs=disk.name)

    def checkpoint_every(self, pages: int) -> None:
        """Checkpoint as SQLite does by itself: after a commit, which stands if that fails.

        Its own way would have APSW tell the failure as the commit's.
        """

        def committed(base: apsw.Connection, name: str, wal_pages: int) -> int:
            if wal_pages >= pages:
                with suppress(apsw.Error):
                    base.wal_checkpoint(name)
            return apsw.SQLITE_OK

        self._base.set_wal_hook(committed)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._base.in_transaction

    def cursor(self) -> "_Cursor":
        """Open a cursor."""
        return _Cursor(self._base)

    def execute(self, sql: str, values: Any = ()) -> "_Cursor":  # noqa: ANN401
        """Run a statement."""
        return self.cursor().execute(sql, values)

    def executemany(self, sql: str, values: Any) -> "_Cursor":  # noqa: ANN401
        """Run a statement once for each of *values*."""
        return self.cursor().executemany(sql, values)

    def create_function(
        self, name: str, number: int, made: Callable[..., Any], **options: bool
    ) -> None:
        """Define a function of SQL."""
        self._base.create_scalar_function(name, made, number, **options)

    def commit(self) -> None:
        """Commit what is open."""
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        """Roll back what is open."""
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        """Close it."""
        with _translated():
            self._base.close()


class _Cursor:
    """A cursor that has read everything as soon as it is asked."""

    arraysize = 1
    lastrowid = None
    rowcount = -1

    def __init__(self, base: apsw.Connection) -> None:
        self._base = base
        self._rows: list[tuple[Any, ...]] = []
        self.description: Any = None

    def execute(self, sql: str, values: Any = ()) -> "_Cursor":  # noqa: ANN401
        cursor = self._base.cursor()

        def begins(started: apsw.Cursor, _sql: str, _values: object) -> bool:
            columns = started.get_description()
            self.description = [(column[0], *[None] * 6) for column in columns] or None
            return True

        cursor.exec_trace = begins
        with _translated():
            self._rows = list(cursor.execute(sql, values))
        return self

    def executemany(self, sql: str, values: Any) -> "_Cursor":  # noqa: ANN401
        with _translated():
            self._base.cursor().executemany(sql, values)
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def fetchall(self) -> list[tuple[Any, ...]]:
        taken, self._rows = self._rows, []
        return taken

    def close(self) -> None:
        self._rows = []


@contextmanager
def _translated() -> Iterator[None]:
    """Tell an error of APSW's as the standard library would."""
    try:
        yield
    except apsw.ConstraintError as error:
        raise sqlite3.IntegrityError(str(error)) from error
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error


# -- what a power cut leaves ----------------------------------------------------------------------


def cut(record: Sequence[Happened], before: dict[str, bytes], draw: Random) -> dict[str, bytes]:
    """Return the files as a power cut right after *record* could leave them.

    *before* is what they held when it began. What a file was told before its last sync is there;
    of the rest the disk has taken all, nothing, or some of its sectors in any order.
    """
    files = {name: bytearray(content) for name, content in before.items()}
    pending: dict[str, list[Pending]] = {}
    for happened in record:
        if isinstance(happened, Sync):
            for change in pending.pop(happened.file, []):
                _apply(files, change)
        elif isinstance(happened, FailedSync):
            for change in _survivors(pending.pop(happened.file, []), draw):
                _apply(files, change)
        elif not isinstance(happened, Acknowledged):
            pending.setdefault(happened.file, []).append(happened)
    for changes in pending.values():
        for change in _survivors(changes, draw):
            _apply(files, change)
    return {name: bytes(content) for name, content in files.items()}


def _survivors(changes: list[Pending], draw: Random) -> list[Pending]:
    fate = draw.choice(("dropped", "kept", "torn"))
    if fate == "dropped":
        return []
    if fate == "kept":
        return changes
    sectors = [sector for change in changes for sector in _sectors(change)]
    return draw.sample(sectors, draw.randint(0, len(sectors)))


def _sectors(change: Pending) -> list[Pending]:
    if isinstance(change, Truncate):
        return [change]
    start, end = change.offset, change.offset + len(change.data)
    edges = [start, *range(start // SECTOR * SECTOR + SECTOR, end, SECTOR), end]
    return [
        Write(change.file, first, change.data[first - start : stop - start])
        for first, stop in pairwise(edges)
    ]


def _apply(files: dict[str, bytearray], change: Pending) -> None:
    content = files.setdefault(change.file, bytearray())
    if isinstance(change, Truncate):
        del content[change.size :]
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data
