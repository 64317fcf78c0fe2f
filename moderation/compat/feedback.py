"""What a site's people decided where they work, told in a dialect: screened first if unknown."""

from moderation.cases.case import Moderator
from moderation.cases.usage import Tally
from moderation.errors import CommentErased
from moderation.review.deciding import Decided
from moderation.review.feedback import Feedback
from moderation.review.reviewing import Review
from moderation.screening import Screening, Submission


class Feedbacking:
    """The use case of feedback on comments that clients of other dialects know."""

    def __init__(self, screening: Screening, review: Review) -> None:
        self._screening = screening
        self._review = review

    async def take(
        self,
        site_id: str,
        submission: Submission,
        given: Feedback,
        *,
        actor: str,
        tally: Tally | None = None,
    ) -> Decided | None:
        """Decide on a comment as a person did; None where it was erased.

        It is found by its external id; only one that nobody has seen is screened and stored first.
        *actor* names the person, such as `akismet:anna`. Told twice it happens once.
        """
        found = await self._screening.find(site_id, submission.external_id)
        if found is None:
            comment_id = (await self._screening.take(site_id, submission)).id
        else:
            comment_id = found.stored.id
        try:
            return await self._review.feedback(
                site_id, comment_id, given, Moderator(actor), tally=tally
            )
        except CommentErased:
            return None
