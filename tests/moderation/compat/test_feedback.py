"""Feedback that meets an edit, on both engines: a judgement of one text never decides another."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import numpy as np
import pytest
from lone_review import lone_review
from sqlalchemy import select

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.compat.akismet import check
from moderation.compat.feedback import Feedbacking, Said
from moderation.model.classifier import Classifier
from moderation.policy.judging import Bands, Policy
from moderation.policy.pseudonym import Pseudonyms
from moderation.policy.traits import Tracing
from moderation.review.feedback import HAM, SPAM, Feedback
from moderation.review.reviewing import Review
from moderation.screening import Screening, Submission
from moderation.store import Detail, Encoded
from moderation.tables import JUDGEMENT
from moderation.verdict import Label

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)
KIND, RUDE = "a kind word", "a rude word"


class FakeScorer:
    """Scores what is rude as toxic."""

    def score(self, texts: list[str]) -> np.ndarray:
        """Return a row a text."""
        return np.array([[0.9 if "rude" in text else 0.1] * 8 for text in texts])


class FakeGoverning:
    """Has one policy for every site, which holds what is toxic."""

    async def find(self, _site_id: str) -> Policy:
        """Answer it."""
        return Policy("p", {Label.TOXICITY: Bands(0.5)})


@dataclass
class Met:
    """Reviews for real, but something comes in between whenever feedback is on its way."""

    review: Review
    meanwhile: list[Callable[[], Any]] = field(default_factory=list)

    async def feedback(self, *given: Any, **more: Any) -> Any:  # noqa: ANN401
        """Let the first of *meanwhile* happen, then decide."""
        if self.meanwhile:
            await self.meanwhile.pop(0)()
        return await self.review.feedback(*given, **more)


class House:
    """A site's screening and review without a service."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        writing, numbers = CommandWriter(databases.moderation), count()

        def ids() -> str:
            return f"01980000-0000-7000-8000-{next(numbers):012}"

        self.screening = Screening(
            classifier=Classifier("m", "0" * 64, FakeScorer(), {}),
            governing=FakeGoverning(),
            tracing=Tracing(Pseudonyms(author_key=bytes(32), address_key=lambda _: None)),
            writing=writing,
            reading=databases.moderation,
            clock=lambda: BEGIN,
            ids=ids,
            encode=lambda _: Encoded("null", "[]", "{}"),
        )
        review = lone_review(databases.moderation, lambda: BEGIN, ids=ids)
        self.met = Met(review)
        self.feedbacking = Feedbacking(self.screening, cast("Review", self.met))

    def check(self, *texts: str) -> None:
        """Have a comment say one text after the other."""
        for text in texts:
            asyncio.run(self.screening.take("blog", Submission("c", text)))

    def tell(
        self, text: str, given: Feedback, *, said: Said = str.split, edit: str | None = None
    ) -> object:
        """Tell what was decided on *text*; an *edit* comes in while it is on its way."""
        if edit is not None:
            self.met.meanwhile = [lambda: self.screening.take("blog", Submission("c", edit))]
        return asyncio.run(
            self.feedbacking.take("blog", Submission("c", text), given, actor="anna", said=said)
        )

    def comment(self) -> tuple[str, int, str]:
        """Return where the comment stands, its revision and its text."""
        found = asyncio.run(self.screening.find("blog", "c"))
        assert isinstance(found, Detail)
        return found.stored.state, found.stored.revision, found.text

    def judged(self) -> list[tuple[str, int]]:
        """Return of which labels, and of which revisions, something was said."""
        with self.databases.moderation.read() as connection:
            rows = connection.execute(select(JUDGEMENT.c.label, JUDGEMENT.c.revision))
            return sorted(tuple(row) for row in rows)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("given", [HAM, SPAM])
@pytest.mark.parametrize("said", [str.split, check.said])
def test_an_edit_on_the_way_is_not_decided(
    databases: Databases, given: Feedback, said: Said, *, known: bool
) -> None:
    """Whether the judged text was stored before or came with its judgement."""
    house = House(databases)
    if known:
        house.check(KIND)

    done = house.tell(KIND, given, said=said, edit=RUDE)

    assert done is None
    assert house.comment() == ("pending", 2, RUDE)
    assert house.judged() == []


def test_an_older_text_does_not_come_back(databases: Databases) -> None:
    """The newer one waits on; told of itself it is decided."""
    house = House(databases)
    house.check(KIND, RUDE)

    assert house.tell(KIND, HAM) is None
    before = house.comment()
    assert house.tell(f" {RUDE}\n", SPAM) is not None

    assert before == ("pending", 2, RUDE)
    assert house.comment() == ("spam", 2, RUDE)
    assert house.judged() == [("spam", 2)]


def test_a_text_that_nobody_has_seen_is_the_next_revision(
    databases: Databases,
) -> None:
    """It is screened first, and decided then."""
    house = House(databases)
    house.check(KIND)

    house.tell(RUDE, SPAM)

    assert house.comment() == ("spam", 2, RUDE)
    assert house.judged() == [("spam", 2)]


class Slow:
    """Finds for real, but two edits come in right after it has looked."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def find(self, site_id: str, external_id: str) -> Detail | None:
        """Look, then let the comment say what is judged, and after that something else."""
        found = await self.house.screening.find(site_id, external_id)
        for text in (KIND, RUDE):
            await self.house.screening.take("blog", Submission("c", text))
        return found

    async def take(self, *given: Any, **more: Any) -> Any:  # noqa: ANN401
        """Store for real."""
        return await self.house.screening.take(*given, **more)


def test_two_edits_on_the_way_do_not_bring_the_judged_text_back(databases: Databases) -> None:
    """Perspective's suggestscore of one process, two edits on another."""
    house = House(databases)
    house.check("at first")
    house.feedbacking._screening = Slow(house)  # type: ignore[assignment]

    done = house.tell(KIND, HAM)

    assert done is None
    assert house.comment() == ("pending", 3, RUDE)
    assert house.judged() == []
