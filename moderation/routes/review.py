"""The HTTP side of review: the queue, decisions, reports, what follows them."""

from collections.abc import Callable

from moderation.review.reviewing import Given, Review
from moderation.routes.comments import PROBLEM, Answer, Call
from moderation.wire import review as wire
from moderation.wire.comments import CommentGetIn

REVIEW = "comments:review"


class ReviewRoutes:
    """Handlers of `/v1/cases`, `/v1/decisions` and what concerns one comment's review."""

    def __init__(
        self,
        review: Review,
        *,
        refuse: Callable[[Exception], Answer],
        fingerprint: Callable[[bytes], str],
    ) -> None:
        self._review = review
        self._refuse = refuse
        self._fingerprint = fingerprint

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        self._declare_queue(operation)
        self._declare_cases(operation)
        self._declare_decisions(operation)
        self._declare_site(operation)

    def _declare_queue(self, operation: Callable[..., None]) -> None:
        operation(
            method="GET",
            path="/v1/cases",
            handler=self.list_cases,
            name="listCases",
            summary="List the cases of the queue in an order, narrowed by filters",
            scope=REVIEW,
            query=wire.CasesIn,
            answers={200: wire.CasesOut},
        )
        operation(
            method="GET",
            path="/v1/cases:count",
            handler=self.count_cases,
            name="countCases",
            summary="Count the cases of the queue",
            scope=REVIEW,
            query=wire.CaseFilterIn,
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
            query=wire.CaseGetIn,
            answers={200: wire.ContextOut, 404: PROBLEM},
        )

    def _declare_cases(self, operation: Callable[..., None]) -> None:
        for name, handler, body, summary in (
            ("claim", self.claim, wire.ClaimIn, "Claim a case for five minutes"),
            ("renew", self.renew, wire.ClaimedIn, "Hold a case for another five minutes"),
            ("release", self.release, wire.ClaimedIn, "Give a case up"),
            ("skip", self.skip, wire.AsideIn, "Leave a case to others for a day"),
            ("snooze", self.snooze, wire.SnoozeIn, "Show a case to nobody before an instant"),
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
            body=wire.NoteIn,
            answers={201: wire.NoteOut, 404: PROBLEM, 409: PROBLEM},
        )

    def _declare_decisions(self, operation: Callable[..., None]) -> None:
        operation(
            method="POST",
            path="/v1/comments/{comment_id}/decisions",
            handler=self.decide,
            name="decide",
            summary="Decide on a comment, and on those that say nearly the same",
            scope=REVIEW,
            body=wire.DecideIn,
            answers={200: wire.DecisionOut, 404: PROBLEM, 409: PROBLEM},
        )
        operation(
            method="POST",
            path="/v1/decisions:bulk",
            handler=self.decide_many,
            name="decideMany",
            summary="Decide on each of up to 200 comments, or only try",
            scope=REVIEW,
            body=wire.BulkIn,
            answers={200: wire.DecisionOut, 409: PROBLEM},
        )
        operation(
            method="POST",
            path="/v1/decisions/{decision_id}/undo",
            handler=self.undo,
            name="undoDecision",
            summary="Take back everything that was decided at once",
            scope=REVIEW,
            body=wire.UndoIn,
            answers={200: wire.DecisionOut, 404: PROBLEM, 409: PROBLEM},
        )
        operation(
            method="GET",
            path="/v1/decisions",
            handler=self.changes,
            name="listDecisions",
            summary="Follow what happens to comments after they came in, every event once",
            scope="comments:read",
            query=wire.DecisionsIn,
            answers={200: wire.DecisionsOut},
        )

    def _declare_site(self, operation: Callable[..., None]) -> None:
        operation(
            method="POST",
            path="/v1/comments/{comment_id}/reports",
            handler=self.report,
            name="reportComment",
            summary="Take in what a reader says against a comment",
            scope="comments:feedback",
            body=wire.ReportIn,
            answers={201: wire.ReportedOut, 404: PROBLEM, 409: PROBLEM},
        )
        operation(
            method="DELETE",
            path="/v1/comments/{comment_id}",
            handler=self.erase,
            name="eraseComment",
            summary="Erase a comment: its text and everything that tells who wrote it",
            scope="comments:submit",
            query=CommentGetIn,
            answers={200: wire.ErasedCommentOut, 404: PROBLEM},
        )
        operation(
            method="GET",
            path="/v1/review/statistics",
            handler=self.statistics,
            name="getReviewStatistics",
            summary="Tell precision and recall of the verdicts, from the blind sample",
            scope=REVIEW,
            query=wire.ReviewStatisticsIn,
            answers={200: wire.ReviewStatisticsOut},
        )
        operation(
            method="GET",
            path="/v1/review/settings",
            handler=self.get_setting,
            name="getReviewSettings",
            summary="Read how the site reviews",
            scope=REVIEW,
            query=CommentGetIn,
            answers={200: wire.SettingOut},
        )
        operation(
            method="PUT",
            path="/v1/review/settings",
            handler=self.put_setting,
            name="putReviewSettings",
            summary="Say how the site reviews",
            scope="site:admin",
            body=wire.SettingIn,
            answers={200: wire.SettingOut},
        )

    # -- the queue ----------------------------------------------------------------------------

    async def list_cases(self, call: Call) -> Answer:
        """Answer 200 with a page."""
        asked = wire.CasesIn.model_validate_strings(call.query())
        found, following, now = await self._review.list_cases(
            call.site(asked.site),
            wire.wanted(asked),
            asked.order,
            after=wire.place(asked.cursor, asked.order, asked.shelf),
            limit=asked.limit,
        )
        return 200, wire.page(found, following, asked.order, asked.shelf, now=now)

    async def count_cases(self, call: Call) -> Answer:
        """Answer 200 with numbers."""
        asked = wire.CaseFilterIn.model_validate_strings(call.query())
        return 200, wire.counts(
            await self._review.count_cases(call.site(asked.site), wire.wanted(asked))
        )

    async def claim_next(self, call: Call) -> Answer:
        """Answer 200 with the case, or with none."""
        given = wire.ClaimNextIn.model_validate_json(call.body)
        return await self._review.claim_next(
            call.site(given.site),
            wire.moderator(given.moderator),
            wire.wanted_next(given),
            given.order,
            render=wire.claimed,
            given=self._key(call, "cases:claim", given.idempotency_key),
        )

    async def read(self, call: Call) -> Answer:
        """Answer 200 with the comment and what is around it."""
        asked = wire.CaseGetIn.model_validate_strings(call.query())
        found, now = await self._review.read(call.site(asked.site), call.path["comment_id"])
        return 200, wire.context(found, now=now, blind=asked.blind)

    # -- one case -----------------------------------------------------------------------------

    async def claim(self, call: Call) -> Answer:
        """Answer 200 with the token, 409 where somebody else holds it."""
        given = wire.ClaimIn.model_validate_json(call.body)
        return await self._review.claim(
            call.site(given.site),
            call.path["comment_id"],
            wire.moderator(given.moderator),
            take_over=given.take_over,
            render=wire.held,
            given=self._on_comment(call, "claim", given.idempotency_key),
        )

    async def renew(self, call: Call) -> Answer:
        """Answer 200 with the new end of the claim."""
        given = wire.ClaimedIn.model_validate_json(call.body)
        return await self._review.renew(
            call.site(given.site),
            call.path["comment_id"],
            wire.moderator(given.moderator),
            given.claim_token,
            render=wire.held,
        )

    async def release(self, call: Call) -> Answer:
        """Answer 200: nobody holds it."""
        given = wire.ClaimedIn.model_validate_json(call.body)
        return await self._review.release(
            call.site(given.site),
            call.path["comment_id"],
            wire.moderator(given.moderator),
            given.claim_token,
            render=wire.held,
        )

    async def skip(self, call: Call) -> Answer:
        """Answer 200: the moderator does not see it for a day."""
        given = wire.AsideIn.model_validate_json(call.body)
        return await self._review.skip(
            call.site(given.site),
            call.path["comment_id"],
            wire.moderator(given.moderator),
            given.claim_token,
            render=wire.held,
            given=self._on_comment(call, "skip", given.idempotency_key),
        )

    async def snooze(self, call: Call) -> Answer:
        """Answer 200: nobody sees it before an instant."""
        given = wire.SnoozeIn.model_validate_json(call.body)
        return await self._review.snooze(
            call.site(given.site),
            call.path["comment_id"],
            wire.moderator(given.moderator),
            given.claim_token,
            until=given.until,
            render=wire.held,
            given=self._on_comment(call, "snooze", given.idempotency_key),
        )

    async def escalate(self, call: Call) -> Answer:
        """Answer 200: managers decide."""
        given = wire.EscalateIn.model_validate_json(call.body)
        return await self._review.escalate(
            call.site(given.site),
            call.path["comment_id"],
            wire.moderator(given.moderator),
            given.claim_token,
            note=given.note,
            render=wire.held,
            given=self._on_comment(call, "escalate", given.idempotency_key),
        )

    async def note(self, call: Call) -> Answer:
        """Answer 201 with the note."""
        given = wire.NoteIn.model_validate_json(call.body)
        by = wire.moderator(given.moderator)
        return await self._review.note(
            call.site(given.site),
            call.path["comment_id"],
            by,
            given.text,
            render=lambda note_id, at: wire.noted(note_id, at, by, given.text),
            given=self._on_comment(call, "notes", given.idempotency_key),
        )

    # -- decisions ----------------------------------------------------------------------------

    async def decide(self, call: Call) -> Answer:
        """Answer 200 with what came of it, 409 where the comment is not as it was read."""
        given = wire.DecideIn.model_validate_json(call.body)
        return await self._review.decide(
            call.site(given.site),
            wire.decision(call.path["comment_id"], given),
            wire.moderator(given.moderator),
            group=given.group,
            render=lambda decision_id, done: wire.results(decision_id, done, self._refuse),
            given=self._on_comment(call, "decisions", given.idempotency_key),
        )

    async def decide_many(self, call: Call) -> Answer:
        """Answer 200 with a result or problem a comment, in order."""
        given = wire.BulkIn.model_validate_json(call.body)
        return await self._review.decide_many(
            call.site(given.site),
            wire.decisions(given),
            wire.moderator(given.moderator),
            dry=given.dry_run,
            render=lambda decision_id, done: wire.results(decision_id, done, self._refuse),
            given=self._key(call, "decisions:bulk", given.idempotency_key),
        )

    async def undo(self, call: Call) -> Answer:
        """Answer 200 with a result or problem a comment."""
        given = wire.UndoIn.model_validate_json(call.body)
        decision_id = call.path["decision_id"]
        return await self._review.undo(
            call.site(given.site),
            decision_id,
            wire.moderator(given.moderator),
            render=lambda of, done: wire.results(of, done, self._refuse),
            given=self._key(call, f"decisions/{decision_id}/undo", given.idempotency_key),
        )

    async def changes(self, call: Call) -> Answer:
        """Answer 200 with what came after a place."""
        asked = wire.DecisionsIn.model_validate_strings(call.query())
        after = wire.seq(asked.after)
        found, external_ids = await self._review.changes(
            call.site(asked.site), after=after, limit=asked.limit
        )
        return 200, wire.feed(found, external_ids, after=after)

    # -- readers, authors, the site -----------------------------------------------------------

    async def report(self, call: Call) -> Answer:
        """Answer 201: people will look."""
        given = wire.ReportIn.model_validate_json(call.body)
        comment_id = call.path["comment_id"]
        return await self._review.report(
            call.site(given.site),
            comment_id,
            reader=given.reporter.id,
            reason=given.reason,
            render=lambda at: wire.reported(comment_id, at),
            given=self._on_comment(call, "reports", given.idempotency_key),
        )

    async def erase(self, call: Call) -> Answer:
        """Answer 200, also where it was erased before."""
        asked = CommentGetIn.model_validate_strings(call.query())
        comment_id = call.path["comment_id"]
        await self._review.erase(call.site(asked.site), comment_id)
        return 200, wire.erased(comment_id)

    async def statistics(self, call: Call) -> Answer:
        """Answer 200 with shares and their intervals."""
        asked = wire.ReviewStatisticsIn.model_validate_strings(call.query())
        return 200, wire.statistics(
            await self._review.statistics(call.site(asked.site), since=asked.since)
        )

    async def get_setting(self, call: Call) -> Answer:
        """Answer 200 with what is set."""
        asked = CommentGetIn.model_validate_strings(call.query())
        return 200, wire.setting_out(await self._review.get_setting(call.site(asked.site)))

    async def put_setting(self, call: Call) -> Answer:
        """Answer 200 with what is set now."""
        given = wire.SettingIn.model_validate_json(call.body)
        wanted = wire.setting(given)
        await self._review.put_setting(call.site(given.site), wanted)
        return 200, wire.setting_out(wanted)

    # -- parts --------------------------------------------------------------------------------

    def _on_comment(self, call: Call, what: str, in_body: str | None) -> Given | None:
        return self._key(call, f"comments/{call.path['comment_id']}/{what}", in_body)

    def _key(self, call: Call, route: str, in_body: str | None) -> Given | None:
        key = call.idempotency_key(in_body)
        return None if key is None else Given(route, key, self._fingerprint(call.body))
