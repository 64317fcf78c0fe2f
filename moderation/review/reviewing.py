"""Held comments to people, their decisions back: the use cases of review.

Whatever changes something is a piece of work on a desk, carried out durably by the writer.
Moderators are named by the site: its API key speaks for them.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select

from moderation.cases import case as cases
from moderation.cases import events, setting
from moderation.cases.case import LEASE_S, SKIPPED_H, Case, Moderator, is_open
from moderation.cases.sampling import Outcome
from moderation.cases.setting import ReviewSetting
from moderation.cases.transition import Action, Event
from moderation.cases.usage import Tally
from moderation.database import Reading, Writing
from moderation.errors import ModerationError
from moderation.model.explanation import Why
from moderation.review import (
    context,
    deciding,
    feedback,
    likeness,
    paging,
    placing,
    queue,
    statistics,
)
from moderation.review.context import Context
from moderation.review.deciding import (
    DECISION_ROWS,
    Answer,
    Decided,
    Decision,
    Work,
    carry_out,
    telling,
)
from moderation.review.desk import Desk
from moderation.review.erasing import Erasing
from moderation.review.feedback import Feedback
from moderation.review.paging import Listed
from moderation.review.queue import Filter, Order, Place
from moderation.store import Idempotency
from moderation.tables import REVIEW_SETTING, instant

T = TypeVar("T")

EVERY_CASE = 1_000_000
"""Rows, about, of what may look at every case: in a thread, for how many there are nobody knows."""


@dataclass(frozen=True, slots=True)
class Held:
    """A case in somebody's hands, and how its comment stands."""

    case: Case
    version: int
    revision: int
    state: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one comment among many: a decision, or why there is none.

    *untold* where nobody is to know what it would lead to, and so where the comment stands.
    """

    comment_id: str
    decided: Decided | None
    refused: ModerationError | None = None
    untold: bool = False


class Review:
    """The use cases of moderators, of readers who report, and of what follows decisions."""

    def __init__(
        self,
        *,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        reporter: Callable[[str, str], str],
        erasing: Erasing,
        explain: Callable[[str], Awaitable[Why | None]],
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._ids = ids
        self._reporter = reporter
        self._erasing = erasing
        self._explain = explain

    # -- the queue ----------------------------------------------------------------------------

    async def list_cases(
        self, sites: Sequence[str], wanted: Filter, order: Order, *, after: Place | None, limit: int
    ) -> tuple[list[Listed], Place | None, str]:
        """Return a page of the queue, where the next one begins, and the present instant."""
        now = self._now()
        found, following = await self._reading.query(
            lambda connection: paging.page(
                connection, sites, wanted, order, now=now, after=after, limit=limit
            )
        )
        return found, following, now

    async def count_cases(self, sites: Sequence[str], wanted: Filter) -> Counter[str]:
        """Return how many cases of all *sites* there are, by where they stand."""
        now = self._now()

        def ask(connection: Connection) -> Counter[str]:
            counted: Counter[str] = Counter()
            for site_id in sites:
                counted.update(queue.count(connection, site_id, wanted, now=now))
            return counted

        return await self._reading.query(ask)

    async def read(self, site_id: str, comment_id: str) -> tuple[Context, str]:
        """Return what is shown beside a comment, and the instant. Raises CommentNotFound."""

        def ask(connection: Connection) -> Context:
            blind = setting.read_or_default(_stored(connection, site_id)).blind
            return context.read(connection, site_id, comment_id, blind=blind)

        found = await self._reading.query(ask)
        why = None
        if found.comment.text:
            why = await self._explain(found.comment.text)
        return found._replace(why=why), self._now()

    async def claim_next(
        self,
        site_id: str,
        by: Moderator,
        wanted: Filter,
        order: Order,
        *,
        render: Callable[[Held | None], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Have *by* hold the first case that nobody else does."""
        token, until = self._ids(), self._in(seconds=LEASE_S)
        # Whoever waits for what is rare walks all of the queue: never where the others wait.
        rare = not wanted.is_plain
        if rare and idempotency is None:
            now = self._now()
            if not await self._reading.query(
                lambda connection: queue.find_next(connection, site_id, wanted, order, now=now)
            ):
                return render(None)

        def do(desk: Desk) -> Answer:
            found = queue.find_next(desk.connection, site_id, wanted, order, now=desk.now)
            if found is None:
                return render(None)
            case = cases.claim(found, by, token=token, now=desk.now, until=until)
            desk.save(case)
            return render(_held(desk, case))

        size = EVERY_CASE if rare else DECISION_ROWS
        return await self._work(site_id, do, idempotency, size=size)

    # -- one case -----------------------------------------------------------------------------

    async def claim(
        self,
        site_id: str,
        comment_id: str,
        by: Moderator,
        *,
        take_over: bool,
        render: Callable[[Held], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Have *by* hold a case. Raises as `case.claim` does."""
        token, until = self._ids(), self._in(seconds=LEASE_S)

        def step(case: Case, desk: Desk) -> Case:
            return cases.claim(
                case, by, token=token, now=desk.now, until=until, take_over=take_over
            )

        return await self._on_case(site_id, comment_id, step, render, idempotency)

    async def renew(
        self,
        site_id: str,
        comment_id: str,
        by: Moderator,
        token: str,
        *,
        render: Callable[[Held], Answer],
    ) -> Answer:
        """Have *by* hold a case for another five minutes. Raises as `case.check_claim` does."""
        until = self._in(seconds=LEASE_S)

        def step(case: Case, desk: Desk) -> Case:
            return cases.renew(case, by, token, now=desk.now, until=until)

        return await self._on_case(site_id, comment_id, step, render, None)

    async def release(
        self,
        site_id: str,
        comment_id: str,
        by: Moderator,
        token: str,
        *,
        render: Callable[[Held], Answer],
    ) -> Answer:
        """Have nobody hold a case. Raises as `case.check_claim` does."""

        def step(case: Case, desk: Desk) -> Case:
            return cases.give_up(case, by, token, now=desk.now)

        return await self._on_case(site_id, comment_id, step, render, None)

    async def skip(
        self,
        site_id: str,
        comment_id: str,
        by: Moderator,
        token: str | None,
        *,
        render: Callable[[Held], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Leave a case to others for a day. Raises as `case.check_claim` does."""
        until = self._in(seconds=SKIPPED_H * 3600)

        def step(case: Case, desk: Desk) -> Case:
            given_up = cases.give_up(case, by, token, now=desk.now)
            desk.skip(comment_id, by.id, until)
            return given_up

        return await self._on_case(site_id, comment_id, step, render, idempotency)

    async def snooze(
        self,
        site_id: str,
        comment_id: str,
        by: Moderator,
        token: str | None,
        *,
        until: datetime,
        render: Callable[[Held], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Show a case to nobody before an instant. Raises as `case.check_claim` does."""

        def step(case: Case, desk: Desk) -> Case:
            return cases.give_up(case, by, token, now=desk.now)._replace(
                snoozed_until=instant(until)
            )

        return await self._on_case(site_id, comment_id, step, render, idempotency)

    async def escalate(
        self,
        site_id: str,
        comment_id: str,
        by: Moderator,
        token: str | None,
        *,
        note: str | None,
        render: Callable[[Held], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Leave a case to managers. Raises as `case.check_claim` does."""
        note_id = self._ids()

        def step(case: Case, desk: Desk) -> Case:
            given_up = cases.give_up(case, by, token, now=desk.now)
            if note is not None:
                deciding.note(desk, note_id, comment_id, by, note)
            return given_up._replace(escalated=True, snoozed_until=None)

        return await self._on_case(site_id, comment_id, step, render, idempotency)

    async def note(
        self,
        site_id: str,
        comment_id: str,
        by: Moderator,
        text: str,
        *,
        render: Callable[[str, str], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Keep what *by* writes down of a comment. Raises CommentNotFound and CommentErased."""
        note_id = self._ids()

        def do(desk: Desk) -> Answer:
            telling(desk, comment_id, lambda: deciding.note(desk, note_id, comment_id, by, text))
            return render(note_id, desk.now)

        return await self._work(site_id, do, idempotency)

    # -- decisions ----------------------------------------------------------------------------

    async def decide(
        self,
        site_id: str,
        decision: Decision,
        by: Moderator,
        *,
        group: bool,
        render: Callable[[str, Sequence[Result]], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Decide on a comment, and with *group* on every open case that says nearly the same.

        What is let through takes nothing with it that leads elsewhere.
        Raises as `deciding.decide` does; what is decided along is refused alone.
        """
        decision_id, members = self._ids(), 0
        alike_to = partial(
            likeness.group,
            site_id=site_id,
            comment_id=decision.comment_id,
            same_links=decision.action in {Action.APPROVE, Action.RESTORE},
        )
        if group:
            members = len(await self._reading.query(alike_to))

        def do(desk: Desk) -> Answer:
            along = alike_to(desk.connection) if group else []
            done = telling(
                desk,
                decision.comment_id,
                lambda: deciding.decide(desk, decision, by, decision_id=decision_id),
            )
            alike = [
                decision._replace(
                    comment_id=each.comment_id,
                    revision=each.revision,
                    version=each.version,
                    token=None,
                    note=None,
                )
                for each in along
            ]
            return render(
                decision_id,
                [
                    Result(decision.comment_id, done),
                    *_each(desk, alike, by, decision_id=decision_id, dry=False),
                ],
            )

        return await self._work(site_id, do, idempotency, size=DECISION_ROWS * (1 + members))

    async def decide_many(
        self,
        site_id: str,
        decisions: Sequence[Decision],
        by: Moderator,
        *,
        dry: bool,
        render: Callable[[str | None, Sequence[Result]], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Decide on each of many comments, or with *dry* say only what would come of it."""
        decision_id = self._ids()

        def do(desk: Desk) -> Answer:
            results = _each(desk, decisions, by, decision_id=decision_id, dry=dry)
            return render(None if dry else decision_id, results)

        return await self._work(site_id, do, idempotency, size=DECISION_ROWS * len(decisions))

    async def undo(
        self,
        site_id: str,
        decision_id: str,
        by: Moderator,
        *,
        render: Callable[[str | None, Sequence[Result]], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Take back everything that was decided at once, as far as nothing has happened since.

        Raises DecisionNotFound, and where there is but one comment whatever `transition.undo`
        raises.
        """

        def do(desk: Desk) -> Answer:
            results = []
            targets = deciding.events_of(desk, decision_id)
            desk.look(comment_id for comment_id, _ in targets)
            for comment_id, seq in targets:
                try:
                    undone = telling(
                        desk,
                        comment_id,
                        partial(deciding.undo, desk, comment_id, seq, by),
                    )
                except ModerationError as error:
                    if len(targets) == 1:
                        raise
                    results.append(Result(comment_id, None, error))
                else:
                    results.append(Result(comment_id, undone))
            return render(decision_id, results)

        size = DECISION_ROWS * await self._reading.query(
            partial(events.count_decided, site_id=site_id, decision_id=decision_id)
        )
        return await self._work(site_id, do, idempotency, size=max(size, DECISION_ROWS))

    async def feedback(
        self,
        site_id: str,
        comment_id: str,
        given: Feedback,
        by: Moderator,
        *,
        text_sha256: str,
        tally: Tally | None = None,
    ) -> Decided:
        """Take in what the site's own people decided elsewhere, counted by *tally*.

        Told twice it happens once. Raises as `feedback.give` does.
        """
        decision_id = self._ids()

        def do(desk: Desk) -> Decided:
            return feedback.give(
                desk,
                comment_id,
                given,
                by,
                text_sha256=text_sha256,
                decision_id=decision_id,
                tally=tally,
            )

        return await self._work(site_id, do)

    # -- readers and authors ------------------------------------------------------------------

    async def report(
        self,
        site_id: str,
        comment_id: str,
        *,
        reader: str,
        reason: str,
        render: Callable[[str], Answer],
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Take in what a reader says against a comment. Raises CommentNotFound, CommentErased."""
        reporter = self._reporter(site_id, reader)

        def do(desk: Desk) -> Answer:
            telling(desk, comment_id, lambda: deciding.report(desk, comment_id, reporter, reason))
            return render(desk.now)

        return await self._work(site_id, do, idempotency)

    async def erase(self, site_id: str, comment_id: str) -> None:
        """Erase a comment, and have its bytes leave the files. Raises CommentNotFound."""
        await self._erasing.erase(site_id, comment_id)

    # -- what follows -------------------------------------------------------------------------

    async def changes(
        self, site_id: str, *, after: int, limit: int
    ) -> tuple[list[Event], dict[str, str]]:
        """Return what happened to comments after a seq, and the external ids of those comments."""

        def ask(connection: Connection) -> tuple[list[Event], dict[str, str]]:
            found = events.list_changes(connection, site_id, after, limit)
            return found, events.external_ids(
                connection, site_id, {event.comment_id for event in found}
            )

        return await self._reading.query(ask)

    async def statistics(self, site_id: str, *, since: datetime | None) -> tuple[Outcome, datetime]:
        """Return what the blind sample shows of the policy's verdicts, and up to which midnight.

        Whole days in UTC alone: else whoever decides a case could see whether it was drawn.
        """
        begun = "" if since is None else instant(since)
        until = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        shown = partial(statistics.read, site_id=site_id, since=begun, before=instant(until))
        return await self._reading.query(shown), until

    async def get_setting(self, site_id: str) -> ReviewSetting:
        """Return how a site reviews. Raises SettingDamaged."""
        return setting.read(await self._reading.query(partial(_stored, site_id=site_id)))

    async def put_setting(self, site_id: str, wanted: ReviewSetting) -> None:
        """Have a site review like that, from the next comment on.

        Returns once every open case stands where it belongs.
        """
        given = self._ids()
        mark = await self._work(site_id, lambda desk: desk.configure(wanted, given))
        if mark is not None:
            await placing.place_again(self._writing, self._reading, site_id, mark, now=self._now())

    # -- parts --------------------------------------------------------------------------------

    async def _on_case(
        self,
        site_id: str,
        comment_id: str,
        step: Callable[[Case, Desk], Case],
        render: Callable[[Held], Answer],
        idempotency: Idempotency | None,
    ) -> Answer:
        """Have a comment's case stand where *step* brings it."""

        def do(desk: Desk) -> Answer:
            case = telling(
                desk, comment_id, lambda: step(deciding.get_case(desk, comment_id), desk)
            )
            desk.save(case)
            return render(_held(desk, case))

        return await self._work(site_id, do, idempotency)

    async def _work(
        self,
        site_id: str,
        do: Callable[[Desk], T],
        idempotency: Idempotency | None = None,
        *,
        size: int = DECISION_ROWS,
    ) -> T:
        work = Work(site_id, self._now(), do, idempotency)
        return await self._writing.write(carry_out, work, size=size)

    def _now(self) -> str:
        return instant(self._clock())

    def _in(self, *, seconds: float) -> str:
        return instant(self._clock() + timedelta(seconds=seconds))


def _stored(connection: Connection, site_id: str) -> str | None:
    of_site = select(REVIEW_SETTING.c.setting).where(REVIEW_SETTING.c.site_id == site_id)
    return connection.execute(of_site).scalar_one_or_none()


def _each(
    desk: Desk, decisions: Sequence[Decision], by: Moderator, *, decision_id: str, dry: bool
) -> list[Result]:
    results = []
    desk.look(decision.comment_id for decision in decisions)
    for decision in decisions:
        do = partial(
            deciding.decide, desk, decision, by, decision_id=decision_id, together=True, dry=dry
        )
        try:
            done = telling(desk, decision.comment_id, do)
        except ModerationError as error:
            results.append(Result(decision.comment_id, None, error))
        else:
            untold = dry and desk.setting.blind and is_open(desk.find_case(decision.comment_id))
            results.append(Result(decision.comment_id, done, untold=untold))
    return results


def _held(desk: Desk, case: Case) -> Held:
    standing = desk.standing(case.comment_id)
    return Held(case, standing.version, standing.revision, standing.state.value)
