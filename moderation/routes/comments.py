"""The HTTP side of comments: submitted, scored, read, explained."""

from collections.abc import Callable, Sequence

from pydantic import ValidationError
from pydantic_core import to_json

from moderation.review.erasing import BATCH_ROUTE, SUBMIT_ROUTE
from moderation.routes.call import PROBLEM, Answer, Call
from moderation.routes.keys import Keys
from moderation.screening import Screening, Submission
from moderation.store import Stored
from moderation.wire import comments as wire
from moderation.wire import cursor
from moderation.wire.strict import SiteIn


class CommentRoutes:
    """Handlers of `/v1/comments` and `/v1/score`."""

    def __init__(
        self,
        screening: Screening,
        *,
        refuse: Callable[[Exception], Answer],
        fingerprint: Callable[[bytes], str],
    ) -> None:
        self._screening = screening
        self._refuse = refuse
        self._keys = Keys(fingerprint)

    def declare(self, operation: Callable[..., None], *, batch_bytes: int) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="POST",
            path="/v1/comments",
            handler=self.submit,
            name="submitComment",
            summary="Screen a comment and store it with its verdict",
            scope="comments:submit",
            body=wire.CommentIn,
            answers={201: wire.CommentOut, 200: wire.CommentOut, 409: PROBLEM},
        )
        operation(
            method="POST",
            path="/v1/score",
            handler=self.score,
            name="scoreText",
            summary="Score a text without storing it",
            scope="comments:score",
            body=wire.ScoreIn,
            answers={200: wire.ExplainedOut},
        )
        operation(
            method="POST",
            path="/v1/comments:batch",
            handler=self.submit_batch,
            name="submitComments",
            summary="Screen up to 1,000 comments in one durable commit",
            scope="comments:submit",
            body=wire.BatchSchema,
            answers={200: wire.BatchOut, 409: PROBLEM},
            limit=batch_bytes,
        )
        operation(
            method="GET",
            path="/v1/comments",
            handler=self.list_comments,
            name="listComments",
            summary="List comments, oldest first: all, those in a state, the one of an id of yours",
            scope="comments:read",
            query=wire.PageIn,
            answers={200: wire.CommentsOut},
        )
        operation(
            method="GET",
            path="/v1/comments/{comment_id}",
            handler=self.get,
            name="getComment",
            summary="Read a comment and its verdict",
            scope="comments:read",
            query=SiteIn,
            answers={200: wire.CommentDetailOut, 404: PROBLEM},
        )

        operation(
            method="GET",
            path="/v1/comments/{comment_id}/explanation",
            handler=self.explain,
            name="explainComment",
            summary="Read what moved the scores of a comment: words with their places, and facts",
            scope="comments:read",
            query=SiteIn,
            answers={200: wire.CommentExplanationOut, 404: PROBLEM},
        )

    async def submit(self, call: Call) -> Answer:
        """Answer 201 with the verdict, or 200 with the stored one."""
        given = wire.CommentIn.model_validate_json(call.body)
        return await self._screening.submit(
            call.site(given.site),
            _submission(given),
            idempotency=self._keys.of(call, SUBMIT_ROUTE, given.idempotency_key),
            render=wire.single,
        )

    async def score(self, call: Call) -> Answer:
        """Answer 200 with probabilities and the verdict they would lead to."""
        given = wire.ScoreIn.model_validate_json(call.body)
        screened = await self._screening.score(
            call.site(given.site),
            Submission("", given.text, honeypot_filled=bool(given.honeypot)),
        )
        why = await self._screening.explain(given.text) if given.explain else None
        return 200, wire.score(screened, why)

    async def submit_batch(self, call: Call) -> Answer:
        """Answer 200 with one result or problem an item, in order."""
        given = wire.read_batch(call.body)
        site_id = call.site(given.site)
        submissions: list[Submission] = []
        problems: dict[int, Answer] = {}
        for index, item in enumerate(given.comments):
            try:
                submissions.append(_submission(wire.ItemIn.model_validate_json(to_json(item))))
            except ValidationError as error:
                problems[index] = self._refuse(error)

        def render(stored: Sequence[Stored]) -> Answer:
            following = iter(stored)
            return 200, wire.batch(
                [
                    problems[index] if index in problems else next(following)
                    for index in range(len(given.comments))
                ]
            )

        return await self._screening.submit_many(
            site_id,
            submissions,
            idempotency=self._keys.of(call, BATCH_ROUTE, given.idempotency_key),
            render=render,
        )

    async def get(self, call: Call) -> Answer:
        """Answer 200 with the comment, 404 for another site's."""
        asked = SiteIn.model_validate_strings(call.query())
        found = await self._screening.get(call.site(asked.site), call.path["comment_id"])
        return 200, wire.detail(found)

    async def explain(self, call: Call) -> Answer:
        """Answer 200 with what moved the scores of the comment's current revision."""
        asked = SiteIn.model_validate_strings(call.query())
        found = await self._screening.get(call.site(asked.site), call.path["comment_id"])
        return 200, wire.explanation(found, await self._screening.explain(found.text))

    async def list_comments(self, call: Call) -> Answer:
        """Answer 200 with a page."""
        asked = wire.PageIn.model_validate_strings(call.query())
        found, following = await self._screening.list_comments(
            call.site(asked.site),
            state=asked.state,
            external_id=asked.external_id,
            after=cursor.comment_id(asked.cursor),
            limit=asked.limit,
        )
        return 200, wire.page(found, None if following is None else cursor.write(following))


def _submission(given: wire.ItemIn) -> Submission:
    return Submission(
        given.external_id,
        given.text,
        wire.details(given),
        given.thread.id if given.thread else None,
        given.parent_id,
        bool(given.honeypot),
        wire.author(given),
        given.submitted_at,
        given.form_shown_at,
        given.thread.published_at if given.thread else None,
        given.language,
    )
