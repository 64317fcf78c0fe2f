"""All rows of consent, copied and put back behind everybody's back, on either engine."""

from typing import Any

from sqlalchemy import delete, insert, select

from aboveboard.database import Database
from consent.tables import METADATA

Copy = dict[str, list[dict[str, Any]]]


def copy(database: Database) -> Copy:
    """Copy every row."""
    with database.read() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in METADATA.sorted_tables
        }


def put_back(database: Database, copied: Copy) -> None:
    """Replace every row by a copy."""
    with database.write() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(delete(table))
            if copied[table.name]:
                connection.execute(insert(table), copied[table.name])
