"""Where clients of Akismet's API want to be told that a verdict was taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "compat_callback",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("told", sa.String(), nullable=False),
        sa.Column("due", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_tried", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "comment_id"),
    )
    known = sa.text("due IS NOT NULL")
    op.create_index(
        "callback_due", "compat_callback", ["due"], sqlite_where=known, postgresql_where=known
    )
