"""What webhooks ask of the database: protocols alone, for whoever composes to fill."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from aboveboard.rows import Rows

T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")


class Reading(Protocol):
    """Runs a question on a connection that only reads."""

    async def query(self, ask: Callable[[Connection], T]) -> T:
        """Return what *ask* answers."""
        ...


class Writing(Protocol):
    """Carries out commands, each durably."""

    async def write(
        self,
        handler: Callable[[Rows, Sequence[C]], Sequence[R | Exception]],
        command: C,
        *,
        size: int = 1,
    ) -> R:
        """Return what *handler* answers."""
        ...
