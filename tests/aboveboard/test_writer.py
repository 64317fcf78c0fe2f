"""Group commit: many commands in one transaction, each answered for itself."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import migrated
from sqlalchemy import Connection, event, insert, select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from aboveboard.errors import QueueFull, StorageUnavailable
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.tables import SITE
from aboveboard.writer import LONG, CommandWriter, Writer


class Command(NamedTuple):
    """What a domain wants done for a site."""

    site_id: str
    name: str = ""  # of what is locked, where that is not the site


class Sluice:
    """Holds up the first commit until it is opened, so that what comes behind gathers."""

    def __init__(self, databases: Databases) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        event.listen(databases.aboveboard._writing, "commit", self._commit)

    def _commit(self, _connection: Connection) -> None:
        self.reached.set()
        assert self.opened.wait(60)


def nothing(rows: Rows, commands: Sequence[str]) -> list[str]:
    """Store nothing, and answer."""
    rows.connection.execute(select(SITE.c.id))
    return list(commands)


def store(rows: Rows, commands: Sequence[str]) -> list[str]:
    """Store a site a command; all of them fail where one cannot be stored."""
    for name in commands:
        if name == "bad":
            raise ValueError("expected a good command")
        row = {"id": name, "url": name, "host": name, "created": "2026"}
        rows.connection.execute(insert(SITE).values(row))
    return [f"stored {name}" for name in commands]


def pick(rows: Rows, commands: Sequence[str]) -> list[str | Exception]:
    """Answer bad commands by an exception, and store the others."""
    return [KeyError("bad") if name == "bad" else store(rows, [name])[0] for name in commands]


def stored(databases: Databases) -> list[str]:
    """Return what is in the table."""
    with databases.aboveboard.read() as connection:
        return list(connection.execute(select(SITE.c.id).order_by(SITE.c.id)).scalars())


def serve(
    databases: Databases,
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
            await writer.stop()

    return asyncio.run(running())


def gathered(
    databases: Databases,
    commands: Sequence[tuple[Any, str]],
    meanwhile: Callable[[Writer], Coroutine[Any, Any, Any]] | None = None,
    limit: int = 1000,
) -> tuple[list[Any], Writer]:
    """Let *commands* gather behind a commit that takes long; return their answers."""
    sluice = Sluice(databases)

    async def work(writer: Writer) -> tuple[list[Any], Writer]:
        first = asyncio.create_task(writer.write(nothing, "first"))
        assert await asyncio.to_thread(sluice.reached.wait, 60)
        tasks = [asyncio.create_task(writer.write(*command)) for command in commands]
        await asyncio.sleep(0)
        if meanwhile:
            await meanwhile(writer)
        sluice.opened.set()
        assert await first == "first"
        return await asyncio.gather(*tasks, return_exceptions=True), writer

    answers, writer = serve(databases, work, limit)
    return answers, writer


def test_what_gathered_is_one_commit(databases: Databases) -> None:
    """A hundred that came during one commit are carried out together, and answered in order."""
    names = [f"n{at:03}" for at in range(100)]

    answers, writer = gathered(databases, [(store, name) for name in names])

    assert answers == [f"stored {name}" for name in names]
    assert (writer.batches, writer.commands, writer.waiting) == (2, 101, 0)
    assert stored(databases) == names


def test_a_batch_is_bounded(databases: Databases) -> None:
    """600 that gathered are two commits: one of 512 and one of the rest."""
    names = [f"n{at:03}" for at in range(600)]

    _, writer = gathered(databases, [(store, name) for name in names])

    assert (writer.batches, writer.commands) == (3, 601)
    assert stored(databases) == names


def test_a_large_command_fills_a_batch(databases: Databases) -> None:
    """What was told to be many rows leaves less room for others; very many are a batch alone."""
    sluice = Sluice(databases)
    sizes = {"a": 128, "b": 128, "c": 128, "d": 128, "e": 1, "f": 2000, "g": 1}

    async def work(writer: Writer) -> list[str]:
        first = asyncio.create_task(writer.write(nothing, "first"))
        assert await asyncio.to_thread(sluice.reached.wait, 60)
        tasks = [
            asyncio.create_task(writer.write(store, name, size=size))
            for name, size in sizes.items()
        ]
        await asyncio.sleep(0)
        sluice.opened.set()
        await first
        answers = await asyncio.gather(*tasks)
        assert writer.batches == 1 + 4  # a to d; e; f; g
        return answers

    assert serve(databases, work) == [f"stored {name}" for name in sizes]
    assert stored(databases) == sorted(sizes)


def test_a_long_command_keeps_no_event_loop_waiting(files: Databases) -> None:
    """On SQLite the loop carries out what is short, the writer's thread what is long."""

    def where(rows: Rows, commands: Sequence[str]) -> list[bool]:
        nothing(rows, commands)
        return [threading.current_thread() is threading.main_thread()] * len(commands)

    async def work(writer: Writer) -> list[bool]:
        sizes = (1, LONG, LONG + 1)
        return list(await asyncio.gather(*(writer.write(where, "a", size=size) for size in sizes)))

    assert serve(files, work) == [True, True, False]


