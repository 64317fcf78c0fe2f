"""Rows of moderation: comments, their traits, events and review, policies, idempotency keys.

Every primary key and index starts with the site, but for what is looked for on all sites at once:
keys too old, callbacks due. Instants are text,
`YYYY-MM-DDTHH:MM:SS.ffffffZ`: the same bytes on both engines, in order.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    bindparam,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


def instant(moment: datetime) -> str:
    """Return a moment as its rows have it."""
    # Several times as fast as strftime, and called for every comment.
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


_OPEN = _where("state <> 'resolved'")


class ModerationTable(SQLModel, registry=registry()):
    """The base that gives these tables metadata of their own."""


def _where_known(name: str, column: str) -> Index:
    """Return an index by *column* and time over the comments that have it."""
    return Index(name, "site_id", column, "received", **_where(f"{column} IS NOT NULL"))


class CommentRow(ModerationTable, table=True):
    """A comment as it stands now; what was said is in its revisions.

    *author_ref*, *address_ref* and *fingerprint* are `moderation.policy.traits`': the author named
    last, the others of the last revision.
    *state*, *revision*, *version* and *human* are what its events come to: `transition.Standing`.
    *origin* says in which dialect it came in first.
    """

    __tablename__ = "comment"
    __table_args__ = (
        UniqueConstraint("site_id", "external_id", name="comment_external"),
        Index("comment_state", "site_id", "state", "id"),
        Index("comment_thread", "site_id", "thread_id", "id", **_where("thread_id IS NOT NULL")),
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
    version: int = Field(sa_type=BigInteger)
    human: bool
    origin: str


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


class EventRow(ModerationTable, table=True):
    """One thing that happened to a comment: `transition.Event`; never changed, never deleted.

    *seq* counts the events of a site from 1 without a gap, in the order of their commits: whoever
    reads on from where they stopped misses nothing.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("event_comment", "site_id", "comment_id", "seq"),
        Index("event_change", "site_id", "seq", **_where("kind <> 'submitted'")),
        Index("event_decision", "site_id", "decision_id", **_where("decision_id IS NOT NULL")),
    )

    site_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: str
    comment_id: str
    revision: int
    kind: str
    actor_kind: str
    actor_id: str | None = None
    from_state: str | None = None
    to_state: str
    reason_code: str | None = None
    ground: str | None = None
    policy: str | None = None
    model: str | None = None
    score: float | None = None
    note_id: str | None = None
    undoes: int | None = Field(None, sa_type=BigInteger)
    decision_id: str | None = None


class JudgementRow(ModerationTable, table=True):
    """What a person said of a text: whether a label is true of it; *withdrawn* by an undo."""

    __tablename__ = "judgement"
    __table_args__ = (Index("judgement_comment", "site_id", "comment_id"),)

    site_id: str = Field(primary_key=True)
    event_seq: int = Field(primary_key=True, sa_type=BigInteger)
    label: str = Field(primary_key=True)
    comment_id: str
    revision: int
    value: bool
    source: str
    at: str
    moderator: str
    withdrawn: bool = False


class CaseRow(ModerationTable, table=True):
    """What people have to look at: one row a comment, opened again where there is new cause.

    *place* orders the queue, smallest first (`priority.place`); *doubt* is how far the scores lie
    from the nearest threshold. What is filtered by is copied here, so that a page is one range
    of one index. *resolved_seq* is the seq of the event that resolved it.
    """

    __tablename__ = "review_case"
    __table_args__ = (
        Index("case_place", "site_id", "escalated", "place", "comment_id", **_OPEN),
        Index("case_opened", "site_id", "escalated", "opened", "comment_id", **_OPEN),
        Index("case_doubt", "site_id", "escalated", "doubt", "comment_id", **_OPEN),
        Index("case_label", "site_id", "label", "place", "comment_id", **_OPEN),
        Index("case_language", "site_id", "language", "place", "comment_id", **_OPEN),
        Index("case_reason", "site_id", "reason", "place", "comment_id", **_OPEN),
        Index("case_author", "site_id", "author", "place", "comment_id"),
        Index("case_group", "site_id", "fingerprint", "place", "comment_id", **_OPEN),
        Index("case_claimed", "site_id", "claimed_by", "place", **_where("claimed_by IS NOT NULL")),
        Index("case_snoozed", "site_id", "snoozed_until", **_where("snoozed_until IS NOT NULL")),
        # With *opened*: what is not old enough is passed over without a look at its row.
        Index(
            "case_resolved",
            "site_id",
            "resolved",
            "comment_id",
            "opened",
            **_where("state = 'resolved'"),
        ),
    )

    site_id: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)
    revision: int
    state: str
    cause: str
    tier: int
    place: float
    harm: float
    doubt: float
    label: str | None = None
    reason: str | None = None
    language: str | None = None
    author: str | None = None
    thread_id: str | None = None
    fingerprint: str | None = None
    opened: str
    openings: int
    escalated: bool
    reporters: int
    report_weight: float
    alarmed: bool
    claimed_by: str | None = None
    claim_token: str | None = None
    claim_until: str | None = None
    snoozed_until: str | None = None
    resolved: str | None = None
    resolved_seq: int | None = Field(None, sa_type=BigInteger)


