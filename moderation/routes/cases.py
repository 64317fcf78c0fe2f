"""The HTTP side of the queue: its cases, who holds them, what is shown beside a comment."""

from collections.abc import Callable
from datetime import datetime

from moderation.review.erasing import notes_route
from moderation.review.reviewing import Review
from moderation.routes.call import PROBLEM, Answer, Call
from moderation.routes.keys import Keys
from moderation.wire import cases as wire
from moderation.wire import contexts
from moderation.wire.cursor import Cursors
from moderation.wire.moderators import moderator

REVIEW = "comments:review"


class CaseRoutes:
    """Handlers of `/v1/cases`, and of the notes on a comment."""

    def __init__(
        self,
        review: Review,
        *,
        clock: Callable[[], datetime],
        fingerprint: Callable[[bytes], str],
        cursors: Cursors,
    ) -> None:
        self._review = review
        self._clock = clock
        self._cursors = cursors
        self._keys = Keys(fingerprint)

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        self._declare_queue(operation)
        self._declare_cases(operation)

    def _declare_queue(self, operation: Callable[..., None]) -> None:
        operation(
            method="GET",
            path="/v1/cases",
            handler=self.list_cases,
            name="listCases",
            summary="List the cases of a site, or of all sites of the key, in an order",
            scope=REVIEW,
            query=wire.CasesIn,
            answers={200: wire.CasesOut},
        )
        operation(
            method="GET",
            path="/v1/cases:count",
            handler=self.count_cases,
            name="countCases",
            summary="Count the cases of a site, or of all sites of the key",
            scope=REVIEW,
            query=wire.CasesCountIn,
            answers={200: wire.CaseCountsOut},
        )
        operation(
            method="POST",
            path="/v1/cases:claim",
            handler=self.claim_next,
            name="claimNextCase",
            summary="Claim the first case that nobody else holds, for five minutes",
            scope=REVIEW,
            body=wire.ClaimNextIn,
            answers={200: wire.ClaimedOut, 409: PROBLEM},
        )
        operation(
            method="GET",
            path="/v1/cases/{comment_id}",
            handler=self.read,
            name="getCase",
            summary="Read a comment with all that a decision needs to know",
            scope=REVIEW,
            query=contexts.CaseGetIn,
            answers={200: contexts.ContextOut, 404: PROBLEM},
        )

    def _declare_cases(self, operation: Callable[..., None]) -> None:
        for name, handler, body, summary in (
            ("claim", self.claim, wire.ClaimIn, "Claim a case for five minutes"),
            ("renew", self.renew, wire.ClaimedIn, "Hold a case for another five minutes"),
            ("release", self.release, wire.ClaimedIn, "Give a case up"),
            ("skip", self.skip, wire.AsideIn, "Leave a case to others for a day"),
            (
                "snooze",
                self.snooze,
                wire.SnoozeIn,
                f"Show a case to nobody before an instant, {wire.SNOOZE_DAYS} days away at most",
            ),
            ("escalate", self.escalate, wire.EscalateIn, "Leave a case to managers"),
        ):
            operation(
                method="POST",
                path=f"/v1/cases/{{comment_id}}/{name}",
                handler=handler,
                name=f"{name}Case",
                summary=summary,
                scope=REVIEW,
                body=body,
                answers={200: wire.HeldCaseOut, 404: PROBLEM, 409: PROBLEM},
            )
        operation(
            method="POST",
            path="/v1/comments/{comment_id}/notes",
            handler=self.note,
            name="writeNote",
            summary="Write something down for other moderators",
            scope=REVIEW,
            body=contexts.NoteIn,
            answers={201: contexts.NoteOut, 404: PROBLEM, 409: PROBLEM},
        )

    # -- the queue ----------------------------------------------------------------------------

    async def list_cases(self, call: Call) -> Answer:
        """Answer 200 with a page."""
        asked = wire.CasesIn.model_validate_strings(call.query())
        sites = call.sites(asked.site)
        wanted = wire.wanted(asked, asked.shelf)
        question = (sites, wanted, asked.order)
        found, following, now = await self._review.list_cases(
            *question,
            after=self._cursors.read(asked.cursor, *question),
            limit=asked.limit,
        )
        return 200, wire.page(found, self._cursors.write(following, *question), now=now)

    async def count_cases(self, call: Call) -> Answer:
        """Answer 200 with numbers."""
        asked = wire.CasesCountIn.model_validate_strings(call.query())
        return 200, wire.counts(
            await self._review.count_cases(call.sites(asked.site), wire.wanted(asked))
        )

    async def claim_next(self, call: Call) -> Answer:
        """Answer 200 with the case, or with none."""
        given = wire.ClaimNextIn.model_validate_json(call.body)
        return await self._review.claim_next(
            call.site(given.site),
            moderator(given.moderator),
            wire.wanted_next(given),
            given.order,
            render=wire.claimed,
            idempotency=self._keys.of(call, "cases:claim", given.idempotency_key),
        )

    async def read(self, call: Call) -> Answer:
        """Answer 200 with the comment and what is around it."""
        asked = contexts.CaseGetIn.model_validate_strings(call.query())
        found, now = await self._review.read(call.site(asked.site), call.path["comment_id"])
        return 200, contexts.context(found, now=now, blind=asked.blind)

    # -- one case -----------------------------------------------------------------------------

    async def claim(self, call: Call) -> Answer:
        """Answer 200 with the token, 409 where somebody else holds it."""
        given = wire.ClaimIn.model_validate_json(call.body)
        return await self._review.claim(
            call.site(given.site),
            call.path["comment_id"],
            moderator(given.moderator),
            take_over=given.take_over,
            render=wire.held,
            idempotency=self._keys.on_comment(call, "claim", given.idempotency_key),
        )

    async def renew(self, call: Call) -> Answer:
        """Answer 200 with the new end of the claim."""
        given = wire.ClaimedIn.model_validate_json(call.body)
        return await self._review.renew(
            call.site(given.site),
            call.path["comment_id"],
            moderator(given.moderator),
            given.claim_token,
            render=wire.held,
        )

    async def release(self, call: Call) -> Answer:
        """Answer 200: nobody holds it."""
        given = wire.ClaimedIn.model_validate_json(call.body)
        return await self._review.release(
            call.site(given.site),
            call.path["comment_id"],
            moderator(given.moderator),
            given.claim_token,
            render=wire.held,
        )

    async def skip(self, call: Call) -> Answer:
        """Answer 200: the moderator does not see it for a day."""
        given = wire.AsideIn.model_validate_json(call.body)
        return await self._review.skip(
            call.site(given.site),
            call.path["comment_id"],
            moderator(given.moderator),
            given.claim_token,
            render=wire.held,
            idempotency=self._keys.on_comment(call, "skip", given.idempotency_key),
        )

    async def snooze(self, call: Call) -> Answer:
        """Answer 200: nobody sees it before an instant."""
        given = wire.SnoozeIn.model_validate_json(call.body, context={"now": self._clock()})
        return await self._review.snooze(
            call.site(given.site),
            call.path["comment_id"],
            moderator(given.moderator),
            given.claim_token,
            until=given.until,
            render=wire.held,
            idempotency=self._keys.on_comment(call, "snooze", given.idempotency_key),
        )

    async def escalate(self, call: Call) -> Answer:
        """Answer 200: managers decide."""
        given = wire.EscalateIn.model_validate_json(call.body)
        return await self._review.escalate(
            call.site(given.site),
            call.path["comment_id"],
            moderator(given.moderator),
            given.claim_token,
            note=given.note,
            render=wire.held,
            idempotency=self._keys.on_comment(call, "escalate", given.idempotency_key),
        )

    async def note(self, call: Call) -> Answer:
        """Answer 201 with the note."""
        given = contexts.NoteIn.model_validate_json(call.body)
        by, comment_id = moderator(given.moderator), call.path["comment_id"]
        return await self._review.note(
            call.site(given.site),
            comment_id,
            by,
            given.text,
            render=lambda note_id, at: contexts.noted(note_id, at, by, given.text),
            idempotency=self._keys.of(call, notes_route(comment_id), given.idempotency_key),
        )
