"""Looking for words in the queue, on both engines: complete by paging, and bounded."""

import asyncio
from collections.abc import Sequence
from itertools import chain

import pytest
from rows_read import rows_read
from screened_comments import putting, screened
from sqlalchemy import Connection, event, insert

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.cases import search
from moderation.review import paging
from moderation.review.queue import Filter, Order, Place, Shelf
from moderation.store import put
from moderation.tables import CASE
from moderation.verdict import Verdict

NOW = "2026-11-28T12:00:00.000000Z"
WORDS = ("every", "second", "fourth", "tenth", "last")


def say(number: int) -> str:
    """Return a text: each word in another share of all."""
    said = ["every"]
    said += ["second"] * (number % 2 == 0) + ["fourth"] * (number % 4 == 0)
    said += ["tenth"] * (number % 10 == 0) + ["last"] * (number == 59)
    return " ".join(said)


@pytest.fixture
def sixty(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Databases:
    """Hold sixty comments, and have little be much: what is common, what is walked for a page."""
    for name, value in (("STEP", 5), ("WALKED", 15), ("RARE", 8)):
        monkeypatch.setattr(paging, name, value)
    hold(databases, "blog", range(60))
    return databases


@pytest.fixture
def shared(sixty: Databases) -> Databases:
    """Hold thirty more at another site, and three at a third."""
    hold(sixty, "news", range(100, 130))
    hold(sixty, "quiet", range(200, 203))
    return sixty


def hold(databases: Databases, site_id: str, numbers: range) -> None:
    """Hold comments that say what their numbers say."""
    held = [screened(f"c-{number:02}", Verdict.HOLD, say(number)) for number in numbers]
    asyncio.run(CommandWriter(databases.moderation).write(put, putting(site_id, held, NOW)))


def pages(
    connection: Connection,
    words: str | None,
    order: Order,
    limit: int,
    sites: Sequence[str] = ("blog",),
) -> list[list[str]]:
    """Return the pages of what has *words*, to the end."""
    found: list[list[str]] = []
    after: Place | None = None
    while True:
        listed, after = paging.page(
            connection, sites, Filter(words=words), order, now=NOW, after=after, limit=limit
        )
        found.append([each.case.comment_id for each in listed])
        if after is None:
            return found


@pytest.mark.parametrize("order", [Order.PRIORITY, Order.NEWEST])
def test_rare_and_common_words_are_found_to_the_last(sixty: Databases, order: Order) -> None:
    """Each case once, in the order of the queue, whether the index or the walk found it."""
    with sixty.moderation.read() as connection:
        (everything,) = pages(connection, "!", order, 100)
        for words in (*WORDS, "second fourth", '"every second"', "sec* tenth", "never"):
            query = search.read(words)
            assert query is not None
            expected = [
                name for name in everything if search.says(say(int(name.removeprefix("c-"))), query)
            ]
            for limit in (1, 4, 50):
                found = pages(connection, words, order, limit)
                assert list(chain(*found)) == expected, (words, limit)
                assert max(map(len, found)) <= limit


@pytest.mark.parametrize("order", Order)
def test_the_queues_of_several_sites_are_one(shared: Databases, order: Order) -> None:
    """Pages over all of them have every case once, in one order, with words and without."""
    sites = ("blog", "news", "quiet")
    with shared.moderation.read() as connection:
        (everything,) = pages(connection, None, order, 100, sites)
        alone = [
            name for site in sites for name in chain(*pages(connection, None, order, 100, [site]))
        ]
        for words in (None, "every", "fourth", "tenth", "last", "never"):
            query = None if words is None else search.read(words)
            expected = [
                name
                for name in everything
                if query is None or search.says(say(int(name.removeprefix("c-"))), query)
            ]
            for limit in (1, 4, 50):
                found = pages(connection, words, order, limit, sites)
                assert list(chain(*found)) == expected, (words, limit)
                assert max(map(len, found)) <= limit

    assert sorted(everything) == sorted(alone)
    assert len(everything) == 93
    assert everything != alone


def test_a_page_looks_at_a_bounded_part_of_the_queue(sixty: Databases) -> None:
    """What is common, but not here, ends a page early; the next one goes on from there."""
    with sixty.moderation.read() as connection:
        found = pages(connection, "fourth", Order.PRIORITY, 50)

    assert [len(page) for page in found] == [4, 4, 4, 3, 0]


def test_several_sites_share_what_a_page_may_cost(
    shared: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together they walk no more texts than one; none is walked on for what another has often."""
    walked: list[str] = []
    says = search.says

    def counted(text: str, query: search.Query) -> bool:
        walked.append(text)
        return says(text, query)

    monkeypatch.setattr(search, "says", counted)
    with shared.moderation.read() as connection:
        for words in ("fourth", "tenth", "never"):
            after = None
            for _ in range(3):
                walked.clear()
                _, after = paging.page(
                    connection,
                    ["blog", "news", "quiet"],
                    Filter(words=words),
                    Order.PRIORITY,
                    now=NOW,
                    after=after,
                    limit=50,
                )
                assert len(walked) <= paging.WALKED
                if after is None:
                    break
                assert not after.common


def test_an_index_of_all_words_is_never_read_to_its_end(sixty: Databases) -> None:
    """A page of what every text has asks the index for nothing, of rare words for a few ids."""
    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    def ask(words: str, limit: int, after: Place | None = None) -> tuple[list[str], Place | None]:
        statements.clear()
        wanted = Filter(words=words)
        _, following = paging.page(
            connection, ["blog"], wanted, Order.PRIORITY, now=NOW, after=after, limit=limit
        )
        return [each for each in statements if "case_text" in each], following

    with sixty.moderation.read() as connection:
        event.listen(connection, "before_cursor_execute", note)
        (common, _), (rare, _) = ask("every", 4), ask("last", 4)
        (first, place), (later, _) = ask("fourth", 50), ask("fourth", 50, Place(0, "", common=True))

    assert common == []
    assert [len(each) for each in (rare, first, later)] == [1, 1, 0]
    assert "LIMIT" in rare[0]
    assert place is not None
    assert place.common


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "wanted",
    [Filter(Shelf.SNOOZED), Filter(Shelf.RESOLVED, opened_before="2026-11-02")],
    ids=["snoozed", "resolved, old"],
)
def test_a_shelf_is_read_without_a_look_at_all_cases(databases: Databases, wanted: Filter) -> None:
    """What is snoozed among all that is open; what is old among all that was resolved since."""
    case = {
        **dict.fromkeys(("harm", "doubt", "reporters", "report_weight"), 0),
        "site_id": "blog",
        "revision": 1,
        "cause": "review",
        "tier": 4,
        "openings": 1,
        "escalated": False,
        "alarmed": False,
    }
    with databases.moderation.write() as connection:
        connection.execute(
            insert(CASE),
            [
                {
                    **case,
                    "comment_id": f"c-{number:05}",
                    "state": "open" if number % 2 else "resolved",
                    "place": number,
                    "opened": f"2026-11-{1 + number // 400:02}",
                    "resolved": None if number % 2 else f"2026-11-{1 + number // 400:02}",
                    "snoozed_until": "2027-01-01" if number % 1_000 == 1 else None,
                }
                for number in range(10_000)
            ],
        )
        connection.exec_driver_sql("ANALYZE review_case")

    with databases.moderation.read() as connection:
        read = rows_read(
            connection,
            lambda asked: paging.page(asked, ["blog"], wanted, Order.PRIORITY, now=NOW, limit=50),
        )

    assert read < 1_000
