"""Histories, on both engines: what is asked is bounded in time and rows, and only where wanted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Executable, insert

from aboveboard.installation import Databases
from aboveboard.rows import Rows, compiled
from moderation.policy import history
from moderation.policy.history import CANDIDATES, Histories, Question
from moderation.policy.judging import Policy
from moderation.policy.resemblance import bands
from moderation.policy.rules import AUTHOR_LOOKS_BACK, History, Limit, Rules
from moderation.policy.traits import Traits
from moderation.tables import COMMENT, COMMENT_BAND, COMMENT_DOMAIN, instant
from moderation.verdict import Verdict

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SIGNATURE = "".join(f"{at:08x}" for at in range(12))
EVERY = Rules(
    first_time=Verdict.HOLD,
    author_flood=Limit(3, 60),
    address_flood=Limit(3, 60),
    domain_flood=Limit(3, 60),
    same=Limit(3, 60),
    alike=Limit(3, 60),
)
TRAITS = Traits("ann", "today", ("a.com", "b.com"), "words", SIGNATURE)


def add(databases: Databases, number: int, *, ago: timedelta, **more: Any) -> None:  # noqa: ANN401
    """Store a comment with traits, some time ago."""
    received = instant(NOW - ago)
    given = {"site_id": "blog", "state": "published", "domain": None, "signature": None, **more}
    domain, signature = given.pop("domain"), given.pop("signature")
    site, comment_id = given["site_id"], f"id-{number:05}"
    with databases.moderation.write() as connection:
        connection.execute(
            insert(COMMENT).values(
                id=comment_id, external_id=comment_id, revision=1, received=received, **given
            )
        )
        beside = {"site_id": site, "received": received, "comment_id": comment_id}
        if domain:
            connection.execute(insert(COMMENT_DOMAIN).values(domain=domain, **beside))
        for band in bands(signature) if signature else ():
            connection.execute(
                insert(COMMENT_BAND).values(band=band, signature=signature, **beside)
            )


def ask(
    databases: Databases,
    rules: Rules = EVERY,
    *,
    own: str = "id-own",
    refs: tuple[str, ...] = ("today",),
) -> History:
    """Return the history of a comment that comes in now, asked as the writer asks it."""
    question = Question(Policy("1", {}, rules), [0.0] * 8, [], TRAITS, refs, NOW)
    with databases.moderation.write() as connection, Rows(connection) as rows:
        histories = Histories(rows)
        found = histories.read(histories.ask("blog", own, question), own)
    with databases.moderation.read() as connection, Rows(connection) as rows:
        reading = Histories(rows)
        # A dry run asks the same of a connection that only reads.
        assert reading.read(reading.ask("blog", own, question), own) == found
    return found


def ask_live(databases: Databases, *, ago: timedelta) -> History:
    """Add a comment that is like the one asked about in everything, and ask as if that came in."""
    add(
        databases,
        1,
        ago=ago,
        author_ref="ann",
        address_ref="today",
        domain="a.com",
        fingerprint="words",
        signature=SIGNATURE,
    )
    question = Question(Policy("1", {}, EVERY), [0.0] * 8, [], TRAITS, ("today",), NOW)

    with databases.moderation.write() as connection, Rows(connection) as rows:
        histories = Histories(rows, live=True)
        return histories.read(histories.ask("blog", "id-own", question), "id-own")


def test_nothing_is_known_at_first(databases: Databases) -> None:
    """Of a site without comments."""
    assert ask(databases) == History([])


def test_each_thing_is_counted_for_itself(databases: Databases) -> None:
    """By author, by either name of the network, by the busiest domain, by words."""
    soon = timedelta(minutes=1)
    add(databases, 1, ago=soon, author_ref="ann", state="spam")
    add(databases, 2, ago=soon * 2, author_ref="ann")
    add(databases, 3, ago=soon, address_ref="today")
    add(databases, 4, ago=soon, address_ref="yesterday")
    add(databases, 5, ago=soon, domain="a.com")
    add(databases, 6, ago=soon, domain="b.com")
    add(databases, 7, ago=soon, domain="b.com", fingerprint="words")
    add(databases, 8, ago=soon, signature=SIGNATURE)
    add(databases, 9, ago=soon, signature=SIGNATURE[:32] + "f" * 64)
    add(databases, 10, ago=soon, site_id="shop", author_ref="ann", domain="a.com")

    found = ask(databases, refs=("today", "yesterday"))

    assert found == History(["spam", "published"], 2, 2, 2, 1, 1)


def test_only_the_time_of_the_rule_counts(databases: Databases) -> None:
    """What lies just outside does not, nor what came later than the comment itself."""
    for number, ago in enumerate((60 * 60, 60 * 60 + 1, -1)):
        add(
            databases,
            number,
            ago=timedelta(seconds=ago),
            author_ref="ann",
            address_ref="today",
            domain="a.com",
            fingerprint="words",
            signature=SIGNATURE,
        )

    found = ask(databases)

    assert found == History(["published"] * 2, 1, 1, 1, 1, 1)


def test_what_was_stored_while_it_was_judged_counts(databases: Databases) -> None:
    """Whoever sends many at once has them judged at once, and stored one after the other."""
    found = ask_live(databases, ago=timedelta(seconds=-1))

    assert found == History(["published"], 1, 1, 1, 1, 1)


def test_what_a_clock_that_was_ahead_has_stored_counts_against_nobody(
    databases: Databases,
) -> None:
    """It would fill limits until that time comes; that its author was published is true."""
    found = ask_live(databases, ago=timedelta(days=-365))

    assert found == History(["published"])


def test_a_comment_does_not_count_against_itself(databases: Databases) -> None:
    """Another revision of it is no flood."""
    add(
        databases,
        1,
        ago=timedelta(minutes=1),
        author_ref="ann",
        domain="a.com",
        fingerprint="words",
        signature=SIGNATURE,
    )

    assert ask(databases, own="id-00001") == History([])


def test_what_is_looked_at_is_bounded(databases: Databases) -> None:
    """However many there are: no more are counted than the rule needs to know."""
    for number in range(60):
        add(
            databases,
            number,
            ago=timedelta(seconds=number),
            author_ref="ann",
            domain="a.com",
            signature=SIGNATURE,
        )

    found = ask(databases)

    assert (found.by_author, found.by_domain) == (3, 3)
    assert found.alike == CANDIDATES
    assert len(found.states) == AUTHOR_LOOKS_BACK


def test_as_many_are_alike_as_the_rule_counts(databases: Databases) -> None:
    """A rule that counts more than is looked at otherwise is not left waiting for them."""
    limit = CANDIDATES + 20
    for number in range(limit + 5):
        add(databases, number, ago=timedelta(seconds=number), signature=SIGNATURE)

    assert ask(databases, Rules(alike=Limit(limit, 60))).alike == limit


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_every_question_is_answered_by_an_index(databases: Databases) -> None:
    """None reads all comments of a site; those that count stop at the rule's number."""
    values = dict.fromkeys(("site_id", "value", "since", "until", "comment_id"), "x")
    every = [
        history._BY_AUTHOR,
        history._BY_ADDRESS,
        history._BY_FINGERPRINT,
        history._BY_DOMAIN,
        history._IN_BAND,
        history._STATES,
    ]
    with databases.moderation.read() as connection:
        for select in every:
            made = compiled(select, connection.dialect)
            driver = connection.connection.driver_connection
            assert driver is not None
            bound = made.bind({**values, "enough": 3})
            plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {made.sql}", bound)]
            assert any("USING" in step and "received<?" in step for step in plan), plan
            assert not any(step.startswith("SCAN comment") for step in plan), plan


