"""What comments have in common: authors, addresses, words, link domains."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, column in (
        ("comment_author", "author_ref"),
        ("comment_address", "address_ref"),
        ("comment_fingerprint", "fingerprint"),
    ):
        op.add_column("comment", sa.Column(column, sa.String(), nullable=True))
        known = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            name,
            "comment",
            ["site_id", column, "received"],
            sqlite_where=known,
            postgresql_where=known,
        )
    op.create_table(
        "comment_domain",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("received", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "domain", "received", "comment_id"),
    )
    op.create_index("comment_domain_comment", "comment_domain", ["site_id", "comment_id"])
    op.create_table(
        "comment_band",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("received", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "band", "received", "comment_id"),
    )
    op.create_index("comment_band_comment", "comment_band", ["site_id", "comment_id"])
