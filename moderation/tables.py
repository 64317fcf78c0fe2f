"""Rows of moderation: comments, their revisions and the idempotency keys of their requests.

Every primary key and index starts with the site. Instants are text,
`YYYY-MM-DDTHH:MM:SS.ffffffZ`: the same bytes on both engines, in order.
"""

from sqlalchemy import ForeignKeyConstraint, Index, Table, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class ModerationTable(SQLModel, registry=registry()):
    """The base that gives these tables metadata of their own."""


class CommentRow(ModerationTable, table=True):
    """A comment as it stands now; what was said is in its revisions."""

    __tablename__ = "comment"
    __table_args__ = (
        UniqueConstraint("site_id", "external_id", name="comment_external"),
        Index("comment_state", "site_id", "state", "id"),
    )

    site_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    external_id: str
    revision: int
    state: str
    thread_id: str | None = None
    parent_id: str | None = None
    received: str


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
REVISION: Table = METADATA.tables["revision"]
IDEMPOTENCY: Table = METADATA.tables["idempotency"]
