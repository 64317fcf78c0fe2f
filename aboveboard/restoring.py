"""Putting a backup back: checked first, all or nothing, and never as if nothing had been since."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from aboveboard import arrivals, backup, consenting, installation, marks, moderating
from aboveboard.backup import Backup, Engine, Manifest
from aboveboard.database import serving_alone
from aboveboard.dumping import DUMP, Programs
from aboveboard.erasures import Erasures
from aboveboard.errors import (
    AboveboardError,
    AlreadyServing,
    BackupInvalid,
    DataDirUnusable,
    KeysChanged,
    RestoreRefused,
)
from aboveboard.installation import Databases
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent.errors import CheckpointInvalid, ConsentError
from consent.log import ledger
from consent.recording.continuing import Continued, Doubt

STAGED = "restoring"


class Resumed(NamedTuple):
    """Which logs go on in a new epoch, and what was done again.

    *again* counts erasures and restrictions of consent, *comments* those that were erased.
    """

    continued: list[Continued]
    again: int
    comments: int


class Restored(NamedTuple):
    """What was put back, and what had to be done then."""

    manifest: Manifest
    resumed: Resumed


def verify(path: Path) -> Manifest:
    """Check a backup: its digests and, of SQLite, that its logs have the roots that were signed.

    Raises BackupInvalid.
    """
    with backup.opened(path) as found:
        if found.manifest.engine is Engine.POSTGRESQL:
            found.check()
            return found.manifest
        # A folder of its own: somebody else may be verifying the same backup.
        aside = path.with_name(f".{path.name}.{token_hex(8)}.verified")
        with (
            backup.emptied(aside) as folder,
            _staged(found, folder) as databases,
            databases.consent.read() as connection,
        ):
            for head in ledger.all_heads(connection):
                size, root = ledger.recompute(connection, head)
                if (size, root) != (head.frontier.size, head.root):
                    raise BackupInvalid(
                        f"{head.origin}: expected the {head.frontier.size} entries with the root "
                        f"{head.root.hex()}, got {size} with {root.hex()}"
                    )
        return found.manifest


def restore(settings: Settings, path: Path, *, replace: bool) -> Restored:
    """Put a backup in the place of the databases that there are, if any; *replace* allows that.

    Raises BackupFailed, BackupInvalid, DataDirUnusable, KeysChanged,
    RestoreRefused and SchemaNewer, and has then changed nothing.
    """
    if not (settings.data_dir / "keys").is_dir():
        raise DataDirUnusable(
            f"expected the keys in {settings.data_dir / 'keys'}, found none; no backup has them: "
            "put them back from where they are kept"
        )
    with ExitStack() as stack:
        found = stack.enter_context(backup.opened(path))
        databases = installation.open_databases(settings)
        stack.callback(databases.close)
        if settings.database_url is None:
            try:
                stack.enter_context(serving_alone(settings.data_dir))
            except AlreadyServing as error:
                raise RestoreRefused(
                    f"expected no service on {settings.data_dir}, got one; stop it first"
                ) from error
        _check(settings, databases, found.manifest)
        doubt = _doubt(settings, databases, replace=replace)
        folder = stack.enter_context(backup.emptied(settings.data_dir / STAGED))
        if settings.database_url is None:
            with _staged(found, folder):
                pass
            with ExitStack() as still:
                for database in databases:
                    still.enter_context(database.exclusive())
                arrivals.send(folder, settings.data_dir, doubt)
                arrivals.settle(settings.data_dir)
        else:
            found.extract(folder)
            databases.close()
            _replay(settings, folder, [database.name for database in databases], doubt)
        databases.close()
        databases.migrate()
        return Restored(found.manifest, resume(settings, databases))


def clear(data_dir: Path) -> None:
    """Remove what a restore that was killed has left: it may hold what was erased since.

    On SQLite nobody restores while somebody serves alone.
    """
    shutil.rmtree(data_dir / STAGED, ignore_errors=True)


def resume(settings: Settings, databases: Databases) -> Resumed:
    """Begin the epochs that are due and erase again what is back, before anything is served.

    Due after a restore of any kind, also one that was cut off or made by other means.
    """
    new = arrivals.are_new(settings.data_dir)
    doubt = arrivals.doubt_of(settings.data_dir) if new else Doubt.NONE
    resumed = asyncio.run(_resume(settings, databases, doubt))
    if new:
        arrivals.forget(settings.data_dir)
    return resumed


async def _resume(settings: Settings, databases: Databases, doubt: Doubt) -> Resumed:
    continued = await consenting.open_continuing(settings, databases).check(doubt)
    sweeper = consenting.open_sweeper(databases)
    reapplying = consenting.open_reapplying(settings, databases, sweeper)
    erasures = Erasures(settings.data_dir)
    again = await reapplying.reapply(erasures.read())
    if sweeper.due:
        await sweeper.finish(CommandWriter(databases.consent))
    writing = CommandWriter(databases.moderation)
    erasing, of_comments = moderating.open_erasing(settings, databases, writing)
    comments = await erasing.again(erasures.read_comments())
    if comments:
        await of_comments.finish(writing)
    return Resumed(continued, again, comments)


def _check(settings: Settings, databases: Databases, manifest: Manifest) -> None:
    """Check that a backup belongs here: engine, release, keys."""
    engine = Engine.SQLITE if settings.database_url is None else Engine.POSTGRESQL
    if manifest.engine is not engine:
        raise RestoreRefused(
            f"expected a backup of {engine.value}, as the settings have it, "
            f"got one of {manifest.engine.value}"
        )
    for database in databases:
        if database.name not in manifest.revisions:
            raise BackupInvalid(f"expected the revision of {database.name}, got none")
        database.check_known(manifest.revisions[database.name])
    marks.match(manifest.keys, installation.marked_keys(settings, manifest.keys))
    keyring = installation.open_keyring(settings)
    for log in manifest.logs:
        try:
            keyring.verifier(log.site, log.epoch, log.origin).open(log.checkpoint)
        except CheckpointInvalid as error:
            raise KeysChanged(
                f"expected the key log.{log.site}.{log.epoch}.key that signed the backup's log, "
                "got another; put it back from where keys are kept"
            ) from error


def _doubt(settings: Settings, databases: Databases, *, replace: bool) -> Doubt:
    """Say what is known of the logs' last signatures. Raises RestoreRefused."""
    if settings.database_url is not None and (others := databases.aboveboard.count_others()):
        raise RestoreRefused(
            f"expected no service on this database, got {others} connections; stop it first"
        )
    if not any(database.is_there() for database in databases):
        return Doubt.ALL
    if not replace:
        raise RestoreRefused(
            "expected no databases here yet, got some; --replace puts the backup in their place"
        )
    try:
        if arrivals.are_new(settings.data_dir):
            # One that was cut off is finished first, as by every other command.
            databases.migrate()
            resume(settings, databases)
            databases.close()
        knows_all = asyncio.run(consenting.open_continuing(settings, databases).knows_all())
    except (AboveboardError, ConsentError, SQLAlchemyError):
        # What is to be replaced may well be broken.
        return Doubt.ALL
    return Doubt.UNKEPT if knows_all else Doubt.ALL


