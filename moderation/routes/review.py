"""The HTTP side of what concerns a site's review: reports, erasing, statistics, settings."""

from collections.abc import Callable

from moderation.review.reviewing import Review
from moderation.routes.call import PROBLEM, Answer, Call
from moderation.routes.keys import Keys
from moderation.wire import comments, reports, settings
from moderation.wire import statistics as shares
from moderation.wire.strict import SiteIn

REVIEW = "comments:review"


class ReviewRoutes:
    """Handlers of readers' reports, of erasing a comment, and of how a site reviews."""

    def __init__(
        self,
        review: Review,
        *,
        fingerprint: Callable[[bytes], str],
    ) -> None:
        self._review = review
        self._keys = Keys(fingerprint)

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="POST",
            path="/v1/comments/{comment_id}/reports",
            handler=self.report,
            name="reportComment",
            summary="Take in what a reader says against a comment",
            scope="comments:feedback",
            body=reports.ReportIn,
            answers={201: reports.ReportedOut, 404: PROBLEM, 409: PROBLEM},
        )
        operation(
            method="DELETE",
            path="/v1/comments/{comment_id}",
            handler=self.erase,
            name="eraseComment",
            summary="Erase a comment: its text and everything that tells who wrote it",
            scope="comments:submit",
            query=SiteIn,
            answers={200: comments.ErasedCommentOut, 404: PROBLEM},
        )
        operation(
            method="GET",
            path="/v1/review/statistics",
            handler=self.statistics,
            name="getReviewStatistics",
            summary="Tell precision and recall of the verdicts, from the blind sample",
            scope=REVIEW,
            query=shares.ReviewStatisticsIn,
            answers={200: shares.ReviewStatisticsOut},
        )
        operation(
            method="GET",
            path="/v1/review/settings",
            handler=self.get_setting,
            name="getReviewSettings",
            summary="Read how the site reviews",
            scope=REVIEW,
            query=SiteIn,
            answers={200: settings.SettingOut},
        )
        operation(
            method="PUT",
            path="/v1/review/settings",
            handler=self.put_setting,
            name="putReviewSettings",
            summary="Say how the site reviews, all of it",
            scope="site:admin",
            body=settings.SettingIn,
            answers={200: settings.SettingOut},
        )

    async def report(self, call: Call) -> Answer:
        """Answer 201: people will look."""
        given = reports.ReportIn.model_validate_json(call.body)
        comment_id = call.path["comment_id"]
        return await self._review.report(
            call.site(given.site),
            comment_id,
            reader=given.reporter.id,
            reason=given.reason,
            render=lambda at: reports.reported(comment_id, at),
            idempotency=self._keys.on_comment(call, "reports", given.idempotency_key),
        )

    async def erase(self, call: Call) -> Answer:
        """Answer 200, also where it was erased before."""
        asked = SiteIn.model_validate_strings(call.query())
        comment_id = call.path["comment_id"]
        await self._review.erase(call.site(asked.site), comment_id)
        return 200, comments.erased(comment_id)

    async def statistics(self, call: Call) -> Answer:
        """Answer 200 with shares and their intervals."""
        asked = shares.ReviewStatisticsIn.model_validate_strings(call.query())
        return 200, shares.statistics(
            *await self._review.statistics(call.site(asked.site), since=asked.since)
        )

    async def get_setting(self, call: Call) -> Answer:
        """Answer 200 with what is set."""
        asked = SiteIn.model_validate_strings(call.query())
        return 200, settings.setting_out(await self._review.get_setting(call.site(asked.site)))

    async def put_setting(self, call: Call) -> Answer:
        """Answer 200 with what is set now."""
        given = settings.SettingIn.model_validate_json(call.body)
        wanted = settings.setting(given)
        await self._review.put_setting(call.site(given.site), wanted)
        return 200, settings.setting_out(wanted)
