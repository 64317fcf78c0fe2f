"""Webhooks, how far they have come, and their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.String(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("disabled", sa.String(), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("older_secret", sa.LargeBinary(), nullable=True),
        sa.Column("older_until", sa.String(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("held_until", sa.String(), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("lease_until", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="webhook_site_id"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_site", "webhook", ["site_id", "id"])
    op.create_table(
        "webhook_cursor",
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="webhook_cursor_webhook"),
        sa.PrimaryKeyConstraint("webhook_id", "feed"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("queued", sa.String(), nullable=False),
        sa.Column("due", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_tried", sa.String(), nullable=True),
        sa.Column("last_tried", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="webhook_delivery_webhook"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_delivery_queued", "webhook_delivery", ["webhook_id", "queued", "id"])
    op.create_index("webhook_delivery_due", "webhook_delivery", ["webhook_id", "state", "due"])
