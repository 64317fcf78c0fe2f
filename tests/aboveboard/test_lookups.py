"""Point reads on PostgreSQL: answered in order, many together, over lost connections."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from conftest import migrated
from sqlalchemy import bindparam, func, insert, select

from aboveboard import lookups
from aboveboard.errors import QueueFull, StorageUnavailable
from aboveboard.installation import Databases
from aboveboard.lookups import TOGETHER
from aboveboard.tables import API_KEY, SITE

NAMES = [f"site-{number:03d}" for number in range(2 * TOGETHER + 10)]
BY_ID = select(SITE.c.url).where(SITE.c.id == bindparam("id"))


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    """Return the address of an empty database."""
    return new_database()


@pytest.fixture
def databases(tmp_path: Path, url: str) -> Iterator[Databases]:
    """Return migrated databases with many sites."""
    rows = [{"id": name, "url": f"at {name}", "host": "h", "created": "2026"} for name in NAMES]
    with migrated(tmp_path, url) as made:
        with made.aboveboard.write() as connection:
            connection.execute(insert(SITE), rows)
        yield made


def test_every_question_has_its_own_answer(databases: Databases) -> None:
    """More at once than one pipeline takes; the unknown among them have no rows."""
    statement = databases.aboveboard.prepare(BY_ID)

    async def ask() -> list[list[tuple[str]]]:
        asked = [name for known in NAMES for name in (known, f"no {known}")]
        return await asyncio.gather(
            *(databases.aboveboard.look(statement, id=name) for name in asked)
        )

    answers = asyncio.run(ask())

    assert answers[::2] == [[(f"at {name}",)] for name in NAMES]
    assert answers[1::2] == [[]] * len(NAMES)


def test_a_connection_that_was_ended_is_replaced(databases: Databases, url: str) -> None:
    """Nobody notices that the server ended the connection since the last question."""
    statement = databases.aboveboard.prepare(BY_ID)

    async def ask() -> tuple[list[tuple[str]], list[tuple[str]]]:
        before = await databases.aboveboard.look(statement, id=NAMES[0])
        with psycopg.connect(url, autocommit=True) as strange:
            strange.execute(
                "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        return before, await databases.aboveboard.look(statement, id=NAMES[0])  # type: ignore[return-value]

    before, after = asyncio.run(ask())

    assert before == after == [(f"at {NAMES[0]}",)]


def test_a_server_that_is_gone_is_told(databases: Databases, url: str) -> None:
    """Each of those that asked together gets StorageUnavailable; whoever left is not in the way."""
    statement = databases.aboveboard.prepare(BY_ID)
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]

    async def ask() -> list[object]:
        await databases.aboveboard.look(statement, id=NAMES[0])
        with psycopg.connect(url, autocommit=True, dbname="postgres") as strange:
            strange.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        asked = [
            asyncio.ensure_future(databases.aboveboard.look(statement, id=name))
            for name in NAMES[:9]
        ]
        await asyncio.sleep(0)
        asked.pop().cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(ask())

    assert [type(answer) for answer in answers] == [StorageUnavailable] * 8


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Keep everybody else from reading a table."""
    with psycopg.connect(url) as strange:
        strange.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def test_a_question_that_has_to_wait_fails_alone(databases: Databases, url: str) -> None:
    """Those that came with it are answered all the same."""
    waits = databases.aboveboard.prepare(BY_ID)
    free = databases.aboveboard.prepare(select(API_KEY.c.id))

    async def ask() -> list[object]:
        await databases.aboveboard.look(free)
        with locked(url, "aboveboard.site"):
            return await asyncio.gather(
                *(databases.aboveboard.look(free) for _ in range(3)),
                databases.aboveboard.look(waits, id=NAMES[0]),
                *(databases.aboveboard.look(free) for _ in range(3)),
                return_exceptions=True,
            )

    answers = asyncio.run(ask())

    assert isinstance(answers.pop(3), StorageUnavailable)
    assert answers == [[]] * 6


def test_an_old_connection_is_replaced(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its life nobody is asked on it any more."""
    monkeypatch.setattr(lookups, "CONNECTION_LIFE_S", 0.0)
    backend = databases.aboveboard.prepare(select(func.pg_backend_pid()))

    async def ask() -> set[object]:
        return {(await databases.aboveboard.look(backend))[0] for _ in range(3)}

    assert len(asyncio.run(ask())) == 3


def test_too_many_questions_are_refused(
    databases: Databases, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server keeps everybody waiting, one more than the limit is told so at once."""
    monkeypatch.setattr(lookups, "WAITING", 5)
    statement = databases.aboveboard.prepare(BY_ID)

    async def ask() -> list[object]:
        look = databases.aboveboard.look
        with locked(url, "aboveboard.site"):
            return await asyncio.gather(
                *(look(statement, id=name) for name in NAMES[:50]), return_exceptions=True
            )

    answers = asyncio.run(ask())

    assert {type(answer) for answer in answers} == {QueueFull, StorageUnavailable}


def test_closing_answers_what_was_asked(databases: Databases) -> None:
    """What waits is answered before the thread ends; afterwards a new one is begun."""
    statement = databases.aboveboard.prepare(BY_ID)

    async def ask() -> list[tuple[str]]:
        asked = asyncio.ensure_future(databases.aboveboard.look(statement, id=NAMES[0]))
        await asyncio.sleep(0)
        databases.close()
        return await asked  # type: ignore[return-value]

    assert asyncio.run(ask()) == asyncio.run(ask()) == [(f"at {NAMES[0]}",)]
