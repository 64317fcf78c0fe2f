"""What a site's people decided where they work, told in a dialect: screened first if unknown.

A judgement is about a text, which is compared once more in the transaction that decides: what the
comment says by then may be another.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from moderation.cases.case import Moderator
from moderation.cases.usage import Tally
from moderation.errors import CommentErased, RevisionChanged
from moderation.review.deciding import Decided
from moderation.review.feedback import Feedback
from moderation.review.reviewing import Review
from moderation.screening import Screening, Submission

Said = Callable[[str], object]
"""Returns what a text says, without what may change on the way; what is equal is one text."""


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
        said: Said,
        also: Sequence[str] = (),
        tally: Tally | None = None,
    ) -> Decided | None:
        """Decide on a comment as a person did; None where it was erased, or says another text now.

        It is found by its external id, or by those in *also* where it says the same there. A text
        that nobody has seen is screened and stored first, as a comment's next revision where its
        external id is known. *actor* names the person, such as `akismet:anna`. Told twice it
        happens once.
        """
        comment_id, text = await self._find(site_id, submission, said, also)
        try:
            return await self._review.feedback(
                site_id,
                comment_id,
                given,
                Moderator(actor),
                text_sha256=_digest(text),
                tally=tally,
            )
        except (CommentErased, RevisionChanged):
            return None

    async def _find(
        self, site_id: str, submission: Submission, said: Said, also: Sequence[str]
    ) -> tuple[str, str]:
        """Return the comment that is judged, and the text of it that is."""
        text = submission.text
        wanted = said(text)
        for external_id in (submission.external_id, *also):
            found = await self._screening.find(site_id, external_id)
            if found is None:
                continue
            if said(found.text) == wanted:
                return found.stored.id, found.text
        # Stored anew, an older text would take the place of the one that people see. Whether it is
        # one is seen in the transaction that stores it, for edits may come meanwhile.
        stored = await self._screening.take(site_id, submission, once=True)
        return stored.id, text


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
