"""A desk asks and writes for many comments at once: what it asks is counted, on both engines."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from lone_review import lone_review
from screened_comments import putting, screened
from sqlalchemy import Connection, Executable

from aboveboard.database import Database
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.writer import CommandWriter
from moderation.cases.case import Moderator
from moderation.cases.transition import Action
from moderation.review.deciding import Decision
from moderation.review.reviewing import Result
from moderation.store import put
from moderation.verdict import Verdict

MOMENT = datetime(2026, 11, 28, tzinfo=UTC)
AT = "2026-11-28T00:00:00.000000Z"
ANN = Moderator("ann")


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
        with self._transaction() as rows:
            (answer,) = handler(rows, [command])
            self.waits = rows.waits
        return answer

    @contextmanager
    def _transaction(self) -> Iterator[Counted]:
        with self._database.write() as connection, Counted(connection) as rows:
            yield rows


def test_many_are_decided_and_taken_back_with_as_many_questions_as_few(
    databases: Databases,
) -> None:
    """Others wait for as long as it takes: 200 comments asked for one by one held them for 4 s."""
    writing = Counting(databases.moderation)
    review = lone_review(databases.moderation, lambda: MOMENT, writing=writing)
    held = [screened(f"c-{number:02}", Verdict.HOLD) for number in range(24)]
    asyncio.run(CommandWriter(databases.moderation).write(put, putting("blog", held, AT)))
    told: list[tuple[str | None, list[Result]]] = []

    def keep(decision_id: str | None, results: Any) -> tuple[int, bytes]:  # noqa: ANN401
        told.append((decision_id, results))
        return 200, b""

    waits = []
    for first, last in ((0, 4), (4, 24)):
        decisions = [
            Decision(f"c-{number:02}", Action.APPROVE, 1, number + 1)
            for number in range(first, last)
        ]
        asyncio.run(review.decide_many("blog", decisions, ANN, dry=False, render=keep))
        waits.append(writing.waits)
        decision_id, _ = told[-1]
        asyncio.run(review.undo("blog", decision_id or "", ANN, render=keep))
        waits.append(writing.waits)

    done = [sum(each.decided is not None for each in results) for _, results in told]
    assert done == [4, 4, 20, 20]
    assert waits[:2] == waits[2:]
