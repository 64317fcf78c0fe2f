"""Who wants to be called back, on both engines: no decision that meets a check is forgotten."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from lone_review import lone_review
from screened_comments import putting, screened
from sqlalchemy import select

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.writer import CommandWriter, Writer
from moderation.cases.case import Moderator
from moderation.cases.transition import Action
from moderation.compat.akismet.callbacks import Callbacks, Due
from moderation.database import Reading
from moderation.review.deciding import Decision
from moderation.store import find_external, put
from moderation.tables import COMPAT_CALLBACK, instant
from moderation.verdict import Verdict

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)
URL = "https://blog.example.org/"


class House:
    """A site's comments, its moderators and who wants to be called, on one clock."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.now = BEGIN
        self.writing = CommandWriter(databases.moderation)
        self.review = lone_review(databases.moderation, lambda: self.now)
        self.callbacks = self.open(self.writing)

    def open(self, writing: Writer | CommandWriter, reading: Reading | None = None) -> Callbacks:
        """Put callbacks together that write, and look for who is due, like that."""
        return Callbacks(
            writing=writing,
            reading=reading or self.databases.moderation,
            clock=lambda: self.now,
            seal=lambda _name, key: key,
        )

    def store(self, name: str, verdict: Verdict, *, site: str = "blog") -> None:
        """Store a comment as it was judged."""
        command = putting(site, [screened(name, verdict)], instant(self.now))
        asyncio.run(self.writing.write(put, command))

    def keep(self, name: str, told: str, *, url: str = URL, site: str = "blog") -> None:
        """Note where the client of a check wants to be told, and what it was told."""
        asyncio.run(self.callbacks.keep(site, name, url, "key", told=told))

    def decide(self, name: str, action: Action) -> None:
        """Have a moderator decide, a second later."""
        self.now += timedelta(seconds=1)
        with self.databases.moderation.read() as connection:
            found = find_external(connection, "blog", name)
        assert found is not None
        decision = Decision(name, action, found.stored.revision, found.version)
        asyncio.run(
            self.review.decide_many(
                "blog", [decision], Moderator("ann"), dry=False, render=lambda *_: (200, b"")
            )
        )

    def take(self) -> list[Due]:
        """Take who is to be told."""
        return asyncio.run(self.callbacks.take())

    def kept(self) -> list[tuple[str, str, bool, int]]:
        """Return who wants to be told what they do not know, whether at once, after which tries."""
        with self.databases.moderation.read() as connection:
            rows = connection.execute(select(COMPAT_CALLBACK))
            return [(row.url, row.told, row.due is not None, row.attempts) for row in rows]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("verdict", "told", "action", "result"),
    [
        (Verdict.HOLD, "held", Action.APPROVE, "false"),
        (Verdict.HOLD, "held", Action.SPAM, "true"),
        (Verdict.HOLD, "true", Action.APPROVE, "false"),
        (Verdict.SPAM, "true", Action.APPROVE, "false"),
        (Verdict.APPROVE, "false", Action.SPAM, "true"),
    ],
)
def test_a_decision_that_meets_a_check_is_told(
    databases: Databases,
    verdict: Verdict,
    told: str,
    action: Action,
    result: str,
    *,
    first: bool,
) -> None:
    """Between the two commits of a first check, or of another."""
    house = House(databases)
    house.store("c", verdict)
    if not first:
        house.keep("c", told)

    house.decide("c", action)
    house.keep("c", told)

    assert house.kept() == [(URL, told, True, 0)]
    assert [(due.comment_id, due.result) for due in house.take()] == [("c", result)]


def test_what_is_due_stays_due(databases: Databases) -> None:
    """A check that is told the news clears nothing; whoever takes it sees that it is known."""
    house = House(databases)
    for name in ("a", "b"):
        house.store(name, Verdict.SPAM)
        house.keep(name, "true")
        house.decide(name, Action.APPROVE)

    house.keep("a", "false")
    kept = house.kept()

    assert sorted(kept) == [(URL, "false", True, 0), (URL, "true", True, 0)]
    assert [due.comment_id for due in house.take()] == ["b"]
    assert sorted(waiting for _, _, waiting, _ in house.kept()) == [False, True]


