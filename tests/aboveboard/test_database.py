"""Databases: migrated to what is declared, never past it, one process at a time."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex

import pytest
from conftest import Service
from declared_tables import differences
from sqlalchemy import QueuePool, insert, literal, select, text

from aboveboard import installation
from aboveboard.database import Database, serving_alone
from aboveboard.errors import (
    AlreadyServing,
    DataDirUnusable,
    SchemaNewer,
    SettingsInvalid,
    StorageUnavailable,
)
from aboveboard.installation import Databases
from aboveboard.settings import Settings
from aboveboard.tables import SITE

ROW = {"id": "one", "url": "https://one.example", "host": "one.example", "created": "2026"}


def test_migrations_make_what_is_declared(databases: Databases) -> None:
    """After migrating, nothing distinguishes the tables from their definitions."""
    for database in databases:
        found, expected = database.revision()

        assert found == expected
        assert differences(database) == []


def test_migrating_again_changes_nothing(databases: Databases) -> None:
    """What is up to date stays as it is, its rows too."""
    with databases.aboveboard.write() as connection:
        connection.execute(insert(SITE).values(ROW))

    databases.migrate()

    with databases.aboveboard.read() as connection:
        assert connection.execute(select(SITE.c.id)).scalars().all() == ["one"]


def test_a_reader_waits_for_a_connection_for_a_while(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all are taken it is told that the database does not answer, and not kept for ever."""
    pool = databases.moderation._reading.pool
    assert isinstance(pool, QueuePool)
    monkeypatch.setattr(pool, "_timeout", 0.01)
    with ExitStack() as taken:
        for _ in range(pool.size() + pool._max_overflow):
            taken.enter_context(databases.moderation.read())

        with (
            pytest.raises(StorageUnavailable, match="expected a free connection"),
            databases.moderation.read(),
        ):
            pass

    with databases.moderation.read() as connection:
        assert connection.execute(select(literal(1))).scalar_one() == 1


def test_tables_of_a_newer_release_are_refused(databases: Databases) -> None:
    """An older release does not touch what it does not know."""
    with databases.consent.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaNewer, match="9999"):
        databases.consent.migrate()


@pytest.mark.parametrize("name", ["aboveboard", "moderation", "consent"])
def test_tables_that_are_lost_are_not_made_anew(databases: Databases, name: str) -> None:
    """The others were made with them: an empty set in their place would be a loss nobody hears of.

    An installation that was cut off before its first site goes on.
    """
    with databases.aboveboard.write() as connection:
        connection.execute(insert(SITE).values(ROW))
    lost = getattr(databases, name)
    databases.close()
    if lost.sqlite_path:
        lost.sqlite_path.unlink()
    else:
        with lost.write() as connection:
            connection.exec_driver_sql(f'DROP SCHEMA "{name}" CASCADE')

    with pytest.raises(DataDirUnusable, match=f"{name}: expected the tables"):
        databases.migrate()

    assert not lost.is_there()


def test_a_first_start_that_was_cut_off_goes_on(
    new_url: Callable[[], str | None], tmp_path: Path
) -> None:
    """Tables are made in an order; before the last of them there is no site."""
    settings = Settings(data_dir=tmp_path, database_url=new_url())
    databases = installation.open_databases(settings)
    databases.aboveboard.migrate()

    databases.migrate()

    assert [database.is_there() for database in databases] == [True, True, True]
    databases.close()


def test_two_migrate_at_once(new_url: Callable[[], str | None], tmp_path: Path) -> None:
    """Whoever comes first makes the tables; the others find them."""
    settings = Settings(data_dir=tmp_path / "data", database_url=new_url())
    several = [installation.open_databases(settings) for _ in range(6)]
    together = threading.Barrier(len(several))
    failures: list[Exception] = []

    def migrate(databases: Databases) -> None:
        together.wait()
        try:
            databases.migrate()
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(databases,)) for databases in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert differences(several[0].consent) == []
    for databases in several:
        databases.close()


