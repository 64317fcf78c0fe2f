"""What searching, settings, archived banners and restriction need."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notice", sa.Column("withdrawal_uri", sa.String(), nullable=True))
    op.add_column("notice", sa.Column("ui_sha256", sa.String(), nullable=True))
    op.add_column("subject", sa.Column("restricted_until", sa.String(), nullable=True))
    op.create_table(
        "banner",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("ui_sha256", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("archived", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "ui_sha256"),
    )
    op.create_table(
        "setting",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("changed", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id"),
    )
    op.create_table(
        "shown",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("notice_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "notice_id", "version", "language", "day"),
    )
    op.create_table(
        "record_purpose",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("purpose_id", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "purpose_id", "decision", "record_id"),
        sqlite_with_rowid=False,
    )
    # By the database itself: a log of any length needs no memory here.
    sqlite = op.get_bind().dialect.name == "sqlite"
    each = "json_each(decisions)" if sqlite else "json_each_text(decisions::json)"
    op.execute(
        "INSERT INTO record_purpose (site_id, purpose_id, decision, record_id) "  # noqa: S608
        f"SELECT site_id, key, value, record_id FROM record, {each}"
    )
    op.drop_index("record_subject", "record")
    op.create_index("record_subject", "record", ["site_id", "subject_ref", "record_id"])
    op.create_index("record_type", "record", ["site_id", "event_type", "record_id"])
    op.create_index("record_method", "record", ["site_id", "method", "record_id"])
    op.create_index(
        "record_notice", "record", ["site_id", "notice_id", "notice_version", "record_id"]
    )
