"""Group commit: many commands in one transaction, each answered for itself."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select
from sqlalchemy.exc import OperationalError

from aboveboard import app
from aboveboard.errors import QueueFull, StorageUnavailable
from aboveboard.tables import SITE
from aboveboard.writer import Writer


class Sluice:
    """A handler that lets nothing pass until it is opened, so that what comes behind gathers."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def carry_out(self, _connection: Connection, commands: Sequence[str]) -> list[str]:
        """Wait, then answer."""
        self.reached.set()
        assert self.opened.wait(60)
        return list(commands)


def store(connection: Connection, commands: Sequence[str]) -> list[str]:
    """Store a site a command; all of them fail where one cannot be stored."""
    for name in commands:
        if name == "bad":
            raise ValueError("expected a good command")
        row = {"id": name, "url": name, "host": name, "created": "2026"}
        connection.execute(insert(SITE).values(row))
    return [f"stored {name}" for name in commands]


def pick(connection: Connection, commands: Sequence[str]) -> list[str | Exception]:
    """Answer bad commands by an exception, and store the others."""
    return [KeyError("bad") if name == "bad" else store(connection, [name])[0] for name in commands]


def stored(databases: app.Databases) -> list[str]:
    """Return what is in the table."""
    with databases.aboveboard.read() as connection:
        return list(connection.execute(select(SITE.c.id).order_by(SITE.c.id)).scalars())


def serve(
    databases: app.Databases,
    work: Callable[[Writer], Coroutine[Any, Any, Any]],
    limit: int = 1000,
) -> Any:  # noqa: ANN401 - whatever the work returns
    """Run *work* with a started writer, and stop it."""

    async def running() -> Any:  # noqa: ANN401
        writer = Writer(databases.aboveboard, limit=limit)
        writer.start()
        try:
            return await work(writer)
        finally:
            writer.stop()

    return asyncio.run(running())


async def dammed(
    writer: Writer,
    commands: Sequence[str],
    handler: Any = store,  # noqa: ANN401
) -> list[Any]:
    """Let *commands* gather behind one that waits, then answer all of them."""
    sluice = Sluice()
    first = asyncio.create_task(writer.write(sluice.carry_out, "first"))
    await asyncio.to_thread(sluice.reached.wait, 60)
    tasks = [asyncio.create_task(writer.write(handler, name)) for name in commands]
    await asyncio.sleep(0)
    sluice.opened.set()
    assert await first == "first"
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_what_gathered_is_one_commit(databases: app.Databases) -> None:
    """A hundred that came during one commit are carried out together, and answered in order."""
    names = [f"n{at:03}" for at in range(100)]

    async def work(writer: Writer) -> tuple[list[Any], int, int]:
        answers = await dammed(writer, names)
        return answers, writer.batches, writer.commands

    answers, batches, commands = serve(databases, work)

    assert answers == [f"stored {name}" for name in names]
    assert (batches, commands) == (2, 101)
    assert stored(databases) == names


def test_a_batch_is_bounded(databases: app.Databases) -> None:
    """600 that gathered are two commits: one of 512 and one of the rest."""
    names = [f"n{at:03}" for at in range(600)]

    async def work(writer: Writer) -> int:
        await dammed(writer, names)
        return writer.batches

    assert serve(databases, work) == 3
    assert stored(databases) == names


@pytest.mark.parametrize("handler", [store, pick], ids=["raises", "answers"])
def test_a_bad_command_fails_alone(databases: app.Databases, handler: Any) -> None:  # noqa: ANN401
    """Whether its handler raises or answers so: the others of the batch are stored."""
    answers = serve(databases, lambda writer: dammed(writer, ["a", "bad", "b"], handler))

    assert (answers[0], answers[2]) == ("stored a", "stored b")
    assert isinstance(answers[1], ValueError | KeyError)
    assert stored(databases) == ["a", "b"]


def test_rows_that_do_not_fit_fail_alone(databases: app.Databases) -> None:
    """What a constraint refuses is StorageUnavailable for that one, without its values."""
    answers = serve(databases, lambda writer: dammed(writer, ["a", "a", "b"]))

    assert (answers[0], answers[2]) == ("stored a", "stored b")
    assert isinstance(answers[1], StorageUnavailable)
    assert stored(databases) == ["a", "b"]


def test_handlers_share_a_commit(databases: app.Databases) -> None:
    """Commands of different handlers are one transaction."""

    async def work(writer: Writer) -> tuple[list[Any], int]:
        sluice = Sluice()
        first = asyncio.create_task(writer.write(sluice.carry_out, "first"))
        await asyncio.to_thread(sluice.reached.wait, 60)
        tasks = [
            asyncio.create_task(writer.write(handler, name))
            for handler, name in ((store, "a"), (pick, "b"), (store, "c"))
        ]
        await asyncio.sleep(0)
        sluice.opened.set()
        await first
        return await asyncio.gather(*tasks), writer.batches

    answers, batches = serve(databases, work)

    assert answers == ["stored a", "stored b", "stored c"]
    assert batches == 2