class CountingAsking:
    """Counts what is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, select: Executable, /, **values: Any) -> Callable[[], list[tuple[Any, ...]]]:  # noqa: ANN401
        """Answer that there is nothing."""
        del select, values
        self.asked += 1
        return lambda: [(0,)]


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        (Rules(), 0),
        (Rules(first_time=Verdict.HOLD, trusted=3), 1),
        (Rules(author_flood=Limit(3, 60)), 1),
        (Rules(domain_flood=Limit(3, 60)), 2),
        (Rules(alike=Limit(3, 60)), 4),
        (EVERY, 10),
    ],
)
def test_only_what_a_rule_wants_is_asked(rules: Rules, asked: int) -> None:
    """A policy without such rules asks nothing; domains and bands are asked one by one."""
    counting = CountingAsking()
    question = Question(Policy("1", {}, rules), [0.0] * 8, [], TRAITS, ("today",), NOW)

    Histories(counting).ask("blog", "id-own", question)

    assert counting.asked == asked
    assert rules.compares is bool(asked)


def test_what_comes_in_the_same_transaction_counts() -> None:
    """What was noted is added to what is stored, without the comment itself."""
    histories = Histories(CountingAsking())
    question = Question(Policy("1", {}, EVERY), [0.0] * 8, [], TRAITS, ("today",), NOW)
    histories.note("blog", "id-1", TRAITS, "pending")
    histories.note("blog", "id-own", TRAITS, "published")
    histories.note("shop", "id-2", TRAITS, "published")

    asked = histories.ask("blog", "id-own", question._replace(traits=TRAITS))
    found = histories.read(asked._replace(states=list, alike=[list]), "id-own")

    assert found == History(["pending"], 1, 1, 1, 1, 1)
