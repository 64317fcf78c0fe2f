"""Rows of the service itself: sites, API keys and which sites a key is good for.

Instants are text, `YYYY-MM-DDTHH:MM:SS.ffffffZ`: the same bytes on both engines, in order.
"""

from sqlalchemy import ForeignKey, String, Table, UniqueConstraint
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


METADATA = AccountsTable.metadata

# For the Core statements of hot and cold paths alike: the same definitions, without the ORM.
SITE: Table = METADATA.tables["site"]
API_KEY: Table = METADATA.tables["api_key"]
API_KEY_SITE: Table = METADATA.tables["api_key_site"]
KEY_MARK: Table = METADATA.tables["key_mark"]
