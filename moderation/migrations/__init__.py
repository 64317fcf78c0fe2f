"""Alembic revisions of moderation's tables, oldest first."""
