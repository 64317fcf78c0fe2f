"""What the service stands on, checked: files, keys, databases, model."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from tempfile import TemporaryFile

from sqlalchemy import Select, select

from aboveboard import clock, consenting, installation, marks, moderating
from aboveboard.database import Database, check_durability
from aboveboard.erasures import Erasures
from aboveboard.errors import AboveboardError, DataDirUnusable, KeysChanged
from aboveboard.installation import Databases
from aboveboard.keys import KeyFolder
from aboveboard.settings import Settings
from aboveboard.tables import SITE
from consent.choices.regime import updated
from consent.choices.setting import Setting
from consent.errors import ConsentError
from consent.tables import RECORD, SETTING
from moderation.cases import setting as review
from moderation.compat import setting as compat
from moderation.errors import BundleRefused, ModerationError
from moderation.model import scoring
from moderation.tables import COMMENT, COMPAT_SETTING, REVIEW_SETTING

OWNER_ONLY = 0o077
BEHIND = timedelta(days=1)
ROOM_BYTES = 1 << 20  # of a disk with less than that, the next writes are the last
FIXED_SQLITE = (3, 51, 3)


class Level(StrEnum):
    """How bad a finding is."""

    WELL = "ok"
    WARNING = "warn"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    level: Level
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Check everything; never raises for what it finds."""
    findings = [_model(settings), _scoring(), *_files(settings)]
    if not settings.data_dir.exists():
        return findings
    findings.append(_room(settings))
    findings += _held("erasures", partial(_erasures, settings))
    try:
        databases = installation.open_databases(settings)
    except AboveboardError as error:
        return [*findings, Finding("databases", Level.WRONG, str(error))]
    try:
        findings += [_database(database) for database in databases]
        findings += _held("databases", databases.check_together)
        findings += _settings(databases)
        findings += _clock(databases)
        keys = _held("keys", partial(_keys, settings, databases))
        findings += keys
        if all(finding.level is Level.WELL for finding in keys):
            findings += _held("logs", partial(_logs, settings, databases))
    finally:
        databases.close()
    if settings.database_url is None:
        findings.append(_sqlite())
    return findings


def _model(settings: Settings) -> Finding:
    try:
        found = moderating.open_selection(settings).load()
    except BundleRefused as error:
        return Finding("model", Level.WRONG, str(error))
    return Finding("model", Level.WELL, f"{found.name}, every file as its manifest says")


def _scoring() -> Finding:
    if scoring.COMPILED:
        return Finding("scoring", Level.WELL, "compiled")
    return Finding(
        "scoring",
        Level.WARNING,
        f"works, but slower than it could, not compiled ({scoring.WHY_NOT}): "
        "expected a C compiler and Python's headers when it was installed; "
        "install them, then aboveboard again",
    )


def _files(settings: Settings) -> list[Finding]:
    findings = []
    keys = settings.data_dir / "keys"
    for path in (settings.data_dir, keys, *sorted(keys.glob("*.key"))):
        if not path.exists():
            findings.append(Finding(str(path), Level.WARNING, "not there yet: serve makes it"))
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OWNER_ONLY:
            findings.append(
                Finding(str(path), Level.WRONG, f"expected mode {mode & 0o700:o}, got {mode:o}")
            )
    if not findings:
        findings.append(Finding("files", Level.WELL, "data directory and keys are their owner's"))
    return findings


def _held(check: str, look: Callable[[], str | None]) -> list[Finding]:
    """Look at something as a start does; what is well is told in words, where there are any."""
    try:
        well = look()
    except (ConsentError, DataDirUnusable, KeysChanged) as error:
        return [Finding(check, Level.WRONG, str(error))]
    except AboveboardError:
        return []  # What keeps the database from answering is a finding already.
    return [] if well is None else [Finding(check, Level.WELL, well)]


def _erasures(settings: Settings) -> None:
    """Read what a start would erase again where it is back."""
    for _ in Erasures(settings.data_dir).read():
        pass


def _settings(databases: Databases) -> list[Finding]:
    """Read what each site has set: a start does not, it is read where it is needed."""
    findings = []
    for path, database, stored, read in (
        ("consent", databases.consent, SETTING.c.content, Setting.from_json),
        ("review", databases.moderation, REVIEW_SETTING.c.setting, review.read),
        ("compat", databases.moderation, COMPAT_SETTING.c.setting, compat.read),
    ):
        try:
            with database.read() as connection:
                rows = connection.execute(select(stored.table.c.site_id, stored)).all()
        except AboveboardError:
            continue  # What keeps the database from answering is a finding already.
        for site_id, content in rows:
            try:
                read(content)
            except (ConsentError, ModerationError) as error:
                told = f"{error}; PUT /v1/{path}/settings sets them anew"
                findings.append(Finding(f"settings of {site_id}", Level.WRONG, told))
    return findings