def test_a_failed_commit_is_told_to_all(databases: app.Databases) -> None:
    """Nobody of the batch is acknowledged and nothing is stored; the next batch goes through."""
    fails = threading.Event()

    def fail(_connection: Connection) -> None:
        if fails.is_set():
            fails.clear()
            raise OperationalError("COMMIT", {}, OSError("no space left"))

    event.listen(databases.aboveboard._writing, "commit", fail)

    async def work(writer: Writer) -> tuple[list[Any], str]:
        sluice = Sluice()
        first = asyncio.create_task(writer.write(sluice.carry_out, "first"))
        await asyncio.to_thread(sluice.reached.wait, 60)
        fails.set()
        tasks = [asyncio.create_task(writer.write(store, name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        sluice.opened.set()
        answers = await asyncio.gather(first, *tasks, return_exceptions=True)
        return answers, await writer.write(store, "c")

    answers, after = serve(databases, work)

    # The failure hit the commit of the first; those behind it are another batch.
    assert [type(answer) for answer in answers[:1]] == [StorageUnavailable]
    assert answers[1:] == ["stored a", "stored b"]
    assert after == "stored c"
    assert stored(databases) == ["a", "b", "c"]


def test_all_of_a_failed_batch_are_refused(databases: app.Databases) -> None:
    """When the commit of several fails, each of them is told, and none is in the table."""
    commits = iter([False, True])

    def fail(_connection: Connection) -> None:
        if next(commits, False):
            raise OperationalError("COMMIT", {}, OSError("no space left"))

    event.listen(databases.aboveboard._writing, "commit", fail)

    async def work(writer: Writer) -> tuple[list[Any], list[Any]]:
        refused = await dammed(writer, ["a", "b", "c"])
        return refused, await dammed(writer, ["a", "b", "c"])

    refused, again = serve(databases, work)

    assert [type(answer) for answer in refused] == [StorageUnavailable] * 3
    assert "no space" not in str(refused[0])
    assert again == ["stored a", "stored b", "stored c"]
    assert stored(databases) == ["a", "b", "c"]


def test_a_full_queue_is_refused(databases: app.Databases) -> None:
    """More than the limit is QueueFull at once; when it has drained there is room again."""

    async def work(writer: Writer) -> tuple[list[Any], str]:
        sluice = Sluice()
        first = asyncio.create_task(writer.write(sluice.carry_out, "first"))
        await asyncio.to_thread(sluice.reached.wait, 60)
        waiting = [asyncio.create_task(writer.write(store, name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await writer.write(store, "c")
        sluice.opened.set()
        return await asyncio.gather(first, *waiting), await writer.write(store, "d")

    answers, after = serve(databases, work, limit=3)

    assert answers == ["first", "stored a", "stored b"]
    assert after == "stored d"
    assert stored(databases) == ["a", "b", "d"]


def test_stopping_writes_what_waits(databases: app.Databases) -> None:
    """What was taken in is stored before the thread ends."""

    async def work() -> list[Any]:
        writer = Writer(databases.aboveboard, limit=1000)
        writer.start()
        sluice = Sluice()
        tasks = [asyncio.create_task(writer.write(sluice.carry_out, "first"))]
        await asyncio.to_thread(sluice.reached.wait, 60)
        tasks += [asyncio.create_task(writer.write(store, name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(asyncio.to_thread(writer.stop))
        sluice.opened.set()
        await stopping
        return await asyncio.gather(*tasks)

    assert asyncio.run(work()) == ["first", "stored a", "stored b"]
    assert stored(databases) == ["a", "b"]


def test_a_client_that_left_changes_nothing(databases: app.Databases) -> None:
    """A cancelled request is written all the same, and its place in the queue is given back."""

    async def work(writer: Writer) -> str:
        sluice = Sluice()
        first = asyncio.create_task(writer.write(sluice.carry_out, "first"))
        await asyncio.to_thread(sluice.reached.wait, 60)
        left = asyncio.create_task(writer.write(store, "a"))
        await asyncio.sleep(0)
        left.cancel()
        sluice.opened.set()
        await first
        answer: str = await writer.write(store, "b")
        return answer

    assert serve(databases, work, limit=2) == "stored b"
    assert stored(databases) == ["a", "b"]


def test_a_writer_that_never_started_stops(databases: app.Databases) -> None:
    """Stopping is harmless before the start."""

    async def work() -> None:
        Writer(databases.aboveboard, limit=1).stop()

    asyncio.run(work())
