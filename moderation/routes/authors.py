"""The HTTP side of what authors may ask for."""

from collections.abc import Callable

from moderation.review.authors import Authors
from moderation.routes.call import Answer, Call
from moderation.wire import authors as wire


class AuthorRoutes:
    """Handlers of what authors may ask for: a site's backend asks for them."""

    def __init__(self, authors: Authors) -> None:
        self._authors = authors

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation over; an address or an id stands in no URL, which are logged."""
        operation(
            method="POST",
            path="/v1/authors:export",
            handler=self.export,
            name="exportAuthor",
            summary="Read everything that is held of what an author wrote",
            scope="comments:read",
            body=wire.AuthorExportIn,
            answers={200: wire.AuthorExportOut},
        )
        operation(
            method="POST",
            path="/v1/authors:erase",
            handler=self.erase,
            name="eraseAuthor",
            summary="Erase all comments of an author",
            scope="comments:submit",
            body=wire.AuthorEraseIn,
            answers={200: wire.AuthorErasedOut},
        )

    async def export(self, call: Call) -> Answer:
        """Answer 200 with a page, empty where nobody is known by these names."""
        given = wire.AuthorExportIn.model_validate_json(call.body)
        return 200, wire.export(
            *await self._authors.read(
                call.site(given.site),
                wire.who(given.author),
                after=wire.start(given),
                limit=given.limit,
            )
        )

    async def erase(self, call: Call) -> Answer:
        """Answer 200 with how many comments there were."""
        given = wire.AuthorEraseIn.model_validate_json(call.body)
        erased = await self._authors.erase(call.site(given.site), wire.who(given.author))
        return 200, wire.erased(erased)
