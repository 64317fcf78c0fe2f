"""Screening: what cannot be scored is held, alone; one key has one request in flight."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import sentinel

import numpy as np
import pytest

from moderation import store
from moderation.cases.arrivals import Screened
from moderation.errors import IdempotencyInFlight
from moderation.model.classifier import Classifier
from moderation.model.explanation import Why
from moderation.model.scoring import Scored
from moderation.model.turn import LONG_TEXT
from moderation.policy.judging import Bands, Policy
from moderation.policy.matching import Kind, Listing
from moderation.policy.pseudonym import Pseudonyms
from moderation.policy.rules import Rules
from moderation.policy.traits import Author, Tracing, Traits
from moderation.screening import Screening, Submission
from moderation.store import Idempotency
from moderation.text.language import Language
from moderation.verdict import Label, Verdict

POLICY = Policy("p-1", {Label.SPAM: Bands(0.4, 0.9)})
KEY = Idempotency("comments", "k-1", "digest")


class FakeScorer:
    """Scores `spam` high and everything else low; breaks on what a test says."""

    def __init__(
        self, breaks: Callable[[Sequence[str]], np.ndarray | None] = lambda _: None
    ) -> None:
        self.batches: list[list[str]] = []
        self._breaks = breaks

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return a row a text."""
        self.batches.append(list(texts))
        broken = self._breaks(texts)
        if broken is not None:
            return broken
        return np.array([[0.95 if text == "spam" else 0.01] + [0.1234567] * 7 for text in texts])


class FakeWriting:
    """Keeps commands instead of carrying them out; waits where it is told to."""

    def __init__(self) -> None:
        self.commands: list[Any] = []
        self.reached = asyncio.Semaphore(0)
        self.opened = asyncio.Event()
        self.opened.set()
        self.failure: Exception | None = None
        self.more = 0  # steps that leave keys to be forgotten

    @staticmethod
    def size_of(command: Any) -> int:  # noqa: ANN401 - a command of any kind
        """Return how many rows a command is worth: more where its texts are long."""
        if not isinstance(command, store.Put):
            return store.KEYS_AT_ONCE
        return len(command.screened) + sum(len(one.text) for one in command.screened) // 2_000

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401
        """Answer as the store would for new comments."""
        self.reached.release()
        await self.opened.wait()
        if self.failure is not None:
            raise self.failure
        assert handler in {store.put, store.forget_keys}
        assert size == self.size_of(command)
        self.commands.append(command)
        if handler is store.forget_keys:
            return len(self.commands) > self.more
        return 201, b"{}"


class FakeGoverning:
    """Has one policy for every site."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy

    async def find(self, site_id: str) -> Policy:
        """Answer it."""
        del site_id
        return self.policy


def no_reason(_text: str, **_: float) -> Why:
    """Explain nothing."""
    return Why("m", Language(None, known=True), [])


def screening(
    scorer: FakeScorer,
    writing: FakeWriting,
    tracing: Tracing | None = None,
    explain: Callable[[str], Why] = no_reason,
    policy: Policy = POLICY,
) -> Screening:
    """Put the use case together over fakes, at a fixed hour."""
    numbers = iter(range(10_000))
    return Screening(
        classifier=Classifier("m-1", "0" * 64, scorer, {}, explain),
        governing=FakeGoverning(policy),
        tracing=tracing or Tracing(Pseudonyms(author_key=bytes(32), address_key=lambda _: None)),
        writing=writing,
        reading=sentinel.reading,
        clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ids=lambda: f"id-{next(numbers)}",
        encode=lambda _: store.Encoded("{}", "[]", "{}"),
    )


def submit_all(scorer: FakeScorer, *texts: str) -> list[Screened]:
    """Submit comments at the same time; return what would be stored, in their order."""

    async def work() -> list[Screened]:
        writing = FakeWriting()
        use_case = screening(scorer, writing)
        await asyncio.gather(
            *(
                use_case.submit(
                    "blog",
                    Submission(f"c-{at}", text),
                    idempotency=None,
                    render=lambda _: (201, b""),
                )
                for at, text in enumerate(texts)
            )
        )
        stored = [command.screened[0] for command in writing.commands]
        return sorted(stored, key=lambda one: int(one.external_id[2:]))

    return asyncio.run(work())


def test_what_came_together_is_scored_together() -> None:
    """Requests of one turn of the event loop are one batch, each with its own row, rounded."""
    scorer = FakeScorer()

    stored = submit_all(scorer, "a", "spam", "b")

    assert [sorted(batch) for batch in scorer.batches] == [["a", "b", "spam"]]
    assert [one.verdict for one in stored] == [Verdict.APPROVE, Verdict.SPAM, Verdict.APPROVE]
    assert stored[0].scores == (0.01, *[0.123457] * 7)
    assert (stored[0].model, stored[0].policy) == ("m-1", "p-1")


def test_a_long_text_goes_its_own_way() -> None:
    """It is scored alone, in a thread, and delays nobody's batch."""
    scorer = FakeScorer()
    long = "x" * (LONG_TEXT + 1)

    stored = submit_all(scorer, "a", long, "b")

    assert sorted(map(len, scorer.batches)) == [1, 2]
    assert [one.text for one in stored] == ["a", long, "b"]


