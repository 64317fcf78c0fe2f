"""What consent is made of: its use cases over an installation, put together once."""

from dataclasses import dataclass
from importlib.metadata import version

from aboveboard import clock
from aboveboard.checkpoints import Folder, Logs, Place, Pushing, Webhook, histories
from aboveboard.database import Database
from aboveboard.erasures import Erasures
from aboveboard.examining import Examining
from aboveboard.installation import Databases, open_keyring
from aboveboard.randomness import Randomness
from aboveboard.settings import Settings
from aboveboard.sweeping import Sweeper
from aboveboard.writer import CommandWriter
from consent.audit.auditing import Auditing
from consent.audit.bundling import Bundling
from consent.audit.intake import Intake
from consent.database import Writing
from consent.recording.configuring import Configuring
from consent.recording.continuing import Continuing
from consent.recording.proving import Proving
from consent.recording.publishing import Publishing
from consent.recording.recording import Recording
from consent.recording.showing import Showing
from consent.recording.standing import StandingRead
from consent.sealing.keyring import Keyring
from consent.subjects.access import Accessing
from consent.subjects.erasure import Erasing
from consent.subjects.reapplying import Reapplying
from consent.subjects.restriction import Restricting
from consent.tables import IDEMPOTENCY, RECORD, RECORD_PURPOSE, SUBJECT


def open_pushing(settings: Settings, database: Database, keyring: Keyring) -> Pushing:
    """Put together what hands checkpoints on to where the settings want them kept."""
    logs = Logs(database, keyring)
    places: list[Place] = []
    if settings.checkpoint_dir is not None:
        places.append(Folder(settings.checkpoint_dir, logs))
    if settings.checkpoint_webhook is not None:
        places.append(Webhook(settings.checkpoint_webhook))
    return Pushing(places, logs, interval_s=settings.checkpoint_interval_s)


def open_bundling(settings: Settings, databases: Databases) -> Bundling:
    """Put together what writes evidence bundles."""
    return Bundling(
        keyring=open_keyring(settings),
        reading=databases.consent,
        clock=clock.now,
        made_by=f"aboveboard {version('aboveboard')}",
        histories=histories(settings.checkpoint_dir),
    )


def open_continuing(settings: Settings, databases: Databases) -> Continuing:
    """Put together what begins new epochs: before the service starts, and for commands."""
    return Continuing(
        keyring=open_keyring(settings),
        writing=CommandWriter(databases.consent),
        reading=databases.consent,
        clock=clock.now,
        ids=clock.uuid7(Randomness()),
    )


def open_sweeper(databases: Databases) -> Sweeper:
    """Return what looks after the bytes of records that were erased."""
    erased_from = (RECORD, RECORD_PURPOSE, SUBJECT, IDEMPOTENCY)
    return Sweeper(databases.consent, [table.name for table in erased_from])


@dataclass(frozen=True, slots=True)
class Subjects:
    """The use cases of a person's rights."""

    accessing: Accessing
    erasing: Erasing
    restricting: Restricting
    sweeper: Sweeper


def open_subjects(
    settings: Settings,
    databases: Databases,
    writing: Writing,
    *,
    keyring: Keyring,
    ids: clock.Ids,
) -> Subjects:
    """Put together what answers a person, for the service and for commands beside it."""
    reading, note = databases.consent, Erasures(settings.data_dir).note
    sweeper = open_sweeper(databases)
    return Subjects(
        Accessing(keyring=keyring, reading=reading, clock=clock.now),
        Erasing(
            keyring=keyring,
            writing=writing,
            reading=reading,
            clock=clock.now,
            ids=ids,
            note=note,
            sweep=sweeper.sweep,
            sweep_later=sweeper.note,
        ),
        Restricting(keyring=keyring, writing=writing, clock=clock.now, ids=ids, note=note),
        sweeper,
    )


@dataclass(frozen=True, slots=True)
class Consenting:
    """The use cases of consent, over its keys."""

    keyring: Keyring
    recording: Recording
    standing: StandingRead
    publishing: Publishing
    showing: Showing
    configuring: Configuring
    proving: Proving
    auditing: Auditing
    subjects: Subjects


def open_consent(
    settings: Settings, databases: Databases, choices: Writing, ids: clock.Ids
) -> Consenting:
    """Put together what a choice meets, and what is asked of it later."""
    keyring, reading = open_keyring(settings), databases.consent
    standing = StandingRead(keyring=keyring, looking=reading, clock=clock.now)
    return Consenting(
        keyring,
        Recording(keyring=keyring, writing=choices, clock=clock.now, ids=ids),
        standing,
        Publishing(
            keyring=keyring,
            writing=choices,
            reading=reading,
            clock=clock.now,
            changed=standing.forget,
        ),
        Showing(keyring=keyring, writing=choices, clock=clock.now),
        Configuring(writing=choices, reading=reading, clock=clock.now, changed=standing.forget),
        Proving(keyring=keyring, reading=reading),
        Auditing(keyring=keyring, reading=reading),
        open_subjects(settings, databases, choices, keyring=keyring, ids=ids),
    )


def open_examining(settings: Settings, databases: Databases) -> Examining:
    """Put together what checks the rows of consent."""
    return Examining(databases.consent, open_keyring(settings))


def open_intake(settings: Settings, databases: Databases, sweeper: Sweeper) -> Intake:
    """Put together what takes evidence bundles in."""
    return Intake(
        keyring=open_keyring(settings),
        writing=CommandWriter(databases.consent),
        sweep=sweeper.sweep,
    )


def open_reapplying(settings: Settings, databases: Databases, sweeper: Sweeper) -> Reapplying:
    """Put together what erases again after a restore."""
    return Reapplying(
        keyring=open_keyring(settings),
        writing=CommandWriter(databases.consent),
        reading=databases.consent,
        clock=clock.now,
        sweep=sweeper.sweep,
    )
