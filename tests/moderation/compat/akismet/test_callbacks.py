"""Who wants to be called back, on both engines: no decision that meets a check is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from lone_review import lone_review
from sqlalchemy import select

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.cases.case import Moderator
from moderation.cases.transition import Action
from moderation.compat.akismet.callbacks import Callbacks, Due
from moderation.review.deciding import Decision
from moderation.store import Encoded, Put, Screened, find_external, put
from moderation.tables import COMPAT_CALLBACK
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
        self.callbacks = Callbacks(
            writing=self.writing,
            reading=databases.moderation,
            clock=lambda: self.now,
            seal=lambda _name, key: key,
        )

    def store(self, name: str, verdict: Verdict) -> None:
        """Store a comment as it was judged."""
        screened = Screened(name, name, name, "{}", None, None, verdict, (0.5,) * 8, (), "m", "p")
        received = self.now.isoformat(timespec="microseconds")[:26] + "Z"
        encoded = Encoded("null", "[]", "{}")
        command = Put("blog", [screened], [name], received, lambda _: (200, b""), lambda _: encoded)
        asyncio.run(self.writing.write(put, command))

    def keep(self, name: str, told: str, *, url: str = URL) -> None:
        """Note where the client of a check wants to be told, and what it was told."""
        asyncio.run(self.callbacks.keep("blog", name, url, "key", told=told))

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

    assert tried == [(URL, "true", True, 1)]
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


def test_nothing_is_kept_of_what_was_erased(databases: Databases) -> None:
    """Since it was answered; nor of a comment that is not there."""
    house = House(databases)
    house.store("c", Verdict.SPAM)
    asyncio.run(house.review.erase("blog", "c"))

    for name in ("c", "nobody"):
        house.keep(name, "true")

    assert house.kept() == []