def test_who_checks_again_elsewhere_is_told_there(databases: Databases) -> None:
    """Tries at the old address do not count where there is news; where there is none they do."""
    house = House(databases)
    house.store("c", Verdict.SPAM)
    house.keep("c", "true")
    house.decide("c", Action.APPROVE)
    (due,) = house.take()
    asyncio.run(house.callbacks.settle(due, told=False, again=timedelta(hours=1)))
    tried = house.kept()

    house.keep("c", "false")
    known = house.kept()
    house.keep("c", "true", url=f"{URL}new")

    assert tried == [(URL, "", True, 1)]
    assert known == [(URL, "false", True, 1)]
    assert house.kept() == [(f"{URL}new", "true", True, 0)]
    assert [(due.url, due.first_tried) for due in house.take()] == [(f"{URL}new", None)]


def test_who_knows_is_not_called(databases: Databases) -> None:
    """A check that was told where the comment stands makes nothing due, however often it comes."""
    house = House(databases)
    for name, verdict, told in (
        ("a", Verdict.APPROVE, "false"),
        ("b", Verdict.SPAM, "true"),
        ("c", Verdict.HOLD, "held"),
        ("d", Verdict.HOLD, "true"),
    ):
        house.store(name, verdict)
        for _ in range(2):
            house.keep(name, told)

    assert {waiting for _, _, waiting, _ in house.kept()} == {False}
    assert house.take() == []


@pytest.mark.parametrize("told", [True, False])
def test_what_is_taken_back_while_it_is_told_is_told(
    databases: Databases,
    *,
    told: bool,
) -> None:
    """The client may have taken the news, even where its answer was lost."""
    house = House(databases)
    house.store("c", Verdict.APPROVE)
    house.keep("c", "false")
    house.decide("c", Action.SPAM)
    (due,) = house.take()

    house.decide("c", Action.APPROVE)
    asyncio.run(house.callbacks.settle(due, told=told))
    again = house.take()

    assert [(due.comment_id, due.result) for due in again] == [("c", "false")]


def test_nothing_is_kept_of_what_was_erased(databases: Databases) -> None:
    """Since it was answered; nor of a comment that is not there."""
    house = House(databases)
    house.store("c", Verdict.SPAM)
    asyncio.run(house.review.erase("blog", "c"))

    for name in ("c", "nobody"):
        house.keep(name, "true")

    assert house.kept() == []


def test_what_a_clock_that_was_ahead_put_off_is_told(databases: Databases) -> None:
    """Once it is right: a decision, and a try that failed, are not for that time to tell."""
    house = House(databases)
    for name in ("c", "d"):
        house.store(name, Verdict.HOLD)
        house.keep(name, "held")
    house.now += timedelta(days=365)
    for name in ("c", "d"):
        house.decide(name, Action.APPROVE)
    tried, _ = house.take()
    asyncio.run(house.callbacks.settle(tried, told=False, again=timedelta(minutes=1)))

    house.now -= timedelta(days=365)

    assert {due.comment_id for due in house.take()} == {"c", "d"}


class At(NamedTuple):
    """Something is done for a site."""

    site_id: str


class SomebodyIsDue:
    """Says so at once, so that whoever takes comes into the batch of what came just before."""

    async def query(self, _ask: object) -> Any:  # noqa: ANN401 - as asked
        """Answer that somebody waits."""
        return True


class Crossing:
    """Holds a batch up, once it has locked its site, until the other one has come as far."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self.calls = 0

    def hold(self, rows: Rows, commands: Sequence[At]) -> list[None]:
        """Lock the site of each command, and wait."""
        rows.lock(sorted({command.site_id for command in commands}))
        rows.settle()
        self.calls += 1
        while self.calls < 2 and not self._somebody_waits():
            pass
        return [None] * len(commands)

    def _somebody_waits(self) -> bool:
        with self._databases.moderation.read() as connection:
            asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return bool(connection.exec_driver_sql(asked).scalar_one())


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("settled", [True, False], ids=["settle", "take"])
def test_processes_do_not_lock_each_other_out(databases: Databases, *, settled: bool) -> None:
    """Each has locked one site for others when it comes to callbacks of the other, or of both."""
    house = House(databases)
    for site in ("a", "b"):
        house.store(site, Verdict.SPAM, site=site)
        house.keep(site, "false", site=site)
    dues = {due.site_id: due for due in house.take()} if settled else {}
    crossing = Crossing(databases)

    async def work() -> None:
        writers = [Writer(databases.moderation, limit=10) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            await asyncio.gather(
                *(
                    part
                    for writer, site, other in zip(writers, "ab", "ba", strict=True)
                    for part in (
                        writer.write(crossing.hold, At(site)),
                        house.open(writer).settle(dues[other], told=True)
                        if settled
                        else house.open(writer, SomebodyIsDue()).take(),
                    )
                )
            )
        finally:
            for writer in writers:
                await writer.stop()

    asyncio.run(work())

    assert crossing.calls == 2  # nothing was tried again
