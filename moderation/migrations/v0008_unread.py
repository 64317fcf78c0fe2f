"""What nothing reads is kept no more: reports by reader, and a state that a revision once had."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("report_reporter", table_name="report")
    op.drop_column("revision", "state")
