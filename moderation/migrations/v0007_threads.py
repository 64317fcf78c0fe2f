"""What was said before in a thread, found without reading the site's other comments."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    known = sa.text("thread_id IS NOT NULL")
    op.create_index(
        "comment_thread",
        "comment",
        ["site_id", "thread_id", "id"],
        sqlite_where=known,
        postgresql_where=known,
    )
