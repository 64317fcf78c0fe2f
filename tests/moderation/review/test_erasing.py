"""Comments that were erased stay so, whatever copy of the database is put back."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from counted_waits import Counting
from screened_comments import putting, screened
from sqlalchemy import select

from aboveboard.installation import Databases
from aboveboard.webhooks.feeds import ModerationFeed
from aboveboard.writer import CommandWriter
from moderation.errors import CommentNotFound
from moderation.review import erasing as module
from moderation.review.erasing import Erased, Erasing
from moderation.store import get_detail, put
from moderation.tables import COMMENT
from moderation.verdict import Verdict

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = "2026-03-01T12:00:00.000000Z"


class Desk:
    """Erasing without a service; *noted* is what was written down, *swept* what was said."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.noted: list[Erased] = []
        self.swept: list[bytes] = []
        self.writing = CommandWriter(databases.moderation)
        self.erasing = Erasing(
            writing=self.writing,
            reading=databases.moderation,
            clock=lambda: MOMENT,
            note=self.noted.append,
            sweep=self.swept.extend,
        )

    def store(self, *names: str, site: str = "blog") -> None:
        """Store published comments."""
        published = [screened(name, Verdict.APPROVE) for name in names]
        command = putting(site, published, AT, draw=lambda _: 0.9)
        asyncio.run(self.writing.write(put, command))

    def again(self, newest_first: Iterable[Erased]) -> int:
        """Erase again what is back."""
        return asyncio.run(self.erasing.again(newest_first))

    def erased(self) -> set[str]:
        """Return the comments that are erased."""
        with self.databases.moderation.read() as connection:
            found = connection.execute(select(COMMENT.c.id).where(COMMENT.c.state == "erased"))
            return set(found.scalars())


def noted(*names: str, site: str = "blog") -> Erased:
    """Return a line of what was written down."""
    return Erased(site, AT, list(names))


@pytest.mark.parametrize(
    ("damage", "shown"),
    [
        ("UPDATE revision SET text = CAST(x'68ff6f' AS TEXT)", "h\ufffdo"),
        ("UPDATE revision SET details = '{'", "broken"),
    ],
)
def test_what_was_damaged_can_be_erased(files: Databases, damage: str, shown: str) -> None:
    """Text that is none any more, as SQLite may come to hold, and details that cannot be read."""
    desk = Desk(files)
    desk.store("broken", "kept")
    with files.moderation.write() as connection:
        connection.exec_driver_sql(damage)

    with files.moderation.read() as connection:
        said = get_detail(connection, "blog", "broken").text
    asyncio.run(desk.erasing.erase("blog", "broken"))

    assert said == shown
    assert desk.erased() == {"broken"}


def test_what_is_asked_for_is_written_down(databases: Databases) -> None:
    """Also what had aged out before, which alone is not; nor is what there is not."""
    desk = Desk(databases)
    desk.store("gone", "aged", "both", "kept")

    asyncio.run(desk.erasing.erase("blog", "gone"))
    asyncio.run(desk.erasing.age("blog", ["aged", "both"]))
    asyncio.run(desk.erasing.erase("blog", "both"))
    with pytest.raises(CommentNotFound):
        asyncio.run(desk.erasing.erase("blog", "never"))

    assert desk.noted == [noted("gone"), noted("both")]
    assert desk.erased() == {"gone", "aged", "both"}
    assert {b"gone", b"aged", b"both"} <= set(desk.swept)


def test_many_are_erased_with_as_many_questions_as_few(databases: Databases) -> None:
    """Others wait for as long as it takes: an author's comments are erased twenty at a time."""
    desk = Desk(databases)
    names = [f"c-{number:02}" for number in range(24)]
    desk.store(*names)
    counting = Counting(databases.moderation)
    erasing = Erasing(
        writing=counting,
        reading=databases.moderation,
        clock=lambda: MOMENT,
        note=desk.noted.append,
        sweep=desk.swept.extend,
    )

    asyncio.run(erasing.erase_all("blog", names[:4]))
    few = counting.waits
    asyncio.run(erasing.erase_all("blog", names[4:]))

    assert counting.waits == few
    assert desk.erased() == set(names)


def test_a_site_is_told_whether_somebody_asked(databases: Databases) -> None:
    """What only aged out here is nothing that its own backend has to forget."""
    desk = Desk(databases)
    desk.store("gone", "aged")

    asyncio.run(desk.erasing.erase("blog", "gone"))
    asyncio.run(desk.erasing.age("blog", ["aged"]))
    told = asyncio.run(ModerationFeed(databases.moderation).read("blog", "0", limit=10)).messages

    assert {message.data["comment_id"]: message.data["erased_by"] for message in told} == {
        "gone": "api",
        "aged": "system",
    }


def test_what_cannot_be_written_down_is_not_erased(databases: Databases) -> None:
    """Nobody is told that a comment is gone that an older backup would bring back."""
    desk = Desk(databases)
    desk.store("stays")

    def full(_done: Erased) -> None:
        raise OSError("disk full")

    unable = Erasing(
        writing=desk.writing,
        reading=databases.moderation,
        clock=lambda: MOMENT,
        note=full,
        sweep=desk.swept.extend,
    )

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(unable.erase("blog", "stays"))

    assert desk.erased() == set()
    assert desk.swept == []


def test_what_is_back_is_erased_again(databases: Databases) -> None:
    """On every site; what the copy does not have is no matter, and nothing is written twice."""
    desk = Desk(databases)
    many = [f"m{number:03}" for number in range(250)]
    desk.store("a", "b", "kept", *many)
    desk.store("c", site="shop")
    lines = [noted("a", "never"), noted("c", site="shop"), noted("b"), noted("b"), noted(*many)]

    found = desk.again(lines)

    assert found == 253
    assert desk.erased() == {"a", "b", "c", *many}
    assert desk.noted == []
    assert desk.again(lines) == 0


def test_it_is_read_back_to_where_all_is_erased(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page with something that is back, or not there, may have more of it behind; no other."""
    monkeypatch.setattr(module, "PAGE", 2)
    desk = Desk(databases)
    desk.store("a", "b", "c", "d", "x", "y")
    asyncio.run(desk.erasing.age("blog", ["x", "y"]))
    read: list[str] = []

    def lines(*pages: tuple[str, str]) -> Iterable[Erased]:
        for names in pages:
            for name in names:
                read.append(name)
                yield noted(name)

    assert desk.again(lines(("a", "b"), ("never", "c"), ("x", "y"), ("d", "d"))) == 3

    assert read == ["a", "b", "never", "c", "x", "y"]
    assert desk.erased() == {"a", "b", "c", "x", "y"}


def test_what_is_cut_off_goes_on_the_next_time(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was written before: the last lines are done last, and tell that there is more."""
    monkeypatch.setattr(module, "PAGE", 2)
    desk = Desk(databases)
    names = "abcdefgh"
    desk.store(*names)
    lines = [noted(name) for name in names]

    for allowed in range(3):
        left = iter(range(allowed))
        monkeypatch.setattr(desk.erasing, "_writing", Failing(desk.writing, left))
        with pytest.raises(OSError, match="cut off"):
            desk.again(lines)
    monkeypatch.setattr(desk.erasing, "_writing", desk.writing)
    desk.again(lines)

    assert desk.erased() == set(names)


class Failing:
    """Writes as often as *left* says, then no more."""

    def __init__(self, writing: CommandWriter, left: Iterator[int]) -> None:
        self._writing = writing
        self._left = left

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401
        """Write, while it is allowed."""
        if next(self._left, None) is None:
            raise OSError("cut off")
        return await self._writing.write(handler, command, size=size)
