"""Rows of moderation: comments, their traits and revisions, policies, idempotency keys.

Every primary key and index starts with the site. Instants are text,
`YYYY-MM-DDTHH:MM:SS.ffffffZ`: the same bytes on both engines, in order.
"""

from sqlalchemy import ForeignKeyConstraint, Index, Table, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class ModerationTable(SQLModel, registry=registry()):
    """The base that gives these tables metadata of their own."""


def _where_known(name: str, column: str) -> Index:
    """Return an index by *column* and time over the comments that have it."""
    known = text(f"{column} IS NOT NULL")
    return Index(name, "site_id", column, "received", sqlite_where=known, postgresql_where=known)


class CommentRow(ModerationTable, table=True):
    """A comment as it stands now; what was said is in its revisions.

    *author_ref*, *address_ref* and *fingerprint* are `moderation.traits`', of the last revision.
    """

    __tablename__ = "comment"
    __table_args__ = (
        UniqueConstraint("site_id", "external_id", name="comment_external"),
        Index("comment_state", "site_id", "state", "id"),
        _where_known("comment_author", "author_ref"),
        _where_known("comment_address", "address_ref"),
        _where_known("comment_fingerprint", "fingerprint"),
    )

    site_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    external_id: str
    revision: int
    state: str
    thread_id: str | None = None
    parent_id: str | None = None
    received: str
    author_ref: str | None = None
    address_ref: str | None = None
    fingerprint: str | None = None


class DomainRow(ModerationTable, table=True):
    """A domain that the last revision of a comment links to."""

    __tablename__ = "comment_domain"
    __table_args__ = (Index("comment_domain_comment", "site_id", "comment_id"),)

    site_id: str = Field(primary_key=True)
    domain: str = Field(primary_key=True)
    received: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)


class BandRow(ModerationTable, table=True):
    """A band of the signature of a comment's last revision: those that share one may be alike."""

    __tablename__ = "comment_band"
    __table_args__ = (Index("comment_band_comment", "site_id", "comment_id"),)

    site_id: str = Field(primary_key=True)
    band: str = Field(primary_key=True)
    received: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)
    signature: str


class RevisionRow(ModerationTable, table=True):
    """One text of a comment with what it scored: *labels* and *reasons* are JSON."""

    __tablename__ = "revision"
    __table_args__ = (
        ForeignKeyConstraint(
            ["site_id", "comment_id"], ["comment.site_id", "comment.id"], name="revision_comment"
        ),
    )

    site_id: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    text: str
    text_sha256: str
    details: str
    state: str
    verdict: str
    labels: str
    reasons: str
    model: str
    policy: str
    received: str


class PolicyRow(ModerationTable, table=True):
    """A version of a site's policy, as JSON; the highest one holds."""

    __tablename__ = "policy"

    site_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    content: str
    made: str


class IdempotencyRow(ModerationTable, table=True):
    """The first answer to a key; kept for a day."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_made", "made"),)

    site_id: str = Field(primary_key=True)
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    status: int
    answer: str
    made: str


METADATA = ModerationTable.metadata

# For the Core statements of hot and cold paths alike: the same definitions, without the ORM.
COMMENT: Table = METADATA.tables["comment"]
COMMENT_DOMAIN: Table = METADATA.tables["comment_domain"]
COMMENT_BAND: Table = METADATA.tables["comment_band"]
REVISION: Table = METADATA.tables["revision"]
POLICY: Table = METADATA.tables["policy"]
IDEMPOTENCY: Table = METADATA.tables["idempotency"]
