"""Group commit: one thread a database writes what many requests ask for, in one transaction.

A request puts a command beside its handler on a bounded queue and awaits the answer. The thread
takes what is there, lets each handler work through its commands together, commits once and wakes
everybody at once. There is no timer: a lone request is committed at once, and while one commit
waits for the disk the next batch gathers. An answer is given only after the commit.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aboveboard.database import Database
from aboveboard.errors import QueueFull, StorageUnavailable

C = TypeVar("C")
R = TypeVar("R")

Handler = Callable[[Connection, Sequence[C]], Sequence[R | Exception]]
"""Works through commands inside the batch's transaction; answers each, in order, by a value or by
the exception that its request shall see. Raising instead means that the batch cannot be done as
one: every command is then tried alone, so that a bad one fails alone."""

BATCH_LIMIT = 512
log = structlog.get_logger(__name__)


class _NotAsOne(Exception):
    """The batch could not be done as one; the transaction was rolled back."""


@dataclass(slots=True, eq=False)
class _Job:
    handler: Handler[Any, Any]
    command: Any
    future: asyncio.Future[Any]
    outcome: Any = None


class Writer:
    """The one writer of a database within this process."""

    def __init__(self, database: Database, *, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._waiting = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"{database.name}-writer")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: Connection | None = None
        self.batches = 0
        self.commands = 0

    def start(self) -> None:
        """Start the thread; called once, from the serving event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def write(self, handler: Handler[C, R], command: C) -> R:
        """Have *handler* carry out *command* durably and return its answer.

        Raises QueueFull when too much waits, StorageUnavailable when the commit failed (nothing of
        the command is stored then), and whatever the handler answered with.
        """
        if self._waiting >= self._limit:
            raise QueueFull(f"{self._database.name}: expected at most {self._limit} waiting writes")
        job = _Job(handler, command, asyncio.get_running_loop().create_future())
        self._waiting += 1
        self._jobs.put(job)
        # A request that is cancelled here cancels only its future: the job is written all the same.
        answer: R = await job.future
        return answer

    def stop(self) -> None:
        """Write what waits, then end the thread and close its connection."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        running = True
        while running:
            batch, running = self._gather()
            if batch:
                self._commit(batch)
                assert self._loop is not None  # noqa: S101 - started
                self._loop.call_soon_threadsafe(self._tell, batch)
        if self._connection is not None:
            self._connection.close()

    def _gather(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) >= BATCH_LIMIT:
                return batch, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: list[_Job]) -> None:
        try:
            if self._connection is None:
                self._connection = self._database.connect_writer()
            try:
                self._together(self._connection, batch)
            except _NotAsOne:
                self._one_by_one(self._connection, batch)
            self.batches += 1
            self.commands += len(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may be left waiting
            self._abandon(batch, error)

    def _together(self, connection: Connection, batch: list[_Job]) -> None:
        """Let every handler work through all of its commands at once: the usual way."""
        with self._database.write(connection):
            for handler, jobs in _by_handler(batch):
                try:
                    outcomes = handler(connection, [job.command for job in jobs])
                except Exception as error:
                    if _is_lost(error):
                        raise
                    raise _NotAsOne from error
                for job, outcome in zip(jobs, outcomes, strict=True):
                    job.outcome = outcome

    def _one_by_one(self, connection: Connection, batch: list[_Job]) -> None:
        """Try every command alone behind a savepoint, so that a bad one fails alone."""
        with self._database.write(connection):
            for job in batch:
                try:
                    with connection.begin_nested():
                        (job.outcome,) = job.handler(connection, [job.command])
                except Exception as error:
                    if _is_lost(error):
                        raise
                    job.outcome = (
                        StorageUnavailable(
                            f"{self._database.name}: expected rows that can be stored, "
                            f"got {type(error.orig).__name__}"
                        )
                        if isinstance(error, DBAPIError)
                        else error
                    )

    def _abandon(self, batch: list[_Job], error: Exception) -> None:
        log.error(
            "write_failed",
            database=self._database.name,
            error=type(error).__name__,
            cause=type(error.__cause__).__name__ if error.__cause__ else None,
            commands=len(batch),
        )
        refusal = (
            error
            if isinstance(error, StorageUnavailable)
            else StorageUnavailable(
                f"{self._database.name}: expected a durable write, got {type(error).__name__}"
            )
        )
        for job in batch:
            job.outcome = refusal
        if self._connection is not None:
            # A broken connection is not worth mending; the next batch opens another.
            try:
                self._connection.invalidate()
                self._connection.close()
            except Exception:  # noqa: BLE001 - it is being thrown away
                log.warning("connection_dropped", database=self._database.name)
            self._connection = None

    def _tell(self, batch: list[_Job]) -> None:
        self._waiting -= len(batch)
        for job in batch:
            if job.future.done():
                continue
            if isinstance(job.outcome, Exception):
                job.future.set_exception(job.outcome)
                job.future.exception()  # a client that left will not look: that is no leak
            else:
                job.future.set_result(job.outcome)


def _by_handler(batch: list[_Job]) -> list[tuple[Handler[Any, Any], list[_Job]]]:
    groups: dict[Handler[Any, Any], list[_Job]] = {}
    for job in batch:
        groups.setdefault(job.handler, []).append(job)
    return list(groups.items())


def _is_lost(error: Exception) -> bool:
    """Whether the connection itself is gone, so that nothing can be tried on it."""
    return isinstance(error, DBAPIError) and error.connection_invalidated
