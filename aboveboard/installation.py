"""What the service and every command begin with: databases, sites and keys of a data directory."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sqlalchemy import MetaData, select

import aboveboard.tables
import consent.tables
import moderation.tables
from aboveboard import arrivals, clock, marks
from aboveboard.accounts import Accounts
from aboveboard.database import Database
from aboveboard.errors import DataDirUnusable, StorageUnavailable
from aboveboard.keeping import KeptFolder
from aboveboard.keys import KeyFolder
from aboveboard.randomness import Randomness
from aboveboard.settings import Settings
from aboveboard.tables import SITE
from consent.sealing.keyring import Keyring

WRAPPING = "key-encryption"
AUTHOR = "author"
KEYS_LOOKED_AT_S = 0.02  # every request asks for these keys; a new one may wait so long


@dataclass(frozen=True, slots=True)
class Databases:
    """The three sets of tables."""

    aboveboard: Database
    moderation: Database
    consent: Database

    def __iter__(self) -> Iterator[Database]:
        """Go through them in the order in which they are migrated."""
        yield from (self.aboveboard, self.moderation, self.consent)

    def migrate(self) -> None:
        """Bring all tables to this release's revision. Raises DataDirUnusable."""
        with suppress(StorageUnavailable):  # migrating tells more of what does not answer
            self.check_together()
        for database in self:
            database.migrate()

    def check_together(self) -> None:
        """Raise DataDirUnusable where one set of tables is gone that the others were made with.

        It would be made anew without a word, and everything in it were lost.
        """
        # In this order: whoever begins an installation meanwhile makes them in another.
        has_sites = self._has_sites()
        beside = (self.moderation, self.consent)
        there = {database.name: _is_made(database) for database in beside}
        gone = [name for name, made in there.items() if has_sites and not made]
        if any(there.values()) and not _is_made(self.aboveboard):
            gone.append(self.aboveboard.name)
        if gone:
            raise DataDirUnusable(
                f"{gone[0]}: expected the tables that the others were made with, they are gone; "
                "put them back, or restore a backup"
            )

    def _has_sites(self) -> bool:
        if not _is_made(self.aboveboard):
            return False
        with self.aboveboard.read() as connection:
            return connection.execute(select(SITE.c.id).limit(1)).first() is not None

    def close(self) -> None:
        """Close all connections."""
        for database in self:
            database.close()


def _is_made(database: Database) -> bool:
    return database.is_there() and database.revision()[0] is not None


def open_databases(settings: Settings) -> Databases:
    """Make the data directory and its folders if there are none, and describe the databases."""
    KeyFolder(settings.data_dir).prepare()
    KeptFolder(settings.data_dir).prepare()
    arrivals.settle(settings.data_dir)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    return describe_databases(settings.data_dir, url)


def describe_databases(folder: Path, url: str | None) -> Databases:
    """Describe the databases behind *url*, or else those that are files in *folder*."""

    def database(name: str, metadata: MetaData) -> Database:
        migrations = Path(str(files(name))) / "migrations"
        return Database(name, metadata, migrations, data_dir=folder, url=url)

    return Databases(
        database("aboveboard", aboveboard.tables.METADATA),
        database("moderation", moderation.tables.METADATA),
        database("consent", consent.tables.METADATA),
    )


def open_accounts(settings: Settings, databases: Databases) -> Accounts:
    """Put the sites and keys together, for the service and for commands beside it.

    Raises KeysChanged where a key file is not the one that the databases were made with.
    """
    noted = marks.noted(databases.aboveboard)
    for name in noted:
        KeyFolder(settings.data_dir).get(name, make=False)
    found = marked_keys(settings, noted)
    marks.check(databases.aboveboard, found)
    return Accounts(databases.aboveboard, pepper=found["pepper"], clock=clock.now)


def marked_keys(settings: Settings, noted: Collection[str]) -> dict[str, bytes]:
    """Return the keys of which the databases note the marks, by name; *noted* must be there.

    A purpose that an earlier release did not have gets its first key.
    """
    keys = KeyFolder(settings.data_dir)
    found = {
        name: keys.get(name, make=name not in noted) for name in ("pepper", "fingerprint", AUTHOR)
    }
    make = not noted
    for purpose in ("subject", WRAPPING):
        for number, key in keys.versions(purpose, make=make).items():
            found[f"{purpose}.{number}"] = key
    return found


def open_keyring(settings: Settings) -> Keyring:
    """Read the keys of the consent half."""
    keys = KeyFolder(settings.data_dir)

    def log_vkey(site_id: str, epoch: int) -> str | None:
        name = f"log.{site_id}.{epoch}"
        return None if keys.holds(name) else keys.find_public(name)

    return Keyring(
        subject_keys=keys.watch("subject", every_s=KEYS_LOOKED_AT_S),
        wrapping_keys=keys.watch(WRAPPING),
        fingerprint_key=keys.get("fingerprint"),
        log_key=lambda site_id, epoch, make: keys.get(f"log.{site_id}.{epoch}", make=make),
        log_vkey=log_vkey,
        keeping=KeptFolder(settings.data_dir),
        random=Randomness(),
    )
