"""Where each comment came from; what sites set for other dialects, and what was asked in them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "comment", sa.Column("origin", sa.String(), nullable=False, server_default="native")
    )
    op.create_table(
        "compat_setting",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("setting", sa.String(), nullable=False),
        sa.Column("changed", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id"),
    )
    op.create_table(
        "compat_usage",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("calls", "spam", "ham", "missed_spam", "false_positives")
        ),
        sa.PrimaryKeyConstraint("site_id", "month", "key_id", "origin"),
    )
