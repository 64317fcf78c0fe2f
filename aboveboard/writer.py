"""Group commit: what many requests ask for is written in one transaction, by one writer.

A request leaves a command beside its handler and awaits the answer. The writer takes what is
there, lets each handler work through its commands together, commits once and wakes everybody.
There is no timer: a lone request is committed at once, and while one commit waits for the disk
the next batch gathers. An answer is given only after the commit.

A thread does what waits: the file's lock, `BEGIN`, `COMMIT`. On SQLite the handlers run on the
event loop between the two. Their statements are short, and two threads that both want Python's
lock lose more to handing it over than the work is worth. On PostgreSQL a statement waits for the
server, so there the handlers run in the thread, too.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aboveboard.database import Database, check_open
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


_Batch = list[_Job]
_Way = Callable[[Connection, _Batch], None]


class Writer:
    """The one writer of a database within this process."""

    def __init__(self, database: Database, *, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._on_loop = database.is_sqlite
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: deque[_Job] = deque()
        self._unanswered = 0
        self._busy = False
        self._idle = asyncio.Event()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"{database.name}-writer")
        self._connection: Connection | None = None
        self.batches = 0
        self.commands = 0

    @property
    def name(self) -> str:
        """The database's name."""
        return self._database.name

    @property
    def waiting(self) -> int:
        """How many commands are not yet answered."""
        return self._unanswered

    def start(self) -> None:
        """Start the thread; called once, from the serving event loop."""
        self._loop = asyncio.get_running_loop()
        self._idle.set()
        self._thread.start()

    async def write(self, handler: Handler[C, R], command: C) -> R:
        """Have *handler* carry out *command* durably and return its answer.

        Raises QueueFull when too much waits, StorageUnavailable when the commit failed (nothing of
        the command is stored then), and whatever the handler answered with.
        """
        if self._unanswered >= self._limit:
            raise QueueFull(
                f"{self._database.name}: expected at most {self._limit} waiting writes, got more"
            )
        job = _Job(handler, command, asyncio.get_running_loop().create_future())
        self._unanswered += 1
        self._jobs.append(job)
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._wake.put(True)
        # A request that is cancelled here cancels only its future: the job is written all the same.
        answer: R = await job.future
        return answer

    async def stop(self) -> None:
        """Write what waits, then end the thread and close its connection."""
        await self._idle.wait()
        self._wake.put(False)
        await asyncio.to_thread(self._thread.join)

    def _tell(self, batch: _Batch) -> None:
        self._unanswered -= len(batch)
        for job in batch:
            if job.future.done():
                continue
            if isinstance(job.outcome, Exception):
                job.future.set_exception(job.outcome)
                job.future.exception()  # a client that left will not look: that is no leak
            else:
                job.future.set_result(job.outcome)
        if self._jobs:
            self._wake.put(True)
        else:
            self._busy = False
            self._idle.set()

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wake.get():
            batch: _Batch = []
            try:
                self._write(batch)
                self.batches += 1
                self.commands += len(batch)
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
                self._abandon(batch, error)
            self._call(self._tell, batch)
        if self._connection is not None:
            self._connection.close()

    def _write(self, batch: _Batch) -> None:
        """Fill *batch* with what waits and commit it."""
        if self._connection is None:
            self._connection = self._database.connect_writer()
        try:
            with self._database.write(self._connection) as connection:
                self._carry_out(connection, batch, _together)
        except _NotAsOne:
            with self._database.write(self._connection) as connection:
                self._carry_out(connection, batch, _one_by_one)

    def _carry_out(self, connection: Connection, batch: _Batch, way: _Way) -> None:
        """Run the handlers where they belong, and wait for them."""
        if not self._on_loop:
            self._take(batch)
            way(connection, batch)
            return
        done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def carry_out() -> None:
            # As late as possible: whatever arrived while the lock was waited for comes along.
            self._take(batch)
            try:
                way(connection, batch)
            except Exception as error:  # noqa: BLE001 - raised again in the thread
                done.put(error)
            else:
                done.put(None)

        self._call(carry_out)
        error = done.get()
        if error is not None:
            raise error

    def _take(self, batch: _Batch) -> None:
        if not batch:
            batch.extend(self._jobs.popleft() for _ in range(min(len(self._jobs), BATCH_LIMIT)))

    def _abandon(self, batch: _Batch, error: Exception) -> None:
        # Where even the lock was not to be had, nobody was taken along yet.
        self._take(batch)
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

    def _call(self, what: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        assert self._loop is not None  # noqa: S101 - started
        self._loop.call_soon_threadsafe(what, *arguments)


def _together(connection: Connection, batch: _Batch) -> None:
    """Let every handler work through all of its commands at once: the usual way."""
    for handler, jobs in _by_handler(batch):
        try:
            outcomes = handler(connection, [job.command for job in jobs])
        except Exception as error:
            if _is_lost(error):
                raise
            raise _NotAsOne from error
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.outcome = outcome


def _one_by_one(connection: Connection, batch: _Batch) -> None:
    """Try every command alone behind a savepoint, so that a bad one fails alone."""
    for job in batch:
        try:
            with connection.begin_nested():
                (job.outcome,) = job.handler(connection, [job.command])
        except Exception as error:
            if _is_lost(error):
                raise
            # Where the engine has rolled everything back, those before are not stored either.
            check_open(connection)
            job.outcome = (
                StorageUnavailable(
                    f"expected rows that can be stored, got {type(error.orig).__name__}"
                )
                if isinstance(error, DBAPIError)
                else error
            )


def _by_handler(batch: _Batch) -> list[tuple[Handler[Any, Any], _Batch]]:
    groups: dict[Handler[Any, Any], _Batch] = {}
    for job in batch:
        groups.setdefault(job.handler, []).append(job)
    return list(groups.items())


def _is_lost(error: Exception) -> bool:
    """Whether the connection itself is gone, so that nothing can be tried on it."""
    return isinstance(error, DBAPIError) and error.connection_invalidated
