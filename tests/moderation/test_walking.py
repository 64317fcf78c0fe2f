"""Walks through the states of comments and cases at random, on both engines.

Whatever moderators, authors and readers do in whatever order: no transition that the table does
not have, what is stored is what the events come to, and an undo brings back what was.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from lone_review import lone_review
from sqlalchemy import Connection, select

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.cases import events, transition
from moderation.cases.arrivals import Screened
from moderation.cases.case import Case, Moderator, is_claimed, is_open
from moderation.cases.transition import (
    DECISIONS,
    RULES,
    Action,
    EventKind,
    Role,
    Standing,
)
from moderation.errors import ModerationError, ReviewRefused
from moderation.review.deciding import Decision
from moderation.review.queue import Filter, Order, Shelf
from moderation.store import Encoded, Put, put
from moderation.tables import CASE, COMMENT, EVENT, JUDGEMENT, REPORT, REPORTER, instant
from moderation.verdict import RESTRICTED, State, Verdict

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)
MODERATORS = [Moderator("ann"), Moderator("ben"), Moderator("eva", Role.MANAGER)]
numbers = count(1)


class Walk(RuleBasedStateMachine):
    """A few comments of one site, and everything that can happen to them."""

    databases: Databases
    comments = Bundle("comments")
    decisions = Bundle("decisions")

    def __init__(self) -> None:
        super().__init__()
        self.site = f"site-{next(numbers)}"
        self.moment = BEGIN
        self.made = count(1)
        self.tokens: dict[str, str] = {}
        self.review = lone_review(self.databases.moderation, lambda: self.moment, ids=self.new_id)

    def new_id(self) -> str:
        """Return an id in the order of time."""
        return f"{next(self.made):08d}-0000-7000-8000-000000000000"

    def ask(self, question: Callable[[Connection], Any]) -> Any:  # noqa: ANN401
        """Read something."""
        with self.databases.moderation.read() as connection:
            return question(connection)

    def standing(self, comment_id: str) -> Standing:
        """Return where a comment stands, as it is stored."""
        row = self.ask(
            lambda connection: connection.execute(
                select(
                    COMMENT.c.state, COMMENT.c.revision, COMMENT.c.version, COMMENT.c.human
                ).where(COMMENT.c.site_id == self.site, COMMENT.c.id == comment_id)
            ).one()
        )
        return Standing(State(row.state), row.revision, row.version, bool(row.human))

    def case(self, comment_id: str) -> Case | None:
        """Return a comment's case, as it is stored."""
        row = self.ask(
            lambda connection: connection.execute(
                select(CASE).where(CASE.c.site_id == self.site, CASE.c.comment_id == comment_id)
            ).first()
        )
        return None if row is None else Case._make(row)

    @property
    def now(self) -> str:
        """Return the instant as it is stored."""
        return instant(self.moment)

    def screen(self, external_id: str, text: str, verdict: Verdict) -> str:
        """Store a text as the policy judged it; return the comment's id."""
        found: list[str] = []
        screened = Screened(
            external_id, text, f"sha-{text}", "{}", None, None, verdict, (0.5,) * 8, (), "m", "p"
        )
        command = Put(
            self.site,
            [screened],
            [self.new_id()],
            self.now,
            lambda stored: (found.append(stored[0].id), (200, b""))[1],  # type: ignore[func-returns-value]
            lambda _: Encoded("null", "[]", "{}"),
        )
        asyncio.run(CommandWriter(self.databases.moderation).write(put, command))
        return found[0]

    def try_(self, work: Any) -> Any:  # noqa: ANN401
        """Do something; a refusal is an answer, too."""
        try:
            return asyncio.run(work)
        except ModerationError as error:
            return error

    # -- what happens -------------------------------------------------------------------------

    @initialize(target=comments, verdict=st.sampled_from(Verdict))
    def first(self, verdict: Verdict) -> str:
        """Begin with a comment."""
        return self.submit(verdict)

    @rule(target=comments, verdict=st.sampled_from(Verdict))
    def submit(self, verdict: Verdict) -> str:
        """Send a new comment."""
        return self.screen(f"external-{next(self.made)}", f"text {next(self.made)}", verdict)

    @rule(comment=comments, verdict=st.sampled_from(Verdict))
    def edit(self, comment: str, verdict: Verdict) -> None:
        """Send another text of a comment."""
        before, case = self.standing(comment), self.case(comment)
        external = self.ask(
            lambda connection: connection.execute(
                select(COMMENT.c.external_id).where(
                    COMMENT.c.site_id == self.site, COMMENT.c.id == comment
                )
            ).scalar_one()
        )

        assert self.screen(external, f"text {next(self.made)}", verdict) == comment

        after = self.standing(comment)
        if before.state is State.ERASED:
            assert after == before
            return
        assert after.revision == before.revision + 1
        if before.human and before.state in RESTRICTED:
            assert after.state is before.state, "a machine changed what a person decided"
        if is_open(case):
            moved = self.case(comment)
            assert moved is not None
            assert (moved.revision, moved.claim_token) == (after.revision, None)

    @rule(comment=comments, by=st.sampled_from(MODERATORS), take_over=st.booleans())
    def claim(self, comment: str, by: Moderator, *, take_over: bool) -> None:
        """Claim a case as somebody."""
        before = self.case(comment)
        answer = self.try_(
            self.review.claim(
                self.site,
                comment,
                by,
                take_over=take_over,
                render=lambda held: (200, held),  # type: ignore[arg-type, return-value]
            )
        )
        if isinstance(answer, ModerationError):
            return
        assert before is not None
        assert is_open(before)
        if is_claimed(before, self.now) and before.claimed_by != by.id:
            assert take_over
            assert by.role is Role.MANAGER
        self.tokens[by.id + comment] = answer[1].case.claim_token

    @rule(seconds=st.sampled_from([1, 299, 301]))
    def wait(self, seconds: int) -> None:
        """Let time go by."""
        self.moment += timedelta(seconds=seconds)

    @rule(
        target=decisions,
        comment=comments,
        by=st.sampled_from(MODERATORS),
        action=st.sampled_from(Action),
        stale=st.booleans(),
    )
    def decide(
        self, comment: str, by: Moderator, action: Action, *, stale: bool
    ) -> tuple[str, Standing, str] | None:
        """Decide on a comment as it was read, or as it was before."""
        before, case = self.standing(comment), self.case(comment)
        decision = Decision(
            comment,
            action,
            before.revision,
            before.version - (1 if stale and before.version > 1 else 0),
            self.tokens.get(by.id + comment) if is_open(case) else None,
            "insult",
        )
        answer = self.try_(
            self.review.decide(
                self.site,
                decision,
                by,
                group=False,
                render=lambda decision_id, _results: (200, decision_id),  # type: ignore[arg-type, return-value]
            )
        )
        if isinstance(answer, ReviewRefused):
            assert self.standing(comment) == before, "a refusal changed something"
            assert self.case(comment) == case
            return None
        assert decision.version == before.version, "a decision on what was not there any more"
        if case is not None and is_open(case):
            assert is_claimed(case, self.now)
            assert (case.claimed_by, case.claim_token) == (by.id, decision.token)
            assert not is_open(self.case(comment))
        after = self.standing(comment)
        assert after.human
        kind = transition.event_of(action, before.state)
        assert before.state in RULES[kind].sources
        return comment, before, str(answer[1])

    @rule(decided=decisions, by=st.sampled_from(MODERATORS))
    def undo(self, decided: tuple[str, Standing, str] | None, by: Moderator) -> None:
        """Take a decision back as somebody."""
        if decided is None:
            return
        comment, before, decision_id = decided
        answer = self.try_(
            self.review.undo(self.site, decision_id, by, render=lambda *_: (200, b""))
        )
        if isinstance(answer, ModerationError):
            return
        after = self.standing(comment)
        assert (after.state, after.revision, after.human) == (
            before.state,
            before.revision,
            before.human,
        )

    @rule(
        comment=comments, by=st.sampled_from(MODERATORS), how=st.sampled_from(["skip", "escalate"])
    )
    def put_aside(self, comment: str, by: Moderator, how: str) -> None:
        """Leave a case to others."""
        token = self.tokens.get(by.id + comment)
        render = lambda _held: (200, b"")  # noqa: E731
        if how == "skip":
            self.try_(self.review.skip(self.site, comment, by, token, render=render))
        else:
            self.try_(self.review.escalate(self.site, comment, by, token, note=None, render=render))

    @rule(comment=comments, reader=st.sampled_from(["r-1", "r-2"]))
    def report(self, comment: str, reader: str) -> None:
        """Report a comment: its case is open."""
        answer = self.try_(
            self.review.report(
                self.site, comment, reader=reader, reason="spam", render=lambda _at: (200, b"")
            )
        )
        assert isinstance(answer, ModerationError) or is_open(self.case(comment))

    @rule(comment=comments)
    def erase(self, comment: str) -> None:
        """Erase a comment: for good."""
        asyncio.run(self.review.erase(self.site, comment))
        assert self.standing(comment).state is State.ERASED
        assert not is_open(self.case(comment))

    # -- what always holds --------------------------------------------------------------------

    @invariant()
    def what_is_stored_is_what_the_events_come_to(self) -> None:
        """Replay every comment; the events of the site are numbered without a gap."""
        rows = self.ask(
            lambda connection: connection.execute(
                select(EVENT).where(EVENT.c.site_id == self.site).order_by(EVENT.c.seq)
            ).all()
        )
        every = [events.event(row) for row in rows]
        assert [event.seq for event in every] == list(range(1, len(every) + 1))
        for comment in {event.comment_id for event in every}:
            own = [event for event in every if event.comment_id == comment]
            assert transition.replay(own) == self.standing(comment)
            for earlier, later in pairwise(own):
                assert later.from_state is earlier.to_state
                assert earlier.kind is not EventKind.ERASED, "something followed an erasure"

    @invariant()
    def judgements_are_of_decisions_that_stand(self) -> None:
        """Find one of every decision; those of an undone one are withdrawn."""
        every = self.ask(
            lambda connection: connection.execute(
                select(EVENT.c.seq, EVENT.c.kind, EVENT.c.undoes, EVENT.c.comment_id).where(
                    EVENT.c.site_id == self.site
                )
            ).all()
        )
        gone = {row.undoes for row in every if row.undoes}
        erased = {row.comment_id for row in every if row.kind == EventKind.ERASED}
        decided = {row.seq: row.comment_id for row in every if row.kind in DECISIONS}
        rows = self.ask(
            lambda connection: connection.execute(
                select(JUDGEMENT.c.event_seq, JUDGEMENT.c.withdrawn).where(
                    JUDGEMENT.c.site_id == self.site
                )
            ).all()
        )
        assert {row.event_seq for row in rows} == set(decided)
        for row in rows:
            wanted = row.event_seq in gone or decided[row.event_seq] in erased
            assert bool(row.withdrawn) == wanted

    @invariant()
    def reporters_are_counted_right(self) -> None:
        """Count of every reader what came of their reports that are still there."""
        counted = self.ask(
            lambda connection: connection.execute(
                select(REPORTER).where(REPORTER.c.site_id == self.site)
            ).all()
        )
        settled = self.ask(
            lambda connection: connection.execute(
                select(REPORT.c.reporter, REPORT.c.upheld).where(
                    REPORT.c.site_id == self.site, REPORT.c.upheld.is_not(None)
                )
            ).all()
        )
        for row in counted:
            right = sum(1 for each in settled if each.reporter == row.reporter and each.upheld)
            assert row.upheld >= right
            assert row.dismissed >= 0

    @invariant()
    def the_queue_has_what_is_open(self) -> None:
        """Find every open case once on the shelves; the counts agree."""
        listed = []
        for shelf in (Shelf.OPEN, Shelf.ESCALATED, Shelf.SNOOZED):
            found, _, _ = asyncio.run(
                self.review.list_cases(
                    [self.site], Filter(shelf), Order.PRIORITY, after=None, limit=200
                )
            )
            listed += [each.case.comment_id for each in found]
        rows = self.ask(
            lambda connection: connection.execute(
                select(CASE).where(CASE.c.site_id == self.site)
            ).all()
        )
        open_cases = [case.comment_id for case in map(Case._make, rows) if is_open(case)]
        assert sorted(listed) == sorted(open_cases)
        counted = asyncio.run(self.review.count_cases([self.site], Filter()))
        assert counted["open"] + counted["escalated"] + counted["snoozed"] == len(open_cases)


@pytest.mark.parametrize("examples", [12])
def test_no_walk_leaves_the_table(databases: Databases, examples: int) -> None:
    """A dozen walks of twenty-five steps, ever other ones."""
    Walk.databases = databases
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Walk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
