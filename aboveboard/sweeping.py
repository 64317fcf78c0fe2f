"""After an erasure: that no file of the database holds its bytes any more.

SQLite overwrites what is deleted (`secure_delete`), but older pages wait in the write-ahead log,
and a row that moved to another page leaves a copy behind in an unused part of the old one. So the
log is emptied, the file is searched, and rebuilt where something is found. PostgreSQL keeps
deleted rows until VACUUM, and their bytes for longer: there the destroyed key is what counts.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from aboveboard.database import Database
from aboveboard.rows import FollowUp, Rows, Writing

CHUNK_BYTES = 1 << 20
PIECE_BYTES = 16  # of either end of a trace: enough to know it by, where it is random
WORDS_BYTES = 64  # a piece of what people write, which begins like much else
STRIDE_BYTES = 512  # from one such piece to the next: a page holds several of them
WORDS_PIECES = 32  # of one text; of a longer one they lie further apart
AT_ONCE_BYTES = 256 << 20  # a larger file is not searched while a request waits
PATIENCE_MS = 200  # for a reader that still looks at an older state
LOCK_S = 5.0
PIECES_LIMIT = 100_000  # beyond, a copy is certain: nothing is searched, the file is rebuilt
REBUILD_S = 86_400.0


class Sweeper:
    """Looks after what erasures leave behind in one database; *tables* are those erased from.

    Traces of *words* are what people write. There 16 bytes prove nothing, and either end is not
    all that may be left of a text that lay on several pages: so it is looked for in longer pieces,
    all along.
    """

    def __init__(self, database: Database, tables: Sequence[str], *, words: bool = False) -> None:
        self._database = database
        self._tables = tables
        self._cut = words_of if words else ends_of
        path = database.sqlite_path
        self._mark = path.with_suffix(".unswept") if path else None
        self._left = self._mark is not None and self._mark.exists()
        self._pieces: set[bytes] = set()
        self._too_many = False
        self._file: int | None = None
        self._searching = threading.Lock()
        self._new = True
        self._rebuilt = -REBUILD_S

    @property
    def due(self) -> bool:
        """Whether something is left to do."""
        return self._too_many or bool(self._pieces)

    def note(self, traces: Sequence[bytes]) -> None:
        """Have *traces* looked for by the next `finish`; for what is erased by the thousand."""
        if self._mark is not None and not self.due:
            with suppress(OSError):
                self._mark.touch(0o600)
        if len(self._pieces) > PIECES_LIMIT:
            self._too_many = True
            return
        for trace in traces:
            if len(trace) >= PIECE_BYTES:  # else too short to be told from anything else
                self._pieces |= self._cut(trace)

    def sweep(self, traces: Sequence[bytes]) -> None:
        """Leave nothing of *traces* in any file, as far as that can be done at once.

        Called by the thread that has committed, before it begins another transaction.
        """
        self.note(traces)
        path = self._database.sqlite_path
        if path is None or not self.due:
            return
        pieces, too_many = frozenset(self._pieces), self._too_many
        if not self._empty_log() or path.stat().st_size > AT_ONCE_BYTES:
            return
        if not (too_many or self._is_in(path, pieces)) or self._rebuild():
            self._done(pieces, too_many=too_many)

    async def finish(self, writing: Writing) -> None:
        """Do what could not be done at once: a reader was in the way, or the file is large.

        The first time the log is emptied, or VACUUM is run, in any case: an earlier process may
        have ended before. What it had still to look for nobody knows any more: then the file is
        rebuilt. That happens at most once a day, for writers wait for it.
        """
        self._too_many, self._left = self._too_many or self._left, False
        pieces, too_many = frozenset(self._pieces), self._too_many
        if not self.due and not self._new:
            return
        path = self._database.sqlite_path
        if path is None:
            await anyio.to_thread.run_sync(self._vacuum)
            self._new = False
            self._done(pieces, too_many=too_many)
            return
        emptied: list[bool] = []
        await _after_a_commit(writing, lambda: emptied.append(self._empty_log()))
        self._new = False
        if not (pieces or too_many) or emptied != [True]:
            return
        if time.monotonic() < self._rebuilt + REBUILD_S:
            return
        found = too_many or await anyio.to_thread.run_sync(self._is_in, path, pieces)
        rebuilt = [True]
        if found:
            rebuilt.clear()
            await _after_a_commit(writing, lambda: rebuilt.append(self._rebuild()))
        if rebuilt == [True]:
            self._done(pieces, too_many=too_many)

    def _done(self, pieces: frozenset[bytes], *, too_many: bool) -> None:
        self._pieces -= pieces
        self._too_many = self._too_many and not too_many
        # One that was there before may be of a process that has more to look for than this one.
        if self._mark is not None and not (self.due or self._left):
            self._mark.unlink(missing_ok=True)

    async def renew(self, writing: Writing) -> None:
        """Leave nothing of any older state, whatever it was: rewrite the file, or VACUUM."""
        if self._database.is_sqlite:
            done: list[bool] = []
            await _after_a_commit(writing, lambda: done.append(self._rebuild()))
        else:
            await anyio.to_thread.run_sync(self._vacuum)

    def _empty_log(self) -> bool:
        """Copy SQLite's write-ahead log into the file and cut it to nothing, unless it is read."""
        return self._alone("PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]

    def _rebuild(self) -> bool:
        """Write the file anew, without unused parts; writers wait for it, readers do not."""
        self._alone("VACUUM")
        self._rebuilt = time.monotonic()
        return self._empty_log()

    def _alone(self, sql: str) -> list[Any]:
        with self._database.exclusive(wait_s=LOCK_S), self._database.connect_writer() as connection:
            driver = cast("sqlite3.Connection", connection.connection.driver_connection)
            driver.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
            return driver.execute(sql).fetchall()

    def _is_in(self, path: Path, pieces: Collection[bytes]) -> bool:
        """Search the database's file, which is opened once and never closed.

        Closing it would let go of every lock that SQLite holds on it in this process (POSIX
        record locks): whoever closed it next would take away the write-ahead log in use.
        """
        with self._searching:
            if self._file is None:
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(self._file, 0, os.SEEK_SET)
            with os.fdopen(self._file, "rb", closefd=False) as file:
                return holds(file, pieces)

    def _vacuum(self) -> None:
        with self._database.connect_writer() as connection:
            outside = connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in self._tables:
                outside.exec_driver_sql(f'VACUUM "{table}"')


def ends_of(trace: bytes) -> set[bytes]:
    """Return the two ends of what is random."""
    return {trace[:PIECE_BYTES], trace[-PIECE_BYTES:]}


def words_of(trace: bytes) -> set[bytes]:
    """Return pieces of what people write."""
    stride = max(STRIDE_BYTES, len(trace) // WORDS_PIECES)
    cut = {trace[at : at + WORDS_BYTES] for at in range(0, len(trace), stride)}
    return {piece for piece in cut | {trace[-WORDS_BYTES:]} if len(piece) >= PIECE_BYTES}


def holds(file: BinaryIO, pieces: Collection[bytes]) -> bool:
    """Whether a file holds one of *pieces*, each at least `PIECE_BYTES` long."""
    wanted: dict[bytes, list[bytes]] = {}
    for piece in pieces:
        wanted.setdefault(piece[:PIECE_BYTES], []).append(piece)
    overlap = max(map(len, pieces), default=PIECE_BYTES) - 1
    # A small table stays in the processor's cache; a larger one leaves fewer places to look at.
    bits = min(22, max(16, 10 + len(wanted).bit_length()))
    begins = np.zeros(1 << bits, dtype=bool)
    first = np.array([int.from_bytes(piece[:4], "little") for piece in wanted], "<u4")
    begins[_hashed(first, bits)] = True
    data = b""
    while chunk := file.read(CHUNK_BYTES):
        data = data[-overlap:] + chunk
        for start in range(4):
            fours = np.frombuffer(data, "<u4", count=(len(data) - start) // 4, offset=start)
            for at in (4 * np.flatnonzero(begins[_hashed(fours, bits)]) + start).tolist():
                whole = wanted.get(data[at : at + PIECE_BYTES], ())
                if any(data.startswith(piece, at) for piece in whole):
                    return True
    return False


def _hashed(fours: NDArray[np.uint32], bits: int) -> NDArray[np.uint32]:
    return (fours * np.uint32(2_654_435_761)) >> np.uint32(32 - bits)


async def _after_a_commit(writing: Writing, work: FollowUp) -> None:
    """Have *work* done where the writer is between two transactions."""

    def carry_out(rows: Rows, commands: Sequence[None]) -> list[None]:
        rows.afterwards(work)
        return list(commands)

    await writing.write(carry_out, None)
