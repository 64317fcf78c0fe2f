"""Which policy holds: remembered for a second, compiled once, and held where it is unusable."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from moderation.policy.configuring import Policies
from moderation.policy.judging import Bands, Policy
from moderation.policy.versions import NEWEST
from moderation.verdict import Label
from moderation.wire import document

DEFAULT = Policy("default", {Label.SPAM: Bands(0.5)})


class FakeLooking:
    """Has one version of one policy, and counts how often it is asked."""

    def __init__(self) -> None:
        self.version: int | None = None
        self.content = "{}"
        self.asked: list[str] = []

    def prepare(self, select: Any) -> Any:  # noqa: ANN401
        """Return the statement as it is."""
        return select

    async def look(self, statement: Any, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Answer the newest version or its row."""
        del values
        if statement is NEWEST:
            self.asked.append("version")
            return [(self.version,)]
        self.asked.append("content")
        return [(self.version, self.content, "2026-01-01T00:00:00.000000Z")]


class House:
    """Policies over a clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, tzinfo=UTC)
        self.looking = FakeLooking()
        self.compiled: list[str] = []
        self.policies = Policies(
            default=DEFAULT,
            compiling=self.compile,
            looking=self.looking,
            clock=lambda: self.now,
        )

    def compile(self, version: str, content: str) -> Policy:
        """Compile, and remember that it was done."""
        self.compiled.append(version)
        return document.read_json(content).policy(version, DEFAULT.bands)

    def slow_policies(self) -> tuple[Policies, threading.Event, threading.Event]:
        """Return policies that say when a compilation has begun, and wait to be let go on."""
        begun, more = threading.Event(), threading.Event()

        def compile_slowly(version: str, content: str) -> Policy:
            begun.set()
            assert more.wait(10)
            return self.compile(version, content)

        policies = Policies(
            default=DEFAULT,
            compiling=compile_slowly,
            looking=self.looking,
            clock=lambda: self.now,
        )
        return policies, begun, more

    def find(self) -> Policy:
        """Return the policy of the site."""
        return asyncio.run(self.policies.find("blog"))


def test_a_site_that_set_none_costs_a_look_a_second() -> None:
    """Nothing is read or compiled for it but the number of the version."""
    house = House()

    found = [house.find() for _ in range(100)]
    house.now += timedelta(seconds=1)
    found.append(house.find())

    assert all(policy is DEFAULT for policy in found)
    assert house.looking.asked == ["version", "version"]
    assert house.compiled == []


def test_a_policy_is_compiled_once() -> None:
    """As long as its version holds; another process's change is seen a second later."""
    house = House()
    house.looking.version = 1

    first = house.find()
    house.now += timedelta(seconds=1)
    same = house.find()
    house.looking.version, house.looking.content = 2, '{"hold_everything": true}'
    unnoticed = house.find()
    house.now += timedelta(seconds=1)
    second = house.find()

    assert first is same is unnoticed
    assert (first.version, second.version) == ("1", "2")
    assert second.rules.hold_everything
    assert house.compiled == ["1", "2"]


def test_what_arrives_while_a_policy_is_compiled_waits_for_it() -> None:
    """A long list is compiled once for all of them, also where the first of them leaves."""
    house = House()
    house.looking.version = 1
    policies, begun, more = house.slow_policies()

    async def arrive() -> list[str]:
        first = asyncio.create_task(policies.find("blog"))
        await asyncio.to_thread(begun.wait)
        others = [asyncio.create_task(policies.find("blog")) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()
        more.set()
        return [policy.version for policy in await asyncio.gather(*others)]

    assert asyncio.run(arrive()) == ["1"] * 20
    assert house.compiled == ["1"]


def test_ones_own_change_is_seen_at_once() -> None:
    """What is forgotten is looked up again; what has not changed is not compiled again."""
    house = House()
    house.looking.version = 1
    first = house.find()

    house.policies.forget("blog")
    same = house.find()
    house.looking.version = 2
    house.policies.forget("blog")
    house.policies.forget("another")

    assert same is first
    assert house.find().version == "2"
    assert house.compiled == ["1", "2"]


def test_ones_own_change_is_seen_at_once_though_the_one_before_is_being_compiled() -> None:
    """Who began to compile it before the change remembers it no longer than that."""
    house = House()
    house.looking.version = 1
    policies, begun, more = house.slow_policies()

    async def change_meanwhile() -> list[str]:
        first = asyncio.create_task(policies.find("blog"))
        await asyncio.to_thread(begun.wait)
        house.looking.version = 2
        policies.forget("blog")
        more.set()
        return [(await first).version, (await policies.find("blog")).version]

    assert asyncio.run(change_meanwhile()) == ["1", "2"]


def test_a_clock_that_goes_back_is_no_reason_to_believe_what_is_remembered() -> None:
    """What was read in the future is read again."""
    house = House()
    house.find()

    house.now -= timedelta(hours=1)
    house.find()

    assert house.looking.asked == ["version", "version"]


def test_a_policy_that_cannot_be_used_holds_everything() -> None:
    """One of another release, say: what it would have held is not published meanwhile."""
    house = House()
    house.looking.version, house.looking.content = 1, '{"rule_of_tomorrow": {}}'

    found = house.find()

    assert found.version == "1"
    assert found.rules.hold_everything
    assert found.bands == DEFAULT.bands
