"""What an erasure leaves in the files of a database is found, and is gone afterwards."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from aboveboard import consenting, sweeping
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.sweeping import PIECE_BYTES, holds
from aboveboard.writer import CommandWriter
from consent.tables import SUBJECT

GROWING = " ON CONFLICT (site_id, subject_ref) DO UPDATE SET standing = excluded.standing"
SEEDS = 20
STRANGER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT 1 FROM subject").fetchone()
connection.close()
"""


@given(st.integers(0, 60), st.integers(PIECE_BYTES, 40), st.integers(0, 40), st.integers(16, 50))
def test_a_piece_is_found_wherever_it_lies(before: int, size: int, after: int, chunk: int) -> None:
    """At either end of a file and across two of its parts; what is not there is not found."""
    content = os.urandom(before + size + after)
    piece = content[before : before + PIECE_BYTES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping, "CHUNK_BYTES", chunk)

        assert holds(BytesIO(content), [os.urandom(PIECE_BYTES), piece])
        assert not holds(BytesIO(content), [os.urandom(PIECE_BYTES)])


class Subjects:
    """Subjects whose rows grow and move about, as standings do."""

    def __init__(self, databases: Databases, seed: int) -> None:
        self.database = databases.consent
        self.sweeper = consenting.open_sweeper(databases)
        self.writer = CommandWriter(self.database)
        random = Random(seed)  # noqa: S311 - repeatable, nothing secret
        made = [(f"1.{random.randbytes(16).hex()}", random.randbytes(60)) for _ in range(1500)]
        with self.database.write() as connection, Rows(connection) as rows:
            for count, subject in enumerate(made):
                grown = random.choice(made[: count + 1])
                self._put(rows, subject, "{}")
                self._put(rows, grown, "x" * random.randrange(20, 600))
        self.gone = random.sample(made, 150)

    def _put(self, rows: Rows, subject: tuple[str, bytes], standing: str) -> None:
        ref, wrapped = subject
        rows.insert(SUBJECT, [("shop", ref, 1, wrapped, standing, None)], tail=GROWING)

    @property
    def traces(self) -> list[bytes]:
        """What must be in no file once they are erased."""
        return [part for ref, wrapped in self.gone for part in (ref.encode(), wrapped)]

    def erase(self, *, sweep: bool) -> None:
        """Delete those who go, and have it swept after the commit."""
        asyncio.run(self.writer.write(self._erase, sweep))

    def _erase(self, rows: Rows, commands: Sequence[bool]) -> list[None]:
        gone = [ref for ref, _ in self.gone]
        rows.connection.execute(delete(SUBJECT).where(SUBJECT.c.subject_ref.in_(gone)))
        if commands[0]:
            rows.afterwards(lambda: self.sweeper.sweep(self.traces))
        return [None]

    def finish(self) -> None:
        """Do what could not be done at once."""
        asyncio.run(self.sweeper.finish(self.writer))

    def found(self) -> list[str]:
        """Return the files that still hold something."""
        pieces = [trace[:PIECE_BYTES] for trace in self.traces]
        folder = self.path.parent
        return sorted(
            path.name
            for path in folder.glob(f"{self.path.name}*")
            if holds(BytesIO(path.read_bytes()), pieces)
        )

    @property
    def path(self) -> Path:
        """The file."""
        assert self.database.sqlite_path is not None
        return self.database.sqlite_path


@pytest.fixture(scope="module")
def engine() -> str:
    """Name the only engine that keeps its rows in a file of ours."""
    return "sqlite"


