"""Rows of the service itself: sites, API keys, which sites a key is good for, and webhooks.

Instants are text, `YYYY-MM-DDTHH:MM:SS.ffffffZ`: the same bytes on both engines, in order.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Table, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class AccountsTable(SQLModel, registry=registry()):
    """The base that gives these tables metadata of their own."""


class SiteRow(AccountsTable, table=True):
    """A tenant: its slug never changes, is never issued again, and its row is never deleted."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("url", name="site_url"),)

    id: str = Field(primary_key=True, sa_type=String(40))
    url: str
    host: str
    created: str


class ApiKeyRow(AccountsTable, table=True):
    """An API key, known only by its digest; found by that digest."""

    __tablename__ = "api_key"
    __table_args__ = (UniqueConstraint("digest", name="api_key_digest"),)

    id: str = Field(primary_key=True)
    digest: str
    legacy: bool
    scopes: str
    created: str
    revoked: str | None = None


class ApiKeySiteRow(AccountsTable, table=True):
    """A site that a key is good for."""

    __tablename__ = "api_key_site"

    key_id: str = Field(
        primary_key=True, sa_column_args=[ForeignKey("api_key.id", name="api_key_site_key")]
    )
    site_id: str = Field(
        primary_key=True, sa_column_args=[ForeignKey("site.id", name="api_key_site_site")]
    )


class KeyMarkRow(AccountsTable, table=True):
    """The digest of a key file that these databases were made with."""

    __tablename__ = "key_mark"

    name: str = Field(primary_key=True)
    digest: str


class WebhookRow(AccountsTable, table=True):
    """Where a site is told of what happens, with the secrets that sign it, sealed.

    *failures* counts in a row; while the receiver is *held* nothing is tried. One process at a
    time, until its lease ends, moves the cursors and delivers.
    """

    __tablename__ = "webhook"
    __table_args__ = (Index("webhook_site", "site_id", "id"),)

    id: str = Field(primary_key=True)
    site_id: str = Field(
        sa_type=String(40), sa_column_args=[ForeignKey("site.id", name="webhook_site_id")]
    )
    url: str
    events: str
    created: str
    disabled: str | None = None
    secret: bytes
    older_secret: bytes | None = None
    older_until: str | None = None
    failures: int = 0
    held_until: str | None = None
    lease_by: str | None = None
    lease_until: str | None = None


class WebhookCursorRow(AccountsTable, table=True):
    """How far into a feed a webhook's deliveries go."""

    __tablename__ = "webhook_cursor"

    webhook_id: str = Field(
        primary_key=True,
        sa_column_args=[ForeignKey("webhook.id", name="webhook_cursor_webhook")],
    )
    feed: str = Field(primary_key=True)
    place: str


class WebhookDeliveryRow(AccountsTable, table=True):
    """One message to one webhook: where it is in its feed, never what it says.

    *due* says when it is tried next, or, once it ended, when its row is deleted.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("webhook_delivery_queued", "webhook_id", "queued", "id"),
        Index("webhook_delivery_due", "webhook_id", "state", "due"),
    )

    id: str = Field(primary_key=True)
    webhook_id: str = Field(
        sa_column_args=[ForeignKey("webhook.id", name="webhook_delivery_webhook")]
    )
    feed: str
    place: str
    event: str
    state: str
    queued: str
    due: str
    attempts: int = 0
    first_tried: str | None = None
    last_tried: str | None = None
    outcome: str | None = None


METADATA = AccountsTable.metadata

# For the Core statements of hot and cold paths alike: the same definitions, without the ORM.
SITE: Table = METADATA.tables["site"]
API_KEY: Table = METADATA.tables["api_key"]
API_KEY_SITE: Table = METADATA.tables["api_key_site"]
KEY_MARK: Table = METADATA.tables["key_mark"]
WEBHOOK: Table = METADATA.tables["webhook"]
WEBHOOK_CURSOR: Table = METADATA.tables["webhook_cursor"]
WEBHOOK_DELIVERY: Table = METADATA.tables["webhook_delivery"]


def instant(moment: datetime) -> str:
    """Write an aware UTC instant as these tables hold it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
