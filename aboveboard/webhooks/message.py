"""What a webhook is told, and by whom: messages, feeds, the signature.

Pure: no clock, no database, no network.
"""

import hashlib
from base64 import b32encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import orjson
from standardwebhooks import Webhook

TEST = "webhook.test"
"""The event that `aboveboard webhook test` sends, and nothing else."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that happened: *place* says where it stands in its feed, for good.

    *data* has ids and states, no text, no address, no subject but its pseudonym.
    """

    place: str
    event: str
    occurred: str
    data: Mapping[str, Any]


class Cursor(NamedTuple):
    """How far somebody has read into a site's feed."""

    site_id: str
    place: str


class Part(NamedTuple):
    """Some messages of a feed, and the place up to which it was read; it may lie beyond them."""

    messages: Sequence[Message]
    place: str


class Feed(Protocol):
    """What happens in one domain, site by site, in an order that no late commit changes.

    A place is a text that only its feed reads. What was read once can be read again: deliveries
    keep places, not messages, so that what was erased since is told to nobody.
    """

    @property
    def name(self) -> str:
        """What it is called in rows: it never changes."""
        ...

    @property
    def events(self) -> Sequence[str]:
        """What it tells."""
        ...

    @property
    def start(self) -> str:
        """The place before everything."""
        ...

    async def ends(self, site_ids: Collection[str]) -> Mapping[str, str]:
        """Return the place where each site's feed ends as yet; without sites that have none."""
        ...

    async def waiting(self, cursors: Collection[Cursor]) -> set[Cursor]:
        """Return those after which there is something."""
        ...

    async def read(self, site_id: str, after: str, *, limit: int) -> Part:
        """Go through up to *limit* entries after a place; return those that are messages."""
        ...

    async def get(self, site_id: str, places: Sequence[str]) -> Mapping[str, Message]:
        """Return messages by place, as they are told now; those that are gone are left out."""
        ...


def body(message: Message) -> bytes:
    """Write a message as Standard Webhooks has it: its type, when it happened, its data."""
    return orjson.dumps(
        {"type": message.event, "timestamp": message.occurred, "data": message.data}
    )


def message_id(webhook_id: str, feed: str, site_id: str, place: str) -> str:
    """Name a message to a webhook: the same whenever, and by whomever, it is sent.

    A receiver recognises by it what it has been told, even by a service that was put back from a
    backup and tells it again.
    """
    named = f"webhook-message/v1\0{webhook_id}\0{feed}\0{site_id}\0{place}"
    return "msg_" + b32encode(hashlib.sha256(named.encode()).digest()[:20]).decode().lower()


def headers(name: str, sent: datetime, content: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Sign a post with every secret that is good now, the newest first (Standard Webhooks 1.0)."""
    text = content.decode()
    signatures = (Webhook(secret).sign(name, sent, text) for secret in secrets)
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