def test_one_turn_scores_no_more_than_is_quick() -> None:
    """Many texts that are nearly long are scored by and by; others are served in between."""
    scorer = FakeScorer()
    nearly = "x" * (LONG_TEXT - 1)

    stored = submit_all(scorer, *[nearly] * 9)

    assert [len(batch) for batch in scorer.batches] == [4, 4, 1]
    assert len(stored) == 9


def test_one_bad_text_does_not_hold_its_neighbours() -> None:
    """The batch is taken apart: only the text that breaks the scorer waits for a person."""

    def breaks(texts: Sequence[str]) -> None:
        if "bad" in texts:
            raise ValueError("bad")

    stored = submit_all(FakeScorer(breaks), "a", "bad", "spam")

    assert [one.verdict for one in stored] == [Verdict.APPROVE, Verdict.HOLD, Verdict.SPAM]
    assert stored[1].scores is None
    assert [reason.code for reason in stored[1].reasons] == ["not_scored"]


@pytest.mark.parametrize(
    "rows",
    [np.full((1, 8), np.nan), np.full((1, 8), np.inf), np.zeros((2, 8)), np.zeros((0, 8))],
    ids=["not a number", "infinite", "too many", "none"],
)
def test_scores_that_are_none_hold(rows: np.ndarray) -> None:
    """What the scorer answers is checked before it is believed."""
    (stored,) = submit_all(FakeScorer(lambda _: rows), "a")

    assert (stored.verdict, stored.scores) == (Verdict.HOLD, None)


def test_a_batch_holds_only_what_breaks() -> None:
    """The same within one request of many comments."""

    def breaks(texts: Sequence[str]) -> None:
        if "bad" in texts:
            raise MemoryError

    async def work() -> list[Screened]:
        writing = FakeWriting()
        use_case = screening(FakeScorer(breaks), writing)
        await use_case.submit_many(
            "blog",
            [Submission("c-1", "a"), Submission("c-2", "bad"), Submission("c-3", "spam")],
            idempotency=None,
            render=lambda _: (200, b""),
        )
        (command,) = writing.commands
        assert command.ids == ["id-0", "id-1", "id-2"]
        assert command.received == "2026-01-02T03:04:05.000000Z"
        assert use_case.failures == {"scoring": 1, "judging": 0}
        return list(command.screened)

    stored = asyncio.run(work())

    assert [one.verdict for one in stored] == [Verdict.APPROVE, Verdict.HOLD, Verdict.SPAM]


