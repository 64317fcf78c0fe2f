"""A writer that counts how often its commands wait for the database: facts, not seconds."""

from typing import Any

from sqlalchemy import Connection, Executable

from aboveboard.database import Database
from aboveboard.rows import Rows
from aboveboard.writer import CommandWriter


class Counted(Rows):
    """Counts how often an answer is waited for."""

    waits = 0

    def ask(self, select: Executable, /, **values: Any) -> Any:  # noqa: ANN401 - the driver's own
        """Count, and send."""
        self.waits += 1
        return super().ask(select, **values)

    @property
    def connection(self) -> Connection:
        """Count whatever is asked beside."""
        self.waits += 1
        return super().connection


class Counting(CommandWriter):
    """Tells how often the last command waited for the database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.waits = 0

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401, ARG002
        """Write, and count."""
        with self._database.write() as connection, Counted(connection) as rows:
            (answer,) = handler(rows, [command])
            self.waits = rows.waits
        return answer
