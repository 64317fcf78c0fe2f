"""What webhooks are made of: their parts over both halves, put together once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aboveboard import clock
from aboveboard.installation import Databases, open_keyring
from aboveboard.keys import KeyFolder
from aboveboard.posting import Poster
from aboveboard.randomness import Randomness
from aboveboard.rows import Writing
from aboveboard.settings import Settings, split_list
from aboveboard.targets import Targets
from aboveboard.webhooks.delivering import Delivering
from aboveboard.webhooks.feeds import ConsentFeed, ModerationFeed
from aboveboard.webhooks.managing import Webhooks
from aboveboard.webhooks.message import Feed
from aboveboard.webhooks.sealing import Sealing
from aboveboard.webhooks.sending import Sender
from aboveboard.writer import CommandWriter
from consent.audit.auditing import Auditing


@dataclass(frozen=True, slots=True)
class Telling:
    """What tells sites of what happens."""

    webhooks: Webhooks
    delivering: Delivering


def open_telling(
    settings: Settings, databases: Databases, writing: Writing, auditing: Auditing
) -> Telling:
    """Put webhooks together, for the service and for commands beside it."""
    random = Randomness()
    feeds: list[Feed] = [ConsentFeed(auditing), ModerationFeed(databases.moderation)]
    targets = Targets(split_list(settings.webhook_targets))
    sealing = Sealing(KeyFolder(settings.data_dir).get("pepper", make=False), random)
    sender = Sender(
        poster=Poster(check=targets.check_address),
        targets=targets,
        sealing=sealing,
        clock=clock.now,
    )
    reading = databases.aboveboard
    webhooks = Webhooks(
        feeds=feeds,
        targets=targets,
        sealing=sealing,
        sender=sender,
        writing=writing,
        reading=reading,
        clock=clock.now,
        ids=clock.uuid7(random),
    )
    delivering = Delivering(
        feeds=feeds,
        sender=sender,
        writing=writing,
        reading=reading,
        clock=clock.now,
        random=random,
        # Only one process serves SQLite: after a crash the next one goes on with its leases.
        holder="alone" if reading.is_sqlite else random(16).hex(),
    )
    return Telling(webhooks, delivering)


def open_webhooks(
    settings: Settings, databases: Databases
) -> tuple[Webhooks, Callable[[], Awaitable[None]]]:
    """Return the webhooks for a command, and what lets go of their connections."""
    keyring = open_keyring(settings)
    auditing = Auditing(keyring=keyring, reading=databases.consent)
    telling = open_telling(settings, databases, CommandWriter(databases.aboveboard), auditing)
    return telling.webhooks, telling.delivering.close
