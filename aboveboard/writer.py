"""Group commit: what many requests ask for is written in one transaction, by one writer.

A request leaves a command beside its handler and awaits the answer. The writer takes what is
there, lets each handler work through its commands together, commits once and wakes everybody.
There is no timer: a lone request is committed at once, and while one commit waits for the disk
the next batch gathers. An answer is given only after the commit.

A thread does what waits. On SQLite that is the commit, and the file's lock where another process
has it; `BEGIN` and the handlers run on the event loop. Their statements are short, and two threads
that both want Python's lock lose more to handing it over than the work is worth. What has many
rows is not short: the thread does it all, as it does on PostgreSQL, where every statement waits for
the server.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aboveboard.database import Database, check_open
from aboveboard.errors import QueueFull, StorageBusy, StorageUnavailable
from aboveboard.rows import FollowUp, Handler, Rows, name_failure

C = TypeVar("C")
R = TypeVar("R")

BATCH_LIMIT = 512  # rows, about: what one transaction may keep the event loop from
LONG = 128  # rows, about: a command of more is carried out in the thread
WAIT_S = 5.0  # for another process that writes; then the batch is refused
log = structlog.get_logger(__name__)


class _NotAsOne(Exception):
    """The batch could not be done as one; the transaction was rolled back."""


@dataclass(slots=True, eq=False)
class _Job:
    handler: Handler[Any, Any]
    command: Any
    size: int
    future: asyncio.Future[Any]
    outcome: Any = None


_Batch = list[_Job]
_Work = Callable[[Connection, _Batch, list[FollowUp]], None]
_Transaction = AbstractContextManager[Connection, bool | None]


class Writer:
    """The one writer of a database within this process."""

    def __init__(self, database: Database, *, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._on_loop = database.is_sqlite
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: deque[_Job] = deque()
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name=f"{database.name}-writer", daemon=True
        )
        self._connection: Connection | None = None
        self.failing = False
        """Whether the last batch was refused by the database."""
        self.waiting = 0
        """How many commands are not yet answered."""
        self.batches = 0
        self.commands = 0
        self.follow_ups_failed = 0

    @property
    def name(self) -> str:
        """The database's name."""
        return self._database.name

    def start(self) -> None:
        """Start the thread; called once, from the serving event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def write(self, handler: Handler[C, R], command: C, *, size: int = 1) -> R:
        """Have *handler* carry out *command*, of about *size* rows, durably; return its answer.

        Raises QueueFull when too much waits, StorageUnavailable when the commit failed (nothing of
        the command is stored then), and whatever the handler answered with.
        """
        if self.waiting >= self._limit:
            raise QueueFull(
                f"{self._database.name}: expected at most {self._limit} waiting writes, got more"
            )
        assert self._loop is not None  # noqa: S101 - started
        job = _Job(handler, command, size, self._loop.create_future())
        self.waiting += 1
        self._jobs.append(job)
        if not self._busy:
            self._busy = True
            self._idle.clear()
            # In the next turn of the loop: whatever arrives in this one comes along.
            self._loop.call_soon(self._next)
        # A request that is cancelled here cancels only its future: the job is written all the same.
        answer: R = await job.future
        return answer

    async def check(self) -> None:
        """Try a real write where the last one failed. Raises StorageError if it fails, too."""
        if self.failing:
            await self.write(_touch, None)

    async def stop(self) -> None:
        """Write what waits, then end the thread and close its connection."""
        await self._idle.wait()
        self._work.put(None)
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)

    # -- on the event loop --------------------------------------------------------------------

    def _next(self) -> None:
        """Begin the next batch, here where that needs no waiting."""
        if not self._on_loop or self._jobs[0].size > LONG:
            self._work.put(self._write)
            return
        try:
            transaction = self._transaction(wait_s=0)
            transaction.__enter__()
        except StorageBusy:
            self._work.put(self._wait)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
            self._tell(self._abandoned(self._take(), error))
        else:
            self._carry_out(transaction)

    def _carry_out(self, transaction: _Transaction) -> None:
        """Let the handlers work inside an open transaction, and send it off to be committed."""
        batch = self._take()
        follow_ups: list[FollowUp] = []
        assert self._connection is not None  # noqa: S101 - opened
        try:
            _together(self._connection, batch, follow_ups)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
            self._work.put(partial(self._undo, transaction, batch, error))
        else:
            self._work.put(partial(self._commit, transaction, batch, follow_ups))

    def _tell(self, batch: _Batch) -> None:
        self.waiting -= len(batch)
        for job in batch:
            if job.future.done():
                continue
            if isinstance(job.outcome, Exception):
                job.future.set_exception(job.outcome)
                job.future.exception()  # a client that left will not look: that is no leak
            else:
                job.future.set_result(job.outcome)
        if self._jobs:
            assert self._loop is not None  # noqa: S101 - started
            self._loop.call_soon(self._next)
        else:
            self._busy = False
            self._idle.set()

    # -- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        if self._connection is not None:
            self._connection.close()

    def _wait(self) -> None:
        """Wait for the file's lock, then let the loop go on."""
        try:
            transaction = self._transaction(wait_s=WAIT_S)
            transaction.__enter__()
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
            self._call(self._tell, self._abandoned(self._take(), error))
        else:
            self._call(self._carry_out, transaction)

    def _commit(self, transaction: _Transaction, batch: _Batch, follow_ups: list[FollowUp]) -> None:
        """Commit what the loop has carried out."""
        try:
            transaction.__exit__(None, None, None)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
            self._abandoned(batch, error)
        else:
            self._count(batch, follow_ups)
        self._call(self._tell, batch)

    def _undo(self, transaction: _Transaction, batch: _Batch, error: Exception) -> None:
        """Roll back what could not be done as one, and try each command alone."""
        try:
            transaction.__exit__(type(error), error, error.__traceback__)
        except Exception as again:  # noqa: BLE001 - the very error, or that of rolling back
            error = again
        self._singly(batch, error)
        self._call(self._tell, batch)

    def _write(self) -> None:
        """Write a whole batch: begin, carry out, commit."""
        batch = self._take()
        try:
            self._transact(_together, batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody is left waiting
            self._singly(batch, error)
        self._call(self._tell, batch)

    def _singly(self, batch: _Batch, error: Exception) -> None:
        """Try each command alone where *error* is a command's, refuse all where it is not."""
        if not isinstance(error, _NotAsOne):
            self._abandoned(batch, error)
            return
        try:
            self._transact(_one_by_one, batch)
        except Exception as again:  # noqa: BLE001 - whatever it was, nobody is left waiting
            self._abandoned(batch, again)
        else:
            self._look_at_refused(batch)

    def _look_at_refused(self, batch: _Batch) -> None:
        """Tell which commands the database refused alone; perhaps it takes no others either.

        One that has become read-only refuses each by itself, and takes the empty transaction. So
        readiness tries a real write.
        """
        refused = [job.outcome for job in batch if isinstance(job.outcome, StorageUnavailable)]
        if not refused:
            return
        self.failing = True
        self._log_failed(refused[0], len(refused))

    def _transact(self, work: _Work, batch: _Batch) -> None:
        """Begin, let *work* carry out the batch, commit."""
        follow_ups: list[FollowUp] = []
        with self._transaction(wait_s=WAIT_S) as connection:
            work(connection, batch, follow_ups)
        self._count(batch, follow_ups)

    # -- in either ----------------------------------------------------------------------------

    def _transaction(self, *, wait_s: float) -> _Transaction:
        if self._connection is None:
            self._connection = self._database.connect_writer()
        return self._database.write(self._connection, wait_s=wait_s)

    def _take(self) -> _Batch:
        batch = [self._jobs.popleft()]
        room = BATCH_LIMIT - batch[0].size
        while self._jobs and self._jobs[0].size <= min(room, LONG):
            job = self._jobs.popleft()
            room -= job.size
            batch.append(job)
        return batch

    def _count(self, batch: _Batch, follow_ups: list[FollowUp]) -> None:
        """Count what was committed, and do what follows it."""
        self.failing = False
        self.batches += 1
        self.commands += len(batch)
        self.follow_ups_failed += _follow_up(self._database.name, follow_ups)

    def _abandoned(self, batch: _Batch, error: Exception) -> _Batch:
        """Refuse every command of *batch*, and throw the connection away."""
        self.failing = True
        refusal = (
            error
            if isinstance(error, StorageUnavailable | StorageBusy)
            else StorageUnavailable(
                f"{self._database.name}: expected a durable write, got {name_failure(error)}"
            )
        )
        for job in batch:
            job.outcome = refusal
        if self._connection is not None:
            # A broken connection is not worth mending; the next batch opens another.
            with suppress(Exception):
                self._connection.invalidate()
                self._connection.close()
            self._connection = None
        self._log_failed(error, len(batch))
        return batch

    def _log_failed(self, error: Exception, commands: int) -> None:
        # Whatever has to be done comes before: the log often lies on the very disk that is full.
        with suppress(Exception):
            log.error(
                "write_failed",
                database=self._database.name,
                error=type(error).__name__,
                cause=name_failure(error.__cause__) if error.__cause__ else None,
                commands=commands,
            )

    def _call(self, what: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        assert self._loop is not None  # noqa: S101 - started
        self._loop.call_soon_threadsafe(what, *arguments)


class CommandWriter:
    """Writes for a command beside the service: a transaction each, at once, waiting its turn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, handler: Handler[C, R], command: C, *, size: int = 1) -> R:  # noqa: ARG002
        """Have *handler* carry out *command* durably; return its answer, or raise it.

        Raises StorageUnavailable when the database does not take it.
        """
        follow_ups: list[FollowUp] = []
        with self._database.write() as connection:
            with Rows(connection, follow_ups) as rows:
                (answer,) = handler(rows, [command])
            if isinstance(answer, Exception):
                raise answer
        _follow_up(self._database.name, follow_ups)
        return answer


def _follow_up(database: str, follow_ups: list[FollowUp]) -> int:
    """Do what follows a commit; what fails is told and counted, for nothing can be taken back."""
    failed = [error for error in map(_attempt, follow_ups) if error is not None]
    for error in failed:
        with suppress(Exception):
            log.error("follow_up_failed", database=database, error=type(error).__name__)
    return len(failed)


def _attempt(work: FollowUp) -> Exception | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - what was committed is to be answered
        return error
    return None


def _touch(rows: Rows, commands: Sequence[None]) -> list[None]:
    """Write something that changes nothing."""
    rows.connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
    return list(commands)


def _together(connection: Connection, batch: _Batch, follow_ups: list[FollowUp]) -> None:
    """Let every handler work through all of its commands at once: the usual way."""
    _lock_sites(connection, batch)
    for handler, jobs in _by_handler(batch):
        try:
            with Rows(connection, follow_ups) as rows:
                outcomes = handler(rows, [job.command for job in jobs])
        except Exception as error:
            if _is_lost(error):
                raise
            raise _NotAsOne from error
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.outcome = outcome


def _one_by_one(connection: Connection, batch: _Batch, follow_ups: list[FollowUp]) -> None:
    """Try every command alone behind a savepoint, so that a bad one fails alone."""
    _lock_sites(connection, batch)
    for job in batch:
        own: list[FollowUp] = []
        try:
            with connection.begin_nested(), Rows(connection, own) as rows:
                (job.outcome,) = job.handler(rows, [job.command])
            follow_ups += own
        except Exception as error:
            if _is_lost(error):
                raise
            # Where the engine has rolled everything back, those before are not stored either.
            check_open(connection)
            job.outcome = _refusal(error) if isinstance(error, DBAPIError) else error


def _refusal(error: DBAPIError) -> StorageUnavailable:
    """Return what a command is told that the database refused."""
    refusal = StorageUnavailable(f"expected rows that can be stored, got {name_failure(error)}")
    refusal.__cause__ = error.orig
    return refusal


def _lock_sites(connection: Connection, batch: _Batch) -> None:
    """Lock the sites of a batch that has several, or several handlers, before any handler begins.

    Handlers lock one after the other, each its own, a site or rows of it: of two processes whose
    batches come in another order, each would wait for the other. A site is what a command calls
    its `site_id`.
    """
    sites = {site for job in batch if (site := getattr(job.command, "site_id", None)) is not None}
    if len(sites) > 1 or (sites and len({job.handler for job in batch}) > 1):
        with Rows(connection) as rows:
            rows.lock(sorted(sites))


def _by_handler(batch: _Batch) -> list[tuple[Handler[Any, Any], _Batch]]:
    groups: dict[Handler[Any, Any], _Batch] = {}
    for job in batch:
        groups.setdefault(job.handler, []).append(job)
    return list(groups.items())


def _is_lost(error: Exception) -> bool:
    """Whether the connection itself is gone, so that nothing can be tried on it."""
    return isinstance(error, DBAPIError) and error.connection_invalidated
