"""Point reads on PostgreSQL, where every question waits for the server: many travel together.

A thread for each question would spend more on threads than on asking. Here one thread owns one
connection and sends what has gathered while it waited as one pipeline.
"""

import asyncio
import queue
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from aboveboard.errors import StorageUnavailable
from aboveboard.rows import Statement

Found = list[tuple[Any, ...]]
TOGETHER = 256  # questions of one pipeline


@dataclass(slots=True, eq=False)
class _Question:
    statement: Statement
    values: Mapping[str, Any]
    future: asyncio.Future[Found]

    def answer(self, found: Found | StorageUnavailable) -> None:
        """Wake whoever asked, on their event loop."""
        if self.future.done():
            return
        if isinstance(found, StorageUnavailable):
            self.future.set_exception(found)
        else:
            self.future.set_result(found)


class Lookups:
    """The point reads of one PostgreSQL database within this process."""

    def __init__(self, name: str, engine: Engine) -> None:
        self._name = name
        self._engine = engine
        self._asked: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: Any = None

    async def look(self, statement: Statement, values: Mapping[str, Any]) -> Found:
        """Return the rows of *statement*. Raises StorageUnavailable."""
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._start()
        self._asked.put(_Question(statement, values, future))
        return await future

    def close(self) -> None:
        """Answer what was asked, then end the thread and its connection."""
        with self._starting:
            if self._thread is not None:
                self._asked.put(None)
                self._thread.join()
                self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name=f"{self._name}-lookups", daemon=True
                    )
                    self._thread.start()

    # -- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while (first := self._asked.get()) is not None:
            questions = [first]
            last = False
            with suppress(queue.Empty):
                while len(questions) < TOGETHER:
                    following = self._asked.get_nowait()
                    if following is None:
                        last = True
                        break
                    questions.append(following)
            self._answer(questions)
            if last:
                break
        self._part()

    def _answer(self, questions: list[_Question]) -> None:
        # A kept connection may be one that the server has ended since: a read may be asked again.
        tries = 1 if self._connection is None else 2
        answers: Sequence[Found | StorageUnavailable] = []
        while not answers:
            tries -= 1
            try:
                answers = self._ask(questions)
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
                self._part()
                if not tries:
                    answers = [self._refusal(error) for _ in questions]
        with suppress(RuntimeError):  # a loop that was closed has nobody left to wake
            questions[0].future.get_loop().call_soon_threadsafe(_tell, questions, answers)

    def _refusal(self, error: Exception) -> StorageUnavailable:
        return StorageUnavailable(f"{self._name}: expected an answer, got {type(error).__name__}")

    def _ask(self, questions: list[_Question]) -> list[Found]:
        if self._connection is None:
            lent = self._engine.raw_connection()
            self._connection = lent.driver_connection
            # Kept for good: otherwise the pool would lend it to other threads as well.
            lent.detach()
            self._connection.autocommit = True
        with self._connection.pipeline():
            cursors = [
                self._connection.execute(asked.statement.sql, asked.statement.bind(asked.values))
                for asked in questions
            ]
            return [cursor.fetchall() for cursor in cursors]

    def _part(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None


def _tell(questions: Sequence[_Question], answers: Sequence[Found | StorageUnavailable]) -> None:
    """Wake whoever asked; one call for all, since each would wake the loop from its sleep."""
    for asked, found in zip(questions, answers, strict=True):
        asked.answer(found)
