"""Akismet's clients are called back when a verdict is taken back, on both engines."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from secrets import token_hex

import orjson
import pytest
from akismet_desk import SPAM, open_blog
from conftest import PATIENCE_S, Service
from lone_review import lone_review
from receiver import Receiver, receiving
from review_desk import Desk
from screened_comments import putting, screened
from sqlalchemy import select, update

from aboveboard.installation import Databases
from aboveboard.posting import Poster
from aboveboard.randomness import Randomness
from aboveboard.sealing import Seal
from aboveboard.targets import Targets
from aboveboard.webhooks.callbacks import CallingBack
from aboveboard.writer import CommandWriter
from moderation.cases.case import Moderator
from moderation.cases.transition import Action
from moderation.compat.akismet.callbacks import Callbacks
from moderation.review import feedback
from moderation.review.deciding import Decision
from moderation.store import find_external, put
from moderation.tables import COMPAT_CALLBACK, instant
from moderation.verdict import Verdict

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)
ANN = Moderator("ann")
DETAILS = orjson.dumps(
    {"author": {"name": "Ann", "email": "ann@example.org"}, "thread": {"id": "17"}}
).decode()


async def unexplained(_text: str) -> None:
    """Explain nothing: nobody reads a case here."""


class House:
    """A site, its moderators and whoever calls its clients, on one clock."""

    def __init__(self, databases: Databases, *targets: str) -> None:
        self.databases = databases
        self.now = BEGIN
        self.numbers = count()
        self.targets = Targets(targets)
        self.keys = Seal(b"p" * 32, b"test", Randomness())
        self.writing = CommandWriter(databases.moderation)
        self.review = lone_review(databases.moderation, lambda: self.now)
        self.callbacks = Callbacks(
            writing=self.writing,
            reading=databases.moderation,
            clock=lambda: self.now,
            seal=self.keys.seal_text,
        )

    def check(self, name: str, verdict: Verdict, callback: str) -> None:
        """Store a comment as it was judged, and where its client wants to be told."""
        comment = screened(name, verdict, details=DETAILS)
        command = putting("blog", [comment], instant(self.now))
        asyncio.run(self.writing.write(put, command))
        told = {Verdict.SPAM: "true", Verdict.HOLD: "held"}.get(verdict, "false")
        asyncio.run(self.callbacks.keep("blog", name, callback, "the-key", told=told))

    def decide(self, name: str, action: Action) -> None:
        """Have a moderator decide, whoever holds the case."""
        self.now += timedelta(seconds=1)
        with self.databases.moderation.read() as connection:
            found = find_external(connection, "blog", name)
        assert found is not None
        decision = Decision(name, action, found.stored.revision, found.version)
        asyncio.run(
            self.review.decide_many(
                "blog", [decision], ANN, dry=False, render=lambda *_: (200, b"")
            )
        )

    def look(self) -> None:
        """Call everybody who is to be called now."""

        async def go() -> None:
            calling = CallingBack(
                self.callbacks,
                poster=Poster(check=self.targets.check_address, patience_s=PATIENCE_S),
                targets=self.targets,
                unseal=self.keys.open_text,
                clock=lambda: self.now,
                random=Randomness(),
            )
            await calling.look()
            await calling.close()

        asyncio.run(go())

    def waiting(self) -> list[tuple[str, bool]]:
        """Return what each client knows, and whether it is to be told."""
        with self.databases.moderation.read() as connection:
            rows = connection.execute(
                select(COMPAT_CALLBACK.c.told, COMPAT_CALLBACK.c.due).order_by(
                    COMPAT_CALLBACK.c.comment_id
                )
            )
            return [(row.told, row.due is not None) for row in rows]


@pytest.fixture
def house(databases: Databases) -> House:
    """Open a house whose operator has named this machine."""
    return House(databases, "127.0.0.1")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen for calls."""
    with receiving() as listening:
        yield listening


@pytest.mark.parametrize(
    ("verdict", "action", "result"),
    [
        (Verdict.SPAM, Action.APPROVE, "false"),
        (Verdict.APPROVE, Action.SPAM, "true"),
        (Verdict.HOLD, Action.APPROVE, "false"),
        (Verdict.HOLD, Action.SPAM, "true"),
    ],
)
def test_a_reversal_is_told(
    house: House, receiver: Receiver, verdict: Verdict, action: Action, result: str
) -> None:
    """In the body that Akismet's plugin takes, with the key that it knows; once."""
    house.check("c", verdict, f"{receiver.url}/webhook")
    house.look()
    assert receiver.taken() == []

    house.decide("c", action)
    waited = house.waiting()
    house.look()
    house.look()

    assert waited[0][1] is True
    (post,) = receiver.taken()
    assert post.path == "/webhook"
    assert post.headers["content-type"] == "application/json"
    assert post.content == {
        "key": "the-key",
        "endpoint": "comment-check",
        "comments": [
            {
                "guid": "c",
                "result": result,
                "comment_author": "Ann",
                "comment_author_email": "ann@example.org",
                "comment_post_ID": "17",
                "comment_parent": "0",
            }
        ],
    }
    assert house.waiting() == [(result, False)]


