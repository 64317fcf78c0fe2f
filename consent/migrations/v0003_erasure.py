"""What erasing and restricting look things up by."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("idempotency_record", "idempotency", ["site_id", "record_id"])
    restricted = sa.text("restricted_until IS NOT NULL")
    op.create_index(
        "subject_restricted",
        "subject",
        ["restricted_until"],
        sqlite_where=restricted,
        postgresql_where=restricted,
    )
