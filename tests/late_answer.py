"""Point reads of a real database whose answer is on its way for as long as a test wants."""

from collections.abc import Awaitable, Callable
from typing import Any

from aboveboard.database import Database


class LateAnswer:
    """Answers the question number *at* only after *meanwhile* is done, by what was before it."""

    def __init__(
        self, database: Database, meanwhile: Callable[[], Awaitable[None]], *, at: int = 1
    ) -> None:
        self._database = database
        self._meanwhile = meanwhile
        self._left = at

    def prepare(self, select: Any) -> Any:  # noqa: ANN401
        """Compile *select*."""
        return self._database.prepare(select)

    async def look(self, statement: Any, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return the rows of a prepared statement."""
        found = await self._database.look(statement, **values)
        self._left -= 1
        if self._left == 0:
            await self._meanwhile()
        return found
