"""The HTTP side of decisions: made, taken back, followed."""

from collections.abc import Callable

from moderation.review.reviewing import Review
from moderation.routes.call import PROBLEM, Answer, Call
from moderation.routes.keys import Keys
from moderation.wire import cursor
from moderation.wire import decisions as wire
from moderation.wire.moderators import moderator

REVIEW = "comments:review"


class DecisionRoutes:
    """Handlers of `/v1/decisions`, and of the decisions on a comment."""

    def __init__(
        self,
        review: Review,
        *,
        refuse: Callable[[Exception], Answer],
        fingerprint: Callable[[bytes], str],
    ) -> None:
        self._review = review
        self._refuse = refuse
        self._keys = Keys(fingerprint)

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
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

    async def decide(self, call: Call) -> Answer:
        """Answer 200 with what came of it, 409 where the comment is not as it was read."""
        given = wire.DecideIn.model_validate_json(call.body)
        return await self._review.decide(
            call.site(given.site),
            wire.decision(call.path["comment_id"], given),
            moderator(given.moderator),
            group=given.group,
            render=lambda decision_id, done: wire.results(decision_id, done, self._refuse),
            idempotency=self._keys.on_comment(call, "decisions", given.idempotency_key),
        )

    async def decide_many(self, call: Call) -> Answer:
        """Answer 200 with a result or problem a comment, in order."""
        given = wire.BulkIn.model_validate_json(call.body)
        return await self._review.decide_many(
            call.site(given.site),
            wire.decisions(given),
            moderator(given.moderator),
            dry=given.dry_run,
            render=lambda decision_id, done: wire.results(decision_id, done, self._refuse),
            idempotency=self._keys.of(call, "decisions:bulk", given.idempotency_key),
        )

    async def undo(self, call: Call) -> Answer:
        """Answer 200 with a result or problem a comment."""
        given = wire.UndoIn.model_validate_json(call.body)
        decision_id = call.path["decision_id"]
        return await self._review.undo(
            call.site(given.site),
            decision_id,
            moderator(given.moderator),
            render=lambda of, done: wire.results(of, done, self._refuse),
            idempotency=self._keys.of(call, f"decisions/{decision_id}/undo", given.idempotency_key),
        )

    async def changes(self, call: Call) -> Answer:
        """Answer 200 with what came after a place."""
        asked = wire.DecisionsIn.model_validate_strings(call.query())
        after = cursor.seq(asked.after)
        found, external_ids = await self._review.changes(
            call.site(asked.site), after=after, limit=asked.limit
        )
        return 200, wire.feed(found, external_ids, after=after)