def test_a_key_has_one_request_in_flight() -> None:
    """A second one meanwhile is refused; on another site, route or key it is not."""

    async def work() -> list[Any]:
        writing = FakeWriting()
        writing.opened.clear()
        use_case = screening(FakeScorer(), writing)

        async def submit(site: str, key: Idempotency) -> Any:  # noqa: ANN401
            return await use_case.submit(
                site, Submission("c-1", "a"), idempotency=key, render=lambda _: (201, b"")
            )

        tasks = [
            asyncio.create_task(submit("blog", KEY)),
            asyncio.create_task(submit("blog", KEY)),
            asyncio.create_task(submit("shop", KEY)),
            asyncio.create_task(submit("blog", Idempotency("comments:batch", "k-1", "digest"))),
            asyncio.create_task(submit("blog", Idempotency("comments", "k-2", "digest"))),
        ]
        await asyncio.wait([tasks[1]])
        for _ in range(4):
            await writing.reached.acquire()
        writing.opened.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        return [*answers, await submit("blog", KEY)]

    answers = asyncio.run(work())

    assert isinstance(answers[1], IdempotencyInFlight)
    assert [answer for answer in answers if not isinstance(answer, Exception)] == [(201, b"{}")] * 5


def test_a_failed_request_frees_its_key() -> None:
    """What could not be stored may be tried again with the same key."""

    async def work() -> tuple[int, bytes]:
        writing = FakeWriting()
        writing.failure = OSError("no space left")
        use_case = screening(FakeScorer(), writing)
        with pytest.raises(OSError, match="no space"):
            await use_case.submit(
                "blog", Submission("c-1", "a"), idempotency=KEY, render=lambda _: (201, b"")
            )
        writing.failure = None
        return await use_case.submit(
            "blog", Submission("c-1", "a"), idempotency=KEY, render=lambda _: (201, b"")
        )

    assert asyncio.run(work()) == (201, b"{}")


def test_scoring_writes_nothing() -> None:
    """Score answers the verdict without a command."""

    async def work() -> tuple[Verdict, list[Any]]:
        writing = FakeWriting()
        screened = await screening(FakeScorer(), writing).score("blog", Submission("", "spam"))
        return screened.verdict, writing.commands

    assert asyncio.run(work()) == (Verdict.SPAM, [])


class RenderingWriting(FakeWriting):
    """Has each command render what it would have stored."""

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401
        """Answer what was rendered."""
        await super().write(handler, command, size=size)
        return command.render([one.external_id for one in command.screened])


def test_what_was_read_is_not_scored_again() -> None:
    """A dialect reads first, and may then store: each text is scored once."""
    scorer = FakeScorer()

    async def work() -> tuple[Any, Any, list[Any]]:
        writing = RenderingWriting()
        use_case = screening(scorer, writing)
        read = await use_case.read("spam")
        one = await use_case.take("blog", Submission("c-1", "spam"), read=read)
        reads = await use_case.read_many(["a", "spam"])
        many = await use_case.take_many(
            "blog", [Submission("c-2", "a"), Submission("c-3", "spam")], reads
        )
        return one, many, [one.verdict for each in writing.commands for one in each.screened]

    one, many, verdicts = asyncio.run(work())

    assert scorer.batches == [["spam"], ["a", "spam"]]
    assert (one, many) == ("c-1", ["c-2", "c-3"])
    assert verdicts == [Verdict.SPAM, Verdict.APPROVE, Verdict.SPAM]


def test_what_another_classifier_read_is_scored_again() -> None:
    """Scores and the thresholds that they are held against come from one classifier."""
    first, second = FakeScorer(), FakeScorer()

    async def work() -> list[Any]:
        writing = RenderingWriting()
        use_case = screening(first, writing)
        read = await use_case.read("a")
        use_case.use(Classifier("m-2", "1" * 64, second, {}))
        await use_case.take("blog", Submission("c-1", "a"), read=read)
        await use_case.take_many("blog", [Submission("c-2", "a")], [read])
        return [each.screened[0].model for each in writing.commands]

    assert asyncio.run(work()) == ["m-2", "m-2"]
    assert (len(first.batches), len(second.batches)) == (1, 2)