@pytest.mark.parametrize("handler", [store, pick], ids=["raises", "answers"])
def test_a_bad_command_fails_alone(databases: Databases, handler: Any) -> None:  # noqa: ANN401
    """Whether its handler raises or answers so: the others of the batch are stored."""
    answers, _ = gathered(databases, [(handler, name) for name in ("a", "bad", "b")])

    assert (answers[0], answers[2]) == ("stored a", "stored b")
    assert isinstance(answers[1], ValueError | KeyError)
    assert stored(databases) == ["a", "b"]


def test_rows_that_do_not_fit_fail_alone(databases: Databases) -> None:
    """What a constraint refuses is StorageUnavailable for that one, without its values."""
    answers, _ = gathered(databases, [(store, name) for name in ("canary", "canary", "b")])

    assert (answers[0], answers[2]) == ("stored canary", "stored b")
    assert isinstance(answers[1], StorageUnavailable)
    assert "canary" not in str(answers[1])
    assert stored(databases) == ["b", "canary"]


def test_a_database_that_refuses_every_command_is_not_ready(databases: Databases) -> None:
    """As a PostgreSQL does that became a read-only standby: it is told, and readiness tries."""
    read_only = (
        "PRAGMA query_only=ON" if databases.aboveboard.is_sqlite else "SET TRANSACTION READ ONLY"
    )

    def turn(connection: Connection) -> None:
        connection.exec_driver_sql(read_only)

    async def work(writer: Writer) -> None:
        with pytest.raises(StorageUnavailable):
            await writer.write(store, "a")
        with pytest.raises(StorageUnavailable):
            await writer.check()
        with pytest.raises(StorageUnavailable):
            await writer.check()

    event.listen(databases.aboveboard._writing, "begin", turn)

    with capture_logs() as lines:
        serve(databases, work)

    assert [(line["event"], line["commands"]) for line in lines] == [("write_failed", 1)] * 3
    code = " SQLITE_READONLY" if databases.aboveboard.is_sqlite else " 25006"  # as manuals have it
    assert all(line["cause"].endswith(code) for line in lines)


def test_one_command_that_is_refused_leaves_the_database_ready(databases: Databases) -> None:
    """Readiness tries a real write once, and knows better."""

    async def work(writer: Writer) -> list[bool]:
        await writer.write(store, "a")
        with pytest.raises(StorageUnavailable):
            await writer.write(store, "a")
        before = writer.failing
        await writer.check()
        return [before, writer.failing]

    assert serve(databases, work) == [True, False]


def test_after_the_engine_rolled_back_nothing_more_is_stored(files: Databases) -> None:
    """As SQLite does by itself on a full disk: all are refused, and none is there all the same."""

    def undo(rows: Rows, commands: Sequence[str]) -> list[str]:
        rows.connection.exec_driver_sql("ROLLBACK")
        raise OSError(f"no space left for {len(commands)}")

    answers, _ = gathered(files, [(store, "a"), (undo, "full"), (store, "b")])

    assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
    assert stored(files) == []


def test_handlers_share_a_commit(databases: Databases) -> None:
    """Commands of different handlers are one transaction."""
    answers, writer = gathered(databases, [(store, "a"), (pick, "b"), (store, "c")])

    assert answers == ["stored a", "stored b", "stored c"]
    assert writer.batches == 2
    assert stored(databases) == ["a", "b", "c"]


def test_all_of_a_failed_batch_are_refused(databases: Databases) -> None:
    """When the commit of several fails, each is told and none is stored; the next one works."""
    commits = iter([False, True])

    def fail(_connection: Connection) -> None:
        if next(commits, False):
            raise OperationalError("COMMIT", {}, OSError("no space left for canary"))

    async def work(writer: Writer) -> list[Any]:
        tasks = [asyncio.create_task(writer.write(store, name)) for name in ("a", "b", "c")]
        return await asyncio.gather(*tasks)

    event.listen(databases.aboveboard._writing, "commit", fail)

    refused, writer = gathered(databases, [(store, name) for name in ("a", "b", "c")])
    left = stored(databases)
    again = serve(databases, work)

    assert [type(answer) for answer in refused] == [StorageUnavailable] * 3
    assert "canary" not in str(refused[0])
    assert left == []
    assert (writer.batches, writer.waiting) == (1, 0)
    assert again == ["stored a", "stored b", "stored c"]
    assert stored(databases) == ["a", "b", "c"]