def test_the_key_lies_sealed(house: House, databases: Databases) -> None:
    """Whoever has the database alone cannot read it, nor move it to another comment."""
    house.check("c", Verdict.SPAM, "https://blog.example.org/")

    with databases.moderation.read() as connection:
        (row,) = connection.execute(select(COMPAT_CALLBACK)).all()

    assert "the-key" not in str(row)


def test_who_knows_already_is_not_called(house: House, receiver: Receiver) -> None:
    """What the client has said itself, of what was held, too; what was erased."""
    house.check("said", Verdict.SPAM, receiver.url)
    by = Moderator("akismet:eva")
    asyncio.run(house.review.feedback("blog", "said", feedback.HAM, by, text_sha256="said"))
    house.check("held", Verdict.HOLD, receiver.url)
    asyncio.run(house.review.feedback("blog", "held", feedback.HAM, by, text_sha256="held"))
    house.check("gone", Verdict.SPAM, receiver.url)
    house.decide("gone", Action.APPROVE)
    asyncio.run(house.review.erase("blog", "gone"))

    house.look()

    assert house.waiting() == [("false", False), ("false", False)]
    assert receiver.taken() == []


def test_nobody_inside_is_called(databases: Databases, receiver: Receiver) -> None:
    """An address of the inside, or none at all, is given up at once."""
    house = House(databases)
    for name, callback in (("a", receiver.url), ("b", "javascript:alert(1)"), ("c", "x" * 9_000)):
        house.check(name, Verdict.SPAM, callback)
        house.decide(name, Action.APPROVE)

    house.look()

    assert house.waiting() == [("", False)] * 3
    assert receiver.taken() == []


def test_a_key_that_does_not_open_is_given_up(house: House, receiver: Receiver) -> None:
    """A damaged row is no Base64 any more; the next client is told all the same."""
    for name in ("a", "b"):
        house.check(name, Verdict.SPAM, receiver.url)
        house.decide(name, Action.APPROVE)
    damaged = update(COMPAT_CALLBACK).where(COMPAT_CALLBACK.c.comment_id == "a")
    with house.databases.moderation.write() as connection:
        connection.execute(damaged.values(sealed="x"))

    house.look()

    assert house.waiting() == [("", False), ("false", False)]


def test_who_does_not_answer_is_called_again(house: House, receiver: Receiver) -> None:
    """After a while, until it has the news."""
    receiver.status = 503
    house.check("c", Verdict.SPAM, receiver.url)
    house.decide("c", Action.APPROVE)
    house.look()
    house.look()
    failed = receiver.taken()
    receiver.status = 204
    house.now += timedelta(minutes=1)

    house.look()

    assert len(failed) == 1
    assert [post.content["comments"][0]["result"] for post in receiver.taken()] == ["false"]
    assert house.waiting() == [("false", False)]


def test_a_decision_in_between_is_not_lost(house: House) -> None:
    """What is due anew while it is being told stays due."""
    house.check("c", Verdict.SPAM, "https://blog.example.org/")
    house.decide("c", Action.APPROVE)
    (due,) = asyncio.run(house.callbacks.take())
    assert asyncio.run(house.callbacks.take()) == []

    house.decide("c", Action.SPAM)
    asyncio.run(house.callbacks.settle(due, told=True))
    waited = house.waiting()
    house.decide("c", Action.APPROVE)
    (again,) = asyncio.run(house.callbacks.take())

    assert waited == [("", True)]
    assert again.result == "false"


def test_a_client_is_given_up_after_a_day(house: House, receiver: Receiver) -> None:
    """It may ask at any time."""
    receiver.status = 500
    house.check("c", Verdict.SPAM, receiver.url)
    house.decide("c", Action.APPROVE)
    for _ in range(3):
        house.look()
        house.now += timedelta(days=1)

    assert len(receiver.taken()) == 2
    assert house.waiting() == [("", False)]


def test_the_service_calls(new_service: Service, receiver: Receiver) -> None:
    """From the check to the call, where the operator has named the address."""
    targets = {"ABOVEBOARD_WEBHOOK_TARGETS": "127.0.0.1"}
    served = replace(new_service, environment={**new_service.environment, **targets})
    served.start()
    blog = open_blog(served, token_hex(6))
    blog.check(SPAM, callback=receiver.url)

    assert Desk(blog.native).decide(blog.comment(), "approve").is_success
    post = receiver.posts.get(timeout=PATIENCE_S)

    assert post.content["key"] == blog.key
    assert post.content["comments"][0]["guid"] == blog.comment()["id"]
    blog.akismet.close()
    blog.native.close()
    served.stop()
