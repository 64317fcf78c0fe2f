"""Point reads on PostgreSQL, where every question waits for the server: many travel together.

A thread for each question would spend more on threads than on asking. Here one thread owns one
connection and sends what has gathered while it waited as one pipeline.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from aboveboard.errors import QueueFull, StorageUnavailable
from aboveboard.rows import Statement, name_failure

Found = list[tuple[Any, ...]]
TOGETHER = 256  # questions of one pipeline
WAITING = 10_000  # questions; more are refused
STATEMENT_S = 1.0  # a read by index takes a thousandth of it
PATIENCE_S = 5.0  # for an answer: those that came with a slow statement are asked once more
CONNECTION_LIFE_S = 300.0  # as in the pool: after a failover nobody asks the old server for long


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
        self._until = 0.0  # by the monotonic clock: when the connection is due to be replaced

    async def look(self, statement: Statement, values: Mapping[str, Any]) -> Found:
        """Return the rows of *statement*.

        Raises StorageUnavailable, also when no answer comes in time, and QueueFull when too much
        waits.
        """
        if self._asked.qsize() >= WAITING:
            raise QueueFull(f"{self._name}: expected at most {WAITING} waiting reads, got more")
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._start()
        self._asked.put(_Question(statement, values, future))
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await future
        except TimeoutError as error:
            raise StorageUnavailable(
                f"{self._name}: expected an answer within {PATIENCE_S:g} s, got none"
            ) from error

    def close(self) -> None:
        """Answer what was asked, then end the thread and its connection."""
        with self._starting:
            thread, self._thread = self._thread, None
            self._asked.put(None)
        if thread is not None:
            thread.join(2 * PATIENCE_S)  # a daemon: one that hangs ends with the process

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._asked = queue.SimpleQueue()
                    self._thread = threading.Thread(
                        target=self._run,
                        args=(self._asked,),
                        name=f"{self._name}-lookups",
                        daemon=True,
                    )
                    self._thread.start()

    # -- in the thread ------------------------------------------------------------------------

    def _run(self, asked: "queue.SimpleQueue[_Question | None]") -> None:
        following = asked.get()
        while following is not None:
            questions = [following]
            with suppress(queue.Empty):
                while len(questions) < TOGETHER:
                    following = asked.get_nowait()
                    if following is None:
                        break
                    questions.append(following)
            self._answer([one for one in questions if not one.future.done()])
            if following is not None:
                following = asked.get()
        self._part()

    def _answer(self, questions: list[_Question]) -> None:
        if not questions:
            return
        answers = self._answers(questions)
        with suppress(RuntimeError):  # a loop that was closed has nobody left to wake
            questions[0].future.get_loop().call_soon_threadsafe(_tell, questions, answers)

    def _answers(self, questions: list[_Question]) -> Sequence[Found | StorageUnavailable]:
        """Ask all at once; where that fails, each alone, so that a bad one fails alone."""
        if self._connection is not None and time.monotonic() >= self._until:
            self._part()
        # A kept connection may be one that the server has ended since: a read may be asked again.
        for _ in range(1 if self._connection is None else 2):
            try:
                return self._ask(questions)
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
                failure = error
            refused = self._connection is not None and not self._connection.closed
            # What the driver thinks it has prepared on it may have been skipped.
            self._part()
            if refused:
                return [self._ask_alone(question) for question in questions]
        return [self._refusal(failure)] * len(questions)

    def _ask_alone(self, question: _Question) -> Found | StorageUnavailable:
        try:
            return self._ask([question])[0]
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
            self._part()
            return self._refusal(error)

    def _ask(self, questions: list[_Question]) -> list[Found]:
        if self._connection is None:
            lent = self._engine.raw_connection()
            self._connection = lent.driver_connection
            # Kept for good: otherwise the pool would lend it to other threads as well.
            lent.detach()
            self._connection.autocommit = True
            self._connection.execute(f"SET statement_timeout = {int(1000 * STATEMENT_S)}")
            self._until = time.monotonic() + CONNECTION_LIFE_S
        with self._connection.pipeline():
            cursors = [
                self._connection.execute(asked.statement.sql, asked.statement.bind(asked.values))
                for asked in questions
            ]
            return [cursor.fetchall() for cursor in cursors]

    def _refusal(self, error: Exception) -> StorageUnavailable:
        return StorageUnavailable(f"{self._name}: expected an answer, got {name_failure(error)}")

    def _part(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None


def _tell(questions: Sequence[_Question], answers: Sequence[Found | StorageUnavailable]) -> None:
    """Wake whoever asked; one call for all, since each would wake the loop from its sleep."""
    for asked, found in zip(questions, answers, strict=True):
        asked.answer(found)
