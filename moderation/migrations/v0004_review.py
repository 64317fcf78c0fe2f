"""Events, cases, judgements, reports, the blind sample; what is there already gets its events."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "comment", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column(
        "comment", sa.Column("human", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "event",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=True),
        sa.Column("from_state", sa.String(), nullable=True),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=True),
        sa.Column("ground", sa.String(), nullable=True),
        sa.Column("policy", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("note_id", sa.String(), nullable=True),
        sa.Column("undoes", sa.BigInteger(), nullable=True),
        sa.Column("decision_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "seq"),
    )
    _index("event_comment", "event", "comment_id", "seq")
    _index("event_change", "event", "seq", where="kind <> 'submitted'")
    _index("event_decision", "event", "decision_id", where="decision_id IS NOT NULL")
    op.create_table(
        "judgement",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("moderator", sa.String(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "event_seq", "label"),
    )
    _index("judgement_comment", "judgement", "comment_id")
    _cases()
    op.create_table(
        "report",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("reporter", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("upheld", sa.Boolean(), nullable=True),
        sa.Column("event_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "comment_id", "reporter"),
    )
    _index("report_reporter", "report", "reporter")
    op.create_table(
        "reporter",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("reporter", sa.String(), nullable=False),
        sa.Column("upheld", sa.Integer(), nullable=False),
        sa.Column("dismissed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "reporter"),
    )
    op.create_table(
        "sample",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("violating", sa.Boolean(), nullable=True),
        sa.Column("event_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "comment_id"),
    )
    _index("sample_at", "sample", "at")
    op.create_table(
        "review_setting",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("setting", sa.String(), nullable=False),
        sa.Column("changed", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id"),
    )
    for statement in _SEARCH[op.get_bind().dialect.name]:
        op.execute(statement)
    for statement in _FILLED:
        op.execute(statement)
    op.execute(_INDEXED[op.get_bind().dialect.name])


def _cases() -> None:
    op.create_table(
        "review_case",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("place", sa.Float(), nullable=False),
        sa.Column("harm", sa.Float(), nullable=False),
        sa.Column("doubt", sa.Float(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("opened", sa.String(), nullable=False),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("escalated", sa.Boolean(), nullable=False),
        sa.Column("reporters", sa.Integer(), nullable=False),
        sa.Column("report_weight", sa.Float(), nullable=False),
        sa.Column("alarmed", sa.Boolean(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=True),
        sa.Column("claim_token", sa.String(), nullable=True),
        sa.Column("claim_until", sa.String(), nullable=True),
        sa.Column("snoozed_until", sa.String(), nullable=True),
        sa.Column("resolved", sa.String(), nullable=True),
        sa.Column("resolved_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "comment_id"),
    )
    unresolved = "state <> 'resolved'"
    for name in ("place", "opened", "doubt"):
        _index(f"case_{name}", "review_case", "escalated", name, "comment_id", where=unresolved)
    for name in ("label", "language", "reason"):
        _index(f"case_{name}", "review_case", name, "place", "comment_id", where=unresolved)
    _index("case_author", "review_case", "author", "place", "comment_id")
    _index("case_group", "review_case", "fingerprint", "place", "comment_id", where=unresolved)
    _index("case_claimed", "review_case", "claimed_by", "place", where="claimed_by IS NOT NULL")
    _index("case_resolved", "review_case", "resolved", "comment_id", where="state = 'resolved'")
    op.create_table(
        "review_skip",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("moderator", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("until", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "moderator", "comment_id"),
    )
    op.create_table(
        "review_note",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("moderator", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "id"),
    )
    _index("note_comment", "review_note", "comment_id", "id")


def _index(name: str, table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        name,
        table,
        ["site_id", *columns],
        sqlite_where=condition,
        postgresql_where=condition,
    )


_SEARCH = {
    "sqlite": (
        (
            "CREATE VIRTUAL TABLE case_text USING fts5 "
            "(site, key, comment_id UNINDEXED, text, tokenize = 'unicode61 remove_diacritics 0')"
        ),
    ),
    "postgresql": (
        (
            "CREATE TABLE case_text (site varchar NOT NULL, key varchar NOT NULL, "
            "comment_id varchar NOT NULL, text varchar NOT NULL, document tsvector "
            "GENERATED ALWAYS AS (to_tsvector('pg_catalog.simple'::regconfig, text) "
            "|| array_to_tsvector(ARRAY[site])) STORED, PRIMARY KEY (site, key))"
        ),
        "CREATE INDEX case_text_document ON case_text USING gin (document)",
    ),
}

# The first event of a comment that was there before events were; it was the policy's.
_FILLED = (
    (
        "UPDATE comment SET version = numbered.seq FROM (SELECT site_id, id, row_number() OVER "
        "(PARTITION BY site_id ORDER BY id) AS seq FROM comment) AS numbered "
        "WHERE comment.site_id = numbered.site_id AND comment.id = numbered.id"
    ),
    (
        "INSERT INTO event (site_id, seq, at, comment_id, revision, kind, actor_kind, to_state, "
        "policy, model) SELECT comment.site_id, version, revision.received, id, comment.revision, "
        "'submitted', 'model', comment.state, policy, model FROM comment JOIN revision ON "
        "revision.site_id = comment.site_id AND comment_id = id "
        "AND revision.revision = comment.revision"
    ),
    (
        "INSERT INTO review_case (site_id, comment_id, revision, state, cause, tier, place, harm, "
        "doubt, thread_id, opened, openings, escalated, reporters, report_weight, alarmed) "
        "SELECT site_id, id, revision, 'open', 'review', 4, 4e7, 0.5, 1, thread_id, received, 1, "
        "false, 0, 0, false FROM comment WHERE state = 'pending'"
    ),
)

_TEXTS = (
    "INSERT INTO case_text (site, key, comment_id, text) "
    "SELECT 's' || {site}, 'k' || {key}, id, lower(text) "
    "FROM comment JOIN revision ON revision.site_id = comment.site_id AND comment_id = id "
    "AND revision.revision = comment.revision WHERE comment.state = 'pending'"
)
_INDEXED = {
    "sqlite": _TEXTS.format(site="lower(hex(comment.site_id))", key="lower(hex(comment.id))"),
    "postgresql": _TEXTS.format(
        site="encode(convert_to(comment.site_id, 'UTF8'), 'hex')",
        key="encode(convert_to(comment.id, 'UTF8'), 'hex')",
    ),
}