def test_sqlite_leaves_copies_that_sweeping_removes(databases: Databases) -> None:
    """Deleted with `secure_delete` and checkpointed, bytes may still be there; then they are not.

    Where they stay depends on how pages were split, so several sets of subjects are tried.
    """
    copies = 0
    for seed in range(SEEDS):
        subjects = Subjects(databases, seed)
        subjects.erase(sweep=False)
        with closing(sqlite3.connect(subjects.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copies += bool(subjects.found())

        subjects.sweeper.sweep(subjects.traces)

        assert subjects.found() == []
        assert not subjects.sweeper.due
        if copies:
            return
    pytest.fail("expected a copy left behind in one of the files, found none")


def test_the_log_is_emptied_before_the_answer(databases: Databases) -> None:
    """What is erased by a command is in no file when the command has its answer."""
    subjects = Subjects(databases, 1)
    assert subjects.found()

    subjects.erase(sweep=True)

    assert subjects.found() == []


def test_a_reader_in_the_way_is_waited_for(databases: Databases) -> None:
    """The older state that it looks at stays until it is done; the next round removes it."""
    subjects = Subjects(databases, 1)
    with closing(sqlite3.connect(subjects.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM subject").fetchall()
        subjects.erase(sweep=True)
        subjects.finish()
        held_back = subjects.found()
        due = subjects.sweeper.due

    subjects.finish()

    assert held_back
    assert due
    assert subjects.found() == []
    assert not subjects.sweeper.due


def test_a_large_file_is_searched_later(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for that; nothing is left afterwards, wherever copies were."""
    monkeypatch.setattr(sweeping, "AT_ONCE_BYTES", 0)
    for seed in range(SEEDS):
        subjects = Subjects(databases, seed)
        subjects.erase(sweep=True)
        copies = subjects.found()
        assert subjects.sweeper.due

        subjects.finish()

        assert subjects.found() == []
        assert not subjects.sweeper.due
        if copies:
            return
    pytest.fail("expected a copy left behind in one of the files, found none")


def test_what_nobody_waits_for_is_swept_together(databases: Databases) -> None:
    """Noted erasures are looked for by the next round; the file is rebuilt once a day at most."""
    for seed in range(SEEDS):
        subjects = Subjects(databases, seed)
        subjects.erase(sweep=False)
        subjects.sweeper.note(subjects.traces)
        assert subjects.sweeper.due

        subjects.finish()

        assert subjects.found() == []
        assert not subjects.sweeper.due
        if subjects.sweeper._rebuilt > 0:
            subjects.sweeper.note(subjects.traces)
            subjects.finish()
            assert subjects.sweeper.due
            return
    pytest.fail("expected a copy left behind in one of the files, found none")


def test_too_many_to_look_for_are_not_looked_for(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the file is rebuilt without a search, and they are not kept in memory."""
    monkeypatch.setattr(sweeping, "PIECES_LIMIT", 10)
    subjects = Subjects(databases, 1)
    subjects.erase(sweep=False)
    for _ in range(2):
        subjects.sweeper.note(subjects.traces[:8])
    before = len(subjects.sweeper._pieces)

    subjects.finish()

    assert before == 16
    assert subjects.sweeper._rebuilt > 0
    assert not subjects.sweeper.due
    assert subjects.found() == []


def test_a_process_that_died_is_made_up_for(databases: Databases) -> None:
    """The first round empties the log, whoever filled it; the next has nothing to do."""
    with closing(sqlite3.connect(databases.consent.sqlite_path or "")) as other:
        other.execute("SELECT count(*) FROM subject").fetchall()
        subjects = Subjects(databases, 1)
        log = subjects.path.with_name(f"{subjects.path.name}-wal")
        before = log.stat().st_size

        subjects.finish()
        emptied = log.stat().st_size
        subjects.erase(sweep=False)
        subjects.finish()
        after = log.stat().st_size

    assert before
    assert emptied == 0
    assert after


def test_what_an_ended_process_had_still_to_look_for_is_made_up_for(databases: Databases) -> None:
    """The next one does not know what it was, only that there was something; once done, no more."""
    for seed in range(SEEDS):
        subjects = Subjects(databases, seed)
        subjects.erase(sweep=False)
        subjects.sweeper.note(subjects.traces)
        with closing(sqlite3.connect(subjects.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copies = subjects.found()

        subjects.sweeper = consenting.open_sweeper(databases)
        subjects.finish()

        assert subjects.found() == []
        subjects.sweeper = consenting.open_sweeper(databases)
        subjects.finish()
        assert subjects.sweeper._rebuilt < 0
        if copies:
            return
    pytest.fail("expected a copy left behind in one of the files, found none")


def test_a_command_leaves_the_mark_of_what_the_service_has_still_to_look_for(
    databases: Databases,
) -> None:
    """It has swept what it erased itself; should the service end now, the next one makes up."""
    subjects = Subjects(databases, 0)
    subjects.sweeper.note(subjects.traces)

    subjects.sweeper = consenting.open_sweeper(databases)
    subjects.erase(sweep=True)

    assert not subjects.sweeper.due
    subjects.sweeper = consenting.open_sweeper(databases)
    subjects.finish()
    assert subjects.sweeper._rebuilt > 0


def test_searching_lets_go_of_no_lock(files: Databases) -> None:
    """Another process that closes the file later leaves the write-ahead log in use where it is."""
    subjects = Subjects(files, 1)
    path = files.consent.sqlite_path
    assert path is not None
    with files.consent.read() as connection:
        connection.exec_driver_sql("SELECT 1 FROM subject").first()
        subjects.erase(sweep=True)
        subprocess.run([sys.executable, "-c", STRANGER, path], check=True, timeout=60)  # noqa: S603

        assert path.with_name(f"{path.name}-wal").exists()