@contextmanager
def _staged(found: Backup, folder: Path) -> Iterator[Databases]:
    """Write a backup's SQLite files into *folder* and lend them, found to be what they should."""
    manifest = found.manifest
    found.extract(folder)
    databases = installation.describe_databases(folder, None)
    try:
        for database in databases:
            if not database.is_there():
                raise BackupInvalid(f"expected {database.name}.sqlite3, got other files")
            with database.read() as connection:
                told = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
            if told != ["ok"]:
                raise BackupInvalid(f"{database.name}: expected a whole database, got another")
            revision, _ = database.revision()
            if revision != manifest.revisions.get(database.name):
                raise BackupInvalid(
                    f"{database.name}: expected the manifest's revision, got {revision}"
                )
        with databases.consent.read() as connection:
            stored = [
                (head.site_id, head.epoch, head.origin, head.frontier.size)
                for head in ledger.all_heads(connection)
            ]
        if stored != [(log.site, log.epoch, log.origin, log.size) for log in manifest.logs]:
            raise BackupInvalid("expected the manifest's logs, got others")
        yield databases
    finally:
        databases.close()


def _replay(settings: Settings, folder: Path, names: list[str], doubt: Doubt) -> None:
    """Carry out the script of a PostgreSQL backup, in one transaction."""
    assert settings.database_url is not None  # noqa: S101 - PostgreSQL
    programs = Programs(settings.database_url.get_secret_value(), settings.postgres_bin)
    script = folder / DUMP
    if not script.exists():
        raise BackupInvalid(f"expected {DUMP}, got other files")
    # Said before: should this be cut off after the commit, the logs are still to be looked at.
    announced = folder / "announced"
    announced.mkdir()
    arrivals.send(announced, settings.data_dir, doubt)
    try:
        programs.restore(script, names)
    except AboveboardError:
        arrivals.forget(settings.data_dir)
        raise
