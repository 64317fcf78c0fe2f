"""Engines, pragmas, locks and migrations: one `Database` for each of the three sets of tables.

On SQLite a set is a file in the data directory, on PostgreSQL a schema behind one URL. On both,
exactly one connection writes at any instant: SQLite writers queue on `flock`, then begin
immediately; PostgreSQL writers hold row or advisory locks that the domains take themselves.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio.to_thread
import sqlalchemy
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, MetaData, RootTransaction, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.sql import Executable

from aboveboard.errors import (
    AlreadyServing,
    DataDirUnusable,
    DurabilityOff,
    SchemaNewer,
    SettingsInvalid,
    StorageBusy,
    StorageUnavailable,
)
from aboveboard.lookups import Lookups
from aboveboard.rows import Statement, name_failure

T = TypeVar("T")

MIGRATION_LOCK = 0x61626F7665  # any fixed number: PostgreSQL advisory lock held while migrating
APPLICATION = "aboveboard"  # what PostgreSQL's list of connections names ours by
BUSY_MS = 5000
READ_MS = 60_000  # a statement of PostgreSQL; it hears of no client that gives up sooner
LOCK_LOOK_S = 0.005
WRITER_CACHE_KB = 65_536  # random keys touch pages all over: SQLite's 2 MB would be read again
CHECKPOINT_PAGES = 4_096  # pages of WAL, 16 MB: a page written often is copied back once
LOG_BYTES = 32 << 20  # that the file of the WAL keeps; a long reader may have made it much longer


class Database:
    """One set of tables: how it is written, read and brought up to date."""

    def __init__(
        self,
        name: str,
        metadata: MetaData,
        migrations: Path,
        *,
        data_dir: Path,
        url: str | None,
    ) -> None:
        self.name = name
        self._metadata = metadata
        self._migrations = migrations
        self.sqlite_path = None if url else data_dir / f"{name}.sqlite3"
        if self.sqlite_path:
            self._writing: Engine = _sqlite(self.sqlite_path, write=True)
            self._reading: Engine = _sqlite(self.sqlite_path, write=False)
        else:
            self._writing = self._reading = _postgresql(url or "", schema=name)
        self._newest: str | None = None
        self._lock_file: int | None = None
        self._inline: sqlite3.Connection | None = None
        self._lookups = None if self.sqlite_path else Lookups(name, self._reading)

    @property
    def is_sqlite(self) -> bool:
        """Whether this set of tables is a SQLite file."""
        return self.sqlite_path is not None

    def is_there(self) -> bool:
        """Whether there are tables of this set already, in whatever state."""
        if self.sqlite_path:
            return self.sqlite_path.exists()
        with self.read() as connection:
            schema = {"name": self.name}
            found = connection.execute(text("SELECT to_regnamespace(:name) IS NOT NULL"), schema)
            return bool(found.scalar_one())

    def count_others(self) -> int:
        """Count the connections of other processes of ours to a PostgreSQL database."""
        with self.read() as connection:
            found = connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name "
                    "AND datname = current_database() AND pid <> pg_backend_pid()"
                ),
                {"name": APPLICATION},
            )
            return int(found.scalar_one())

    @contextmanager
    def exclusive(self, *, wait_s: float | None = None) -> Iterator[None]:
        """Hold the file's lock, so that nobody else writes; nothing on PostgreSQL.

        A command waits its turn for as long as it takes. Whoever says how long, in seconds, gets
        StorageBusy after that.
        """
        if not self.sqlite_path:
            yield
            return
        if self._lock_file is None:
            self._lock_file = _open_lock(self.sqlite_path.with_suffix(".lock"))
        if wait_s is None:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        elif not _locked_within(self._lock_file, wait_s):
            raise StorageBusy(
                f"{self.name}: expected the file's lock within {wait_s} s, another process has it"
            )
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    @contextmanager
    def write(
        self, connection: Connection | None = None, *, wait_s: float | None = None
    ) -> Iterator[Connection]:
        """Run one write transaction; commits at the end, rolls back on any error.

        Raises StorageUnavailable when the database does not take it, and StorageBusy where it
        would have to wait longer than *wait_s*.
        """
        try:
            with self.exclusive(wait_s=wait_s):
                if connection is not None:
                    with self._begin(connection, wait_s=wait_s):
                        yield connection
                        check_open(connection)
                else:
                    with self._writing.begin() as own:
                        yield own
                        check_open(own)
        except DBAPIError as error:
            raise StorageUnavailable(
                f"{self.name}: expected a durable write, got {name_failure(error)}"
            ) from error

    def _begin(self, connection: Connection, *, wait_s: float | None) -> RootTransaction:
        if wait_s != 0 or not self.is_sqlite:
            return connection.begin()
        # A stranger to the lock file, such as a shell, may be writing all the same.
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        driver.execute("PRAGMA busy_timeout=0")
        try:
            return connection.begin()
        except DBAPIError as error:
            raise StorageBusy(f"{self.name}: expected to begin, the file is locked") from error
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_MS}")

    def connect_writer(self) -> Connection:
        """Open the connection that a writer thread keeps."""
        return self._writing.connect()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a connection for reading; on SQLite it cannot write. Raises StorageUnavailable."""
        try:
            with self._reading.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StorageUnavailable(
                f"{self.name}: expected an answer, got {name_failure(error)}"
            ) from error
        except sqlalchemy.exc.TimeoutError as error:
            raise StorageUnavailable(
                f"{self.name}: expected a free connection, got none in time"
            ) from error

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a connection to which everything stays as it is at its first question.

        On SQLite the write-ahead log cannot be cut short meanwhile.
        """
        with self.read() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            try:
                yield connection
            finally:
                if self.is_sqlite:
                    connection.exec_driver_sql("ROLLBACK")

    async def query(self, ask: Callable[[Connection], T]) -> T:
        """Run *ask* in the thread pool on a reading connection: for everything that is not hot."""
        return await anyio.to_thread.run_sync(self._ask, ask)

    def _ask(self, ask: Callable[[Connection], T]) -> T:
        with self.read() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {READ_MS}")
            return ask(connection)

    def prepare(self, select: Executable) -> Statement:
        """Compile *select* for this engine."""
        return Statement(select, self._reading.dialect)

    async def look(self, statement: Statement, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Answer a prepared, indexed point read.

        On SQLite it runs at once, on the serving thread: the read takes less than the hop to
        another would. On PostgreSQL it waits for the server, together with others. Raises
        StorageUnavailable, on PostgreSQL also QueueFull.
        """
        if self._lookups is not None:
            return await self._lookups.look(statement, values)
        if self._inline is None:
            lent = self._reading.raw_connection()
            self._inline = cast("sqlite3.Connection", lent.driver_connection)
            # Kept for good: otherwise the pool would lend it to other threads as well.
            lent.detach()
        try:
            return self._inline.execute(statement.sql, statement.bind(values)).fetchall()
        except sqlite3.Error as error:
            raise StorageUnavailable(
                f"{self.name}: expected an answer, got {name_failure(error)}"
            ) from error

    def close(self) -> None:
        """Close every connection; readers first, so that the writer is the one to checkpoint."""
        if self._inline is not None:
            self._inline.close()
            self._inline = None
        if self._lookups is not None:
            self._lookups.close()
        self._reading.dispose()
        self._writing.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    # -- migrations ---------------------------------------------------------------------------

    def migrate(self) -> None:
        """Bring the tables to this release's revision; two processes at once take turns.

        Raises SchemaNewer when a newer release made them, StorageUnavailable when the database
        cannot be reached.
        """
        try:
            with self.exclusive(), self._writing.connect() as connection:
                if not self.is_sqlite:
                    check_durability(connection)
                    # The lock first: two that create a schema at once would trip each other up.
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                    connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self.name}"')
                self._upgrade(connection)
                connection.commit()
        except SQLAlchemyError as error:
            raise StorageUnavailable(
                f"{self.name}: expected a database that can be migrated, got: "
                f"{str(getattr(error, 'orig', error)).strip()}"
            ) from error

    def revision(self) -> tuple[str | None, str | None]:
        """Return the revision of the tables and the newest that this release knows."""
        if self._newest is None:
            self._newest = self._script().get_current_head()
        with self.read() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        return found, self._newest

    def check_known(self, revision: str) -> None:
        """Raise SchemaNewer where this release does not know a *revision* of the tables."""
        script = self._script()
        try:
            script.get_revision(revision)
        except CommandError as error:
            raise SchemaNewer(
                f"{self.name}: expected tables up to revision {script.get_current_head()}, "
                f"got {revision}; they were made by a newer release"
            ) from error

    def _script(self) -> ScriptDirectory:
        config = Config()
        config.set_main_option("script_location", str(self._migrations))
        config.set_main_option("version_locations", str(self._migrations))
        config.set_main_option("path_separator", "newline")
        return ScriptDirectory.from_config(config)

    def _upgrade(self, connection: Connection) -> None:
        script = self._script()
        current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        if current is not None:
            self.check_known(current)

        def steps(revision: Any, _context: Any) -> list[Any]:  # noqa: ANN401 - Alembic's own
            return script._upgrade_revs("head", revision)  # noqa: SLF001 - as Alembic's commands do

        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, target_metadata=self._metadata)
            with environment.begin_transaction():
                environment.run_migrations()