class SkipRow(ModerationTable, table=True):
    """A case that a moderator does not want to see again before an instant."""

    __tablename__ = "review_skip"

    site_id: str = Field(primary_key=True)
    moderator: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)
    until: str


class NoteRow(ModerationTable, table=True):
    """What a moderator wrote down about a comment, for other moderators."""

    __tablename__ = "review_note"
    __table_args__ = (Index("note_comment", "site_id", "comment_id", "id"),)

    site_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    comment_id: str
    at: str
    moderator: str
    text: str


class ReportRow(ModerationTable, table=True):
    """What a reader said against a comment; *reporter* is a pseudonym.

    *upheld* is what came of it, null until somebody decided, by the event *event_seq*.
    """

    __tablename__ = "report"

    site_id: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)
    reporter: str = Field(primary_key=True)
    at: str
    reason: str
    weight: float
    upheld: bool | None = None
    event_seq: int | None = Field(None, sa_type=BigInteger)


class ReporterRow(ModerationTable, table=True):
    """How often a reader's reports were upheld and how often not."""

    __tablename__ = "reporter"

    site_id: str = Field(primary_key=True)
    reporter: str = Field(primary_key=True)
    upheld: int
    dismissed: int


class SampleRow(ModerationTable, table=True):
    """A comment of the blind sample: what the policy said, and what a person said later."""

    __tablename__ = "sample"
    __table_args__ = (Index("sample_at", "site_id", "at"),)

    site_id: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)
    revision: int
    held: bool
    at: str
    violating: bool | None = None
    event_seq: int | None = Field(None, sa_type=BigInteger)


class ReviewSettingRow(ModerationTable, table=True):
    """How a site reviews, as JSON."""

    __tablename__ = "review_setting"

    site_id: str = Field(primary_key=True)
    setting: str
    changed: str


class CompatSettingRow(ModerationTable, table=True):
    """What a site wants of clients that speak other dialects, as JSON."""

    __tablename__ = "compat_setting"

    site_id: str = Field(primary_key=True)
    setting: str
    changed: str


class CompatUsageRow(ModerationTable, table=True):
    """What a key asked for in a month, `YYYY-MM`, in one dialect, and what it was answered.

    *missed_spam* and *false_positives* count the answers that the site's people took back.
    """

    __tablename__ = "compat_usage"

    site_id: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    key_id: str = Field(primary_key=True)
    origin: str = Field(primary_key=True)
    calls: int = Field(sa_type=BigInteger)
    spam: int = Field(sa_type=BigInteger)
    ham: int = Field(sa_type=BigInteger)
    missed_spam: int = Field(sa_type=BigInteger)
    false_positives: int = Field(sa_type=BigInteger)


class CompatCallbackRow(ModerationTable, table=True):
    """Where a client wants to be told that the verdict on a comment was taken back.

    *sealed* is the key that it knows us by, *told* what it was told last, `true`, `false` or
    `held`; *due* is when to look at it: nothing waits where it is null.
    """

    __tablename__ = "compat_callback"
    __table_args__ = (Index("callback_due", "due", **_where("due IS NOT NULL")),)

    site_id: str = Field(primary_key=True)
    comment_id: str = Field(primary_key=True)
    url: str
    sealed: str
    told: str
    due: str | None = None
    attempts: int
    first_tried: str | None = None


class IndexTable(SQLModel, registry=registry()):
    """The base of what each engine makes in its own way; migrations alone know how."""


class CaseTextRow(IndexTable, table=True):
    """The full-text index of the texts of cases.

    *site* and *key* are the ids of site and comment, each written as one word of the index: so a
    search reads nothing of other sites, and a comment is found in it.
    """

    __tablename__ = "case_text"

    site: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    comment_id: str
    text: str


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
EVENT: Table = METADATA.tables["event"]
JUDGEMENT: Table = METADATA.tables["judgement"]
CASE: Table = METADATA.tables["review_case"]
SKIP: Table = METADATA.tables["review_skip"]
NOTE: Table = METADATA.tables["review_note"]
REPORT: Table = METADATA.tables["report"]
REPORTER: Table = METADATA.tables["reporter"]
SAMPLE: Table = METADATA.tables["sample"]
REVIEW_SETTING: Table = METADATA.tables["review_setting"]
COMPAT_SETTING: Table = METADATA.tables["compat_setting"]
COMPAT_USAGE: Table = METADATA.tables["compat_usage"]
COMPAT_CALLBACK: Table = METADATA.tables["compat_callback"]
CASE_TEXT: Table = IndexTable.metadata.tables["case_text"]
METADATA.info["indexes"] = frozenset(IndexTable.metadata.tables)

IS_CURRENT = (
    (REVISION.c.site_id == COMMENT.c.site_id)
    & (REVISION.c.comment_id == COMMENT.c.id)
    & (REVISION.c.revision == COMMENT.c.revision)
)
"""Joins a comment with its current revision."""

HAS_CASE = (CASE.c.site_id == COMMENT.c.site_id) & (CASE.c.comment_id == COMMENT.c.id)
"""Joins a comment with its case."""


def of_comment(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Find what is of a comment, by the parameters `of_site` and `of_comment`."""
    comment = table.c.id if table is COMMENT else table.c.comment_id
    return table.c.site_id == bindparam("of_site"), comment == bindparam("of_comment")
