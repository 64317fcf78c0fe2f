"""What is asked of the database: rows of a transaction, commands carried out, questions answered.

Protocols alone: whoever composes hands in what keeps to them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Executable, Table

T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")

Found = Callable[[], list[tuple[Any, ...]]]
"""Answers the rows that were asked for, once they are wanted."""


class Rows(Protocol):
    """The rows of one open transaction; *connection* is for all that is not busy."""

    @property
    def connection(self) -> Connection:
        """The connection itself."""
        ...

    def lock(self, names: Sequence[str]) -> None:
        """Keep other processes from writing under these *names* until the transaction ends."""
        ...

    def ask(self, select: Executable, /, **values: Any) -> Found:  # noqa: ANN401
        """Send *select*; its rows are read by calling what this returns."""
        ...

    def find(self, select: Executable, /, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return the rows of *select*."""
        ...

    def change(self, statement: Executable, /, **values: Any) -> None:  # noqa: ANN401
        """Carry out an update or a delete."""
        ...

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]], *, tail: str = "") -> None:
        """Insert *rows*, tuples in the order of the table's columns; *tail* ends the statement."""
        ...


class Writing(Protocol):
    """Carries out commands durably, many requests' at once."""

    async def write(
        self,
        handler: Callable[[Rows, Sequence[C]], Sequence[R | Exception]],
        command: C,
        *,
        size: int = 1,
    ) -> R:
        """Return what *handler* answers to *command*, of about *size* rows, once it is durable.

        Raises what it answers with where that is an exception.
        """
        ...


class Reading(Protocol):
    """Runs a question on a connection that only reads."""

    async def query(self, ask: Callable[[Connection], T]) -> T:
        """Return what *ask* answers."""
        ...


class Looking(Protocol):
    """Answers prepared point reads."""

    def prepare(self, select: Any) -> Any:  # noqa: ANN401 - a select in, a statement out
        """Return *select* compiled."""
        ...

    async def look(self, statement: Any, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return the rows of a prepared statement."""
        ...