def check_open(connection: Connection) -> None:
    """Raise StorageUnavailable unless the transaction is still whole.

    SQLite rolls back by itself when the disk is full or fails, and PostgreSQL after any failed
    statement; on both the driver's commit would then do nothing and say that all is well.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        whole = driver.in_transaction
    else:
        whole = driver.info.transaction_status.name == "INTRANS"
    if not whole:
        raise StorageUnavailable("expected a whole transaction, got one that was rolled back")


def _sqlite(path: Path, *, write: bool) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool if write else QueuePool,
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000},
        **({} if write else {"pool_size": 8, "pool_timeout": BUSY_MS / 1000}),
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        # A byte that was damaged must not keep its row from being shown, or from being erased.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        if write:
            os.chmod(path, 0o600)  # noqa: PTH101 - the file exists once connected
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA fullfsync=ON")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute(f"PRAGMA cache_size=-{WRITER_CACHE_KB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
        else:
            connection.execute("PRAGMA query_only=ON")
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")

    if write:

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def read_url(url: str) -> URL:
    """Read what names a database of PostgreSQL. Raises SettingsInvalid, which quotes no password.

    A password that was not percent-encoded ends up in any other part, so of those none is quoted.
    """
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in f"{parsed.host}{parsed.database}":
        raise SettingsInvalid(
            "database_url: expected postgresql://user@host/name, signs such as @ : / in a "
            "password percent-encoded"
        ) from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsInvalid(
            f"database_url: expected postgresql://…, got {parsed.get_backend_name()}://…"
        )
    return parsed


def _postgresql(url: str, *, schema: str) -> Engine:
    parsed = read_url(url)
    try:
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=False,
            pool_recycle=300,
            pool_timeout=BUSY_MS / 1000,
            connect_args={
                "application_name": APPLICATION,
                "options": f"-csearch_path={schema} -ctimezone=UTC",
                # A connection that a firewall forgot is noticed in seconds, not in a quarter hour.
                "connect_timeout": 10,
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
            },
        )
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            "database_url: expected the extra for PostgreSQL: pip install 'aboveboard[postgres]'"
        ) from error


def check_durability(connection: Connection) -> None:
    """Raise DurabilityOff where PostgreSQL may forget what it says it has committed."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        value = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
        if value == "off":
            raise DurabilityOff(f"PostgreSQL: expected {name} to be on, got {value}")


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirUnusable(f"expected a lock file at {path}, got: {error}") from error


def _locked_within(handle: int, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(LOCK_LOOK_S)
        else:
            return True


@contextmanager
def serving_alone(data_dir: Path) -> Iterator[None]:
    """Hold the right to serve this data directory on SQLite for as long as the block runs.

    Raises AlreadyServing when another process holds it.
    """
    handle = _open_lock(data_dir / "serving.lock")
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(
                f"{data_dir} is served by another process; SQLite takes one. "
                "For several, set ABOVEBOARD_DATABASE_URL to a PostgreSQL database."
            ) from None
        yield
    finally:
        os.close(handle)
