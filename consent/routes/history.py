"""`/v1/consent/export` and `/v1/consent/changes`: a site's history in the order of its ledger."""

from collections.abc import Callable

from consent.audit.auditing import Auditing
from consent.routes.call import PROBLEM, Answer, Call, Streamed
from consent.routes.records import subject_filter
from consent.wire import changes, exports

KINDS = tuple(media.partition(";")[0] for media in exports.MEDIA.values())


class HistoryRoutes:
    """Exporting a history, and following it."""

    def __init__(self, *, auditing: Auditing) -> None:
        self._auditing = auditing

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/consent/export",
            handler=self.export,
            name="exportRecords",
            summary="Export the records in the order of the ledger, opened, as a stream",
            scope="consent:audit",
            query=exports.ExportIn,
            answers={200: KINDS, 404: PROBLEM},
        )
        operation(
            method="GET",
            path="/v1/consent/changes",
            handler=self.changes,
            name="listChanges",
            summary="Follow what enters the ledger: every entry once, in its order",
            scope="consent:audit",
            query=changes.FeedIn,
            answers={200: changes.FeedOut, 404: PROBLEM},
        )

    async def export(self, call: Call) -> Answer:
        """Answer 200 with a file; one that breaks off is not whole."""
        asked = exports.ExportIn.model_validate_strings(call.query())
        site_id = call.site(asked.site)
        wanted = subject_filter(self._auditing, site_id, asked)
        name = f'attachment; filename="consent-{site_id}.{asked.format}"'
        return 200, Streamed(
            exports.MEDIA[asked.format].encode(),
            self._auditing.export(site_id, wanted, exports.FILES[asked.format]),
            ((b"content-disposition", name.encode()),),
        )

    async def changes(self, call: Call) -> Answer:
        """Answer 200 with what came after a place."""
        asked = changes.FeedIn.model_validate_strings(call.query())
        after = changes.position(asked.after)
        step = await self._auditing.changes(call.site(asked.site), after, limit=asked.limit)
        return 200, changes.feed(step)
