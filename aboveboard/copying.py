"""Taking a backup beside a running service: all databases as they were at one instant."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection

from aboveboard import backup, clock, installation, marks
from aboveboard.backup import Engine, LogPart, Manifest
from aboveboard.database import Database
from aboveboard.dumping import DUMP, Programs
from aboveboard.errors import BackupFailed
from aboveboard.installation import Databases
from aboveboard.settings import Settings
from consent.choices.record import instant
from consent.log import ledger

_Reading = Callable[[Database], AbstractContextManager[Connection]]


def take(settings: Settings, databases: Databases, out: Path) -> Manifest:
    """Write a backup to *out*, which must not be there yet. Raises BackupFailed."""
    try:
        _check_new(out)
        with ExitStack() as stack:
            # A folder of its own: somebody else may be making a backup of the same name.
            aside = out.with_name(f".{out.name}.{token_hex(8)}.copies")
            folder = stack.enter_context(backup.emptied(aside))
            manifest = stack.enter_context(_copies(settings, databases, folder))
            copies = sorted(
                path for path in folder.iterdir() if path.suffix in {".sqlite3", ".sql"}
            )
            # Made private from its first byte, and given its name only once it is whole.
            handle, draft = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
            stack.callback(Path(draft).unlink, missing_ok=True)
            with os.fdopen(handle, "w+b") as file:
                whole = backup.write(file, manifest, copies)
                file.flush()
                os.fsync(handle)
            _check_new(out)
            Path(draft).rename(out)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"expected to write {out}, got: {error}") from error
    return whole


def _check_new(out: Path) -> None:
    if out.exists():
        raise FileExistsError("it is there already")


def _describe(reading: _Reading, settings: Settings, databases: Databases) -> Manifest:
    """Say what the copies hold, read from the copies themselves."""
    keyring = installation.open_keyring(settings)
    revisions = {}
    for database in databases:
        with reading(database) as connection:
            revisions[database.name] = str(
                connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            )
    with reading(databases.aboveboard) as connection:
        keys = marks.read(connection)
    with reading(databases.consent) as connection:
        heads = ledger.all_heads(connection)
    return Manifest(
        made=instant(clock.now()),
        made_by=f"aboveboard {version('aboveboard')}",
        engine=Engine.POSTGRESQL if settings.database_url else Engine.SQLITE,
        revisions=revisions,
        keys=keys,
        logs=tuple(
            LogPart(
                site=head.site_id,
                epoch=head.epoch,
                origin=head.origin,
                size=head.frontier.size,
                checkpoint=keyring.checkpoint(head),
            )
            for head in heads
        ),
    )


@contextmanager
def _copies(settings: Settings, databases: Databases, folder: Path) -> Iterator[Manifest]:
    """Copy the databases into *folder*; lends what is to be said of the copies."""
    if settings.database_url is not None:
        yield _dump(settings, databases, folder)
        return
    _copy_files(databases, folder)
    copied = installation.describe_databases(folder, None)
    try:
        yield _describe(Database.read, settings, copied)
    finally:
        copied.close()


def _copy_files(databases: Databases, folder: Path) -> None:
    with ExitStack() as stack:
        sources = []
        with ExitStack() as still:
            # All writers wait for the instant that it takes to fix what is copied.
            for database in databases:
                still.enter_context(database.exclusive())
            for database in databases:
                path = database.sqlite_path
                assert path is not None  # noqa: S101 - SQLite
                uri = f"{path.absolute().as_uri()}?mode=ro"
                source = stack.enter_context(closing(sqlite3.connect(uri, uri=True)))
                source.isolation_level = None
                source.execute("BEGIN")
                source.execute("SELECT 1 FROM sqlite_schema").fetchone()
                sources.append((path.name, source))
        for name, source in sources:
            copy = folder / name
            copy.touch(mode=0o600)
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target)


def _dump(settings: Settings, databases: Databases, folder: Path) -> Manifest:
    assert settings.database_url is not None  # noqa: S101 - PostgreSQL
    programs = Programs(settings.database_url.get_secret_value(), settings.postgres_bin)
    with databases.aboveboard.snapshot() as exporting:
        snapshot = exporting.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()

        @contextmanager
        def reading(database: Database) -> Iterator[Connection]:
            with database.snapshot() as connection:
                connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                yield connection

        programs.dump(folder / DUMP, [database.name for database in databases], snapshot=snapshot)
        return _describe(reading, settings, databases)