def test_a_failed_write_leaves_nothing(databases: Databases) -> None:
    """What the database refuses is a StorageUnavailable that names no value."""

    def write_twice() -> None:
        with databases.aboveboard.write() as connection:
            connection.execute(insert(SITE).values(ROW))
            connection.execute(insert(SITE).values(ROW))

    with pytest.raises(StorageUnavailable, match=r"IntegrityError|UniqueViolation") as caught:
        write_twice()

    assert _sites(databases.aboveboard) == []
    assert "one" not in str(caught.value)


def test_a_reader_cannot_write_a_file(files: Databases) -> None:
    """On SQLite connections for reading refuse to write."""

    def write() -> None:
        with files.aboveboard.read() as connection:
            connection.execute(insert(SITE).values(ROW))

    with pytest.raises(StorageUnavailable):
        write()


def test_files_are_their_owners(tmp_path: Path) -> None:
    """Databases are 0600 in a directory that is 0700, whatever the umask."""
    before = os.umask(0)
    try:
        databases = installation.open_databases(Settings(data_dir=tmp_path / "data"))
        databases.migrate()
        modes = {
            path.name: path.stat().st_mode & 0o777
            for path in (tmp_path / "data").glob("*")
            if path.is_file()
        }
        databases.close()
    finally:
        os.umask(before)

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert {"aboveboard.sqlite3", "moderation.sqlite3", "consent.sqlite3"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_file_is_written_durably(files: Databases) -> None:
    """The writing connection syncs in full, in a write-ahead log, with foreign keys on."""
    with files.consent.connect_writer() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }

    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }


def test_the_log_that_a_long_reader_kept_grows_short_again(
    files: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup of a large file, say: afterwards the disk space comes back by itself."""
    monkeypatch.setattr("aboveboard.database.CHECKPOINT_PAGES", 10)
    monkeypatch.setattr("aboveboard.database.LOG_BYTES", 100_000)
    assert files.aboveboard.sqlite_path is not None
    log = files.aboveboard.sqlite_path.with_suffix(".sqlite3-wal")
    writer = files.aboveboard.connect_writer()

    def write(count: int) -> int:
        for _ in range(count):
            with files.aboveboard.write(writer) as connection:
                connection.execute(
                    insert(SITE).values(
                        {**ROW, "id": token_hex(8), "url": "x" * 8_000 + token_hex(8)}
                    )
                )
        return log.stat().st_size

    with files.aboveboard.snapshot() as reader:
        reader.execute(select(SITE.c.id)).all()
        grown = write(50)
    left = write(3)
    writer.close()

    assert grown > 400_000
    assert left <= 100_000


def test_what_the_event_loop_reads_with_is_nobody_elses(files: Databases) -> None:
    """On SQLite its connection is not lent to the threads that ask other questions."""
    with files.aboveboard.write() as connection:
        connection.execute(insert(SITE).values(ROW))
    statement = files.aboveboard.prepare(select(SITE.c.id))

    async def both() -> tuple[list[tuple[str]], list[str]]:
        looked = await files.aboveboard.look(statement)
        asked = await files.aboveboard.query(
            lambda connection: list(connection.execute(select(SITE.c.id)).scalars())
        )
        return looked, asked  # type: ignore[return-value]

    looked, asked = asyncio.run(both())

    with files.aboveboard.read() as connection:
        lent = connection.connection.driver_connection
        assert lent is not files.aboveboard._inline
    assert (looked, asked) == ([("one",)], ["one"])


def test_a_read_without_tables_is_told(new_url: Callable[[], str | None], tmp_path: Path) -> None:
    """A question to tables that are not there is StorageUnavailable, inline or in a thread."""
    settings = Settings(data_dir=tmp_path, database_url=new_url())
    databases = installation.open_databases(settings)
    database = databases.moderation
    statement = databases.aboveboard.prepare(select(SITE.c.id))

    with pytest.raises(StorageUnavailable):
        asyncio.run(databases.aboveboard.look(statement))
    with pytest.raises(StorageUnavailable):
        asyncio.run(database.query(lambda connection: connection.execute(select(SITE.c.id))))
    assert database.revision()[0] is None
    databases.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql://user:secret@host/name", "got mysql://"),
        ("no url", "expected postgresql://user@host/name"),
        ("postgresql://app:Hun@secret:x9/q@db.example/name", "percent-encoded"),
        ("postgresql://app:Hun@secret/q@db.example/name", "percent-encoded"),
        ("postgresql://app:Hun@secret@db.example/name", "percent-encoded"),
    ],
)
def test_another_database_is_refused(tmp_path: Path, url: str, expected: str) -> None:
    """What is no PostgreSQL URL is told, without its password."""
    with pytest.raises(SettingsInvalid, match=expected) as caught:
        installation.open_databases(Settings(data_dir=tmp_path, database_url=url))  # type: ignore[arg-type]

    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_unreachable_server_is_told(tmp_path: Path) -> None:
    """Migrating where nobody listens is one sentence, not a driver's traceback."""
    url = f"postgresql://user:secret@/name?host={tmp_path}"
    databases = installation.open_databases(Settings(data_dir=tmp_path, database_url=url))  # type: ignore[arg-type]

    with pytest.raises(
        StorageUnavailable, match="expected a database that can be migrated"
    ) as told:
        databases.migrate()

    assert "secret" not in str(told.value)
    databases.close()


def test_a_data_directory_is_served_by_one(tmp_path: Path) -> None:
    """On SQLite the second to serve it is told to use PostgreSQL; afterwards it is free again."""
    second = serving_alone(tmp_path)

    with serving_alone(tmp_path), pytest.raises(AlreadyServing, match="PostgreSQL"):
        second.__enter__()

    with serving_alone(tmp_path):
        pass


def test_a_second_service_on_the_same_data(engine: str, new_service: Service) -> None:
    """On SQLite it ends with one line; on PostgreSQL both serve the same sites."""
    new_service.start()
    site = new_service.add_site("https://one.example")
    second = Service(new_service.data_dir, new_service.environment)

    if engine == "sqlite":
        done = new_service.run("serve", "--port", "0")
        assert done.returncode == 1
        assert done.stderr.startswith("aboveboard: ")
        assert len(done.stderr.splitlines()) == 1
        assert "PostgreSQL" in done.stderr
        return
    second.start()
    try:
        with new_service.client(site.key) as one, second.client(site.key) as other:
            made = one.post("/v1/comments", json={"external_id": "c-1", "text": "Good morning."})
            assert other.get(f"/v1/comments/{made.json()['id']}").status_code == 200
    finally:
        second.stop()


def test_a_lost_connection_is_replaced(tmp_path: Path, new_database: Callable[[], str]) -> None:
    """When the server ended its connections, one read fails and the next opens another."""
    databases = installation.open_databases(
        Settings(data_dir=tmp_path, database_url=new_database())
    )
    databases.migrate()
    assert _sites(databases.aboveboard) == []
    with databases.consent.write() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    with pytest.raises(StorageUnavailable):
        _sites(databases.aboveboard)

    assert _sites(databases.aboveboard) == []
    databases.close()


def _sites(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(SITE.c.id)).scalars())


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_question_does_not_outlast_whoever_asked(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends it, and the connection is good for the next one."""
    monkeypatch.setattr("aboveboard.database.READ_MS", 50)

    with pytest.raises(StorageUnavailable, match="57014"):
        asyncio.run(databases.consent.query(lambda asked: asked.scalar(text("SELECT pg_sleep(5)"))))

    assert asyncio.run(databases.consent.query(lambda asked: asked.scalar(text("SELECT 1")))) == 1