def test_a_classifier_says_whether_it_knows_the_language() -> None:
    """One that cannot tell is believed to; what could not be scored is not doubted for that."""
    familiar = Scored(np.full((2, 8), 0.5), np.array([1.0, 0.0]), np.array([9, 9]))

    async def work() -> list[bool]:
        use_case = screening(FakeScorer(), FakeWriting())
        told = [(await use_case.read("a")).known]
        use_case.use(Classifier("m-2", "1" * 64, FakeScorer(), {}, read=lambda _: familiar))
        told += [each.known for each in await use_case.read_many(["known", "foreign"])]
        return [*told, (await use_case.read("two rows for one text")).known]

    assert asyncio.run(work()) == [True, True, False, True]


def test_keys_older_than_a_day_are_forgotten() -> None:
    """The instant handed to the store lies 24 hours back; asked again until none is left."""

    async def work() -> list[Any]:
        writing = FakeWriting()
        writing.more = 2
        await screening(FakeScorer(), writing).forget_keys()
        return writing.commands

    assert asyncio.run(work()) == ["2026-01-01T03:04:05.000000Z"] * 3


class BrokenTracing(Tracing):
    """Finds nothing of a comment that says `bad`, and fails."""

    def __init__(self) -> None:
        super().__init__(Pseudonyms(author_key=bytes(32), address_key=lambda _: None))

    def find(self, site_id: str, author: Author, text: str) -> Traits:
        """Fail where it is told to."""
        if text == "bad":
            raise OSError("no key")
        return super().find(site_id, author, text)


class NotingTracing(Tracing):
    """Notes in which thread a comment is judged."""

    def __init__(self) -> None:
        super().__init__(Pseudonyms(author_key=bytes(32), address_key=lambda _: None))
        self.threads: list[str] = []

    def find(self, site_id: str, author: Author, text: str) -> Traits:
        """Note the thread."""
        self.threads.append(threading.current_thread().name)
        return super().find(site_id, author, text)


@pytest.mark.parametrize(("patterns", "aside"), [(0, False), (10, False), (100, True)])
def test_many_patterns_are_read_in_a_thread(patterns: int, *, aside: bool) -> None:
    """However short the comment: each may take as long as it is allowed to."""
    lists = (Listing("bad", Verdict.HOLD, {Kind.PATTERNS: ["a.*b"] * patterns}),)
    policy = Policy("p-1", {}, Rules(lists=lists))
    tracing = NotingTracing()

    async def work() -> None:
        await screening(FakeScorer(), FakeWriting(), tracing, policy=policy).submit(
            "blog", Submission("c", "a" * 500), idempotency=None, render=lambda _: (200, b"")
        )

    asyncio.run(work())

    (thread,) = tracing.threads
    assert thread.startswith("screening") is aside


def test_what_cannot_be_traced_waits() -> None:
    """A comment whose traits cannot be found is held with an error as its reason, alone."""

    async def work() -> list[Screened]:
        writing = FakeWriting()
        use_case = screening(FakeScorer(), writing, BrokenTracing())
        await use_case.submit_many(
            "blog",
            [Submission("c-1", "a"), Submission("c-2", "bad"), Submission("c-3", "spam")],
            idempotency=None,
            render=lambda _: (200, b""),
        )
        assert use_case.failures == {"scoring": 0, "judging": 1}
        return list(writing.commands[0].screened)

    stored = asyncio.run(work())

    assert [one.verdict for one in stored] == [Verdict.APPROVE, Verdict.HOLD, Verdict.SPAM]
    assert [reason.code for reason in stored[1].reasons] == ["not_judged"]


def test_what_cannot_be_explained_keeps_its_score(capsys: pytest.CaptureFixture[str]) -> None:
    """An error while explaining gives no explanation, and does not tell the text."""

    def broken(text: str, *, floor: float) -> Why:  # noqa: ARG001 - as it is asked for
        raise ValueError(text)

    found = asyncio.run(screening(FakeScorer(), FakeWriting(), explain=broken).explain("secret"))

    assert found is None
    told = capsys.readouterr()
    assert "explaining_failed" in told.out + told.err
    assert "secret" not in told.out + told.err
