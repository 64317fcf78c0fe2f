"""Alembic revisions of consent's tables, oldest first."""