def test_a_writer_goes_on_after_a_failure(databases: Databases) -> None:
    """The same writer opens another connection and stores what comes next."""
    commits = iter([True])

    def fail(_connection: Connection) -> None:
        if next(commits, False):
            raise OperationalError("COMMIT", {}, OSError("no space left"))

    async def work(writer: Writer) -> str:
        with pytest.raises(StorageUnavailable):
            await writer.write(store, "a")
        answer: str = await writer.write(store, "b")
        return answer

    event.listen(databases.aboveboard._writing, "commit", fail)

    assert serve(databases, work) == "stored b"
    assert stored(databases) == ["b"]


def test_a_full_queue_is_refused(databases: Databases) -> None:
    """One more than the limit is QueueFull at once; when it has drained there is room again."""

    async def one_more(writer: Writer) -> None:
        with pytest.raises(QueueFull):
            await writer.write(store, "c")

    answers, writer = gathered(databases, [(store, "a"), (store, "b")], one_more, limit=3)

    assert answers == ["stored a", "stored b"]
    assert writer.waiting == 0
    assert stored(databases) == ["a", "b"]


def test_stopping_writes_what_waits(databases: Databases) -> None:
    """What was taken in is stored before the thread ends."""
    sluice = Sluice(databases)

    async def work() -> list[Any]:
        writer = Writer(databases.aboveboard, limit=1000)
        writer.start()
        tasks = [asyncio.create_task(writer.write(nothing, "first"))]
        assert await asyncio.to_thread(sluice.reached.wait, 60)
        tasks += [asyncio.create_task(writer.write(store, name)) for name in ("a", "b")]
        stopping = asyncio.create_task(writer.stop())
        await asyncio.sleep(0)
        sluice.opened.set()
        await stopping
        return await asyncio.gather(*tasks)

    assert asyncio.run(work()) == ["first", "stored a", "stored b"]
    assert stored(databases) == ["a", "b"]


def test_a_client_that_left_changes_nothing(databases: Databases) -> None:
    """A cancelled request is written all the same, and its place in the queue is given back."""

    async def leave(writer: Writer) -> None:
        left = asyncio.create_task(writer.write(store, "left"))
        await asyncio.sleep(0)
        left.cancel()

    answers, writer = gathered(databases, [(store, "a")], leave, limit=3)

    assert answers == ["stored a"]
    assert (writer.waiting, writer.commands) == (0, 3)
    assert stored(databases) == ["a", "left"]


