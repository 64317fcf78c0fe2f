"""What is snoozed is found by an index, and of what is resolved what is old."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index("case_snoozed", "snoozed_until", where="snoozed_until IS NOT NULL")
    op.drop_index("case_resolved", "review_case")
    _index("case_resolved", "resolved", "comment_id", "opened", where="state = 'resolved'")


def _index(name: str, *columns: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        "review_case",
        ["site_id", *columns],
        sqlite_where=condition,
        postgresql_where=condition,
    )
