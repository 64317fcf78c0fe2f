"""Whether the tables that migrations make are those that are declared."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from aboveboard.database import Database


def differences(database: Database) -> list[Any]:
    """Return what distinguishes the migrated tables from the declared ones: nothing, always."""
    metadata = database._metadata
    indexes = metadata.info.get("indexes", ())

    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        # Of a full-text index each engine makes tables as it likes.
        return kind != "table" or not (name or "").startswith(tuple(indexes))

    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": is_ours}
        )
        return list(compare_metadata(context, metadata))