def test_a_log_that_fails_keeps_nobody_waiting(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When even the log cannot be written, as on a full disk, everybody is answered."""

    class Full:
        def error(self, *_: object, **__: object) -> None:
            raise OSError("no space left")

    def fail(_connection: Connection) -> None:
        raise OperationalError("COMMIT", {}, OSError("no space left"))

    async def work(writer: Writer) -> list[Any]:
        tasks = [asyncio.create_task(writer.write(store, name)) for name in ("a", "b")]
        return await asyncio.gather(*tasks, return_exceptions=True)

    monkeypatch.setattr("aboveboard.writer.log", Full())
    event.listen(databases.aboveboard._writing, "commit", fail)

    assert [type(answer) for answer in serve(databases, work)] == [StorageUnavailable] * 2


# -- what follows a commit ------------------------------------------------------------------------


class Following:
    """Notes after the commit what it then finds stored; some follow-ups fail."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.seen: list[tuple[str, list[str]]] = []

    def handle(self, rows: Rows, commands: Sequence[str]) -> list[str]:
        """Store a site a command, and have it noted once it is committed."""
        for name in commands:
            rows.afterwards(partial(self.follow, name))
        return store(rows, commands)

    def follow(self, name: str) -> None:
        """Note what another connection finds."""
        self.seen.append((name, stored(self.databases)))
        if name == "fails":
            raise OSError("no space left for canary")


def test_what_follows_a_commit_is_done_before_the_answer(databases: Databases) -> None:
    """Each follow-up, in order, sees what was committed; whoever is answered finds it done."""
    following = Following(databases)

    async def work(writer: Writer) -> list[tuple[str, list[str]]]:
        await asyncio.gather(*(writer.write(following.handle, name) for name in ("a", "b")))
        return list(following.seen)

    seen = serve(databases, work)

    assert seen == [("a", ["a", "b"]), ("b", ["a", "b"])]


def test_a_rollback_is_not_followed(databases: Databases) -> None:
    """What was rolled back leaves no follow-up, alone or with its whole batch."""
    commits = iter([False, True])

    def fail(_connection: Connection) -> None:
        if next(commits, False):
            raise OperationalError("COMMIT", {}, OSError("no space left"))

    following = Following(databases)
    gathered(databases, [(following.handle, name) for name in ("a", "bad", "b")])
    alone = [name for name, _ in following.seen]
    event.listen(databases.aboveboard._writing, "commit", fail)
    gathered(databases, [(following.handle, name) for name in ("c", "d")])

    assert alone == ["a", "b"]
    assert [name for name, _ in following.seen] == alone
    assert stored(databases) == ["a", "b"]


def test_a_follow_up_that_fails_refuses_nobody(
    databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is counted and told without its words; the others are done, everybody is answered."""
    following = Following(databases)

    answers, writer = gathered(databases, [(following.handle, name) for name in ("fails", "b")])

    assert answers == ["stored fails", "stored b"]
    assert [name for name, _ in following.seen] == ["fails", "b"]
    assert writer.follow_ups_failed == 1
    told = capsys.readouterr().out
    assert "follow_up_failed" in told
    assert "canary" not in told


def test_rows_that_nobody_follows_up_say_so(databases: Databases) -> None:
    """A follow-up that would never be done is refused."""
    with (
        pytest.raises(TypeError, match="rows of a writer"),
        databases.aboveboard.write() as connection,
        Rows(connection) as rows,
    ):
        rows.afterwards(lambda: None)


def test_a_command_writes_at_once(databases: Databases) -> None:
    """Beside the service: one transaction, its follow-ups, its answer or its exception."""
    following = Following(databases)
    writer = CommandWriter(databases.aboveboard)

    answer = asyncio.run(writer.write(following.handle, "a"))
    with pytest.raises(KeyError):
        asyncio.run(writer.write(pick, "bad"))
    with pytest.raises(ValueError, match="good command"):
        asyncio.run(writer.write(following.handle, "bad"))

    assert answer == "stored a"
    assert following.seen == [("a", ["a"])]
    assert stored(databases) == ["a"]


class Locking:
    """Two handlers that lock the site of each command, as those of the domains do.

    The first waits until the other process has locked a site, too, or stands in line for one.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._held: list[str] = []
        self.calls = 0

    def first(self, rows: Rows, commands: Sequence[Command]) -> list[str]:
        """Lock sites, and let the other one come as far as it can."""
        answers = self.second(rows, commands)
        rows.settle()
        self._held += answers
        while len(self._held) < 2 and not self._somebody_waits():
            pass
        return answers

    def second(self, rows: Rows, commands: Sequence[Command]) -> list[str]:
        """Lock sites."""
        self.calls += 1
        rows.lock(sorted({command.name or command.site_id for command in commands}))
        return [command.name or command.site_id for command in commands]

    def _somebody_waits(self) -> bool:
        with self._databases.aboveboard.read() as connection:
            asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return connection.exec_driver_sql(asked).scalar_one() > 0


@pytest.fixture
def on_postgresql(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Databases]:
    """Open the three sets of tables on PostgreSQL alone."""
    with migrated(tmp_path / "data", new_database()) as opened:
        yield opened


@pytest.mark.parametrize("one_site", [False, True], ids=["sites", "rows of a site"])
def test_batches_do_not_lock_each_other_out(on_postgresql: Databases, *, one_site: bool) -> None:
    """Two processes that lock sites, or what is a site's, in another order both commit, at once."""
    locking = Locking(on_postgresql)

    async def work() -> list[Any]:
        writers = [Writer(on_postgresql.aboveboard, limit=10) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            return await asyncio.gather(
                *(
                    writer.write(handler, Command("s", name) if one_site else Command(name))
                    for writer, order in zip(writers, ("ab", "ba"), strict=True)
                    for handler, name in zip((locking.first, locking.second), order, strict=True)
                ),
                return_exceptions=True,
            )
        finally:
            for writer in writers:
                await writer.stop()

    answers = asyncio.run(work())

    assert answers == ["a", "b", "b", "a"]
    assert locking.calls == 4  # nothing was tried again
