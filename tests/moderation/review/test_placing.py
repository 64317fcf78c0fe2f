"""Cases that get their places anew, on both engines: some at a time, and all in the end."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lone_review import lone_review
from screened_comments import putting, screened
from sqlalchemy import select

from aboveboard.database import Database
from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.cases.setting import ReviewSetting
from moderation.review import placing
from moderation.review.deciding import Work, carry_out
from moderation.review.erasing import Erasing
from moderation.review.upkeep import Upkeep
from moderation.store import put
from moderation.tables import CASE, instant
from moderation.verdict import Verdict

MOMENT = datetime(2026, 11, 28, tzinfo=UTC)
NOW = instant(MOMENT)


class Stopping(CommandWriter):
    """Notes the size of each command, and carries out no more than *left*."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.sizes: list[int] = []
        self.left = 1_000

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401
        """Write, or be killed."""
        if self.left == 0:
            raise ConnectionAbortedError
        self.left -= 1
        self.sizes.append(size)
        return await super().write(handler, command, size=size)


class Desk:
    """A queue of cases, one an hour, the last of them far worse."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.writing = Stopping(databases.moderation)
        self.review = lone_review(databases.moderation, lambda: MOMENT, writing=self.writing)
        self.upkeep = Upkeep(
            writing=self.writing,
            reading=databases.moderation,
            clock=lambda: MOMENT,
            erasing=Erasing(
                writing=self.writing,
                reading=databases.moderation,
                clock=lambda: MOMENT,
                note=lambda _: None,
                sweep=lambda _: None,
            ),
        )
        for number in range(9):
            case = screened(f"c-{number}", Verdict.HOLD)
            at = instant(MOMENT + timedelta(hours=number))
            asyncio.run(self.writing.write(put, putting("blog", [case], at)))

    def wait(self, hours: float) -> None:
        """Have the site's cases wait so long."""
        asyncio.run(self.review.put_setting("blog", ReviewSetting(wait_hours=hours)))

    def places(self) -> list[float]:
        """Return where cases stand, in the order in which they were opened."""
        with self.databases.moderation.read() as connection:
            found = connection.execute(select(CASE.c.place).order_by(CASE.c.opened))
            return [round(place, 6) for place in found.scalars()]


@pytest.fixture
def desk(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Open a queue; its places are made anew two at a time."""
    monkeypatch.setattr(placing, "PLACED", 2)
    return Desk(databases)


def moved(before: list[float], after: list[float]) -> list[float]:
    """Return by how many hours each case has moved."""
    return [round(new - old, 4) for old, new in zip(before, after, strict=True)]


def test_places_are_made_anew_some_at_a_time(desk: Desk) -> None:
    """However many cases there are: a queue of tens of thousands kept comments for seconds."""
    before = desk.places()
    desk.writing.sizes.clear()

    desk.wait(12)

    assert max(desk.writing.sizes) == 20
    assert set(moved(before, desk.places())) == {moved(before, desk.places())[0]} != {0.0}


def test_what_was_cut_off_is_brought_to_its_end(desk: Desk) -> None:
    """By the next round of upkeep, which finds nothing to do after that."""
    before = desk.places()
    desk.writing.left = 3

    with pytest.raises(ConnectionAbortedError):
        desk.wait(12)
    half = moved(before, desk.places())
    desk.writing.left = 1_000
    asyncio.run(desk.upkeep.place())
    whole = moved(before, desk.places())
    desk.writing.sizes.clear()
    asyncio.run(desk.upkeep.place())

    assert half == [half[0]] * 4 + [0.0] * 5
    assert whole == [half[0]] * 9
    assert desk.writing.sizes == []


def test_the_same_again_brings_it_to_its_end(desk: Desk) -> None:
    """Whoever got no answer sets the same once more: that it was stored is not all of it."""
    before = desk.places()
    desk.writing.left = 1
    with pytest.raises(ConnectionAbortedError):
        desk.wait(12)

    desk.writing.left = 1_000
    desk.wait(12)

    assert 0.0 not in moved(before, desk.places())


def test_the_end_of_one_change_is_not_that_of_the_next(desk: Desk) -> None:
    """A round that a later change has overtaken takes away its own mark alone."""
    works = (
        lambda made: made.configure(ReviewSetting(wait_hours=12), "first"),
        lambda made: made.configure(ReviewSetting(wait_hours=6), "second"),
        lambda made: made.placed("first"),
        lambda made: made.configure(ReviewSetting(wait_hours=6), "third"),
    )

    marks = [asyncio.run(desk.writing.write(carry_out, Work("blog", NOW, work))) for work in works]

    assert marks == ["first", "second", None, "second"]