def find_clock_behind(databases: Databases, now: datetime) -> str | None:
    """Say why the machine's clock must be behind, if it must; of one ahead nobody can tell."""
    latest = updated().isoformat()
    for site_id in _ask(databases.aboveboard, select(SITE.c.id)):
        for database, of_site, at, made in (
            (databases.consent, RECORD.c.site_id, RECORD.c.received_at, RECORD.c.record_id),
            (databases.moderation, COMMENT.c.site_id, COMMENT.c.received, COMMENT.c.id),
        ):
            # Ids begin with the time: the last is of what was the latest by any clock.
            last = select(at).where(of_site == site_id).order_by(made.desc()).limit(1)
            latest = max([latest, *_ask(database, last)])
    # As text, which is in the order of time: what was damaged stops no start.
    if (now + BEHIND).isoformat() > latest:
        return None
    return (
        f"expected no time before {latest[:10]}, of which this release is, or something that "
        f"was stored, got {now:%Y-%m-%d}"
    )


def _ask(database: Database, what: Select[str]) -> list[str]:
    with database.read() as connection:
        return [told for (told,) in connection.execute(what)]


def _clock(databases: Databases) -> list[Finding]:
    """Look for a clock that was not set yet, or is wrong."""
    try:
        wrong = find_clock_behind(databases, clock.now())
    except AboveboardError:
        return []  # What keeps the database from answering is a finding already.
    return [] if wrong is None else [Finding("clock", Level.WARNING, wrong)]


def _keys(settings: Settings, databases: Databases) -> str | None:
    """Hold the keys against what the databases were made with."""
    if databases.aboveboard.revision()[0] is None:
        return None
    noted = marks.noted(databases.aboveboard)
    keys = KeyFolder(settings.data_dir)
    marks.match(noted, {name: keys.get(name, make=False) for name in noted})
    return "those that the databases were made with"


def _logs(settings: Settings, databases: Databases) -> str | None:
    """Hold what each log signed last against its key."""
    if databases.consent.revision()[0] is None:
        return None
    asyncio.run(consenting.open_continuing(settings, databases).verify())
    return "signed by the keys that are here"


def _room(settings: Settings) -> Finding:
    """Write something: a full disk and one that became read-only read as well as ever."""
    try:
        with TemporaryFile(dir=settings.data_dir) as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        told = f"expected to write in {settings.data_dir}, got: {error.strerror}"
        return Finding("disk", Level.WRONG, told)
    return Finding("disk", Level.WELL, "takes what is written into the data directory")


def _database(database: Database) -> Finding:
    try:
        found, expected = database.revision()
        with database.read() as connection:
            if connection.dialect.name == "sqlite":
                # Torn pages answer whoever reads others: only a look at every page finds them.
                said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
                if said != "ok":
                    torn = f"expected a whole file, got: {' '.join(str(said).split())}"
                    return Finding(database.name, Level.WRONG, torn)
            else:
                check_durability(connection)
                if connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on":
                    deaf = "expected a database that can be written, got one that is read-only"
                    return Finding(database.name, Level.WRONG, deaf)
    except AboveboardError as error:
        # What the driver says tells a wrong host from a wrong password, and names no secret.
        why = getattr(error.__cause__, "orig", None)
        told = str(error) if why is None else f"{error}: {' '.join(str(why).split())}"
        return Finding(database.name, Level.WRONG, told)
    if found != expected:
        try:
            if found is not None:
                database.check_known(found)
        except AboveboardError as error:
            return Finding(database.name, Level.WRONG, str(error))
        return Finding(
            database.name,
            Level.WARNING,
            f"tables at revision {found}, migrate takes them to {expected}",
        )
    return Finding(database.name, Level.WELL, f"tables at revision {found}")


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < FIXED_SQLITE:
        return Finding(
            "sqlite",
            Level.WARNING,
            f"{version} has the WAL-reset fault mended in 3.51.3; aboveboard stays clear of it "
            "by one writer at a time, so let no other program write to these files",
        )
    return Finding("sqlite", Level.WELL, version)
